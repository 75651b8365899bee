import Routing
import Telemetry

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

    /// The same for requests that say the same; allocates nothing.
    static func hash(of asked: RouteRequest) -> Int {
        if asked.role == nil, asked.pool == nil, asked.using == nil, asked.tag == nil { return 0 }
        var hasher = Hasher()
        hasher.combine(asked.role)
        combine(asked.pool, into: &hasher)
        combine(asked.using, into: &hasher)
        combine(asked.tag, into: &hasher)
        return hasher.finalize()
    }

    private static func combine(_ bytes: UnsafeRawBufferPointer?, into hasher: inout Hasher) {
        hasher.combine(bytes?.count)
        if let bytes { hasher.combine(bytes: bytes) }
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
    /// nil: it was refused.
    var pool: PoolDriver?
    var reason: Routing.RouteReason
    /// The pool that its transaction is pinned to.
    var transactionPool: String?
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

/// Calls of one statement that rules see in the same way: by the same app, listener and user, with the same hints.
extension RecentStatements {
    /// How many are told apart, for STATS and for reloads.
    static var limit: Int { 2000 }

    /// Texts that were not parsed are too different from each other to be told apart.
    static func key(of statement: Statement) -> UInt64 {
        switch statement.unparsedCause {
        case nil: statement.fingerprint
        case .tooLong: 1
        case .tooCostly: 2
        case .syntax: 3
        }
    }

    static func key(of statement: Statement, _ origin: RouteOrigin, _ asked: RouteRequest) -> UInt64 {
        // Nor who sent them: a text of a megabyte is kept once then, not for each app and tag.
        if statement.isUnparsed { return key(of: statement) }
        let context = UInt64(bitPattern: Int64(origin.hash ^ RequestHints.hash(of: asked)))
        // Multiplied by odd numbers, so that equal bits of the two do not cancel each other out.
        let pinned = UInt64(truncatingIfNeeded: asked.transactionPool ?? -1)
        return key(of: statement) &+ context &* 0x9E37_79B9_7F4A_7C15 &+ pinned &* 0xD6E8_FEB8_6659_FD93
    }

    /// Those that can be judged again.
    func replayedCalls() -> [ReplayedCall] {
        profiles.compactMap { profile in
            let call = profile.sample
            guard !call.statement.isUnparsed else { return nil }
            return ReplayedCall(
                sql: Array(call.statement.text), origin: call.origin, hints: call.hints,
                transactionPool: call.transactionPool, calls: profile.counts.calls)
        }
    }

    /// A row a statement, whoever called it: the most time first, with the place of most of its calls.
    func statistics() -> [StatementStatistics] {
        var merged: [UInt64: (call: StatementCall, most: Int, counts: StatementCounts)] = [:]
        for profile in profiles {
            let key = RecentStatements.key(of: profile.sample.statement)
            var entry = merged[key] ?? (profile.sample, 0, StatementCounts())
            entry.counts.add(profile.counts)
            if profile.counts.calls > entry.most { (entry.call, entry.most) = (profile.sample, profile.counts.calls) }
            merged[key] = entry
        }
        var rows = merged.values.sorted { $0.counts.totalMicroseconds > $1.counts.totalMicroseconds }.map { entry in
            let statement = entry.call.statement
            return StatementStatistics(
                fingerprint: statement.isUnparsed ? nil : Fingerprint.text(statement.fingerprint),
                kind: statement.kind.word, access: statement.access == .read ? "read" : "write",
                pool: entry.call.pool?.name, reason: entry.call.reason.word, counts: entry.counts,
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
