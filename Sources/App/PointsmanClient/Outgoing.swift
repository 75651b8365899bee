import Wire

/// What became of one request.
typealias Answer = Result<QueryResult, PointsmanError>

/// One request that is ready to be sent.
struct Outgoing: Sendable {
    /// What must be known of a request to say what its loss means.
    enum Kind: Hashable, Sendable {
        /// The statement; `isRead` when the caller asserted it.
        case query(isRead: Bool)
        case begin(readOnly: Bool)
        case commit
        case rollback
        /// HELLO, PING, STATS, ROUTE, CANCEL: they change no data.
        case harmless
    }

    var kind: Kind
    var id: String
    var line: [UInt8]
}

/// A request before it has an id and bytes.
struct Draft: Sendable {
    var verb: Verb
    var kind: Outgoing.Kind
    var options: [RequestLine.Option] = []
    var text = ""
    var parameters: [String?] = []
    /// The deadline that the daemon was given; nil when it has the connection's own.
    var timeoutMilliseconds: Int?

    static func query(_ sql: String, _ parameters: [String?], _ options: QueryOptions) -> Draft {
        Draft(
            verb: .query, kind: .query(isRead: options.readOnly), options: options.fields, text: sql,
            parameters: parameters, timeoutMilliseconds: options.timeoutMilliseconds)
    }

    static func begin(_ options: TransactionOptions) -> Draft {
        Draft(
            verb: .begin, kind: .begin(readOnly: options.readOnly), options: options.fields,
            timeoutMilliseconds: options.timeoutMilliseconds)
    }

    static func commit(wantsToken: Bool) -> Draft {
        Draft(verb: .commit, kind: .commit, options: wantsToken ? [RequestLine.Option(.token)] : [])
    }

    static let rollback = Draft(verb: .rollback, kind: .rollback)
    static let ping = Draft(verb: .ping, kind: .harmless)

    static func stats(_ name: String) -> Draft {
        Draft(verb: .stats, kind: .harmless, text: name)
    }

    static func route(_ sql: String, _ options: QueryOptions) -> Draft {
        Draft(verb: .route, kind: .harmless, options: options.fields, text: sql)
    }

    static func cancel(_ target: String) -> Draft {
        Draft(verb: .cancel, kind: .harmless, text: target)
    }
}

extension Draft {
    /// The request's bytes under this id.
    ///
    /// - Throws: what the daemon would say about it: a NUL (08P01), a line or a list of values that is too long
    ///   (54000), an option that cannot be written (08P01). Nothing is sent then.
    func encoded(id: String, limits: WireLimits) throws(PointsmanError) -> Outgoing {
        do throws(WireError) {
            let line = RequestLine(verb, id: id, options: options, text: text, parameters: parameters)
            return Outgoing(kind: kind, id: id, line: try line.bytes(limits: limits))
        } catch {
            throw PointsmanError(sqlstate: error.sqlstate, retry: .never, message: error.message)
        }
    }
}

extension WireLimits {
    /// What the daemon says in its answer to HELLO; the protocol's own limits where it says nothing sensible.
    init(hello attributes: [ReplyLine.Attribute]) {
        let usual = WireLimits()
        func number(_ key: String, _ range: ClosedRange<Int>, _ usual: Int) -> Int {
            guard let attribute = attributes.first(where: { $0.key == key }), let value = Int(attribute.value) else {
                return usual
            }
            return range.contains(value) ? value : usual
        }
        self.init(
            maxLine: number("max_line", 64...Self.largestLine, usual.maxLine),
            maxParameters: number("max_params", 0...65_535, usual.maxParameters), maxOptions: usual.maxOptions)
    }
}
