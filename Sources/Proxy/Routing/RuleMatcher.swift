/// The matchers of one rule. Matchers AND together, the values of a list OR; an empty list asks for nothing.
struct RuleMatcher: Sendable {
    /// Bits by StatementKind's raw value; 0: any kind.
    var kinds: UInt32 = 0
    var schemas: [Glob] = []
    var tables: [NameGlob] = []
    var all = false
    var functions: [NameGlob] = []
    var expressions: [RegularExpression] = []
    var apps: [Glob] = []
    var tags: [Glob] = []
    var listeners: [[UInt8]] = []

    var asksOfRequest: Bool { !apps.isEmpty || !tags.isEmpty || !listeners.isEmpty }

    /// The part that depends on the statement alone, dearest last.
    func matches(_ statement: Statement) -> Bool {
        if kinds != 0, kinds & (1 << UInt32(statement.kind.rawValue)) == 0 { return false }
        if !matchesNames(statement) { return false }
        if expressions.isEmpty { return true }
        let text = statement.normalisedBytes
        return expressions.contains { $0.matches(text) }
    }

    private func matchesNames(_ statement: Statement) -> Bool {
        if !tables.isEmpty || all {
            let matching = all ? statement.tables.allSatisfy(places) : statement.tables.contains(where: places)
            if statement.tables.isEmpty || !matching { return false }
        }
        if !functions.isEmpty {
            let asksSchema = tables.isEmpty && !schemas.isEmpty
            let matching = statement.functions.contains { function in
                functions.contains { $0.matches(function) } && (!asksSchema || isIn(schemas, function.assumedSchema))
            }
            if !matching { return false }
        }
        if !schemas.isEmpty, tables.isEmpty, functions.isEmpty, !all { return matchesSchema(statement) }
        return true
    }

    /// Whether `schema` and `table` match this very table.
    func places(_ table: QualifiedName) -> Bool {
        (tables.isEmpty || tables.contains { $0.matches(table) })
            && (schemas.isEmpty || isIn(schemas, table.assumedSchema))
    }

    /// A function without schema is most likely PostgreSQL's own, so it counts only with one.
    private func matchesSchema(_ statement: Statement) -> Bool {
        statement.tables.contains { isIn(schemas, $0.assumedSchema) }
            || statement.functions.contains { !$0.schema.isEmpty && isIn(schemas, $0.schema) }
            || statement.schemas.contains { isIn(schemas, $0) }
    }

    private func isIn(_ globs: [Glob], _ name: String) -> Bool { globs.contains { $0.matches(name) } }

    /// The part that depends on who asks and how.
    func matches(_ request: RouteRequest, _ origin: RouteOrigin, _ statement: Statement) -> Bool {
        if !apps.isEmpty {
            let matching = origin.app.withUnsafeBytes { app in apps.contains { $0.matches(app) } }
            if !matching { return false }
        }
        if !listeners.isEmpty, !listeners.contains(origin.listener) { return false }
        return tags.isEmpty || matchesTag(request, statement)
    }

    private func matchesTag(_ request: RouteRequest, _ statement: Statement) -> Bool {
        if let tag = request.tag, tags.contains(where: { $0.matches(tag) }) { return true }
        return statement.commentTags.contains { pair in
            tags.contains { $0.matches("\(pair.key)=\(pair.value)") || (pair.key == "tag" && $0.matches(pair.value)) }
        }
    }
}

/// The rules that can match one statement under one rule set, found once per statement.
struct StaticRuleMatch {
    /// Which rule set it belongs to, by the judge's count; 0: none.
    var generation: UInt64 = 0
    /// Rules in order, up to the first that decides whoever asks.
    var candidates: [Int32] = []
    /// Rules that put tables of the statement into clusters, when they name more than one cluster.
    var placements: [Int32] = []
}
