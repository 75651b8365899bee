import Foundation
import Synchronization

/// A daemon of which the test decides every byte: what a real one does only when it is broken, slow or killed.
final class ScriptedDaemon: Sendable {
    /// What it does with one connection, on a thread of its own, after HELLO was answered.
    typealias Script = @Sendable (Peer) -> Void

    struct CannotListen: Error { var code: Int32 }

    let path: String
    /// Every line that any client sent, in the order of arrival.
    let lines = Mutex<[String]>([])
    private let listener: Mutex<Int32>
    private let peers = Mutex<[Int32]>([])
    private let accepted = Atomic(0)
    private let script: Script
    private let greets: Bool

    var connections: Int { accepted.load(ordering: .acquiring) }

    /// The sockets of this process, in a folder that goes when it ends: the threads of a daemon outlive its test.
    private static let folder: String = {
        let path = "/tmp/pointsman-client-\(getpid())"
        _ = mkdir(path, 0o700)
        atexit { try? FileManager.default.removeItem(atPath: "/tmp/pointsman-client-\(getpid())") }
        return path
    }()

    static func temporaryPath() -> String {
        "\(folder)/\(UInt32.random(in: 0...UInt32.max)).sock"
    }

    init(path: String = temporaryPath(), greets: Bool = true, _ script: @escaping Script) throws {
        self.path = path
        self.script = script
        self.greets = greets
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { target in
            target.copyBytes(from: path.utf8.prefix(target.count - 1))
        }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0, listen(descriptor, 64) == 0 else { throw CannotListen(code: errno) }
        listener = Mutex(descriptor)
        Thread.detachNewThread { [self] in
            while true {
                let peer = accept(descriptor, nil, nil)
                guard peer >= 0 else {
                    // Closed by the thread that accepts: the number could be another listener's by the next call.
                    _ = close(descriptor)
                    return
                }
                accepted.add(1, ordering: .acquiringAndReleasing)
                peers.withLock { $0.append(peer) }
                Thread.detachNewThread { [self] in serve(peer) }
            }
        }
    }

    deinit { kill() }

    /// As SIGKILL: every connection ends at once, and nobody listens any more.
    func kill() {
        listener.withLock { descriptor in
            guard descriptor >= 0 else { return }
            _ = shutdown(descriptor, Int32(SHUT_RDWR))
            descriptor = -1
        }
        _ = unlink(path)
        peers.withLock { for peer in $0 { _ = shutdown(peer, Int32(SHUT_RDWR)) } }
    }

    func received(_ verb: String) -> [String] {
        lines.withLock { $0.filter { $0.hasPrefix(verb + " ") } }
    }

    private func serve(_ descriptor: Int32) {
        let peer = Peer(descriptor) { [self] line in lines.withLock { $0.append(line) } }
        if greets, let hello = peer.next() {
            peer.send("C\t\(hello.id)\tHELLO\t\\N\tproto=1\tmax_line=1048576\tmax_params=1024")
        }
        script(peer)
        peers.withLock { $0.removeAll { $0 == descriptor } }
        // A process that another suite started meanwhile may hold a copy of the descriptor: closing alone ends nothing.
        _ = shutdown(descriptor, Int32(SHUT_RDWR))
        _ = close(descriptor)
    }

    /// One client of the scripted daemon.
    final class Peer {
        struct Request {
            var verb: String
            var id: String
            var rest: String
        }

        private let descriptor: Int32
        private let note: (String) -> Void
        private var buffer: [UInt8] = []

        init(_ descriptor: Int32, note: @escaping (String) -> Void) {
            self.descriptor = descriptor
            self.note = note
        }

        /// The next request; nil when the client is gone.
        func next() -> Request? {
            while true {
                if let end = buffer.firstIndex(of: 0x0A) {
                    let line = String(decoding: buffer[..<end], as: UTF8.self)
                    buffer.removeSubrange(...end)
                    note(line)
                    let words = line.split(separator: " ", maxSplits: 2)
                    return Request(
                        verb: String(words[0]), id: String(words[1]), rest: words.count > 2 ? String(words[2]) : "")
                }
                var chunk = [UInt8](repeating: 0, count: 4096)
                let count = read(descriptor, &chunk, chunk.count)
                guard count > 0 else { return nil }
                buffer.append(contentsOf: chunk[..<count])
            }
        }

        /// One line.
        func send(_ line: String) { sendBytes(line + "\n") }

        func sendBytes(_ text: String) { sendBytes(Array(text.utf8)) }

        func sendBytes(_ bytes: [UInt8]) {
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return }
                sent += count
            }
        }

        /// The usual answer to a request.
        func answer(_ request: Request) {
            switch request.verb {
            case "Q":
                let isInsert = request.rest.contains("INSERT")
                send("T\t\(request.id)\t25\ttext")
                send("D\t\(request.rest.replacing("\\", with: "\\\\").replacing("\t", with: "\\t"))")
                send("C\t\(request.id)\t\(isInsert ? "INSERT" : "SELECT")\t1\tpool=\(isInsert ? "primary" : "standby")")
            default:
                send("C\t\(request.id)\t\(request.verb)\t\\N")
            }
        }
    }
}
