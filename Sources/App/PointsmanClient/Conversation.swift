import NIOCore
import Wire

/// The requests of one connection that wait for their answer, and what each reply line means for them.
///
/// Replies come in the order of the requests and carry their ids, so a line either belongs to the oldest unanswered
/// request or the daemon and this library no longer agree; then nothing on the connection can be believed any more.
/// A value without I/O and without a clock.
struct Conversation {
    /// Why a connection is of no more use.
    enum Loss: Hashable, Sendable {
        /// The daemon ended, or cut this connection.
        case closedByDaemon(String)
        /// The daemon said why before it cut this connection: too many clients, draining, a line it could not read.
        case refused(PointsmanError)
        /// No reply came although the deadline is over.
        case silent
        /// The task was cancelled and the daemon did not end the request soon.
        case cancelled
        /// A reply that makes no sense.
        case violation(String)
        /// More bytes of rows than this client accepts.
        case tooLarge(limit: Int)
        case closedHere
    }

    /// What the driver does next.
    enum Action: Sendable {
        case nothing
        case answer(ticket: UInt64, Answer)
        case notice(Notice)
        case close(Loss)
    }

    /// What a later lease must know of this connection.
    struct Standing: Hashable, Sendable {
        var unanswered = 0
        /// A transaction was begun and its COMMIT or ROLLBACK is not answered.
        var inTransaction = false
        /// A request was cancelled here, or the daemon said that it is going.
        var isSpent = false

        /// Whether the next request may come from somebody else.
        var isReusable: Bool { unanswered == 0 && !inTransaction && !isSpent }
    }

    private enum Transaction { case none, readOnly, readWrite }

    private struct Expected {
        var ticket: UInt64
        var kind: Outgoing.Kind
        var id: String
        var transaction: Transaction
        /// The line did not leave this process whole, so the daemon cannot have run it: a line without its LF is none.
        var notSent = false
    }

    /// What has come so far for the oldest unanswered request.
    private struct Partial {
        var columns: [QueryResult.Column]?
        var values: [String?] = []
        var rowCount = 0
        var byteCount = 0
        var notices: [Notice] = []
    }

    /// The ticket of requests that nobody waits for.
    static let noTicket: UInt64 = 0

    private let maximumReplyBytes: Int
    private var expected = CircularBuffer<Expected>()
    /// Beside the buffer, not inside: an element of it is taken out and put back to be changed, and each row would copy
    /// all rows before it.
    private var partial = Partial()
    private var transaction = Transaction.none
    private(set) var standing = Standing()

    init(maximumReplyBytes: Int) {
        self.maximumReplyBytes = maximumReplyBytes
    }

    var unanswered: Int { expected.count }

    /// Ids of a submission's requests that have no answer yet.
    func unansweredIDs(ticket: UInt64) -> [String] {
        expected.compactMap { $0.ticket == ticket ? $0.id : nil }
    }

    // MARK: Events

    /// Requests were handed to the socket, in this order.
    mutating func submitted(_ request: Outgoing, ticket: UInt64) {
        if case .begin(let readOnly) = request.kind {
            transaction = readOnly ? .readOnly : .readWrite
            standing.inTransaction = true
        }
        expected.append(
            Expected(ticket: ticket, kind: request.kind, id: request.id, transaction: transaction))
        if request.kind == .commit || request.kind == .rollback {
            transaction = .none
        }
        standing.unanswered = expected.count
    }

    /// The bytes of this request did not all leave this process, and never will.
    mutating func writeFailed(id: String) {
        for index in expected.indices where expected[index].id == id {
            expected[index].notSent = true
        }
    }

    /// A request was cancelled: a CANCEL may meet whatever runs when it arrives, so this connection serves nobody else.
    mutating func cancelRequested() {
        standing.isSpent = true
    }

    /// One whole line came; `byteCount` with its LF.
    mutating func lineArrived(_ line: ReplyLine, byteCount: Int) -> Action {
        switch line {
        case .notice(let line):
            let notice = Notice(line)
            guard let first = expected.first, first.id == line.id else { return .notice(notice) }
            partial.notices.append(notice)
            return .nothing
        case .columns(let id, let columns):
            guard let first = expected.first, first.id == id else { return unexpected("T", id) }
            guard partial.columns == nil else { return unexpected("a second T", id) }
            partial.columns = columns.map { QueryResult.Column(name: $0.name, typeOID: $0.oid) }
            return counted(byteCount)
        case .row(let values):
            guard let columns = partial.columns else {
                return unexpected("D", "no T came before it")
            }
            guard columns.count == values.count else {
                return unexpected("D", "\(values.count) values for \(columns.count) columns")
            }
            partial.values.append(contentsOf: values)
            partial.rowCount += 1
            return counted(byteCount)
        case .completion(let completion):
            guard let done = expected.first, done.id == completion.id else { return unexpected("C", completion.id) }
            return completed(done, completion)
        case .failure(let failure):
            let error = PointsmanError(failure)
            if let done = expected.first, done.id == failure.id { return failed(done, error) }
            // "-": the daemon could read no id. It refuses the connection, or ends it; its words say why.
            return failure.id == "-" ? .close(.refused(error)) : unexpected("E", failure.id)
        }
    }

    /// The connection is gone: every unanswered request gets the answer that is still true.
    mutating func lost(_ loss: Loss) -> [(ticket: UInt64, error: PointsmanError)] {
        var answers: [(ticket: UInt64, error: PointsmanError)] = []
        // A COMMIT behind a statement decides over the statement too, so the last requests are looked at first.
        var commitMayHaveArrived = false
        for request in expected.reversed() {
            if request.kind == .commit, request.transaction == .readWrite, !request.notSent {
                commitMayHaveArrived = true
            }
            if request.ticket != Self.noTicket {
                answers.append(
                    (request.ticket, Self.error(for: request, loss, commitMayHaveArrived: commitMayHaveArrived)))
            }
            if case .begin = request.kind { commitMayHaveArrived = false }
        }
        expected.removeAll()
        partial = Partial()
        standing.unanswered = 0
        standing.isSpent = true
        return answers.reversed()
    }

    // MARK: Answers

    private mutating func counted(_ byteCount: Int) -> Action {
        partial.byteCount += byteCount
        return partial.byteCount > maximumReplyBytes ? .close(.tooLarge(limit: maximumReplyBytes)) : .nothing
    }

    private mutating func completed(_ request: Expected, _ completion: ReplyLine.Completion) -> Action {
        let result = QueryResult(
            columns: partial.columns ?? [], values: partial.values, rowCount: partial.rowCount, tag: completion.tag,
            count: completion.rows.flatMap { Int(exactly: $0) }, attributes: completion.attributes,
            notices: partial.notices)
        finish(request)
        return .answer(ticket: request.ticket, .success(result))
    }

    private mutating func failed(_ request: Expected, _ error: PointsmanError) -> Action {
        finish(request)
        // 57P01: the daemon drains. It would refuse the next request here too; another daemon may listen already.
        if error.sqlstate == "57P01", error.source != .server { standing.isSpent = true }
        return .answer(ticket: request.ticket, .failure(error))
    }

    private mutating func finish(_ request: Expected) {
        expected.removeFirst()
        partial = Partial()
        standing.unanswered = expected.count
        if request.kind == .commit || request.kind == .rollback {
            standing.inTransaction = transaction != .none
        }
    }

    private func unexpected(_ what: String, _ about: String) -> Action {
        .close(.violation("\(what) (\(about)) was not expected"))
    }

    // MARK: What a loss means

    /// What a request gets that comes when the connection is no more: it was not sent, so it had no effect.
    static func errorBeforeSending(_ loss: Loss?) -> PointsmanError {
        var error = PointsmanError.notSent(loss.map(text) ?? "the connection is closed")
        if case .refused(let reason) = loss, reason.retry != .unknown { error = reason }
        error.isUnsent = true
        return error
    }

    private static func error(
        for request: Expected, _ loss: Loss, commitMayHaveArrived: Bool
    ) -> PointsmanError {
        let mayHaveRun: Bool
        switch (request.transaction, request.kind) {
        case (.readOnly, _), (_, .begin), (_, .rollback), (_, .harmless), (.none, .query(isRead: true)):
            mayHaveRun = false
        case (.none, .query(isRead: false)), (.none, .commit):
            mayHaveRun = !request.notSent
        case (.readWrite, .query), (.readWrite, .commit):
            // Without COMMIT PostgreSQL rolls back when the daemon's connection ends.
            mayHaveRun = commitMayHaveArrived
        }
        if mayHaveRun {
            return PointsmanError(
                sqlstate: "08007", severity: "FATAL", retry: .unknown,
                message: "\(text(loss)); the statement may have been applied")
        }
        let inTransaction = request.transaction != .none
        if case .refused(var error) = loss {
            if inTransaction, error.retry != .never { error.retry = .tx }
            return error
        }
        let retry: PointsmanError.Retry =
            switch loss {
            case .tooLarge: .never
            case .silent: inTransaction ? .tx : .later
            case .closedByDaemon, .refused, .cancelled, .violation, .closedHere: inTransaction ? .tx : .now
            }
        let sqlstate =
            switch loss {
            case .silent, .cancelled: "57014"
            case .tooLarge: "54000"
            case .closedByDaemon, .refused, .violation, .closedHere: "08006"
            }
        return PointsmanError(sqlstate: sqlstate, severity: "FATAL", retry: retry, message: text(loss))
    }

    private static func text(_ loss: Loss) -> String {
        switch loss {
        case .closedByDaemon(let reason): "the connection was lost: \(reason)"
        case .refused(let error): "the daemon ended the connection: \(error.message)"
        case .silent: "no reply came within the deadline"
        case .cancelled: "the task was cancelled and its request did not end soon"
        case .violation(let reason): "the daemon's reply was not understood: \(reason)"
        case .tooLarge(let limit): "the reply is longer than the \(limit) bytes that this client accepts"
        case .closedHere: "this client was closed"
        }
    }
}
