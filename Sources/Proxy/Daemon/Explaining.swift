import Glibc
import Routing
import Settings
import Wire

/// What ROUTE and `pointsman route` answer: one row.
package enum ExplanationTable {
    /// The protocol's eight first, in its order; readers go by name.
    package static let columns = [
        "kind", "pool", "rule", "line", "reason", "tables", "functions", "fingerprint", "access", "cluster",
        "timeout_ms", "max_lag_ms", "wait_ms", "exclusive", "rerun", "log", "deciding_function", "sqlstate", "message",
    ]

    package static func row(_ explanation: Explanation) -> [String?] {
        let effects = explanation.effects
        return [
            explanation.kind, explanation.pool, explanation.rule, explanation.line.map { String($0) },
            explanation.reason, explanation.tables.joined(separator: ","),
            explanation.functions.joined(separator: ","), explanation.fingerprint,
            explanation.access == .read ? "read" : "write", explanation.cluster,
            effects.timeout.map { String($0) }, effects.maxLag.map { String($0) }, effects.wait.map { String($0) },
            effects.isExclusive.map { String($0) }, effects.mayRerun.map { String($0) },
            effects.isLogged.map { String($0) }, explanation.decidingFunction, explanation.sqlstate,
            explanation.message,
        ]
    }
}

/// Who asks, and with which options: what a connection and a request would bring. Empty texts are options not given.
package struct AskedAs {
    package var app = ""
    package var listener = ""
    /// A name or a number.
    package var user = ""
    package var tag = ""
    package var using = ""
    package var pool = ""
    /// `primary` or `standby`.
    package var route = ""

    package init() {}
}

/// One line of the bulk form.
package struct BulkJudgement {
    /// `read`, `write`, `refused` or `unknown`.
    package let word: String
    /// Empty when it goes nowhere.
    package let pool: String
    /// A word of the receipt's `why`; of what is refused or cannot be read its SQLSTATE and the message.
    package let reason: String

    package static let columns = ["judgement", "pool", "reason"]
    package var fields: [String] { [word, pool, reason] }

    /// The fields with tabs between, without LF. A refusal may quote a name that has a tab: it is escaped.
    package var line: String { fields.map(FieldEscapes.escaped).joined(separator: "\t") }
}

/// Judges statements without a server, for `pointsman route`.
package final class OfflineJudge {
    private let judge: Judge
    private let file: String?
    private let hints: RequestHints
    private let origin: RouteOrigin

    /// - Parameters:
    ///   - snapshot: nil for one cluster of a primary and a standby pool, and no rules.
    ///   - asked: who asks.
    package init(_ snapshot: Snapshot?, asked: AskedAs = AskedAs()) {
        judge = Judge(rules: snapshot?.rules ?? Self.plainRules())
        file = snapshot?.settings.file
        var hints = RequestHints()
        hints.role = Role(word: asked.route)
        hints.pool = Array(asked.pool.utf8)
        hints.using = Array(asked.using.utf8)
        hints.tag = Array(asked.tag.utf8)
        self.hints = hints
        origin = RouteOrigin(app: asked.app, listener: asked.listener, user: Users.number(of: asked.user))
    }

    /// Why nobody can be who asks: a user or a listener that is not there; nil when all is well.
    package static func problem(with asked: AskedAs, _ snapshot: Snapshot?) -> String? {
        if !asked.user.isEmpty, Users.number(of: asked.user) == nil { return "there is no user \"\(asked.user)\" here" }
        if let snapshot, !asked.listener.isEmpty {
            let names = snapshot.settings.listeners.map(\.name.value)
            if !names.contains(asked.listener) {
                return "there is no listener \"\(asked.listener)\": they are \(names.joined(separator: ", "))"
            }
        }
        return nil
    }

    private static func plainRules() -> RuleSet {
        do throws(RoutingProblems) {
            return try RuleSet(
                compiling: RoutingDefinition(pools: [
                    PoolDefinition(name: "primary", role: .primary), PoolDefinition(name: "standby", role: .standby),
                ]))
        } catch {
            preconditionFailure("a primary and a standby pool do not compile: \(error.problems)")
        }
    }

    package func explain(_ sql: String) -> Explanation {
        var sql = sql
        return sql.withUTF8 { sql in
            hints.withRequest { judge.explain(UnsafeRawBufferPointer(sql), $0, origin) }
        }
    }

    /// For people: the judgement in a sentence, then the facts that there are, a line each.
    package func describe(_ sql: String) -> [String] {
        let explanation = explain(sql)
        var rule: String?
        if let name = explanation.rule {
            rule = "\"\(name)\""
            if let file, let line = explanation.line { rule = "\"\(name)\", \(file):\(line)" }
        }
        let facts: [(name: String, value: String?)] = [
            ("kind", explanation.kind), ("rule", rule), ("reason", explanation.reason),
            ("cluster", explanation.cluster),
            ("timeout", explanation.effects.timeout.map { "\($0) ms" }),
            ("max_lag", explanation.effects.maxLag.map { "\($0) ms" }),
            ("wait", explanation.effects.wait.map { "\($0) ms" }),
            ("exclusive", explanation.effects.isExclusive.map { String($0) }),
            ("rerun", explanation.effects.mayRerun.map { String($0) }),
            ("log", explanation.effects.isLogged.map { String($0) }),
            ("tables", explanation.tables.joined(separator: ", ")),
            ("functions", explanation.functions.joined(separator: ", ")),
            ("fingerprint", explanation.fingerprint),
        ]
        var lines = [explanation.sentence]
        for case (let name, let value?) in facts where !value.isEmpty {
            lines.append("  \(name)\(String(repeating: " ", count: 13 - name.utf8.count))\(value)")
        }
        return lines
    }

    /// Judges one statement of the bulk form.
    ///
    /// - Parameter line: the statement with the escapes of COPY's text format, without its LF. It is unescaped in place.
    /// - Returns: what cannot be read is `unknown`.
    package func judgement(of line: UnsafeMutableRawBufferPointer) -> BulkJudgement {
        let sql: UnsafeRawBufferPointer
        do throws(WireError) {
            sql = try FieldEscapes.unescaped(line)
        } catch {
            return BulkJudgement(word: "unknown", pool: "", reason: "\(error.sqlstate): \(error.message)")
        }
        let decision = hints.withRequest { judge.consider(judge.statement(for: sql), $0, origin) }
        if let refusal = decision.refusal {
            return BulkJudgement(word: decision.word, pool: "", reason: "\(refusal.sqlstate): \(refusal.message)")
        }
        let pool = decision.pool.map { judge.rules.pools[$0].name } ?? ""
        return BulkJudgement(word: decision.word, pool: pool, reason: decision.reason.word)
    }
}
