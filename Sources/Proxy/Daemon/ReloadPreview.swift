import Routing

/// How much a reload changes, in numbers.
package struct ReloadSummary: Sendable {
    /// Distinct ones, called lately.
    package var statements = 0
    package var moved = 0
    package var calls = 0
    package var movedCalls = 0

    package init() {}

    /// `moves 14 of 812 statements, 3.1 % of calls`.
    package var text: String {
        let permille = calls == 0 ? 0 : (movedCalls * 1000 + calls / 2) / calls
        return "moves \(moved) of \(statements) statements, \(permille / 10).\(permille % 10) % of calls"
    }
}

/// What a reload changes for the statements that were called lately: each is judged by the old rules and by the new ones.
struct ReloadPreview: Sendable {
    struct Move: Sendable {
        let fingerprint: String
        /// A pool's name, or `refused` and the SQLSTATE.
        let from: String
        let to: String
        var calls: Int
        /// Normalised.
        let statement: String
    }

    private(set) var summary = ReloadSummary()
    /// The most called first.
    private(set) var moves: [Move] = []

    init(from old: RuleSet, to new: RuleSet, replaying replayed: [ReplayedCall], knowing learned: [LearnedCall]) {
        let judges = (Judge(rules: old, cacheBytes: 1 << 20), Judge(rules: new, cacheBytes: 1 << 20))
        for call in learned {
            for judge in [judges.0, judges.1] {
                _ = call.sql.withUnsafeBytes { judge.learn(judge.statement(for: $0), sqlstate: call.sqlstate) }
            }
        }
        var all: Set<UInt64> = []
        var moved: [UInt64: [Move]] = [:]
        for call in replayed {
            let (was, statement) = Self.place(call, judges.0)
            let (will, _) = Self.place(call, judges.1)
            all.insert(statement.fingerprint)
            summary.calls += call.calls
            if was == will { continue }
            summary.movedCalls += call.calls
            // The same way for several apps or tags is one move.
            var ways = moved[statement.fingerprint] ?? []
            if let way = ways.firstIndex(where: { $0.from == was && $0.to == will }) {
                ways[way].calls += call.calls
            } else {
                ways.append(
                    Move(
                        fingerprint: Fingerprint.text(statement.fingerprint), from: was, to: will, calls: call.calls,
                        statement: statement.shown))
            }
            moved[statement.fingerprint] = ways
        }
        summary.statements = all.count
        summary.moved = moved.count
        moves = moved.values.flatMap { $0 }.sorted { $0.calls > $1.calls }
    }

    /// Where a call goes, freshness apart: what a connection wrote before is no matter of rules.
    private static func place(_ call: ReplayedCall, _ judge: Judge) -> (String, Statement) {
        call.sql.withUnsafeBytes { sql in
            let statement = judge.statement(for: sql)
            let decision = call.hints.withRequest { request in
                request.transactionPool = call.transactionPool.flatMap { judge.rules.pool(named: $0) }
                return judge.consider(statement, request, call.origin)
            }
            let place =
                decision.pool.map { judge.rules.pools[$0].name }
                ?? "refused \(decision.refusal?.sqlstate ?? "")"
            return (place, statement)
        }
    }
}
