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

    /// The daemon's pool, by the operator's name for it.
    public var pool: String?
    /// The server that answered.
    public var node: String?
    /// From the request's line being read to its completion, in the daemon.
    public var microseconds: Int?
    /// Of these, waiting for a server connection.
    public var waitMicroseconds: Int?
    /// How far the server was behind the primary; nil also when the daemon says that it does not know.
    public var lagMilliseconds: Int?
    /// The rule that decided, by its name or number.
    public var rule: String?
    public var why: Reason?
    /// Why it was run a second time, when it was.
    public var rerun: String?
    public var transaction: TransactionStatus?
    /// What a later read gives as ``QueryOptions/after`` to see this write, on any host.
    public var token: String?

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
            case "lag_ms": lagMilliseconds = Int(value)
            case "rule": rule = value
            case "why": why = Reason(value)
            case "rerun": rerun = value
            case "tx": transaction = TransactionStatus(rawValue: value)
            case "token": token = value
            default: break
            }
        }
    }
}
