// The judge: from SQL and a request's options to a decision. One per worker thread, never shared.

package final class Judge {
    // All that changes is in one field: each access to a class's field is checked at run time (exclusivity), and this way a
    // decision pays for one such check.
    private var docket: Docket
    private let beginReadWrite: Statement
    private let beginReadOnly: Statement

    /// The statements seen may take about `cacheBytes` of memory.
    package init(rules: RuleSet, cacheBytes: Int = 16 << 20) {
        docket = Docket(rules: rules, cacheBytes: cacheBytes)
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

    package var rules: RuleSet { docket.rules }
    /// How often each rule matched, by its index in `rules.rules`; what a rule only added to counts too.
    package var hits: [UInt64] { docket.hits }
    package var cacheCounters: StatementCacheCounters { docket.cache.counters }

    /// The statements seen may take about this much memory from now on; what is too much goes as others come.
    package func limitCache(toBytes bytes: Int) { docket.limitCache(toBytes: bytes) }

    package var learned: LearnedStatements { docket.learned }

    /// A standby refused a statement that was judged a read: from now on it goes to the primary.
    ///
    /// - Parameters:
    ///   - statement: what was refused.
    ///   - sqlstate: what the standby said.
    /// - Returns: false when that was known, or is no read.
    package func learn(_ statement: Statement, sqlstate: String) -> Bool { docket.learn(statement, sqlstate: sqlstate) }

    /// Trusts a standby with it again; false when nothing was learned of it.
    package func forget(_ fingerprint: UInt64) -> Bool { docket.forget(fingerprint) }

    /// Puts new rules in force. Counts of rules that keep their name go on.
    package func replaceRules(by new: RuleSet) { docket.replaceRules(by: new) }

    /// The facts of a text, from the cache when it was seen before. Texts too long to parse are not kept: they are cheap to
    /// look at again, and a few bulk inserts would push out everything else. Allocates nothing on a hit.
    package func statement(for sql: UnsafeRawBufferPointer) -> Statement { docket.statement(for: sql) }

    /// Where one statement goes.
    package func decide(_ sql: UnsafeRawBufferPointer, _ request: RouteRequest, _ origin: RouteOrigin) -> Decision {
        docket.decide(sql, request, origin)
    }

    package func decide(_ statement: Statement, _ request: RouteRequest, _ origin: RouteOrigin) -> Decision {
        docket.decide(statement, request, origin, counts: true)
    }

    /// Where a transaction goes that the verb BEGIN opens. Serializable ones go to the primary: a standby refuses them.
    package func decideTransaction(
        readOnly: Bool, serializable: Bool, _ request: RouteRequest, _ origin: RouteOrigin
    ) -> Decision {
        decide(readOnly && !serializable ? beginReadOnly : beginReadWrite, request, origin)
    }

    /// Counts what `consider` did not.
    package func countRules(of statement: Statement, _ request: RouteRequest, _ origin: RouteOrigin) {
        _ = decide(statement, request, origin)
    }

    /// The same judgement as `decide`, but no rule counts it.
    package func consider(_ statement: Statement, _ request: RouteRequest, _ origin: RouteOrigin) -> Decision {
        docket.decide(statement, request, origin, counts: false)
    }
}
