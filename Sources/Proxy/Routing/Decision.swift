// What a request asks of the judge, and what comes of it.

/// Why the connection's own promises make a read go to the primary.
package enum PrimaryNeed: UInt8, Sendable {
    /// This connection wrote, and no standby is known to have it yet.
    case ownWrite
    /// `@after`: a token that no standby is known to have reached.
    case after
    /// `@lag`: data this fresh is only on the primary.
    case lag
    /// The standbys cannot answer.
    case spill
}

/// A set of clusters by their index in RuleSet.clusters.
package struct ClusterSet: Sendable, Equatable {
    package static let maximumCount = 64
    private var bits: UInt64
    package init() { bits = 0 }
    /// Bit 0 is cluster 0.
    package init(bits: UInt64) { self.bits = bits }
    package static let all = ClusterSet(bits: .max)

    package mutating func insert(_ cluster: Int) { bits |= 1 << UInt64(cluster) }
    package mutating func remove(_ cluster: Int) { bits &= ~(1 << UInt64(cluster)) }
    package func contains(_ cluster: Int) -> Bool { bits & (1 << UInt64(cluster)) != 0 }
    package var isEmpty: Bool { bits == 0 }
    package var count: Int { bits.nonzeroBitCount }
}

/// What the options of one request say. Trivial to copy; the bytes must outlive the call that gets it.
package struct RouteRequest {
    /// `@route`.
    package var role: Role?
    /// `@pool`.
    package var pool: UnsafeRawBufferPointer?
    /// `@using`, or the connection's default.
    package var using: UnsafeRawBufferPointer?
    /// `@tag`.
    package var tag: UnsafeRawBufferPointer?
    /// `@ro` on a statement: refuse it with 25006 when it writes.
    package var mustNotWrite = false
    package var needsPrimary: PrimaryNeed?
    /// The clusters that `needsPrimary` speaks of.
    package var needsPrimaryIn = ClusterSet.all
    /// The pool that an open transaction is pinned to; nil outside a transaction.
    package var transactionPool: Int?

    package init() {}
}

/// What stays the same for all requests of one client connection. Make one per connection.
package final class RouteOrigin: Sendable {
    package let app: [UInt8]
    package let listener: [UInt8]
    /// The user id of the process that connected; nil when the system did not say.
    package let user: UInt32?
    /// The same for all connections of which rules see the same.
    package let hash: Int

    package init(app: String = "", listener: String = "", user: UInt32? = nil) {
        self.app = Array(app.utf8)
        self.listener = Array(listener.utf8)
        self.user = user
        var hasher = Hasher()
        hasher.combine(self.app)
        hasher.combine(self.listener)
        hasher.combine(user)
        hash = hasher.finalize()
    }
}

package enum Access: UInt8, Sendable {
    case read
    /// It writes, or may write, or means something only on the primary.
    case write
}

/// Why a statement went where it went: the words of the receipt's `why` and of the route counter.
package enum RouteReason: UInt8, Sendable, CaseIterable {
    case classifier, rule, function, ownWrite, after, lag, learned, spill, unparsed, hint, transaction

    package var word: String {
        switch self {
        case .classifier: "classifier"
        case .rule: "rule"
        case .function: "function"
        case .ownWrite: "own-write"
        case .after: "after"
        case .lag: "lag"
        case .learned: "learned"
        case .spill: "spill"
        case .unparsed: "unparsed"
        case .hint: "hint"
        case .transaction: "tx"
        }
    }
}

/// An answer that runs nothing. The message names the way out.
package final class Refusal: Sendable {
    package let sqlstate: String
    package let message: String

    package init(_ sqlstate: String, _ message: String) {
        self.sqlstate = sqlstate
        self.message = message
    }
}

package enum Verdict {
    /// An index in RuleSet.pools.
    case run(pool: Int)
    case refused(Refusal)
}

package struct Decision {
    package let verdict: Verdict
    package let access: Access
    package let reason: RouteReason
    /// Index in RuleSet.clusters; of a refused statement the one it would have gone to.
    package let cluster: Int
    /// A rule or a hint named this very pool: the cluster's other standby pools are no substitute.
    package let isPoolNamed: Bool
    /// Index of the rule that decided; nil when none did.
    package let rule: Int?
    /// What matching rules add.
    package let effects: RuleEffects
    package let statement: Statement

    package var pool: Int? {
        if case .run(let pool) = verdict { pool } else { nil }
    }
    package var refusal: Refusal? {
        if case .refused(let refusal) = verdict { refusal } else { nil }
    }
}
