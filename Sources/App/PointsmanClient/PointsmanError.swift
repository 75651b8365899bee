import Wire

/// Why a request got no result, and what the caller may do about it.
///
/// Most are the daemon's `E` lines, passed on as they came. Some this library makes itself, for requests that never
/// reached the daemon or whose reply never came; these have `source == .client`.
public struct PointsmanError: Error, Hashable, Sendable {
    /// What the caller may do, in the protocol's own words.
    public enum Retry: String, Hashable, Sendable {
        /// The same request gets the same answer again.
        case never
        /// It had no effect; try again at once.
        case now
        /// It had no effect; try again after ``PointsmanError/afterMilliseconds``.
        case later
        /// Its transaction is rolled back; start again from BEGIN.
        case tx
        /// It was sent and nobody answered: it may have been applied. Find out before trying again.
        case unknown
    }

    /// Who says so.
    public enum Source: String, Hashable, Sendable {
        case server
        case router
        case pool
        case client
    }

    /// Five characters: PostgreSQL's own, or one of those that protocol.md lists for the daemon.
    public var sqlstate: String
    /// `ERROR`, `FATAL` or `PANIC`.
    public var severity: String
    public var retry: Retry
    public var message: String
    public var source: Source
    public var detail: String?
    public var hint: String?
    /// The character of the SQL text at which the error was seen, counted from 1.
    public var position: Int?
    /// The call stack inside the server.
    public var context: String?
    public var schema: String?
    public var table: String?
    public var column: String?
    public var dataType: String?
    public var constraint: String?
    public var pool: String?
    public var node: String?
    /// The state of the connection's transaction after this error.
    public var transaction: TransactionStatus?
    /// With ``Retry/later``: how long to wait, when the daemon said so.
    public var afterMilliseconds: Int?
    /// The request met a connection that was already over, so another connection may take it.
    var isUnsent = false

    public init(
        sqlstate: String, severity: String = "ERROR", retry: Retry, message: String, source: Source = .client
    ) {
        self.sqlstate = sqlstate
        self.severity = severity
        self.retry = retry
        self.message = message
        self.source = source
    }

    /// Whether the statement may have been applied although it failed.
    public var mayHaveBeenApplied: Bool { retry == .unknown }
}

extension PointsmanError.Retry {
    init(_ word: Wire.Retry) {
        switch word {
        case .never: self = .never
        case .now: self = .now
        case .later: self = .later
        case .tx: self = .tx
        case .unknown: self = .unknown
        }
    }
}

extension PointsmanError: CustomStringConvertible {
    public var description: String {
        var text = "\(severity) \(sqlstate) (retry \(retry.rawValue), from the \(source.rawValue)): \(message)"
        if let detail { text += "; \(detail)" }
        if let hint { text += "; hint: \(hint)" }
        return text
    }
}

extension PointsmanError {
    /// An `E` line as the protocol orders it.
    ///
    /// Unknown attributes are ignored: a later daemon may send more.
    init(_ line: ReplyLine.Failure) {
        self.init(
            sqlstate: line.sqlstate, severity: line.severity, retry: Retry(line.retry), message: line.message,
            source: .server)
        for attribute in line.attributes {
            let value = attribute.value
            switch attribute.key {
            case "D": detail = value
            case "H": hint = value
            case "P": position = Int(value)
            case "W": context = value
            case "s": schema = value
            case "t": table = value
            case "c": column = value
            case "d": dataType = value
            case "n": constraint = value
            case "src": source = Source(rawValue: value) ?? .server
            case "node": node = value
            case "pool": pool = value
            case "tx": transaction = TransactionStatus(rawValue: value)
            case "after_ms": afterMilliseconds = Int(value)
            default: break
            }
        }
    }

    // MARK: What this library says itself

    static func cannotConnect(_ reason: String) -> PointsmanError {
        PointsmanError(sqlstate: "08001", severity: "FATAL", retry: .later, message: "cannot connect: \(reason)")
    }

    static func noConnectionFree(waitedMilliseconds: Int64) -> PointsmanError {
        PointsmanError(
            sqlstate: "53300", retry: .later,
            message: "every connection of this client was busy for \(waitedMilliseconds) ms")
    }

    static func tooManyWaiting(_ limit: Int) -> PointsmanError {
        PointsmanError(
            sqlstate: "53300", retry: .later, message: "\(limit) requests of this client already wait for a connection")
    }

    static func tooManyInFlight(_ limit: Int) -> PointsmanError {
        PointsmanError(
            sqlstate: "53300", retry: .later, message: "\(limit) requests are already unanswered on this connection")
    }

    static let closed = PointsmanError(sqlstate: "08003", retry: .never, message: "this client is closed")

    static let leaseOver = PointsmanError(
        sqlstate: "08003", retry: .never, message: "this connection was given back; use it inside its closure only")

    static let cancelledBeforeSending = PointsmanError(
        sqlstate: "57014", retry: .now, message: "the task was cancelled before the request was sent")

    static let cancelledBeforeCommit = PointsmanError(
        sqlstate: "57014", retry: .tx, message: "the task was cancelled; its transaction is rolled back")

    static func notSent(_ reason: String) -> PointsmanError {
        PointsmanError(sqlstate: "08006", severity: "FATAL", retry: .now, message: "not sent: \(reason)")
    }

    static func malformed(_ sqlstate: String, _ message: String) -> PointsmanError {
        PointsmanError(sqlstate: sqlstate, retry: .never, message: message)
    }
}
