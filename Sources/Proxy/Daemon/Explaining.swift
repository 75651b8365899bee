import Routing
import Settings

/// What ROUTE and `pointsman route` answer: one row.
package enum ExplanationTable {
    /// The protocol's eight first, in its order; readers go by name.
    package static let columns = [
        "kind", "pool", "rule", "line", "reason", "tables", "functions", "fingerprint", "access", "cluster",
        "timeout_ms", "deciding_function", "sqlstate", "message",
    ]

    package static func row(_ explanation: Explanation) -> [String?] {
        [
            explanation.kind, explanation.pool, explanation.rule, explanation.line.map { String($0) },
            explanation.reason, explanation.tables.joined(separator: ","),
            explanation.functions.joined(separator: ","), explanation.fingerprint,
            explanation.access == .read ? "read" : "write", explanation.cluster,
            explanation.timeoutMilliseconds.map { String($0) }, explanation.decidingFunction, explanation.sqlstate,
            explanation.message,
        ]
    }
}

/// Judges statements without a server, for `pointsman route`.
package final class OfflineJudge {
    private let judge: Judge

    /// - Parameter settings: nil for one cluster of a primary and a standby pool, and no rules.
    package init(_ settings: Settings?) {
        let definition =
            settings.map(RoutingDefinition.init)
            ?? RoutingDefinition(pools: [
                PoolDefinition(name: "primary", role: .primary), PoolDefinition(name: "standby", role: .standby),
            ])
        do throws(RoutingProblems) {
            judge = Judge(rules: try RuleSet(compiling: definition))
        } catch {
            preconditionFailure("settings that were checked do not compile: \(error.problems)")
        }
    }

    package func explain(_ sql: String) -> Explanation {
        var sql = sql
        return sql.withUTF8 { judge.explain(UnsafeRawBufferPointer($0), RouteRequest(), RouteOrigin()) }
    }
}
