// What is wrong with rules that are well formed: those that can never match, and values without effect. Only what is certain
// is said, because each of these refuses the file.

struct RuleLint {
    private(set) var problems: [RoutingProblem] = []
    private let definitions: [RuleDefinition]

    /// `parts` is what was compiled of the same rules, at the same indexes.
    init(_ definitions: [RuleDefinition], _ parts: RuleCompiler.Parts) {
        self.definitions = definitions
        for index in definitions.indices {
            checkValues(index)
            checkNames(index)
            guard definitions[index].isWhole else { continue }
            checkStandby(index, parts)
            checkCover(index, parts)
        }
    }

    private mutating func complain(_ rule: Int, _ field: String, _ message: String, element: Int? = nil) {
        problems.append(RoutingProblem(subject: .rule(rule), field: field, element: element, message: message))
    }

    // MARK: Values without effect

    /// A value that another one of its list includes.
    private mutating func checkValues(_ index: Int) {
        let rule = definitions[index]
        checkList(index, "kind", rule.kind) { $0 == $1 }
        checkList(index, "regex", rule.regex) { $0 == $1 }
        checkList(index, "listen", rule.listen) { $0 == $1 }
        checkList(index, "fingerprint", rule.fingerprint) { $0.lowercased() == $1.lowercased() }
        for (field, values) in [("schema", rule.schema), ("app", rule.app), ("tag", rule.tag)] {
            checkList(index, field, values) { Glob($0).covers(Glob($1)) }
        }
        for (field, values) in [("table", rule.table), ("function", rule.function)] {
            checkList(index, field, values) { NameGlob($0).covers(NameGlob($1), in: []) }
        }
    }

    private mutating func checkList(
        _ index: Int, _ field: String, _ values: [String], _ covers: (String, String) -> Bool
    ) {
        // Long lists are machine-made, and comparing all pairs takes the square of their length.
        guard values.count > 1, values.count <= 256 else { return }
        for (element, value) in values.enumerated() {
            for (other, wider) in values.enumerated() where other != element && covers(wider, value) {
                // Of two that are the same the later one is too many.
                if covers(value, wider), other > element { continue }
                complain(index, field, "\"\(value)\" has no effect: \"\(wider)\" includes it", element: element)
                break
            }
        }
    }

    /// A pattern that no name can match.
    private mutating func checkNames(_ index: Int) {
        let rule = definitions[index]
        for (field, values) in [("table", rule.table), ("function", rule.function)] {
            for (element, value) in values.enumerated() {
                if let problem = problem(withName: value, parts: 2) {
                    complain(index, field, problem, element: element)
                } else if let schema = NameGlob(value).schema, field == "table" || rule.table.isEmpty,
                    !rule.schema.isEmpty, !rule.schema.contains(where: { Glob($0).meets(schema) })
                {
                    complain(
                        index, field,
                        "\"\(value)\" has no effect: its schema is none of \(rule.schema.joined(separator: ", "))",
                        element: element)
                }
            }
        }
        for (element, value) in rule.schema.enumerated() {
            if let problem = problem(withName: value, parts: 1) {
                complain(index, "schema", problem, element: element)
            }
        }
    }

    /// PostgreSQL cuts names at 63 bytes (NAMEDATALEN).
    private func problem(withName name: String, parts: Int) -> String? {
        let pieces = name.split(separator: ".", omittingEmptySubsequences: false)
        if pieces.count > parts {
            return parts == 1
                ? "\"\(name)\" has no effect: a schema has no dot"
                : "\"\(name)\" has no effect: a name is name or schema.name"
        }
        if name.utf8.contains(UInt8(ascii: "\"")) {
            return "\"\(name)\" has no effect: names are compared without the quotes of SQL"
        }
        if pieces.contains(where: { $0.isEmpty }), !name.isEmpty {
            return "\"\(name)\" has no effect: a part of it is empty"
        }
        if pieces.contains(where: { $0.utf8.count(where: { $0 != UInt8(ascii: "*") }) > 63 }) {
            return "\"\(name)\" has no effect: names have at most 63 bytes"
        }
        return nil
    }

    // MARK: Rules without effect

    /// Statements that always write, sent to standbys.
    private mutating func checkStandby(_ index: Int, _ parts: RuleCompiler.Parts) {
        let writing: [StatementKind] = [.insert, .update, .delete, .merge, .ddl, .unknown]
        let bits: UInt32 = writing.reduce(0) { $0 | 1 << UInt32($1.rawValue) }
        let kinds = parts.matchers[index].kinds
        guard kinds != 0, kinds & ~bits == 0 else { return }
        let outcome = parts.outcomes[index]
        let role = outcome.pool.map { parts.pools[$0].role } ?? outcome.role
        if role == .standby {
            let field = outcome.pool == nil ? "route" : "pool"
            complain(index, field, "statements of these kinds never go to a standby: what writes runs on the primary")
        }
    }

    /// A rule behind one that decides all that it could match.
    private mutating func checkCover(_ index: Int, _ parts: RuleCompiler.Parts) {
        let matcher = parts.matchers[index]
        for earlier in 0..<index where definitions[earlier].isWhole && parts.outcomes[earlier].decides {
            guard parts.matchers[earlier].covers(matcher) else { continue }
            let rule = parts.rules[earlier]
            let place = rule.line > 0 ? " of line \(rule.line)" : ""
            complain(
                index, "",
                "the rule can never match: \"\(rule.name)\"\(place) decides everything that it would match; put it before "
                    + "that one, or drop it")
            return
        }
    }
}
