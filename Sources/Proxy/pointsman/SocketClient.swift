import ArgumentParser
import Daemon
import Glibc
import Wire

/// Which daemon a command talks to.
struct SocketOptions: ParsableArguments {
    @Option(help: "The daemon's socket; without it POINTSMAN_SOCKET says.")
    var socket: String?

    func connect() throws -> SocketClient {
        guard let path = socket ?? getenv("POINTSMAN_SOCKET").map({ String(cString: $0) }) else {
            throw ValidationError("which daemon? give --socket PATH or set POINTSMAN_SOCKET")
        }
        return try SocketClient(path: path)
    }
}

/// A blocking client of the line protocol, one request at a time: enough for a command.
final class SocketClient {
    struct Result {
        var columns: [ReplyLine.Column] = []
        var rows: [[String?]] = []
        var notices: [ReplyLine.Notice] = []
        var end: End
    }

    enum End {
        case completed(ReplyLine.Completion)
        case failed(ReplyLine.Failure)
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let descriptor: Int32
    private let path: String
    private var received: [UInt8] = []
    private var nextID = 1
    private let salt = String(UInt32.random(in: .min ... .max), radix: 16)

    init(path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(description: "socket: \(Self.lastError)") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw Failure(description: "\(path): a socket's path has at most 107 bytes")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard connected == 0 else { throw Failure(description: "\(path): \(Self.lastError): is the daemon running?") }
        let hello = try request(.hello, options: [.init(.salt, salt), .init(.app, "pointsman")], text: "1")
        if case .failed(let failure) = hello.end { throw Failure(description: failure.message) }
    }

    deinit {
        close(descriptor)
    }

    private static var lastError: String { String(cString: strerror(errno)) }

    /// Sends one request and waits for its whole reply.
    func request(
        _ verb: Verb, options: [RequestLine.Option] = [], text: String = "", parameters: [String?] = []
    ) throws -> Result {
        let line = RequestLine(
            verb, id: "\(salt).\(nextID)", options: options, text: text, parameters: parameters)
        nextID += 1
        do {
            try send(line.bytes())
        } catch let error as WireError {
            throw Failure(description: error.message)
        }
        var columns: [ReplyLine.Column] = []
        var rows: [[String?]] = []
        var notices: [ReplyLine.Notice] = []
        while true {
            switch try receive() {
            case .columns(_, let names): columns = names
            case .row(let values): rows.append(values)
            case .notice(let notice): notices.append(notice)
            case .completion(let completion):
                return Result(columns: columns, rows: rows, notices: notices, end: .completed(completion))
            case .failure(let failure):
                return Result(columns: columns, rows: rows, notices: notices, end: .failed(failure))
            }
        }
    }

    private func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure(description: "\(path): \(Self.lastError)")
            }
            sent += count
        }
    }

    private func receive() throws -> ReplyLine {
        while true {
            if let end = received.firstIndex(of: 0x0A) {
                defer { received.removeSubrange(...end) }
                let line = Array(received[...end])
                do {
                    return try line.withUnsafeBytes { try ReplyLine.parse($0) }
                } catch let error as WireError {
                    throw Failure(description: "\(path): \(error.message)")
                }
            }
            var chunk = [UInt8](repeating: 0, count: 65536)
            let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw Failure(description: "\(path): the daemon closed the connection before it answered")
            }
            received.append(contentsOf: chunk[..<count])
        }
    }
}
