import Wire

/// How one statement is to be run. All of it is optional; the daemon's rules decide what is not said here.
public struct QueryOptions: Hashable, Sendable {
    /// A wish for a pool. What is known to write never goes to a standby, whatever is wished.
    public enum Route: Hashable, Sendable {
        case primary
        case standby
        case pool(String)
    }

    /// `@ro`: the caller asserts that the statement does not write; one that does is refused with 25006. It also lets
    /// this library say, when the connection is lost, that nothing can have been applied.
    public var readOnly: Bool
    /// `@route` or `@pool`.
    public var route: Route?
    /// `@using`: which database.
    public var cluster: String?
    /// `@lag` and `@after`: how new the data must be. Inside a transaction that is settled by its beginning, and a statement that
    /// asks for it is refused (0A000).
    public var freshness: Freshness
    /// `@wait`: how long a standby may take to be fresh enough before the primary is asked.
    public var waitMilliseconds: Int?
    /// `@timeout`: the daemon's deadline. When nothing was heard a while after it, this library closes the connection.
    public var timeoutMilliseconds: Int?
    /// `@token`: the reply of what wrote carries its token.
    public var wantsToken: Bool
    /// `@tag`: a name for rules, logs and metrics.
    public var tag: String?
    /// `@tp`: W3C trace context.
    public var traceParent: String?
    /// `@session`: what was written under this key, through any connection to the same daemon, is seen by what is read
    /// under it. For callers that cannot carry a token from the one to the other.
    public var session: String?
    /// `@resolve`: after a lost reply the daemon finds out whether the write was applied.
    public var resolvesUnknown: Bool

    public init(
        readOnly: Bool = false, route: Route? = nil, cluster: String? = nil, freshness: Freshness = .any,
        waitMilliseconds: Int? = nil, timeoutMilliseconds: Int? = nil, wantsToken: Bool = false, tag: String? = nil,
        traceParent: String? = nil, session: String? = nil, resolvesUnknown: Bool = false
    ) {
        self.readOnly = readOnly
        self.route = route
        self.cluster = cluster
        self.freshness = freshness
        self.waitMilliseconds = waitMilliseconds
        self.timeoutMilliseconds = timeoutMilliseconds
        self.wantsToken = wantsToken
        self.tag = tag
        self.traceParent = traceParent
        self.session = session
        self.resolvesUnknown = resolvesUnknown
    }

    /// A statement that does not write.
    public static let read = QueryOptions(readOnly: true)
    /// A statement that does not write and must see the newest data: the primary answers.
    public static let readFromPrimary = QueryOptions(readOnly: true, freshness: .primary)

    /// The same with one wish more.
    func asking(_ freshness: Freshness) -> QueryOptions {
        var options = self
        options.freshness = options.freshness.union(freshness)
        return options
    }

    var fields: [RequestLine.Option] {
        var fields: [RequestLine.Option] = []
        if readOnly { fields.append(RequestLine.Option(.ro)) }
        switch route {
        case .primary: fields.append(RequestLine.Option(.route, "primary"))
        case .standby: fields.append(RequestLine.Option(.route, "standby"))
        case .pool(let name): fields.append(RequestLine.Option(.pool, name))
        case nil: break
        }
        if let cluster { fields.append(RequestLine.Option(.using, cluster)) }
        fields += freshness.fields
        if let waitMilliseconds { fields.append(RequestLine.Option(.wait, String(waitMilliseconds))) }
        if let timeoutMilliseconds { fields.append(RequestLine.Option(.timeout, String(timeoutMilliseconds))) }
        if wantsToken { fields.append(RequestLine.Option(.token)) }
        if let tag { fields.append(RequestLine.Option(.tag, tag)) }
        if let traceParent { fields.append(RequestLine.Option(.tp, traceParent)) }
        if let session { fields.append(RequestLine.Option(.session, session)) }
        if resolvesUnknown { fields.append(RequestLine.Option(.resolve)) }
        return fields
    }
}

/// How strictly a transaction is kept apart from others (PostgreSQL manual, section 13.2).
public enum Isolation: String, Hashable, Sendable {
    case readCommitted = "rc"
    case repeatableRead = "rr"
    case serializable = "ser"
}

/// How a transaction is opened.
public struct TransactionOptions: Hashable, Sendable {
    /// READ ONLY, on the standbys.
    public var readOnly: Bool
    public var isolation: Isolation?
    /// How new the data must be, as in ``QueryOptions``.
    public var freshness: Freshness
    public var waitMilliseconds: Int?
    public var timeoutMilliseconds: Int?
    /// `@token` on COMMIT: the transaction's token is in ``Committed/receipt``.
    public var wantsToken: Bool
    /// `@session`, as in ``QueryOptions``.
    public var session: String?
    /// `@resolve`: after a lost reply to COMMIT the daemon finds out whether it was applied.
    public var resolvesUnknown: Bool

    public init(
        readOnly: Bool = false, isolation: Isolation? = nil, freshness: Freshness = .any, waitMilliseconds: Int? = nil,
        timeoutMilliseconds: Int? = nil, wantsToken: Bool = false, session: String? = nil, resolvesUnknown: Bool = false
    ) {
        self.readOnly = readOnly
        self.isolation = isolation
        self.freshness = freshness
        self.waitMilliseconds = waitMilliseconds
        self.timeoutMilliseconds = timeoutMilliseconds
        self.wantsToken = wantsToken
        self.session = session
        self.resolvesUnknown = resolvesUnknown
    }

    var fields: [RequestLine.Option] {
        var fields: [RequestLine.Option] = []
        if readOnly { fields.append(RequestLine.Option(.ro)) }
        if let isolation { fields.append(RequestLine.Option(.iso, isolation.rawValue)) }
        fields += freshness.fields
        if let waitMilliseconds { fields.append(RequestLine.Option(.wait, String(waitMilliseconds))) }
        if let timeoutMilliseconds { fields.append(RequestLine.Option(.timeout, String(timeoutMilliseconds))) }
        if let session { fields.append(RequestLine.Option(.session, session)) }
        if resolvesUnknown { fields.append(RequestLine.Option(.resolve)) }
        return fields
    }
}
