import Machines
import Routing
import Telemetry
import Wire

/// An error that the daemon itself answers, without or instead of a server: what, why, and the way out.
///
/// SQLSTATEs are PostgreSQL's (manual, appendix A); the protocol lists those that may appear here.
enum Answer {
    case wire(WireError)
    case refused(Refusal)
    case wrongParameterCount(expected: Int, given: Int)
    case helloNotFirst
    case saltRequired
    case lineUnfinished
    case operatorsOnly(Verb)
    case notInThisVersion(String)
    case unknownName(String, known: String)
    case noSuchConnection(UInt64)
    case reloadFailed(String)
    case nestedTransaction
    case noTransaction
    case abortedTransaction
    case commitOfFailedTransaction
    case queueFull(pool: String, limit: Int)
    case waitedTooLong(pool: String, wait: String)
    case poolDown(pool: String)
    /// PgBouncer's own words; it did not forward the statement.
    case notForwarded(String)
    case timedOutWaiting(pool: String)
    case timedOutHeld(pool: String, HoldReason)
    /// What its console says leaves the request no chance.
    case refusedByPgBouncer(pool: String, String)
    case timedOut(effect: Outcome.Effect)
    case cancelledBeforeRunning
    case draining
    case tooManyClients(Int)
    case notAllowed
    case lost(retry: Outcome.Retry, error: String)
    case transactionIdle(String)
    /// A statement inside a transaction asks for freshness.
    case freshnessInTransaction
    /// The standbys cannot answer, and the primary has no more connections for their reads.
    case spillExhausted
    /// No server can show that it is as fresh as the request asks.
    case freshnessUnavailable
    /// A token is of a timeline that the server behind the primary's pool has not reached.
    case olderTimeline
    /// The reply to a commit was lost, and the server said that it was not applied.
    case resolvedAborted
    /// The server behind a primary's pool is none, or not the one that it was.
    case roleLost

    var sqlstate: String {
        switch self {
        case .wire(let error): error.sqlstate
        case .refused(let refusal): refusal.sqlstate
        case .wrongParameterCount, .helloNotFirst, .saltRequired, .lineUnfinished, .unknownName,
            .noSuchConnection:
            "08P01"
        case .operatorsOnly, .notAllowed: "42501"
        case .notInThisVersion, .freshnessInTransaction: "0A000"
        // The file is at fault: "config_file_error" would be PostgreSQL's F0000, but only the listed ones are raised.
        case .reloadFailed: "08P01"
        case .nestedTransaction: "25001"
        case .noTransaction: "25P01"
        case .abortedTransaction, .commitOfFailedTransaction: "25P02"
        case .queueFull, .waitedTooLong, .tooManyClients: "53300"
        case .spillExhausted, .freshnessUnavailable, .olderTimeline, .roleLost: "57P03"
        case .poolDown, .notForwarded, .refusedByPgBouncer: "57P03"
        case .timedOutHeld(_, .roleLost): "57P03"
        case .timedOutWaiting, .timedOutHeld, .cancelledBeforeRunning: "57014"
        case .timedOut(let effect): Outcome.retryAfterLoss(stage: .sent, effect: effect) == .unknown ? "08007" : "57014"
        case .draining: "57P01"
        case .lost(let retry, _): Outcome.sqlstateAfterLoss(retry)
        case .resolvedAborted: "08006"
        case .transactionIdle: "25P03"
        }
    }

    /// What the client may do, outside a transaction; inside one, what is retryable is `tx`.
    var retry: Outcome.Retry {
        switch self {
        case .roleLost, .resolvedAborted: .now
        case .spillExhausted, .freshnessUnavailable, .olderTimeline, .queueFull, .waitedTooLong, .poolDown,
            .notForwarded,
            .timedOutWaiting, .timedOutHeld, .refusedByPgBouncer, .cancelledBeforeRunning, .draining, .tooManyClients:
            .later
        case .timedOut(let effect):
            switch Outcome.retryAfterLoss(stage: .sent, effect: effect) {
            case .now: .later
            case let other: other
            }
        case .lost(let retry, _): retry
        case .abortedTransaction, .commitOfFailedTransaction, .transactionIdle: .tx
        default: .never
        }
    }

    /// Milliseconds to wait before a `later` is worth it.
    var afterMilliseconds: UInt64? {
        switch self {
        case .queueFull, .waitedTooLong, .timedOutWaiting: 100
        case .spillExhausted: 100
        case .freshnessUnavailable, .olderTimeline, .poolDown, .notForwarded, .timedOutHeld, .refusedByPgBouncer,
            .draining,
            .tooManyClients:
            1000
        default: nil
        }
    }

    /// `src`: who says so.
    var source: StaticString {
        switch self {
        case .spillExhausted, .freshnessUnavailable, .olderTimeline, .roleLost, .queueFull, .waitedTooLong, .poolDown,
            .notForwarded,
            .timedOutWaiting, .timedOutHeld, .refusedByPgBouncer, .timedOut, .lost, .resolvedAborted:
            "pool"
        default: "router"
        }
    }

    /// How the request counts.
    var result: RequestResult {
        switch self {
        case .queueFull, .waitedTooLong, .draining, .tooManyClients: .shed
        case .spillExhausted: .shed
        case .freshnessUnavailable, .olderTimeline, .roleLost, .resolvedAborted, .poolDown, .notForwarded,
            .refusedByPgBouncer:
            .unavailable
        case .timedOutWaiting, .timedOutHeld: .timeout
        case .timedOut(let effect):
            Outcome.retryAfterLoss(stage: .sent, effect: effect) == .unknown ? .unknown : .timeout
        case .cancelledBeforeRunning: .cancelled
        case .lost(let retry, _): retry == .unknown ? .unknown : .unavailable
        default: .refused
        }
    }

    /// No server of the pool could be had: another pool's may.
    var meansNoStandby: Bool {
        switch self {
        case .poolDown, .refusedByPgBouncer: true
        default: false
        }
    }

    var closesConnection: Bool {
        switch self {
        case .wire(let error): error.closesConnection
        case .saltRequired, .lineUnfinished, .tooManyClients, .notAllowed: true
        default: false
        }
    }

    var message: String {
        switch self {
        case .wire(let error): error.message
        case .refused(let refusal): refusal.message
        case .wrongParameterCount(let expected, let given):
            "the statement has \(expected) parameter\(expected == 1 ? "" : "s") ($1…), \(given) "
                + "value\(given == 1 ? " was" : "s were") sent: send one value for each, NULL as \\N"
        case .helloNotFirst: "HELLO is allowed only as the first request of a connection"
        case .saltRequired: "this socket requires HELLO with @salt as the first request"
        case .lineUnfinished: "the line was begun and not ended in time: every request ends with a line feed"
        case .operatorsOnly(let verb): "\(verb.name) is answered on operator sockets only"
        case .notInThisVersion(let what): "\(what) is not in this version"
        case .unknownName(let name, let known): "no \"\(name)\" here: \(known)"
        case .noSuchConnection(let number): "no client connection \(number): STATS clients lists them"
        case .reloadFailed(let complaints): complaints
        case .nestedTransaction: "there is a transaction already: COMMIT or ROLLBACK it first; SAVEPOINT nests"
        case .noTransaction: "there is no transaction: BEGIN opens one"
        case .abortedTransaction: "the transaction is aborted: nothing runs in it until COMMIT or ROLLBACK"
        case .commitOfFailedTransaction: "the transaction had failed: it was rolled back, nothing was committed"
        case .queueFull(let pool, let limit): "\(limit) requests wait for pool \"\(pool)\" already"
        case .waitedTooLong(let pool, let wait): "no connection of pool \"\(pool)\" fell idle within \(wait)"
        case .poolDown(let pool): "pool \"\(pool)\" has no usable server connection"
        case .spillExhausted:
            "the standbys cannot answer, and reads take as many of the primary's connections as `spill` lets them"
        case .freshnessUnavailable:
            "no server can show that it is as fresh as the request asks: the primary cannot be asked where it stands"
        case .olderTimeline:
            "the token is of a timeline that the server behind the primary's pool has not reached: it is a former primary, or the "
                + "token is none of this cluster's"
        case .resolvedAborted:
            "the server connection was lost before the answer came; the server says that nothing was applied"
        case .roleLost: "the server behind the pool is not the primary any more; nothing was changed by the statement"
        case .notForwarded(let words): "PgBouncer did not forward the statement: \(words)"
        case .timedOutWaiting(let pool):
            "the deadline passed while waiting for pool \"\(pool)\": the statement did not run"
        case .timedOutHeld(let pool, let reason):
            "the deadline passed while pool \"\(pool)\" was held, because \(reason.words): the statement did not run"
        case .refusedByPgBouncer(let pool, let words): "pool \"\(pool)\" cannot serve this now: \(words)"
        case .timedOut: "the deadline passed, and no answer to the cancel came in time"
        case .cancelledBeforeRunning: "cancelled before it ran"
        case .freshnessInTransaction:
            "how fresh a transaction is was settled when it began: give @after, @lag, @session and @wait to BEGIN"
        case .draining: "the daemon is draining: connect again"
        case .tooManyClients(let limit): "\(limit) clients are connected already"
        case .notAllowed: "this user may not connect to this socket"
        case .lost(let retry, let error):
            retry == .unknown
                ? "the server connection was lost before the answer came; whether it was applied is not known: \(error)"
                : "the server connection was lost: \(error)"
        case .transactionIdle(let timeout): "the transaction idled for \(timeout) and was rolled back"
        }
    }
}

extension Outcome.Retry {
    /// The word on the wire.
    var wire: Retry {
        switch self {
        case .never: .never
        case .now: .now
        case .later: .later
        case .tx: .tx
        case .unknown: .unknown
        }
    }

    /// The counter's word.
    var counted: RetryWord {
        switch self {
        case .never: .never
        case .now: .now
        case .later: .later
        case .tx: .tx
        case .unknown: .unknown
        }
    }

    /// Inside a transaction whatever may be tried again starts again from BEGIN.
    func insideTransaction() -> Outcome.Retry {
        switch self {
        case .now, .later: .tx
        case .never, .tx, .unknown: self
        }
    }
}
