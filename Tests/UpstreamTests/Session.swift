import Glibc
import Testing

@testable import Upstream

/// What a test sees of a batch, copied out of libpq's memory.
enum Event: Equatable {
    /// The command's status, `INSERT 0 1`.
    case done(String)
    case rows([[String?]])
    case row([String?])
    /// SQLSTATE ("" when there is none).
    case error(String)
    case aborted
    case empty
    case other(ResultStatus)
    case end
    case sync
    case lost
}

/// Drives one connection with poll(2): what the daemon does with its event loop.
final class Session {
    /// A test whose event never comes ends after so long; nothing else depends on it.
    static let watchdog: Int32 = 30_000

    var connection: ServerConnection
    /// The SQLSTATE and the text of each notice.
    var notices: [[String?]] { sink.notices }
    private let sink: NoticeLog
    /// How often libpq was asked for a result.
    private(set) var asked = 0

    private final class NoticeLog {
        var notices: [[String?]] = []
    }

    init(connecting conninfo: String) throws {
        let sink = NoticeLog()
        self.sink = sink
        let connection = ServerConnection(conninfo: conninfo) { notice in
            let fields: [MessageField] = [.severityNonlocalized, .sqlstate, .message, .detail, .hint]
            sink.notices.append(fields.map { field in notice.field(field).map(text) })
        }
        switch consume connection {
        case .some(let made): self.connection = made
        case .none:
            Issue.record("no memory")
            throw UpstreamError.noDescriptor(ENOMEM)
        }
    }

    /// A connection that is ready for batches.
    convenience init(to door: Door, _ more: String = "") throws {
        try self.init(connecting: door.conninfo() + " " + more)
        try #require(connect() == .connected, "\(errorMessage)")
        try connection.enterPipeline()
    }

    /// Polls until the attempt has succeeded or failed.
    func connect() throws -> ConnectOutcome {
        while true {
            switch connection.connectPoll() {
            case .wantsRead: try wait(Int16(POLLIN))
            case .wantsWrite: try wait(Int16(POLLOUT))
            case let outcome: return outcome
            }
        }
    }

    func wait(_ events: Int16) throws {
        var descriptor = pollfd(fd: connection.fileDescriptor, events: events, revents: 0)
        try #require(poll(&descriptor, 1, Session.watchdog) == 1, "nothing came")
    }

    // MARK: What the connection says. The test macros cannot look into a value that cannot be copied.

    var fileDescriptor: Int32 { connection.fileDescriptor }
    var isLost: Bool { connection.isLost }
    var transactionStatus: TransactionStatus { connection.transactionStatus }
    var errorMessage: String { connection.errorMessage }
    var backendPID: Int32 { connection.backendPID }
    var hasUnreadInput: Bool { connection.hasUnreadInput }
    var bytesMayHaveLeft: Bool { connection.bytesMayHaveLeft }
    func connectPoll() -> ConnectOutcome { connection.connectPoll() }
    func enterPipeline() throws(UpstreamError) { try connection.enterPipeline() }
    func parameter(_ name: String) -> String? { connection.parameter(name) }
    func sendSync() -> Bool { connection.sendSync() }
    func flush() -> FlushOutcome { connection.flush() }
    func consumeInput() -> Bool { connection.consumeInput() }
    func setSingleRowMode() -> Bool { connection.setSingleRowMode() }
    func startCancel(id: UInt64, reporting reports: CancelReports) -> Bool {
        connection.startCancel(id: id, reporting: reports)
    }

    // MARK: Batches

    @discardableResult
    func send(_ sql: String, _ parameters: [String?] = []) -> Bool {
        let copies = parameters.map { parameter in parameter.map { strdup($0) } ?? nil }
        defer { for copy in copies { free(copy) } }
        let values = copies.map { UnsafePointer($0) }
        return sql.withCString { sql in
            values.withUnsafeBufferPointer { values in
                connection.send(sql: sql, parameterCount: parameters.count, values: values.baseAddress)
            }
        }
    }

    /// One batch from the first statement to its Sync.
    func run(_ statements: (String, [String?])...) throws -> [Event] {
        for (sql, parameters) in statements { try #require(send(sql, parameters), "\(errorMessage)") }
        try #require(sendSync())
        return try events(until: .sync)
    }

    func run(_ sql: String, _ parameters: [String?] = []) throws -> [Event] {
        try run((sql, parameters))
    }

    /// The first value of the first row.
    func value(_ sql: String, _ parameters: [String?] = []) throws -> String? {
        let events = try run(sql, parameters)
        guard case .rows(let rows)? = events.first else { return nil }
        return rows.first?.first ?? nil
    }

    /// Everything up to and including `last`, or to the loss of the connection.
    func events(until last: Event) throws -> [Event] {
        var events: [Event] = []
        while true {
            while let event = next() {
                events.append(event)
                // libpq says NULL for ever once a connection is lost.
                try #require(events.count < 1_000_000, "no end of results")
                if event == last || event == .lost { return events }
            }
            try advance()
        }
    }

    /// Sends a batch whose first statement sleeps for 30 s, and waits until it does. Its server process, which through
    /// PgBouncer may be another one for each batch.
    func startSleeping(and more: String..., watcher: Session) throws -> String {
        let mark = "sleeper \(UInt64.random(in: 0 ... .max))"
        try #require(send("select pg_sleep(30), '\(mark)'"))
        for sql in more { try #require(send(sql)) }
        try #require(sendSync())
        try #require(flush() == .done)
        let ask = "select pid from pg_stat_activity where wait_event = 'PgSleep' and strpos(query, $1) > 0"
        while true {
            if let process = try watcher.value(ask, [mark]) { return process }
        }
    }

    /// Waits for the socket, sends what is left and reads what has come.
    func advance() throws {
        let isPending = connection.flush() == .pending
        if connection.fileDescriptor >= 0 { try wait(Int16(POLLIN) | (isPending ? Int16(POLLOUT) : 0)) }
        _ = connection.consumeInput()
    }

    /// What is there now; nil when more must be read.
    func next() -> Event? {
        asked += 1
        switch connection.nextResult() {
        case .wouldBlock: return nil
        case .idle:
            Issue.record("nothing is under way")
            return .lost
        case .endOfStatement: return .end
        case .connectionLost: return .lost
        case .result(let result): return Event(result)
        }
    }
}

extension Event {
    init(_ result: borrowing QueryResult) {
        self =
            switch result.status {
            case .commandOK: .done(text(result.commandStatus))
            case .tuplesOK: .rows((0..<result.rowCount).map { row in Event.values(result, row) })
            case .singleTuple: .row(Event.values(result, 0))
            case .fatalError: .error(result.sqlstate.map(text) ?? "")
            case .pipelineSync: .sync
            case .pipelineAborted: .aborted
            case .emptyQuery: .empty
            default: .other(result.status)
            }
    }

    private static func values(_ result: borrowing QueryResult, _ row: Int) -> [String?] {
        var values: [String?] = []
        for column in 0..<result.columnCount { values.append(result.value(row, column).map(text)) }
        return values
    }
}

func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }
