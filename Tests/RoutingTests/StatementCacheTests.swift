import Testing

@testable import Routing

@Suite struct StatementCacheTests {
    @Test func theSameTextIsTheSameStatement() throws {
        let judge = try Judge(.usual())
        let one = judge.statement("SELECT 1")
        #expect(judge.statement("SELECT 1") === one)
        #expect(judge.statement("SELECT  1") !== one)
        #expect(judge.cacheCounters.hits == 1)
        #expect(judge.cacheCounters.misses == 2)
        #expect(judge.cacheCounters.statements == 2)
    }

    @Test func aStatementOwnsItsText() throws {
        let judge = try Judge(.usual())
        var text = Array("SELECT * FROM first_table".utf8)
        let statement = text.withUnsafeBytes { judge.statement(for: $0) }
        for index in text.indices { text[index] = UInt8(ascii: "x") }
        #expect(String(decoding: statement.text, as: UTF8.self) == "SELECT * FROM first_table")
        #expect(judge.statement("SELECT * FROM first_table") === statement)
    }

    @Test func theBoundInBytesHolds() throws {
        let bound = 200_000
        let judge = try Judge(.usual(), cacheBytes: bound)
        for number in 0..<2000 {
            _ = judge.statement("SELECT a, b FROM t WHERE id = \(number)")
            #expect(judge.cacheCounters.bytes <= bound)
        }
        let counters = judge.cacheCounters
        #expect(counters.misses == 2000)
        #expect(counters.statements > 50)
        #expect(counters.evictions == 2000 - UInt64(counters.statements))
        #expect(counters.bytes > bound / 2)
    }

    /// A reload may make it smaller: it shrinks as other statements come, and holds the new bound then.
    @Test func theBoundMayChange() throws {
        let judge = try Judge(.usual(), cacheBytes: 1 << 20)
        for number in 0..<1500 { _ = judge.statement("SELECT \(number)") }
        #expect(judge.cacheCounters.statements == 1500)
        judge.limitCache(toBytes: 64 << 10)
        for number in 0..<20 { _ = judge.statement("SELECT 'more', \(number)") }
        #expect(judge.cacheCounters.bytes <= 64 << 10)
        #expect(judge.cacheCounters.statements > 50)
        judge.limitCache(toBytes: 1 << 20)
        for number in 0..<1500 { _ = judge.statement("SELECT \(number)") }
        #expect(judge.cacheCounters.statements > 1400)
    }

    @Test func whatIsUsedStays() throws {
        let judge = try Judge(.usual(), cacheBytes: 100_000)
        let kept = judge.statement("SELECT 'kept'")
        for number in 0..<2000 {
            _ = judge.statement("SELECT \(number)")
            #expect(judge.statement("SELECT 'kept'") === kept)
        }
        #expect(judge.cacheCounters.evictions > 1000)
    }

    @Test func whatWasEvictedIsJudgedAnew() throws {
        let judge = try Judge(.usual(), cacheBytes: 20_000)
        let first = judge.statement("SELECT 'first'")
        for number in 0..<500 { _ = judge.statement("SELECT \(number)") }
        let again = judge.statement("SELECT 'first'")
        #expect(again !== first)
        #expect(again.kind == .select)
    }

    @Test func textsTooLongToParseAreNotKept() throws {
        let judge = try Judge(.usual())
        let long = "INSERT INTO t VALUES ('" + String(repeating: "x", count: ParseLimits.textBytes) + "')"
        let statement = judge.statement(long)
        #expect(statement.isTooLong)
        #expect(judge.statement(long) !== statement)
        #expect(judge.cacheCounters == StatementCacheCounters())
    }

    @Test func aTableThatGrowsLosesNothing() throws {
        let judge = try Judge(.usual(), cacheBytes: 64 << 20)
        let texts = (0..<5000).map { "SELECT \($0)" }
        let statements = texts.map { judge.statement($0) }
        for (text, statement) in zip(texts, statements) { #expect(judge.statement(text) === statement) }
        #expect(judge.cacheCounters.statements == 5000)
        #expect(judge.cacheCounters.evictions == 0)
    }

    @Test func rulesInForceAreAskedAgainAfterAReload() throws {
        let judge = try Judge(.usual())
        #expect(judge.way("SELECT * FROM t") == "standby classifier")
        judge.replaceRules(
            by: try RuleSet(
                compiling: .usual([
                    .rule {
                        $0.table = ["t"]; $0.route = "primary"
                    }
                ])))
        #expect(judge.way("SELECT * FROM t") == "primary rule")
        judge.replaceRules(by: try RuleSet(compiling: .usual()))
        #expect(judge.way("SELECT * FROM t") == "standby classifier")
    }

    @Test func hashesTellTextsApart() {
        // One byte changed anywhere, at every length around the hash's steps.
        for count in 1...70 {
            let text = [UInt8](repeating: UInt8(ascii: "a"), count: count)
            let whole = text.withUnsafeBytes { textHash($0, seed: 7) }
            for index in 0..<count {
                var changed = text
                changed[index] ^= 1
                #expect(changed.withUnsafeBytes { textHash($0, seed: 7) } != whole)
            }
            #expect(text.withUnsafeBytes { textHash($0, seed: 8) } != whole)
            #expect(text.dropLast().withUnsafeBytes { textHash($0, seed: 7) } != whole)
        }
    }
}
