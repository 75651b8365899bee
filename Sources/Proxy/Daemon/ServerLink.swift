import EventLoop
import Machines
import Upstream

/// A libpq connection and the watch on its socket: they live and end together.
final class ServerLink {
    var connection: ServerConnection
    private(set) var watch: FileWatch?
    private let loop: EventLoop
    private let onReadable: () -> Void
    private let onWritable: () -> Void

    /// Starts to connect. Nil: no memory.
    init?(
        conninfo: String, loop: EventLoop, onReadable: @escaping () -> Void, onWritable: @escaping () -> Void,
        onNotice: @escaping (borrowing ServerNotice) -> Void
    ) {
        guard let connection = ServerConnection(conninfo: conninfo, onNotice: onNotice) else { return nil }
        self.connection = connection
        self.loop = loop
        self.onReadable = onReadable
        self.onWritable = onWritable
    }

    enum ConnectStep {
        case underWay
        /// Ready for batches, and watched for reading.
        case connected
        case failed(String)
    }

    /// Goes on with connecting: first at once, then whenever the socket is ready.
    func continueConnecting() -> ConnectStep {
        // libpq may close its socket in there and open another one under the same number.
        stopWatching()
        switch connection.connectPoll() {
        case .wantsRead:
            startWatching(read: true, write: false)
            return .underWay
        case .wantsWrite:
            startWatching(read: false, write: true)
            return .underWay
        case .failed: return .failed(connection.errorMessage)
        case .connected: break
        }
        do throws(UpstreamError) {
            try connection.enterPipeline()
        } catch {
            return .failed("\(error)")
        }
        startWatching(read: true, write: false)
        return .connected
    }

    /// Hands a request's statement to libpq. False: see the connection's `errorMessage`.
    func send(_ exchange: Exchange) -> Bool {
        if let command = exchange.command { return send(command) }
        guard let client = exchange.client else { preconditionFailure("a request without its client") }
        return client.withStatement(of: exchange) { sql, count, values in
            connection.send(sql: sql, parameterCount: count, values: values)
        }
    }

    /// Hands a statement of the daemon's own to libpq.
    func send(_ sql: StaticString) -> Bool {
        sql.utf8Start.withMemoryRebound(to: CChar.self, capacity: sql.utf8CodeUnitCount + 1) {
            connection.send(sql: $0, parameterCount: 0, values: nil)
        }
    }

    /// The same with parameters, or for a text that is made anew.
    func send(_ sql: String, _ parameters: String...) -> Bool {
        let texts = parameters.flatMap(\.utf8CString)
        return texts.withUnsafeBufferPointer { texts in
            var next = texts.baseAddress
            let values = parameters.map { parameter in
                defer { next = next.map { $0 + parameter.utf8.count + 1 } }
                return next
            }
            return sql.withCString { connection.send(sql: $0, parameterCount: values.count, values: values) }
        }
    }

    private func startWatching(read: Bool, write: Bool) {
        let watch = FileWatch(
            loop: loop, fileDescriptor: connection.fileDescriptor, onReadable: onReadable, onWritable: onWritable)
        watch.wantsRead = read
        watch.wantsWrite = write
        self.watch = watch
    }

    /// libpq closes its socket by itself where the server closed first: the watch must go before the number is used
    /// again.
    func stopWatching() {
        watch?.cancel()
        watch = nil
    }
}

extension ResultStatus {
    /// libpq's result status as the machine's event.
    var machineKind: ServerMachine.ResultKind {
        switch self {
        case .singleTuple: .row
        case .commandOK, .tuplesOK: .success
        case .fatalError: .error
        case .pipelineAborted: .aborted
        case .emptyQuery, .nonfatalError, .pipelineSync, .copyIn, .copyOut, .copyBoth, .unexpected: .unexpected
        }
    }
}

extension TransactionStatus {
    var clientStatus: ClientMachine.ServerTransaction {
        switch self {
        case .idle: .idle
        case .inTransaction: .inTransaction
        case .inFailedTransaction, .active, .unknown: .inFailedTransaction
        }
    }
}
