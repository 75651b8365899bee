import EventLoop
import Upstream

/// A connection to PgBouncer's console and the watch on its socket: they live and end together.
final class ConsoleLink {
    private var connection: ConsoleConnection
    private var watch: FileWatch?
    private let loop: EventLoop
    private let onReadable: () -> Void
    private let onWritable: () -> Void

    /// Starts to connect. Nil: no memory.
    init?(conninfo: String, loop: EventLoop, onReadable: @escaping () -> Void, onWritable: @escaping () -> Void) {
        guard let connection = ConsoleConnection(conninfo: conninfo) else { return nil }
        self.connection = connection
        self.loop = loop
        self.onReadable = onReadable
        self.onWritable = onWritable
    }

    deinit {
        watch?.cancel()
    }

    var errorMessage: String { connection.errorMessage }
    var isLost: Bool { connection.isLost }

    /// Goes on with connecting: first at once, then whenever the socket is ready.
    func continueConnecting() -> ConnectOutcome {
        // libpq may close its socket in there and open another one under the same number.
        stopWatching()
        let outcome = connection.connectPoll()
        switch outcome {
        case .wantsRead: startWatching(read: true, write: false)
        case .wantsWrite: startWatching(read: false, write: true)
        case .failed: break
        case .connected:
            guard connection.enterCommands() else { return .failed }
            startWatching(read: true, write: false)
        }
        return outcome
    }

    /// Sends a command as far as the socket takes it. False: see `errorMessage`.
    func send(_ command: String) -> Bool { connection.send(command) && flush() }

    /// Sends the rest.
    func flush() -> Bool {
        switch connection.flush() {
        case .done: watch?.wantsWrite = false
        case .pending: watch?.wantsWrite = true
        case .failed: return false
        }
        return true
    }

    func readInput() {
        // libpq has closed a lost connection's socket: its number may be used again from here on.
        if !connection.consumeInput() { stopWatching() }
    }

    func nextResult() -> NextResult { connection.nextResult() }

    private func startWatching(read: Bool, write: Bool) {
        let watch = FileWatch(
            loop: loop, fileDescriptor: connection.fileDescriptor, onReadable: onReadable, onWritable: onWritable)
        watch.wantsRead = read
        watch.wantsWrite = write
        self.watch = watch
    }

    private func stopWatching() {
        watch?.cancel()
        watch = nil
    }
}
