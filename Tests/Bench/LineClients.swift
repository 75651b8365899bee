import Glibc

/// Clients of the line protocol on the daemon's socket, one request in flight each.
struct LineClients: LoadGenerator {
    private final class Connection {
        let socket: Int32
        var buffer = [UInt8](repeating: 0, count: 4096)
        var filled = 0
        var key = 0
        var isWriting = false
        var isInFlight = false
        var sentAt: UInt64 = 0

        init(socket: Int32) {
            self.socket = socket
        }

        deinit {
            close(socket)
        }
    }

    private let connections: [Connection]
    private let workload: Workload
    private var random: RandomNumbers
    private var line: [UInt8] = []
    private let selectStart: [UInt8]
    private let updateStart: [UInt8]

    /// Connects them all. Each of their requests has `options`, such as `@token`.
    init(
        clients: Int, socket path: String, workload: Workload, seed: UInt64, options: String = ""
    ) throws(BenchError) {
        let start = options.isEmpty ? "Q 1" : "Q 1 \(options)"
        selectStart = Array("\(start) \(Workload.select)\t".utf8)
        updateStart = Array("\(start) \(Workload.update)\t".utf8)
        var connections: [Connection] = []
        for _ in 0..<clients { connections.append(Connection(socket: try Self.connect(path))) }
        self.connections = connections
        self.workload = workload
        random = RandomNumbers(seed: seed)
        line.reserveCapacity(256)
    }

    static func connect(_ path: String) throws(BenchError) -> Int32 {
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw .system("socket") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count < capacity else { throw BenchError("the socket's path is too long: \(path)") }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        guard isConnected else {
            let error = BenchError.system("connect \(path)")
            close(socket)
            throw error
        }
        return socket
    }

    /// The whole reply to one request on a connection of its own; blocks until it is there.
    static func answer(to request: String, socket path: String) throws(BenchError) -> String {
        let socket = try connect(path)
        defer { close(socket) }
        let line = Array("\(request)\n".utf8)
        guard line.withUnsafeBytes({ write(socket, $0.baseAddress, $0.count) }) == line.count else {
            throw .system("write")
        }
        var reply: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(socket, $0.baseAddress, $0.count) }
            guard count > 0 else { throw count == 0 ? BenchError("the daemon closed a connection") : .system("read") }
            reply += buffer[..<count]
            guard reply.last == 0x0A else { continue }
            let last = reply.dropLast().lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
            let text = String(decoding: reply, as: UTF8.self)
            if reply[last] == UInt8(ascii: "C") { return text }
            if reply[last] == UInt8(ascii: "E") { throw BenchError(text) }
        }
    }

    mutating func run(until deadline: UInt64, recording: inout Measurement) throws(BenchError) {
        var poller = try Poller(capacity: connections.count)
        for (index, connection) in connections.enumerated() {
            try poller.watch(connection.socket, as: index)
            try send(on: connection)
        }
        var inFlight = connections.count
        while inFlight > 0 {
            let someCame = try poller.wait(seconds: 20) { index throws(BenchError) in
                let connection = connections[index]
                guard try receive(on: connection, recording: &recording) else { return }
                let now = Clock.now
                recording.answered += 1
                if now < deadline {
                    recording.latencies.append(UInt32(clamping: now &- connection.sentAt))
                    try send(on: connection)
                } else {
                    connection.isInFlight = false
                    inFlight -= 1
                }
            }
            guard someCame else { throw BenchError("\(inFlight) requests without an answer for 20 s") }
        }
    }

    private mutating func send(on connection: Connection) throws(BenchError) {
        connection.key = random.key(upTo: workload.rows)
        connection.isWriting =
            workload.writePercent > 0 && Int(random.next() % 100) < workload.writePercent
        connection.isInFlight = true
        connection.filled = 0
        line.removeAll(keepingCapacity: true)
        line.append(contentsOf: connection.isWriting ? updateStart : selectStart)
        var text = DecimalText(connection.key)
        text.withBytes { line.append(contentsOf: $0) }
        line.append(0x0A)
        connection.sentAt = Clock.now
        // One short line with nothing before it in flight always fits into the socket's buffer.
        let sent = line.withUnsafeBytes { Glibc.write(connection.socket, $0.baseAddress, $0.count) }
        guard sent == line.count else { throw .system("write") }
    }

    /// True when the reply is complete: a line that begins with C or E.
    private func receive(on connection: Connection, recording: inout Measurement) throws(BenchError) -> Bool {
        guard connection.filled < connection.buffer.count else { throw BenchError("a reply of more than 4 KiB") }
        let filled = connection.filled
        let count = connection.buffer.withUnsafeMutableBytes { bytes in
            Glibc.read(connection.socket, bytes.baseAddress.map { $0 + filled }, bytes.count - filled)
        }
        guard count > 0 else { throw count == 0 ? BenchError("the daemon closed a connection") : .system("read") }
        connection.filled += count
        guard connection.isInFlight else { throw BenchError("a reply that nobody asked for: \(text(of: connection))") }
        return try check(connection, &recording)
    }

    private func check(_ connection: Connection, _ recording: inout Measurement) throws(BenchError) -> Bool {
        let reply = connection.buffer[..<connection.filled]
        guard reply.last == 0x0A else { return false }
        var start = 0
        var balance: Int?
        while start < reply.count {
            guard let end = reply[start...].firstIndex(of: 0x0A) else { return false }
            switch reply[start] {
            case UInt8(ascii: "D"): balance = Self.decimal(reply[(start + 2)..<end])
            case UInt8(ascii: "C"):
                guard connection.isWriting || balance == Workload.balance(of: connection.key) else {
                    throw BenchError("a wrong answer for key \(connection.key): \(text(of: connection))")
                }
                return true
            case UInt8(ascii: "E"):
                recording.errors += 1
                if recording.firstError == nil {
                    recording.firstError = String(decoding: reply[start..<end], as: UTF8.self)
                }
                return true
            default: break
            }
            start = end + 1
        }
        return false
    }

    private static func decimal(_ bytes: ArraySlice<UInt8>) -> Int? {
        var number = 0
        for byte in bytes {
            guard byte >= 0x30 && byte <= 0x39 else { return nil }
            number = number * 10 + Int(byte - 0x30)
        }
        return bytes.isEmpty ? nil : number
    }

    private func text(of connection: Connection) -> String {
        String(decoding: connection.buffer[..<connection.filled], as: UTF8.self)
    }
}
