// What a judge has before it: the rules in force, their counts, and the statements seen.

struct Docket: ~Copyable {
    private(set) var rules: RuleSet
    private(set) var hits: [UInt64]
    private(set) var cache: StatementCache
    private(set) var learned = LearnedStatements()
    /// Counts the changes of rules and of what was learned, so that a statement knows whether its matches still hold.
    private var generation: UInt64 = 1
    /// Of this generation.
    private var knownMatches: Set<StaticRuleMatch> = []
    private static let maximumKnownMatches = 1024

    init(rules: RuleSet, cacheBytes: Int) {
        self.rules = rules
        hits = [UInt64](repeating: 0, count: rules.rules.count)
        cache = StatementCache(maximumBytes: cacheBytes)
    }

    mutating func replaceRules(by new: RuleSet) {
        var counts: [String: UInt64] = [:]
        for (rule, count) in zip(rules.rules, hits) { counts[rule.name] = count }
        hits = new.rules.map { counts[$0.name] ?? 0 }
        rules = new
        beginGeneration()
    }

    private mutating func beginGeneration() {
        generation += 1
        knownMatches = []
    }

    mutating func limitCache(toBytes bytes: Int) { cache.maximumBytes = bytes }

    mutating func learn(_ statement: Statement, sqlstate: String) -> Bool {
        guard statement.access == .read, learned.learn(statement, sqlstate: sqlstate) else { return false }
        beginGeneration()
        return true
    }

    mutating func forget(_ fingerprint: UInt64) -> Bool {
        guard learned.forget(fingerprint) else { return false }
        beginGeneration()
        return true
    }

    mutating func statement(for sql: UnsafeRawBufferPointer) -> Statement {
        guard sql.count <= ParseLimits.textBytes else { return Statement(Parser.facts(of: sql), copying: sql) }
        let hash = cache.hash(sql)
        if let known = cache.find(sql, hash: hash) { return known }
        let statement = Statement(Parser.facts(of: sql), copying: sql)
        cache.insert(statement, hash: hash)
        return statement
    }

    mutating func decide(
        _ sql: UnsafeRawBufferPointer, _ request: borrowing RouteRequest, _ origin: RouteOrigin
    ) -> Decision {
        decide(statement(for: sql), request, origin, counts: true)
    }

    mutating func decide(
        _ statement: Statement, _ request: borrowing RouteRequest, _ origin: RouteOrigin, counts: Bool
    ) -> Decision {
        let rules = rules
        if statement.ruleMatch.generation != generation { matchRules(statement) }
        let match = statement.ruleMatch
        var placement = Placement(rules: rules, statement: statement, learned: match.learned)
        if let refusal = placement.refusalByNature(request) { return placement.refuse(refusal, request) }
        for index in match.candidates {
            let index = Int(index)
            if rules.outcomes[index].asksOfRequest, !rules.matchers[index].matches(request, origin, statement) {
                continue
            }
            if counts { hits[index] &+= 1 }
            if placement.add(rule: index) { break }
        }
        if let refusal = placement.rejection { return placement.refuse(refusal, request) }
        if !match.placements.isEmpty, let refusal = conflict(statement, request, origin) {
            return placement.refuse(refusal, request)
        }
        return placement.place(request)
    }

    /// Finds the rules that can match a statement, whoever asks. Once per statement and rule set.
    private mutating func matchRules(_ statement: Statement) {
        var candidates: [Int32] = []
        var placements: [Int32] = []
        var isDecided = false
        var clusters = ClusterSet()
        let names = StatementNames(statement)
        for index in rules.filters.indices where rules.filters[index].lets(statement.kind, names) {
            let outcome = rules.outcomes[index]
            if isDecided, !outcome.placesTables { continue }
            guard rules.matchers[index].matches(statement, names) else { continue }
            if !isDecided { candidates.append(Int32(index)) }
            if outcome.placesTables, let cluster = outcome.cluster {
                placements.append(Int32(index))
                clusters.insert(cluster)
            }
            if outcome.decides, !outcome.asksOfRequest { isDecided = true }
        }
        let match = StaticRuleMatch(
            generation: generation, candidates: candidates, placements: clusters.count > 1 ? placements : [],
            learned: learning(of: statement))
        // Most statements match the same rules as others: thousands of equal lists would be memory that nobody counts.
        if knownMatches.count > Self.maximumKnownMatches { knownMatches = [] }
        statement.ruleMatch = knownMatches.insert(match).memberAfterInsert
    }

    private func learning(of statement: Statement) -> Learning {
        // The fingerprint is not asked for without need: it takes a third of a parse.
        guard !learned.isEmpty, statement.access == .read, let entry = learned[statement.fingerprint] else {
            return .nothing
        }
        return entry.sqlstate == "25006" ? .writes : .onlyOnPrimary
    }

    /// A statement whose tables rules place in two clusters can run in neither. Each table's place is its first rule's.
    private func conflict(
        _ statement: Statement, _ request: borrowing RouteRequest, _ origin: RouteOrigin
    ) -> Refusal? {
        guard request.using == nil, request.pool == nil else { return nil }
        var first: (table: QualifiedName, cluster: Int)?
        for table in statement.tables {
            let name = NameBytes(table)
            var place: Int?
            for index in statement.ruleMatch.placements where place == nil {
                let matcher = rules.matchers[Int(index)]
                guard matcher.places(name), matcher.matches(request, origin, statement) else { continue }
                place = rules.outcomes[Int(index)].cluster
            }
            guard let cluster = place else { continue }
            guard let earlier = first else {
                first = (table, cluster)
                continue
            }
            if earlier.cluster != cluster {
                return Refusal(
                    "0A000",
                    "\(earlier.table) is in cluster \"\(rules.clusters[earlier.cluster].name)\" and \(table) in "
                        + "\"\(rules.clusters[cluster].name)\"; one statement cannot read both: send one to each")
            }
        }
        return nil
    }
}
