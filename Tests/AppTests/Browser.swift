import Foundation
import TestKit

/// The message server as a process of its own, and the folder where it keeps its secret.
final class MessageServerProcess: Sendable {
    let address: String
    let process: ChildProcess
    private let log: String
    private static let secret = String(repeating: "0123456789abcdef", count: 4)

    static var program: String { "\(Workplace.products)/message-server" }

    init(socket: String, arguments: [String] = []) throws {
        let folder = try Workplace.newFolder("w")
        log = "\(folder)/log"
        try Self.secret.write(toFile: "\(folder)/secret", atomically: true, encoding: .utf8)
        chmod("\(folder)/secret", 0o600)
        let port = try Self.freePort()
        address = "http://127.0.0.1:\(port)"
        process = try ChildProcess(
            Self.program,
            ["serve", "--socket", socket, "--port", "\(port)", "--secret-file", "\(folder)/secret"] + arguments,
            output: log)
        try eventually("the message server", within: .seconds(20)) {
            if let ending = process.poll() { throw TestFailure("it ended: \(ending)\n\(output)") }
            return (try? Browser(self).get("/nowhere").status) == 404
        }
    }

    deinit { process.signal(SIGKILL) }

    /// All that it has logged.
    var output: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    /// The cookie as this server would make it, by another's arithmetic.
    func signed(_ content: String, seconds: Int) throws -> String {
        let program = """
            import base64, hashlib, hmac, sys, time
            encode = lambda b: base64.urlsafe_b64encode(b).decode().rstrip("=")
            text = encode(sys.argv[2].encode()) + "." + str(int(time.time()) + int(sys.argv[3]))
            key = hashlib.sha256(sys.argv[1].encode()).digest()
            print(text + "." + encode(hmac.new(key, b"posted\\0" + text.encode(), "sha256").digest()), end="")
            """
        let result = try run("/usr/bin/python3", ["-c", program, Self.secret, content, String(seconds)])
        guard result.code == 0 else { throw TestFailure("python3: \(result.errorOutput)") }
        return result.output
    }

    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
            }
        }
        guard code == 0 else { throw TestFailure("no free port") }
        return Int(UInt16(bigEndian: name.sin_port))
    }
}

/// One visitor, by curl: keeps cookies, follows nothing by itself.
final class Browser: Sendable {
    struct Page {
        var status: Int
        /// Names in lower case.
        var headers: [String: String]
        var body: String

        /// What stands between the tags of each element that starts so.
        func texts(of start: String) -> [String] {
            body.components(separatedBy: "<" + start).dropFirst().compactMap { rest in
                guard let open = rest.firstIndex(of: ">") else { return nil }
                return rest[rest.index(after: open)...].components(separatedBy: "</").first
            }
        }

        var messages: [String] { texts(of: "p class=\"text\"") }
        var receipt: String? { texts(of: "p class=\"receipt\"").first }
        var problem: String? { texts(of: "p class=\"problem\"").first }

        /// The hidden fields of the form.
        var form: [String: String] {
            var fields: [String: String] = [:]
            for tag in body.components(separatedBy: "<input type=\"hidden\" ").dropFirst() {
                let parts = tag.components(separatedBy: "\"")
                if parts.count > 3 { fields[parts[1]] = parts[3] }
            }
            return fields
        }
    }

    private let address: String
    private let jar: String

    init(_ server: MessageServerProcess) {
        address = server.address
        jar = "\(Workplace.folder)/\(Workplace.unique("jar"))"
    }

    deinit { unlink(jar) }

    func get(_ path: String, _ headers: [String] = []) throws -> Page {
        try page(path, headers.flatMap { ["-H", $0] })
    }

    /// Sends the form of a page with a text; `Origin` as a browser does, unless `headers` says who sends it.
    func post(_ text: String, form: [String: String]? = nil, headers: [String]? = nil) throws -> Page {
        let fields = try (form ?? get("/").form).merging(["msg": text]) { $1 }
        let body = fields.map { "\($0)=\(Self.encoded($1))" }.joined(separator: "&")
        return try send(body, headers: headers ?? ["Origin: \(address)"])
    }

    func send(_ body: String, headers: [String]) throws -> Page {
        try page("/", ["--data-binary", "@-"] + headers.flatMap { ["-H", $0] }, input: body)
    }

    private func page(_ path: String, _ arguments: [String], input: String? = nil) throws -> Page {
        let result = try run(
            "/usr/bin/curl",
            ["-sS", "-i", "-m", "20", "-b", jar, "-c", jar, "-H", "Expect:"] + arguments + [address + path],
            input: input)
        guard result.code == 0 else { throw TestFailure("curl: \(result.errorOutput)") }
        let parts = result.output.components(separatedBy: "\r\n\r\n")
        let head = parts[0].components(separatedBy: "\r\n")
        guard let status = head[0].split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw TestFailure("no status: \(head[0])")
        }
        var headers: [String: String] = [:]
        for line in head.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces)
        }
        return Page(status: status, headers: headers, body: parts.dropFirst().joined(separator: "\r\n\r\n"))
    }

    private static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain = (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            return isPlain ? String(Unicode.Scalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}
