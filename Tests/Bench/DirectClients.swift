import CLibPQ
import Glibc

/// libpq clients straight on PgBouncer: extended protocol, unnamed statements, one query in flight each, as
/// `pgbench -M extended` does it.
struct DirectClients: LoadGenerator {
    private final class Connection {
        let reads: OpaquePointer
        /// On the write pool; only with a write mix.
        let writes: OpaquePointer?
        var key = 0
        var isWriting = false
        var isInFlight = false
        var sentAt: UInt64 = 0

        init(reads: OpaquePointer, writes: OpaquePointer?) {
            self.reads = reads
            self.writes = writes
        }

        deinit {
            PQfinish(reads)
            if let writes { PQfinish(writes) }
        }

        var current: OpaquePointer { isWriting ? writes ?? reads : reads }
    }

    private let connections: [Connection]
    private let workload: Workload
    private var random: RandomNumbers

    /// Connects every client to the pool over the standbys (`reads`), and to the one over the primary (`writes`) when the
    /// workload writes: both are conninfo strings.
    init(clients: Int, reads: String, writes: String, workload: Workload, seed: UInt64) throws(BenchError) {
        var connections: [Connection] = []
        for _ in 0..<clients {
            let readConnection = try Self.connect(reads)
            let writeConnection = workload.writePercent > 0 ? try Self.connect(writes) : nil
            connections.append(Connection(reads: readConnection, writes: writeConnection))
        }
        self.connections = connections
        self.workload = workload
        random = RandomNumbers(seed: seed)
    }

    private static func connect(_ conninfo: String) throws(BenchError) -> OpaquePointer {
        guard let connection = PQconnectdb(conninfo) else { throw BenchError("out of memory") }
        guard PQstatus(connection) == CONNECTION_OK else {
            let text = message(of: connection)
            PQfinish(connection)
            throw BenchError("no connection to PgBouncer: \(text)")
        }
        return connection
    }

    private static func message(of connection: OpaquePointer) -> String {
        PQerrorMessage(connection).map { String(cString: $0) } ?? "no message"
    }

    mutating func run(until deadline: UInt64, recording: inout Measurement) throws(BenchError) {
        var poller = try Poller(capacity: connections.count * 2)
        for (index, connection) in connections.enumerated() {
            try poller.watch(PQsocket(connection.reads), as: index)
            if let writes = connection.writes { try poller.watch(PQsocket(writes), as: index) }
            try send(on: connection)
        }
        var inFlight = connections.count
        while inFlight > 0 {
            let someCame = try poller.wait(seconds: 20) { index throws(BenchError) in
                let connection = connections[index]
                guard connection.isInFlight, try receive(on: connection, recording: &recording) else { return }
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
            guard someCame else { throw BenchError("\(inFlight) queries without an answer for 20 s") }
        }
    }

    private mutating func send(on connection: Connection) throws(BenchError) {
        connection.key = random.key(upTo: workload.rows)
        connection.isWriting =
            workload.writePercent > 0 && Int(random.next() % 100) < workload.writePercent
        connection.isInFlight = true
        connection.sentAt = Clock.now
        var text = DecimalText(connection.key)
        let isSent = text.withCString { value in
            var values: UnsafePointer<CChar>? = value
            return PQsendQueryParams(
                connection.current, connection.isWriting ? Workload.update : Workload.select, 1, nil, &values, nil, nil,
                0)
        }
        guard isSent == 1 else { throw BenchError(Self.message(of: connection.current)) }
    }

    /// True when the query's last result came.
    private func receive(on connection: Connection, recording: inout Measurement) throws(BenchError) -> Bool {
        guard PQconsumeInput(connection.current) == 1 else { throw BenchError(Self.message(of: connection.current)) }
        while PQisBusy(connection.current) == 0 {
            guard let result = PQgetResult(connection.current) else { return true }
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_TUPLES_OK:
                let value = PQntuples(result) == 1 ? PQgetvalue(result, 0, 0).flatMap { atoi($0) } : nil
                guard value == Int32(Workload.balance(of: connection.key)) else {
                    throw BenchError("a wrong answer for key \(connection.key)")
                }
            case PGRES_COMMAND_OK: break
            default:
                recording.errors += 1
                if recording.firstError == nil { recording.firstError = Self.message(of: connection.current) }
            }
        }
        return false
    }
}

/// A positive number as decimal digits, without a heap allocation.
struct DecimalText {
    private var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
    private let count: Int

    init(_ number: Int) {
        var rest = number
        var length = 0
        repeat {
            length += 1
            rest /= 10
        } while rest > 0
        count = length
        rest = number
        withUnsafeMutableBytes(of: &digits) { bytes in
            for index in stride(from: length - 1, through: 0, by: -1) {
                bytes[index] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            }
        }
    }

    mutating func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        withUnsafeBytes(of: &digits) { bytes in
            bytes.withMemoryRebound(to: CChar.self) { buffer in
                guard let start = buffer.baseAddress else { preconditionFailure("no memory for three words") }
                return body(start)
            }
        }
    }

    mutating func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
        let count = count
        withUnsafeBytes(of: &digits) { body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }
}
