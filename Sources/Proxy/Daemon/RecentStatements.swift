import Routing
import Telemetry
import Wire

/// The options of a request that rules or the placement look at.
struct RequestHints: Sendable, Equatable {
    var role: Role?
    var pool: [UInt8] = []
    var using: [UInt8] = []
    var tag: [UInt8] = []

    init() {}

    init(_ asked: RouteRequest) {
        role = asked.role
        if let bytes = asked.pool { pool = Array(bytes) }
        if let bytes = asked.using { using = Array(bytes) }
        if let bytes = asked.tag { tag = Array(bytes) }
    }

    /// Whether these are the request's; allocates nothing.
    func say(the asked: RouteRequest) -> Bool {
        guard asked.role == role, Self.same(asked.pool, pool) else { return false }
        guard Self.same(asked.using, using) else { return false }
        return Self.same(asked.tag, tag)
    }

    private static func same(_ bytes: UnsafeRawBufferPointer?, _ known: [UInt8]) -> Bool {
        guard let bytes else { return known.isEmpty }
        return bytes.count == known.count && bytes.elementsEqual(known)
    }

    /// The request that they make.
    func withRequest<Result>(_ body: (inout RouteRequest) -> Result) -> Result {
        pool.withUnsafeBytes { pool in
            using.withUnsafeBytes { using in
                tag.withUnsafeBytes { tag in
                    var request = RouteRequest()
                    request.role = role
                    if !pool.isEmpty { request.pool = pool }
                    if !using.isEmpty { request.using = using }
                    if !tag.isEmpty { request.tag = tag }
                    return body(&request)
                }
            }
        }
    }
}

/// The last call of a statement, as STATS shows it and as a reload judges it again.
struct StatementCall {
    var statement: Statement
    var origin: RouteOrigin
    var hints: RequestHints
    var pool: PoolDriver
    var reason: Routing.RouteReason
    var isInTransaction: Bool
}

/// A call to be judged again on another thread.
struct ReplayedCall: Sendable {
    let sql: [UInt8]
    let origin: RouteOrigin
    let hints: RequestHints
    /// The pool that its transaction was pinned to; nil outside a transaction.
    let transactionPool: String?
    /// How often the statement was called.
    let calls: Int
}

/// What was learned, for another thread's judge.
struct LearnedCall: Sendable {
    let sql: [UInt8]
    let sqlstate: String
}

typealias RecentStatements = StatementProfiles<StatementCall>

extension RecentStatements {
    /// Distinct statements that STATS shows and reloads replay.
    static var limit: Int { 1000 }

    /// Texts that were not parsed are too different from each other to be told apart.
    static func key(of statement: Statement) -> UInt64 {
        switch statement.unparsedCause {
        case nil: statement.fingerprint
        case .tooLong: 1
        case .tooCostly: 2
        case .syntax: 3
        }
    }

    /// Those that can be judged again.
    func replayedCalls() -> [ReplayedCall] {
        profiles.compactMap { profile in
            let call = profile.sample
            guard !call.statement.isUnparsed else { return nil }
            return ReplayedCall(
                sql: Array(call.statement.text), origin: call.origin, hints: call.hints,
                transactionPool: call.isInTransaction ? call.pool.name : nil, calls: profile.counts.calls)
        }
    }

    /// The most time first.
    func statistics() -> [StatementStatistics] {
        var rows = profiles.sorted { $0.counts.totalMicroseconds > $1.counts.totalMicroseconds }.map { profile in
            let statement = profile.sample.statement
            return StatementStatistics(
                fingerprint: statement.isUnparsed ? nil : Fingerprint.text(profile.fingerprint),
                kind: statement.kind.word, access: statement.access == .read ? "read" : "write",
                pool: profile.sample.pool.name, reason: profile.sample.reason.word, counts: profile.counts,
                statement: statement.shown)
        }
        if others.calls > 0 {
            rows.append(
                StatementStatistics(
                    fingerprint: nil, kind: nil, access: nil, pool: nil, reason: nil, counts: others,
                    statement: "(others, not called for long)"))
        }
        return rows
    }
}

extension Statement {
    /// For people: normalised, so without constants, and not longer than a line of a table or a log can bear. Of a text
    /// that was not parsed only why: it cannot be told from the data in it.
    var shown: String {
        if let unparsedCause {
            return switch unparsedCause {
            case .tooLong, .tooCostly: "(\(unparsedCause.text))"
            case .syntax: "(not parsed)"
            }
        }
        guard isNormalised else { return "(selects inside each other, too deep to be normalised)" }
        let limit = 1000
        guard normalisedBytes.count > limit else { return normalised }
        var end = limit
        // Not inside a character.
        while end > 0, normalisedBytes[end] & 0xC0 == 0x80 { end -= 1 }
        return String(decoding: normalisedBytes[..<end], as: UTF8.self) + "…"
    }
}
