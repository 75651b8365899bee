import Glibc

/// Why there is no listener.
package struct ListenerError: Error, Equatable, CustomStringConvertible {
    package enum Reason: Equatable, Sendable {
        /// `sockaddr_un` holds 107 bytes and their NUL.
        case pathTooLong(limit: Int)
        /// The path is empty or holds a NUL.
        case pathNotUsable
        /// A process answers there.
        case inUse
        /// Something lies there that is no socket, and it is not ours to remove.
        case notASocket
        /// Another process keeps the folder locked, as one does that takes over a socket file.
        case folderLocked
        /// An inherited descriptor that is no listening Unix stream socket.
        case notAListener
        /// A call failed.
        case call(String, Int32)
    }

    package let path: String
    package let reason: Reason

    package var description: String {
        switch reason {
        case .pathTooLong(let limit): "\(path): the path of a Unix socket has at most \(limit) bytes"
        case .pathNotUsable: "\(path): not usable as the path of a Unix socket"
        case .inUse: "\(path): address already in use, another process answers there"
        case .notASocket: "\(path): there is a file that is not a socket; it is left alone"
        case .folderLocked: "\(path): another process keeps the folder locked"
        case .notAListener: "\(path): not a listening Unix stream socket"
        case .call(let call, let number): "\(path): \(call): \(String(cString: strerror(number)))"
        }
    }

    /// The error number of the kind: EADDRINUSE for a live socket, ENAMETOOLONG for a long path, and so on.
    package var number: Int32 {
        switch reason {
        case .pathTooLong: ENAMETOOLONG
        case .pathNotUsable: EINVAL
        case .inUse: EADDRINUSE
        case .notASocket: EEXIST
        case .folderLocked: EAGAIN
        case .notAListener: ENOTSOCK
        case .call(_, let number): number
        }
    }
}

/// A Unix socket in the file system, bound and listening, with the identity of its file.
struct SocketFile {
    /// Bytes of a path that `sockaddr_un` holds beside its NUL.
    static let longestPath = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    let path: String
    let fileDescriptor: Int32
    private let device: UInt
    private let inode: UInt

    /// Binds and listens. A file that a dead process left is replaced, a live socket is not.
    ///
    /// There is no moment at which the file lets in anybody who shall stay out: it is born with its mode or less, and
    /// nobody gets in before `listen`, which comes last. The umask, which belongs to the whole process, is not touched.
    /// Two processes that start at once are kept apart by a lock of the folder, else the second one could remove the
    /// fresh socket of the first one as a stale one.
    init(binding path: String, mode: mode_t, group: gid_t?, backlog: Int32) throws(ListenerError) {
        var address = try SocketFile.address(of: path)
        let lock = try SocketFile.lockFolder(of: path)
        defer { Glibc.close(lock) }
        try SocketFile.removeStale(path, address: &address)
        let descriptor = try SocketFile.openSocket(path)
        let status: stat
        do throws(ListenerError) {
            status = try SocketFile.bindFile(path, address: &address, to: descriptor, mode: mode & 0o700)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        self.path = path
        fileDescriptor = descriptor
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
        do throws(ListenerError) {
            try SocketFile.open(path, to: group, mode: mode)
            guard listen(descriptor, backlog) == 0 else {
                throw ListenerError(path: path, reason: .call("listen", errno))
            }
        } catch {
            removeFile()
            Glibc.close(descriptor)
            throw error
        }
    }

    /// Removes the file if it is still the one that was made here. To be called while the socket is open: until then
    /// its inode number cannot be given to another file.
    func removeFile() {
        var status = stat()
        guard lstat(path, &status) == 0, UInt(status.st_dev) == device, UInt(status.st_ino) == inode else { return }
        unlink(path)
    }

    /// Checks an inherited descriptor and makes it non-blocking and close-on-exec.
    static func adopt(_ descriptor: Int32) throws(ListenerError) {
        let name = "descriptor \(descriptor)"
        guard option(SO_DOMAIN, of: descriptor) == AF_UNIX,
            option(SO_TYPE, of: descriptor) == Int32(SOCK_STREAM.rawValue),
            option(SO_ACCEPTCONN, of: descriptor) == 1
        else { throw ListenerError(path: name, reason: .notAListener) }
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0,
            fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
        else { throw ListenerError(path: name, reason: .call("fcntl", errno)) }
    }

    // MARK: Steps

    private static func option(_ option: Int32, of descriptor: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, option, &value, &length) == 0 ? value : nil
    }

    static func address(of path: String) throws(ListenerError) -> sockaddr_un {
        let bytes = Array(path.utf8)
        guard bytes.count <= longestPath else {
            throw ListenerError(path: path, reason: .pathTooLong(limit: longestPath))
        }
        // A first NUL would name a socket of the abstract namespace, which no file mode protects.
        guard !bytes.isEmpty, !bytes.contains(0) else { throw ListenerError(path: path, reason: .pathNotUsable) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return address
    }

    private static func openSocket(_ path: String) throws(ListenerError) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw ListenerError(path: path, reason: .call("socket", errno)) }
        return descriptor
    }

    private static func withSocketAddress(
        _ address: inout sockaddr_un, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        withUnsafeBytes(of: &address) { bytes in
            guard let start = bytes.baseAddress else { return -1 }
            return call(start.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
    }

    /// The file with `mode` or less, not yet listening.
    static func bindFile(
        _ path: String, address: inout sockaddr_un, to descriptor: Int32, mode: mode_t
    ) throws(ListenerError) -> stat {
        // Linux takes the mode of the file from that of the socket, less the umask.
        fchmod(descriptor, mode)
        let bound = withSocketAddress(&address) { bind(descriptor, $0, $1) }
        let number = errno
        guard bound == 0 else {
            throw ListenerError(path: path, reason: number == EADDRINUSE ? .inUse : .call("bind", number))
        }
        var status = stat()
        guard lstat(path, &status) == 0 else { throw ListenerError(path: path, reason: .call("stat", errno)) }
        return status
    }

    private static func open(_ path: String, to group: gid_t?, mode: mode_t) throws(ListenerError) {
        if let group, lchown(path, uid_t.max, group) != 0 {
            throw ListenerError(path: path, reason: .call("give it to group \(group)", errno))
        }
        guard chmod(path, mode) == 0 else { throw ListenerError(path: path, reason: .call("chmod", errno)) }
    }

    /// Removes a socket file on which nobody listens. Nothing else is touched.
    private static func removeStale(_ path: String, address: inout sockaddr_un) throws(ListenerError) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            guard errno == ENOENT else { throw ListenerError(path: path, reason: .call("stat", errno)) }
            return
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw ListenerError(path: path, reason: .notASocket) }
        // Non-blocking: a live socket whose backlog is full says EAGAIN instead of making us wait.
        let probe = try openSocket(path)
        defer { Glibc.close(probe) }
        if withSocketAddress(&address, { connect(probe, $0, $1) }) == 0 {
            throw ListenerError(path: path, reason: .inUse)
        }
        switch errno {
        case ECONNREFUSED:
            guard unlink(path) == 0 || errno == ENOENT else {
                throw ListenerError(path: path, reason: .call("remove the stale socket", errno))
            }
        case ENOENT: return
        case EAGAIN, EINPROGRESS, EPROTOTYPE: throw ListenerError(path: path, reason: .inUse)
        default: throw ListenerError(path: path, reason: .call("connect", errno))
        }
    }

    /// An open descriptor of the path's folder that holds its lock; closing it lets go. Waits up to a second: the lock
    /// is held for milliseconds.
    private static func lockFolder(of path: String) throws(ListenerError) -> Int32 {
        let folder: String
        if let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) {
            folder = slash == path.utf8.startIndex ? "/" : String(path[..<slash])
        } else {
            folder = "."
        }
        let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ListenerError(path: path, reason: .call("open \(folder)", errno)) }
        for _ in 0..<100 {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return descriptor }
            let number = errno
            guard number == EWOULDBLOCK || number == EINTR else {
                Glibc.close(descriptor)
                throw ListenerError(path: path, reason: .call("lock \(folder)", number))
            }
            usleep(10_000)
        }
        Glibc.close(descriptor)
        throw ListenerError(path: path, reason: .folderLocked)
    }
}
