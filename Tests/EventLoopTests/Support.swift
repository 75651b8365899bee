import Glibc
import Testing

@testable import EventLoop

/// Runs the loop until a callback stops it. The watchdog ends a test whose event never comes; it decides nothing else.
func runUntilStopped(
    _ loop: EventLoop, watchdog seconds: UInt64 = 30, sourceLocation: SourceLocation = #_sourceLocation
) {
    let watchdog = DeadlineTimer(loop: loop) {
        Issue.record("nothing came for \(seconds) s", sourceLocation: sourceLocation)
        loop.stop()
    }
    loop.refreshNow()
    watchdog.set(at: loop.now + seconds * 1_000_000_000)
    loop.run()
}

let millisecond: UInt64 = 1_000_000

/// Two connected Unix stream sockets, non-blocking, closed at the end.
final class SocketPair {
    let left: Int32
    private(set) var right: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
        left = ends[0]
        right = ends[1]
    }

    func closeRight() {
        close(right)
        right = -1
    }

    deinit {
        close(left)
        if right >= 0 { close(right) }
    }
}

/// A folder of its own under the system's temporary one, removed at the end with the files that tests make in it.
final class Folder {
    let path: String

    init() throws {
        var template = Array("/tmp/pointsman-test-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) } != nil
        }
        try #require(made)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func file(_ name: String) -> String { path + "/" + name }

    deinit {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != ".", name != ".." { unlink(file(name)) }
            }
            closedir(folder)
        }
        rmdir(path)
    }
}

func send(_ text: String, to descriptor: Int32) {
    _ = Glibc.send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL))
}

/// What a socket has at once.
func receive(from descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let got = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
    return String(decoding: bytes.prefix(max(0, got)), as: UTF8.self)
}

/// How many descriptors the process has open.
func openDescriptors() -> Int {
    (0..<4096).count { fcntl(Int32($0), F_GETFD) >= 0 }
}
