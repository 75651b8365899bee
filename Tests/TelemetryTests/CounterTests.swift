import Testing

@testable import Telemetry

struct CounterTests {
    /// What must hold of every table, so that storage and views agree.
    private func check<Table: CounterTable>(_ type: Table.Type, sourceLocation: SourceLocation = #_sourceLocation) {
        let table = Table.table
        #expect(table.map(\.counter.index) == Array(table.indices), "\(type)", sourceLocation: sourceLocation)
        #expect(Set(table.map(\.counter)).count == table.count, sourceLocation: sourceLocation)
        for (_, definition) in table {
            let name = definition.name
            #expect(definition.help.hasSuffix("."), "\(name)", sourceLocation: sourceLocation)
            #expect(
                name.allSatisfy { $0.isASCII && ($0.isLowercase || $0 == "_") }, "\(name)",
                sourceLocation: sourceLocation)
            // Prometheus' convention, and how a reader tells a counter from a gauge.
            #expect(
                (definition.kind == .counter) == name.hasSuffix("_total"), "\(name)", sourceLocation: sourceLocation)
        }
        let families = Dictionary(grouping: table.map(\.definition), by: \.name)
        for (name, family) in families {
            // Counters of one name are one thing: one meaning, the same labels, each combination once.
            #expect(Set(family.map(\.help)).count == 1, "\(name)", sourceLocation: sourceLocation)
            #expect(Set(family.map(\.kind)).count == 1, "\(name)", sourceLocation: sourceLocation)
            #expect(Set(family.map { $0.labels.map(\.name) }).count == 1, "\(name)", sourceLocation: sourceLocation)
            #expect(Set(family.map(\.labels)).count == family.count, "\(name)", sourceLocation: sourceLocation)
        }
    }

    @Test func everyCounterHasANameAMeaningAndAPlace() {
        check(ProcessCounter.self)
        check(ListenerCounter.self)
        check(PoolCounter.self)
        check(RuleCounter.self)
        check(ClientCounter.self)
    }

    @Test func namesAreUniqueOverAllScopesAndSoAreTheirMeanings() {
        let scopes: [[CounterDefinition]] = [
            ProcessCounter.table.map(\.definition), ListenerCounter.table.map(\.definition),
            PoolCounter.table.map(\.definition), RuleCounter.table.map(\.definition),
            ClientCounter.table.map(\.definition),
        ]
        let names = scopes.flatMap { Set($0.map(\.name)) }
        #expect(Set(names).count == names.count)
        for scope in scopes {
            let families = Dictionary(grouping: scope, by: \.name).values
            #expect(Set(families.compactMap { $0.first?.help }).count == families.count)
        }
    }

    /// Every word of every list has its counter: a case that is added to a list and not to the table is found here.
    @Test func familiesAreWhole() {
        let pool = PoolCounter.table.map(\.counter)
        for kind in RequestKind.allCases {
            for result in RequestResult.allCases { #expect(pool.contains(.requests(kind, result))) }
        }
        for word in RetryWord.allCases { #expect(pool.contains(.retryAdvice(word))) }
        for word in SQLStateClass.allCases { #expect(pool.contains(.errors(word))) }
        for word in RouteReason.allCases { #expect(pool.contains(.routes(word))) }
        for word in ConnectionState.allCases { #expect(pool.contains(.connections(word))) }
        for word in CloseReason.allCases { #expect(pool.contains(.connectionsClosed(word))) }
        let listener = ListenerCounter.table.map(\.counter)
        for word in RejectReason.allCases { #expect(listener.contains(.rejected(word))) }
        for word in CutReason.allCases { #expect(listener.contains(.cut(word))) }
    }

    /// The words are those of protocol.md: receipts, error lines and counters say the same.
    @Test func wordsAreThoseOfTheProtocol() {
        #expect(RetryWord.allCases.map(\.word) == ["never", "now", "later", "tx", "unknown"])
        #expect(
            RouteReason.allCases.map(\.word) == [
                "classifier", "rule", "function", "own-write", "after", "lag", "learned", "spill", "unparsed", "hint",
                "tx",
            ])
    }

    @Test func classesOfSQLState() {
        for known in SQLStateClass.allCases where known != .other {
            let word = Array(known.word.utf8)
            #expect(SQLStateClass(word[0], word[1]) == known)
        }
        for other in ["00", "99", "P0", "0L", "X0", "  "] {
            let word = Array(other.utf8)
            #expect(SQLStateClass(word[0], word[1]) == .other)
        }
    }

    @Test func countingChangesOneCounterOnly() {
        let set = CounterSet<PoolCounter>()
        for (step, (counter, _)) in PoolCounter.table.enumerated() {
            set.add(counter, step + 1)
            set.add(counter)
        }
        for (step, (counter, _)) in PoolCounter.table.enumerated() { #expect(set[counter] == step + 2) }
        set.set(.waiting, to: 7)
        let before = set.snapshot()
        set.set(.waiting, to: 3)
        set.add(.rows, -1)
        #expect(before[.waiting] == 7)
        #expect(set[.waiting] == 3)
        #expect(set[.rows] == before[.rows] - 1)
    }

    @Test func whatSeveralWorkersCountedIsAdded() {
        let first = CounterSet<ListenerCounter>()
        let second = CounterSet<ListenerCounter>()
        first.add(.lines, 5)
        second.add(.lines, 7)
        second.add(.cut(.stalled))
        var sum = first.snapshot()
        sum += second.snapshot()
        #expect(sum[.lines] == 12)
        #expect(sum[.cut(.stalled)] == 1)
        #expect(sum[.cut(.framing)] == 0)
        #expect(first[.lines] == 5)
    }
}
