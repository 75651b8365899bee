import CLibEvent
import Glibc

/// Accepts connections of one Unix stream socket.
package final class Listener {
    /// Connections accepted in one turn: those that have one already get their turn in between.
    package static let acceptedPerTurn = 64
    /// How long accepting rests when there is neither a descriptor nor a reserve, in nanoseconds.
    static let rest: UInt64 = 20_000_000

    private let loop: EventLoop
    private let fileDescriptor: Int32
    private let onAccept: (Int32) -> Void
    private let onTurnedAway: (Int32) -> Void
    private var file: SocketFile?
    private var watch: FileWatch?
    private var retry: DeadlineTimer?
    /// Given up when the process has no descriptor left, to take one connection, tell it so and close it. Else the
    /// kernel would report that connection again in every turn.
    private var reserve: Int32 = -1

    /// Connections that were closed at once because the process has no descriptor left.
    package private(set) var turnedAway: UInt64 = 0
    /// How often accepting had to rest because neither a descriptor nor the reserve was to be had.
    package private(set) var rests: UInt64 = 0

    /// Makes the socket file and listens.
    ///
    /// A file that a dead process left is taken over, if nobody answers there; a live one is refused.
    /// - Parameters:
    ///   - loop: the loop of this thread.
    ///   - path: at most 107 bytes, in a folder in which nobody else may rename files.
    ///   - mode: who may connect, whatever the umask is.
    ///   - group: the file's group; this process must belong to it.
    ///   - backlog: connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
    ///   - onTurnedAway: may write a last word to a connection for which no descriptor is left; the listener closes it.
    ///   - onAccept: owns the new descriptor, which is non-blocking and close-on-exec.
    /// - Throws: `.inUse` when a process answers there, and the other reasons of `ListenerError`.
    package convenience init(
        loop: EventLoop, path: String, mode: mode_t = 0o660, group: gid_t? = nil, backlog: Int32 = 1024,
        onTurnedAway: @escaping (Int32) -> Void = { _ in }, onAccept: @escaping (Int32) -> Void
    ) throws(ListenerError) {
        let file = try SocketFile(binding: path, mode: mode, group: group, backlog: backlog)
        self.init(loop: loop, listening: file.fileDescriptor, onTurnedAway: onTurnedAway, onAccept: onAccept)
        self.file = file
    }

    /// Listens on a socket that a service manager opened. Its file is the manager's and stays.
    package convenience init(
        loop: EventLoop, adopting descriptor: Int32,
        onTurnedAway: @escaping (Int32) -> Void = { _ in }, onAccept: @escaping (Int32) -> Void
    ) throws(ListenerError) {
        try SocketFile.adopt(descriptor)
        self.init(loop: loop, listening: descriptor, onTurnedAway: onTurnedAway, onAccept: onAccept)
    }

    private init(
        loop: EventLoop, listening descriptor: Int32,
        onTurnedAway: @escaping (Int32) -> Void, onAccept: @escaping (Int32) -> Void
    ) {
        self.loop = loop
        self.fileDescriptor = descriptor
        self.onAccept = onAccept
        self.onTurnedAway = onTurnedAway
        openReserve()
        let watch = FileWatch(
            loop: loop, fileDescriptor: descriptor, onReadable: { [unowned self] in acceptSome() }, onWritable: {})
        watch.wantsRead = true
        self.watch = watch
    }

    deinit {
        close()
    }

    /// Stops listening and removes the socket file, if it is still the one that was made here. Connections that were
    /// not accepted yet are reset by the kernel.
    package func close() {
        guard let watch else { return }
        watch.cancel()
        self.watch = nil
        retry = nil
        // The file first: as long as the socket is open, its inode number is not used again.
        file?.removeFile()
        file = nil
        Glibc.close(fileDescriptor)
        if reserve >= 0 { Glibc.close(reserve) }
        reserve = -1
    }

    /// Who was at the other end of a connection when it connected: user and group id, nothing more (a process id may be
    /// used again). Nil: not a connected Unix socket.
    package static func peerCredentials(of descriptor: Int32) -> (user: uid_t, group: gid_t)? {
        var user: UInt32 = 0
        var group: UInt32 = 0
        guard pointsman_peer_credentials(descriptor, &user, &group) else { return nil }
        return (user, group)
    }

    // MARK: Accepting

    private func acceptSome() {
        // A callback may drop the last reference to this listener, or close it.
        withExtendedLifetime(self) {
            for _ in 0..<Listener.acceptedPerTurn {
                guard watch != nil else { return }
                let descriptor = pointsman_accept(fileDescriptor)
                if descriptor >= 0 {
                    onAccept(descriptor)
                    continue
                }
                switch errno {
                case EAGAIN: return
                case EMFILE, ENFILE:
                    guard turnOneAway() else { return restAWhile() }
                // The connection is gone again; the next one may be well.
                case EINTR, ECONNABORTED, EPROTO, EPERM: continue
                default: return restAWhile()
                }
            }
        }
    }

    /// Takes one connection by means of the reserve, and closes it. False: there was no reserve, or it is lost.
    private func turnOneAway() -> Bool {
        guard reserve >= 0 else { return false }
        Glibc.close(reserve)
        reserve = -1
        let descriptor = pointsman_accept(fileDescriptor)
        let number = errno
        if descriptor >= 0 {
            turnedAway &+= 1
            onTurnedAway(descriptor)
            Glibc.close(descriptor)
        }
        openReserve()
        return reserve >= 0 && (descriptor >= 0 || number == EAGAIN)
    }

    private func restAWhile() {
        rests &+= 1
        watch?.wantsRead = false
        let timer = retry ?? DeadlineTimer(loop: loop) { [unowned self] in acceptAgain() }
        retry = timer
        timer.set(at: loop.now + Listener.rest)
    }

    private func acceptAgain() {
        if reserve < 0 { openReserve() }
        watch?.wantsRead = true
    }

    private func openReserve() {
        reserve = open("/dev/null", O_RDONLY | O_CLOEXEC)
    }
}
