/// The matchers of one rule. Matchers AND together, the values of a list OR; an empty list asks for nothing.
final class RuleMatcher: Sendable {
    /// Bits by StatementKind's raw value; 0: any kind.
    let kinds: UInt32
    let schemas: [Glob]
    let tables: [NameGlob]
    let all: Bool
    let functions: [NameGlob]
    let expressions: [RegularExpression]
    /// The sources of `expressions`.
    let patterns: [String]
    let apps: [Glob]
    let tags: [Glob]
    let listeners: [[UInt8]]
    let fingerprints: [UInt64]
    let users: [UInt32]

    init(_ rule: RuleDefinition, kinds: UInt32, expressions: [RegularExpression], fingerprints: [UInt64]) {
        self.kinds = kinds
        self.expressions = expressions
        self.fingerprints = fingerprints
        patterns = rule.regex
        users = rule.user
        schemas = rule.schema.map { Glob($0) }
        tables = rule.table.map(NameGlob.init)
        all = rule.all
        functions = rule.function.map(NameGlob.init)
        apps = rule.app.map { Glob($0) }
        tags = rule.tag.map { Glob($0) }
        listeners = rule.listen.map { Array($0.utf8) }
    }

    var asksOfRequest: Bool { !apps.isEmpty || !tags.isEmpty || !listeners.isEmpty || !users.isEmpty }

    var filter: RuleFilter {
        var filter = RuleFilter(kinds: kinds == 0 ? .max : kinds)
        if !tables.isEmpty { filter.tables = tables.reduce(into: .none) { $0.formUnion($1.possibleBits) } }
        if !functions.isEmpty { filter.functions = functions.reduce(into: .none) { $0.formUnion($1.possibleBits) } }
        return filter
    }

    /// The part that depends on the statement alone, dearest last; the kind is the filter's.
    func matches(_ statement: Statement, _ names: StatementNames) -> Bool {
        if !matches(names) { return false }
        if !fingerprints.isEmpty, !fingerprints.contains(statement.fingerprint) { return false }
        if expressions.isEmpty { return true }
        let text = statement.normalisedBytes
        return expressions.contains { $0.matches(text) }
    }

    private func matches(_ names: StatementNames) -> Bool {
        if !tables.isEmpty || all {
            let matching = all ? names.tables.allSatisfy(places) : names.tables.contains(where: places)
            if names.tables.isEmpty || !matching { return false }
        }
        if !functions.isEmpty {
            let asksSchema = tables.isEmpty && !schemas.isEmpty
            let matching = names.functions.contains { function in
                functions.contains { $0.matches(function) } && (!asksSchema || isIn(schemas, function.assumedSchema))
            }
            if !matching { return false }
        }
        if !schemas.isEmpty, tables.isEmpty, functions.isEmpty, !all { return matchesSchema(names) }
        return true
    }

    /// Whether `schema` and `table` match this very table.
    func places(_ table: NameBytes) -> Bool {
        (tables.isEmpty || tables.contains { $0.matches(table) })
            && (schemas.isEmpty || isIn(schemas, table.assumedSchema))
    }

    /// A function without schema is most likely PostgreSQL's own, so it counts only with one.
    private func matchesSchema(_ names: StatementNames) -> Bool {
        names.tables.contains { isIn(schemas, $0.assumedSchema) }
            || names.functions.contains { $0.hasSchema && isIn(schemas, $0.assumedSchema) }
            || names.schemas.contains { isIn(schemas, $0) }
    }

    private func isIn(_ globs: [Glob], _ name: [UInt8]) -> Bool { globs.contains { $0.matches(name) } }

    /// The part that depends on who asks and how.
    func matches(_ request: borrowing RouteRequest, _ origin: RouteOrigin, _ statement: Statement) -> Bool {
        if !apps.isEmpty {
            if !apps.contains(where: { $0.matches(origin.app) }) { return false }
        }
        if !listeners.isEmpty, !listeners.contains(origin.listener) { return false }
        if !users.isEmpty {
            guard let user = origin.user, users.contains(user) else { return false }
        }
        if tags.isEmpty { return true }
        return matchesTag(request, statement)
    }

    private func matchesTag(_ request: borrowing RouteRequest, _ statement: Statement) -> Bool {
        if let tag = request.tag, tags.contains(where: { $0.matches(tag) }) { return true }
        return statement.commentTags.contains { pair in
            let whole = Array("\(pair.key)=\(pair.value)".utf8)
            let value = Array(pair.value.utf8)
            return tags.contains { $0.matches(whole) || (pair.key == "tag" && $0.matches(value)) }
        }
    }
}

/// A first look at a rule, of plain values: whether its matchers can match at all.
struct RuleFilter: Sendable {
    /// Bits by StatementKind's raw value.
    var kinds: UInt32
    /// nil: it does not ask.
    var tables: NameBits?
    var functions: NameBits?

    @inline(__always)
    func lets(_ kind: StatementKind, _ names: StatementNames) -> Bool {
        if kinds & (1 << UInt32(kind.rawValue)) == 0 { return false }
        if let tables, !tables.intersects(names.tableBits) { return false }
        if let functions, !functions.intersects(names.functionBits) { return false }
        return true
    }
}

/// What the refusals of standbys taught of a statement.
enum Learning: UInt8 {
    case nothing, writes, onlyOnPrimary
}

/// The rules that can match one statement under one rule set, found once per statement.
final class StaticRuleMatch: Sendable {
    static let none = StaticRuleMatch(generation: 0, candidates: [], placements: [], learned: .nothing)

    /// What it holds for, by the judge's count of changes; 0: nothing.
    let generation: UInt64
    /// Rules in order, up to the first that decides whoever asks.
    let candidates: [Int32]
    /// Rules that put tables of the statement into clusters, when they name more than one cluster.
    let placements: [Int32]
    let learned: Learning

    init(generation: UInt64, candidates: [Int32], placements: [Int32], learned: Learning) {
        self.learned = learned
        self.generation = generation
        self.candidates = candidates
        self.placements = placements
    }
}

extension StaticRuleMatch: Hashable {
    static func == (one: StaticRuleMatch, other: StaticRuleMatch) -> Bool {
        one.generation == other.generation && one.learned == other.learned && one.candidates == other.candidates
            && one.placements == other.placements
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(generation)
        hasher.combine(candidates)
    }
}
