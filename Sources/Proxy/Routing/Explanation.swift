// What ROUTE and `pointsman route` say of a statement, and the expectations of a settings file.

package struct Explanation: Equatable, Sendable {
    package var kind: String
    package var access: Access
    /// nil when it is refused.
    package var pool: String?
    package var cluster: String
    package var reason: String
    /// The rule that decided, and its line.
    package var rule: String?
    package var line: Int?
    /// What matching rules add.
    package var effects: RuleEffects
    package var tables: [String]
    package var functions: [String]
    /// The function that made it a write.
    package var decidingFunction: String?
    /// 16 hexadecimal digits, as libpg_query and pg_stat_statements' relatives write it.
    package var fingerprint: String
    package var sqlstate: String?
    /// Why it is refused, was not parsed, or is judged as it is.
    package var message: String?

    /// `read`, `write`, `refused` or `unknown`: see Decision.
    package var word: String

    /// The judgement for people: `a write, to pool "primary": it calls nextval`.
    package var sentence: String {
        let what = word == "unknown" ? "not parsed" : word == "refused" ? word : "a \(word)"
        let place = pool.map { ", to pool \"\($0)\"" } ?? sqlstate.map { " with \($0)" } ?? ""
        return what + place + (message.map { ": \($0)" } ?? "")
    }
}

extension Decision {
    /// The judgement in one word: `refused`, `unknown` (not parsed, so judged as a write), `read` or `write`.
    package var word: String {
        if refusal != nil { return "refused" }
        if statement.kind == .unknown { return "unknown" }
        return access == .read ? "read" : "write"
    }
}

extension Judge {
    /// Which way a statement would go. Runs nothing and counts nothing, but the text enters the cache.
    package func explain(_ sql: UnsafeRawBufferPointer, _ request: RouteRequest, _ origin: RouteOrigin) -> Explanation {
        explanation(of: consider(statement(for: sql), request, origin))
    }

    /// In single steps: as one expression the optimiser of Swift 6.3.1 crashes on it.
    private func explanation(of decision: Decision) -> Explanation {
        let statement = decision.statement
        var explanation = Explanation(
            kind: statement.kind.word, access: decision.access, cluster: rules.clusters[decision.cluster].name,
            reason: decision.reason.word, effects: decision.effects, tables: [], functions: [],
            fingerprint: Fingerprint.text(statement.fingerprint), word: decision.word)
        if let pool = decision.pool { explanation.pool = rules.pools[pool].name }
        if let index = decision.rule {
            let rule = rules.rules[index]
            explanation.rule = rule.name
            explanation.line = rule.line
        }
        explanation.tables = statement.tables.map(\.description)
        explanation.functions = statement.functions.map(\.description)
        explanation.decidingFunction = statement.decidingFunction?.description
        if let refusal = decision.refusal {
            explanation.sqlstate = refusal.sqlstate
            explanation.message = refusal.message
        } else {
            explanation.message = why(decision)
        }
        return explanation
    }

    /// Of what runs: the fact that decided, for people.
    private func why(_ decision: Decision) -> String? {
        let statement = decision.statement
        switch decision.reason {
        case .unparsed: return statement.unparsedCause?.text
        case .function:
            guard let function = statement.decidingFunction else { return nil }
            if statement.readsSequence { return "\(function): a sequence, read like a table, runs ahead on a standby" }
            return "\(function): \(KnownFunctions.reason(of: function.name) ?? "it writes")"
        case .rule: return decision.rule.map { "rule \"\(rules.rules[$0].name)\"" }
        case .hint: return "the request asks for it"
        case .transaction: return "its transaction is there"
        case .ownWrite: return "the connection wrote, and no standby is known to have that"
        case .after, .lag: return "no standby is known to be fresh enough"
        case .classifier where decision.access == .read:
            return statement.namesOnlyKnownFunctions
                ? "nothing in it is known to write"
                : "nothing in it is known to write, but a function that is not PostgreSQL's own might"
        case .classifier where statement.hasRowLocks: return "it locks rows"
        case .classifier where statement.kind == .select: return "a statement inside it writes"
        case .classifier where statement.kind == .utility: return "the command writes, or may"
        case .classifier: return "\(statement.kind.word) writes"
        case .learned: return "a standby refused it before"
        case .spill: return nil
        }
    }

    /// What is wrong with an expectation's outcome; nil when it is as written.
    func complaint(about expectation: ExpectCase, index: Int) -> RoutingProblem? {
        var request = RouteRequest()
        let origin = RouteOrigin(
            app: expectation.app ?? "", listener: expectation.listen ?? "", user: expectation.user)
        var sql = expectation.sql
        let explanation = withBytes(of: expectation.using) { using in
            withBytes(of: expectation.tag) { tag in
                request.using = using
                request.tag = tag
                return sql.withUTF8 { explain(UnsafeRawBufferPointer($0), request, origin) }
            }
        }
        let outcome = outcome(explanation)
        func problem(_ field: String, _ expected: String) -> RoutingProblem {
            RoutingProblem(
                subject: .expectation(index), field: field, element: nil,
                message: "expected \(expected), but \(outcome)")
        }
        if let state = expectation.sqlstate, state != explanation.sqlstate {
            return problem("sqlstate", "a refusal with \(state)")
        }
        if let pool = expectation.pool, pool != explanation.pool { return problem("pool", "pool \"\(pool)\"") }
        if let kind = expectation.kind, kind != explanation.kind { return problem("kind", "kind \"\(kind)\"") }
        if let access = expectation.access, access != explanation.access { return problem("access", "a \(access)") }
        if let rule = expectation.rule, rule != explanation.rule { return problem("rule", "rule \"\(rule)\"") }
        return nil
    }

    private func outcome(_ explanation: Explanation) -> String {
        let rule = explanation.rule.map { " by rule \"\($0)\"" } ?? ""
        guard let pool = explanation.pool else {
            return "it is refused\(rule) (\(explanation.sqlstate ?? "")): \(explanation.message ?? "")"
        }
        return
            "its kind is \"\(explanation.kind)\" and it goes to pool \"\(pool)\"\(rule), reason \"\(explanation.reason)\""
    }

    private func withBytes<Result>(of text: String?, _ body: (UnsafeRawBufferPointer?) -> Result) -> Result {
        guard var text else { return body(nil) }
        return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}

extension UnparsedCause {
    package var text: String {
        switch self {
        case .tooLong: "longer than \(ParseLimits.textBytes) bytes, so it was not parsed"
        case .tooCostly: "its form would take too long to parse"
        case .syntax(let message): message
        }
    }
}
