import Foundation

/// Sockets of one file each, close-on-exec, non-blocking: every wait is a `poll(2)` with a deadline.
enum UnixSocket {
    /// - Throws: `TestFailure` when nobody accepts in time.
    static func connect(_ path: String, within duration: Duration) throws -> Int32 {
        let deadline = Deadline(after: duration)
        while true {
            let file = try make()
            let outcome = withAddress(path) { Glibc.connect(file, $0, $1) }
            if outcome == 0 { return file }
            let code = errno
            close(file)
            // A full backlog answers EAGAIN; a daemon that just starts has no file, or a file and no listener.
            guard [EAGAIN, ENOENT, ECONNREFUSED].contains(code), !deadline.hasPassed else {
                throw TestFailure("connect \(path): \(String(cString: strerror(code)))")
            }
            usleep(2000)
        }
    }

    static func listen(_ path: String) throws -> Int32 {
        let file = try make()
        guard withAddress(path, { bind(file, $0, $1) }) == 0, Glibc.listen(file, 512) == 0 else {
            let code = errno
            close(file)
            throw TestFailure("listen \(path): \(String(cString: strerror(code)))")
        }
        return file
    }

    private static func make() throws -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let file = socket(AF_UNIX, kind, 0)
        guard file >= 0 else { throw TestFailure("socket: \(String(cString: strerror(errno)))") }
        return file
    }

    private static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        precondition(bytes.count < MemoryLayout.size(ofValue: address.sun_path), "socket path too long: \(path)")
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    /// Waits for one of `events`; nil when the time is over.
    static func wait(_ file: Int32, for events: Int32, until deadline: Deadline) -> Int16? {
        while true {
            var entry = pollfd(fd: file, events: Int16(events), revents: 0)
            let count = poll(&entry, 1, deadline.remainingMilliseconds)
            if count > 0 { return entry.revents }
            if count == 0 { return nil }
            if errno != EINTR { return Int16(POLLERR) }
        }
    }
}
