import Wire

/// Where a connection's transaction stands after a reply.
public enum TransactionStatus: String, Hashable, Sendable {
    case idle = "I"
    case open = "T"
    case failed = "E"
}

/// What the daemon says about a request that succeeded: which way it went, why, and how long it took.
///
/// Every part is optional, because the protocol lets a daemon leave out what it does not know.
public struct Receipt: Hashable, Sendable {
    /// The words of the daemon's decision; one that this library does not know yet is kept as it came.
    public enum Reason: Hashable, Sendable {
        case classifier
        case rule
        case function
        case ownWrite
        case after
        case lag
        case learned
        case spill
        case unparsed
        case hint
        case transaction
        case other(String)

        init(_ word: String) {
            switch word {
            case "classifier": self = .classifier
            case "rule": self = .rule
            case "function": self = .function
            case "own-write": self = .ownWrite
            case "after": self = .after
            case "lag": self = .lag
            case "learned": self = .learned
            case "spill": self = .spill
            case "unparsed": self = .unparsed
            case "hint": self = .hint
            case "tx": self = .transaction
            default: self = .other(word)
            }
        }
    }

    /// How far the server that answered was behind the primary.
    public enum Lag: Hashable, Sendable {
        case milliseconds(Int)
        /// The daemon cannot say: no primary tells it where it is.
        case unknown

        init?(_ word: String) {
            if word == "unknown" {
                self = .unknown
            } else if let milliseconds = Int(word) {
                self = .milliseconds(milliseconds)
            } else {
                return nil
            }
        }
    }

    /// Why the daemon ran a read a second time; a word that this library does not know yet is kept as it came.
    public enum Rerun: Hashable, Sendable {
        /// The first standby was behind what the read had to see.
        case stale
        /// It writes, which a standby refuses.
        case writes
        /// Only a server that is not in recovery can run it.
        case recovery
        /// The standby did not know a table, column or function yet.
        case schema
        /// Replay on the standby was in its way.
        case conflict
        /// The server was being stopped.
        case shutdown
        /// The connection to the server was lost.
        case lost
        case other(String)

        init(_ word: String) {
            switch word {
            case "stale": self = .stale
            case "writes": self = .writes
            case "recovery": self = .recovery
            case "schema": self = .schema
            case "conflict": self = .conflict
            case "shutdown": self = .shutdown
            case "lost": self = .lost
            default: self = .other(word)
            }
        }
    }

    /// The daemon's pool, by the operator's name for it.
    public var pool: String?
    /// The server that answered.
    public var node: String?
    /// From the request's line being read to its completion, in the daemon.
    public var microseconds: Int?
    /// Of these, waiting for a server connection.
    public var waitMicroseconds: Int?
    public var lag: Lag?
    /// The rule that decided, by its name or number.
    public var rule: String?
    public var why: Reason?
    /// Why it was run a second time, when it was.
    public var rerun: Rerun?
    public var transaction: TransactionStatus?
    /// What a later read gives back, by ``Freshness``, to see this write. nil when nothing was written, when no token was
    /// asked for, and when none could be had.
    public var token: CommitToken?
    /// The server's reply was lost, and the daemon found out that the write was committed (`@resolve`). The rows that it
    /// may have returned are lost.
    public var isResolved = false

    public init() {}

    /// Unknown attributes are ignored: a later daemon may send more.
    init(attributes: [ReplyLine.Attribute]) {
        for attribute in attributes {
            let value = attribute.value
            switch attribute.key {
            case "pool": pool = value
            case "node": node = value
            case "us": microseconds = Int(value)
            case "wait_us": waitMicroseconds = Int(value)
            case "lag_ms": lag = Lag(value)
            case "rule": rule = value
            case "why": why = Reason(value)
            case "rerun": rerun = Rerun(value)
            case "tx": transaction = TransactionStatus(rawValue: value)
            case "token": token = CommitToken(rawValue: value)
            case "resolved": isResolved = value == "committed"
            default: break
            }
        }
    }
}
