// Whether one rule matches everything that another one matches: sound, so that a rule is never wrongly called useless, and
// complete enough for what people write.

extension RuleMatcher {
    /// Whether every request that `other` matches is matched by this one.
    func covers(_ other: RuleMatcher) -> Bool {
        let any: UInt32 = StatementKind.allCases.reduce(0) { $0 | 1 << UInt32($1.rawValue) }
        guard (other.kinds == 0 ? any : other.kinds) & ~(kinds == 0 ? any : kinds) == 0 else { return false }
        return isNarrower(other.listeners, than: listeners, ==) && isNarrower(other.users, than: users, ==)
            && isNarrower(other.fingerprints, than: fingerprints, ==)
            && isNarrower(other.patterns, than: patterns, ==)
            && isNarrower(other.apps, than: apps) { $1.covers($0) }
            && isNarrower(other.tags, than: tags) { $1.covers($0) }
            && coversFunctions(of: other) && coversTables(of: other)
    }

    /// Whether each value of one list is included by some value of the other. An empty list asks for nothing.
    private func isNarrower<Value>(
        _ values: [Value], than wider: [Value], _ isIncluded: (Value, Value) -> Bool
    ) -> Bool {
        if wider.isEmpty { return true }
        return !values.isEmpty && values.allSatisfy { value in wider.contains { isIncluded(value, $0) } }
    }

    private var asksForTables: Bool { !tables.isEmpty || all }
    /// `schema` alone: of tables, of functions and of schemas that DDL names.
    private var asksForSchemaOnly: Bool { !schemas.isEmpty && !asksForTables && functions.isEmpty }
    /// The schemas that a function must be in; they are the tables' when there is a matcher on tables.
    private var functionSchemas: [Glob] { tables.isEmpty ? schemas : [] }

    private func coversFunctions(of other: RuleMatcher) -> Bool {
        if functions.isEmpty { return true }
        guard !other.functions.isEmpty else { return false }
        return other.functions.allSatisfy { function in
            functions.contains { $0.covers(function, in: other.functionSchemas) }
                && (functionSchemas.isEmpty || function.isIn(functionSchemas, given: other.functionSchemas))
        }
    }

    private func coversTables(of other: RuleMatcher) -> Bool {
        if asksForTables {
            guard other.asksForTables, other.all || !all else { return false }
            return placesAll(of: other)
        }
        guard asksForSchemaOnly else { return true }
        if other.asksForTables { return placesAll(of: other) }
        // A function's schema counts here only when it is written, there also when it is assumed.
        return other.asksForSchemaOnly && isNarrower(other.schemas, than: schemas) { $1.covers($0) }
    }

    /// Whether every table that the other one's matchers let through is let through by these.
    private func placesAll(of other: RuleMatcher) -> Bool {
        let names = other.tables.isEmpty ? [NameGlob("*")] : other.tables
        return names.allSatisfy { name in
            (tables.isEmpty || tables.contains { $0.covers(name, in: other.schemas) })
                && (schemas.isEmpty || name.isIn(schemas, given: other.schemas))
        }
    }
}

extension NameGlob {
    /// Whether every name that `other` matches is matched by this one, when all of them are in one of `schemas` (empty: in
    /// any).
    func covers(_ other: NameGlob, in schemas: [Glob]) -> Bool {
        guard name.covers(other.name) else { return false }
        guard let schema else { return true }
        return other.isIn([schema], given: schemas)
    }

    /// Whether the schema of every name that this one matches is in `wider`, when all of them are in one of `schemas`
    /// (empty: in any).
    func isIn(_ wider: [Glob], given schemas: [Glob]) -> Bool {
        if let schema, wider.contains(where: { $0.covers(schema) }) { return true }
        let possible = schemas.isEmpty ? [Glob("*")] : schemas
        return possible.allSatisfy { one in wider.contains { $0.covers(one) } }
    }
}

extension Glob {
    /// Whether some name may match both. True when it is hard to see.
    func meets(_ other: Glob) -> Bool { hasWildcard || other.hasWildcard || self == other }
}
