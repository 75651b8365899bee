// The judge: from SQL and a request's options to a decision. One per worker thread, never shared.

package final class Judge {
    package private(set) var rules: RuleSet
    /// How often each rule matched, by its index in `rules.rules`; what a rule only added to counts too.
    package private(set) var hits: [UInt64]
    private var generation: UInt64 = 1
    private var cache: StatementCache
    private let beginReadWrite: Statement
    private let beginReadOnly: Statement

    /// The statements seen may take about `cacheBytes` of memory.
    package init(rules: RuleSet, cacheBytes: Int = 16 << 20) {
        self.rules = rules
        hits = [UInt64](repeating: 0, count: rules.rules.count)
        cache = StatementCache(maximumBytes: cacheBytes)
        var facts = StatementFacts()
        facts.kind = .transaction
        beginReadOnly = Judge.statement(facts, text: "BEGIN READ ONLY")
        facts.writes = true
        beginReadWrite = Judge.statement(facts, text: "BEGIN")
    }

    private static func statement(_ facts: StatementFacts, text: String) -> Statement {
        var text = text
        return text.withUTF8 { Statement(facts, copying: UnsafeRawBufferPointer($0)) }
    }

    package var cacheCounters: StatementCacheCounters { cache.counters }

    /// Puts new rules in force. Counts of rules that keep their name go on.
    package func replaceRules(by new: RuleSet) {
        var counts: [String: UInt64] = [:]
        for (rule, count) in zip(rules.rules, hits) { counts[rule.name] = count }
        hits = new.rules.map { counts[$0.name] ?? 0 }
        rules = new
        generation += 1
    }

    /// The facts of a text, from the cache when it was seen before. Texts too long to parse are not kept: they are cheap to
    /// look at again, and a few bulk inserts would push out everything else. Allocates nothing on a hit.
    package func statement(for sql: UnsafeRawBufferPointer) -> Statement {
        let hash = sql.count <= ParseLimits.textBytes ? cache.hash(sql) : 0
        if sql.count <= ParseLimits.textBytes, let known = cache.find(sql, hash: hash) { return known }
        let statement = Statement(Parser.facts(of: sql), copying: sql)
        if sql.count <= ParseLimits.textBytes { cache.insert(statement, hash: hash) }
        return statement
    }

    /// Where one statement goes.
    package func decide(_ sql: UnsafeRawBufferPointer, _ request: RouteRequest, _ origin: RouteOrigin) -> Decision {
        decide(statement(for: sql), request, origin, counts: true)
    }

    package func decide(_ statement: Statement, _ request: RouteRequest, _ origin: RouteOrigin) -> Decision {
        decide(statement, request, origin, counts: true)
    }

    /// Where a transaction goes that the verb BEGIN opens. Serializable ones go to the primary: a standby refuses them.
    package func decideTransaction(
        readOnly: Bool, serializable: Bool, _ request: RouteRequest, _ origin: RouteOrigin
    ) -> Decision {
        decide(readOnly && !serializable ? beginReadOnly : beginReadWrite, request, origin, counts: true)
    }

    /// The same judgement as `decide`, but no rule counts it.
    func consider(_ statement: Statement, _ request: RouteRequest, _ origin: RouteOrigin) -> Decision {
        decide(statement, request, origin, counts: false)
    }

    private func decide(
        _ statement: Statement, _ request: RouteRequest, _ origin: RouteOrigin, counts: Bool
    ) -> Decision {
        var placement = Placement(rules: rules, statement: statement, request: request)
        if let refusal = placement.refusalByNature { return placement.refuse(refusal) }
        if statement.ruleMatch.generation != generation { matchRules(statement) }
        for index in statement.ruleMatch.candidates {
            let index = Int(index)
            if rules.outcomes[index].asksOfRequest, !rules.matchers[index].matches(request, origin, statement) {
                continue
            }
            if counts { hits[index] &+= 1 }
            if placement.add(rule: index) { break }
        }
        if let refusal = placement.rejection { return placement.refuse(refusal) }
        if !statement.ruleMatch.placements.isEmpty, let refusal = conflict(statement, request, origin) {
            return placement.refuse(refusal)
        }
        return placement.place()
    }

    /// Finds the rules that can match a statement, whoever asks. Once per statement and rule set.
    private func matchRules(_ statement: Statement) {
        var match = StaticRuleMatch(generation: generation)
        var isDecided = false
        var clusters = ClusterSet()
        var placements: [Int32] = []
        let names = StatementNames(statement)
        for index in rules.outcomes.indices {
            guard rules.filters[index].lets(statement.kind, names) else { continue }
            let outcome = rules.outcomes[index]
            if isDecided, !outcome.placesTables { continue }
            guard rules.matchers[index].matches(statement, names) else { continue }
            if !isDecided { match.candidates.append(Int32(index)) }
            if outcome.placesTables, let cluster = outcome.cluster {
                placements.append(Int32(index))
                clusters.insert(cluster)
            }
            if outcome.decides, !outcome.asksOfRequest { isDecided = true }
        }
        if clusters.count > 1 { match.placements = placements }
        statement.ruleMatch = match
    }

    /// A statement whose tables rules place in two clusters can run in neither. Each table's place is its first rule's.
    private func conflict(_ statement: Statement, _ request: RouteRequest, _ origin: RouteOrigin) -> Refusal? {
        guard request.using == nil, request.pool == nil else { return nil }
        var first: (table: QualifiedName, cluster: Int)?
        for table in statement.tables {
            let name = NameBytes(table)
            let placing = statement.ruleMatch.placements.first { index in
                let matcher = rules.matchers[Int(index)]
                return matcher.places(name) && matcher.matches(request, origin, statement)
            }
            guard let placing, let cluster = rules.outcomes[Int(placing)].cluster else { continue }
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
