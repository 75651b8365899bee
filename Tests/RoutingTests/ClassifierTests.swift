import Testing

@testable import Routing

@Suite struct ClassifierTests {
    @Test(arguments: CorpusLine.all)
    func judgesAsTheCorpusSays(_ line: CorpusLine) throws {
        let judge = try Judge(.usual())
        let statement = judge.statement(line.sql)
        #expect(statement.kind.word == line.kind)
        let decision = judge.ask(line.sql)
        let inTransaction = judge.ask(line.sql, Asking(transactionPool: "primary"))
        switch line.outcome {
        case "read":
            #expect(decision.pool == judge.rules.pool(named: "standby"))
            #expect(decision.access == .read)
            #expect(decision.reason == .classifier)
        case "write", "function", "unknown":
            #expect(decision.pool == judge.rules.pool(named: "primary"))
            #expect(decision.access == .write)
            let reasons: [String: RouteReason] = ["write": .classifier, "function": .function, "unknown": .unparsed]
            #expect(decision.reason == reasons[line.outcome])
        default:
            let parts = line.outcome.split(separator: "/")
            #expect(decision.refusal?.sqlstate == String(parts[0]))
            if parts.count > 1 {
                #expect(inTransaction.refusal == nil, "refused in a transaction too")
            } else {
                #expect(inTransaction.refusal?.sqlstate == String(parts[0]))
            }
        }
        if decision.refusal == nil {
            #expect(inTransaction.pool == judge.rules.pool(named: "primary"))
            #expect(inTransaction.reason == .transaction)
        }
    }

    /// Nothing that a client or an operator can say sends a known write to a standby.
    @Test(arguments: CorpusLine.all.filter { ["write", "function", "unknown"].contains($0.outcome) })
    func noHintOrRuleSendsAWriteToAStandby(_ line: CorpusLine) throws {
        let standby = RuleDefinition.rule { $0.route = "standby" }
        let pool = RuleDefinition.rule { $0.pool = "standby" }
        for definition in [RoutingDefinition.usual([standby]), .usual([pool])] {
            let judge = try Judge(definition)
            #expect(judge.ask(line.sql).pool == judge.rules.pool(named: "primary"))
        }
        let judge = try Judge(.usual())
        #expect(judge.ask(line.sql, Asking(role: .standby)).pool == judge.rules.pool(named: "primary"))
        #expect(judge.ask(line.sql, Asking(pool: "standby")).pool == judge.rules.pool(named: "primary"))
    }

    @Test func everyRefusalNamesAWayOut() throws {
        let judge = try Judge(.usual())
        for line in CorpusLine.all where line.outcome.hasPrefix("0A000") {
            let message = judge.ask(line.sql).refusal?.message ?? ""
            let waysOut = [
                "send ", "write ", "take ", "verb ", "connect ", "put ", "declare ", "create ", "nothing to reset",
                "convert ",
            ]
            #expect(waysOut.contains { message.contains($0) }, "\(line.sql): \(message)")
        }
    }

    @Test(arguments: [
        ("COPY t TO STDOUT", "SELECT * FROM t"),
        ("COPY s.t (a, \"B\") TO STDOUT", "SELECT a, \"B\" FROM s.t"),
        ("COPY \"T\"\"x\" TO STDOUT", "SELECT * FROM \"T\"\"x\""),
        ("COPY (SELECT 1) TO STDOUT", "the query inside the parentheses"),
    ])
    func copyNamesTheSelectToSend(_ sql: String, _ select: String) throws {
        let message = try Judge(.usual()).ask(sql).refusal?.message ?? ""
        #expect(message.hasSuffix("send \(select)") || message.contains(select))
    }
}

@Suite struct FactsTests {
    private let judge: Judge
    init() throws { judge = try Judge(.usual()) }

    @Test(arguments: [
        ("SELECT * FROM a, b.c, \"D\".\"e F\"", "a b.c D.e F"),
        ("SELECT * FROM A, a", "a"),
        ("SELECT * FROM a WHERE id IN (SELECT id FROM b WHERE EXISTS (SELECT 1 FROM c))", "a b c"),
        ("WITH x AS (SELECT * FROM a) SELECT * FROM x, b", "b a"),
        ("WITH x AS (SELECT * FROM x) SELECT * FROM x", "x"),
        ("WITH RECURSIVE x AS (SELECT 1 UNION SELECT * FROM x) SELECT * FROM x", ""),
        ("WITH x AS (SELECT * FROM y), y AS (SELECT * FROM x) SELECT * FROM x, y", "y"),
        ("WITH RECURSIVE x AS (SELECT * FROM y), y AS (SELECT 1) SELECT * FROM x, y", ""),
        ("WITH x AS (SELECT 1) SELECT * FROM s.x", "s.x"),
        ("WITH t AS (SELECT 1) INSERT INTO t SELECT * FROM t", "t"),
        ("WITH x AS (WITH y AS (SELECT * FROM a) SELECT * FROM y) SELECT * FROM x, y", "y a"),
        ("SELECT * FROM (WITH y AS (SELECT 1) SELECT * FROM y) z, y", "y"),
        ("WITH d AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM d", "b a"),
        ("SELECT * FROM a FOR UPDATE OF a", "a"),
        ("UPDATE a SET x = 1 FROM b", "a b"),
        ("DELETE FROM a USING b", "a b"),
        ("MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE", "a b"),
        ("TRUNCATE a, b", "a b"),
        ("DROP TABLE a, s.b, d.s.c", "a s.b s.c"),
        ("DROP FUNCTION f", ""),
        ("COMMENT ON TABLE s.a IS 'x'", "s.a"),
        ("ALTER TABLE a ADD FOREIGN KEY (x) REFERENCES b", "a b"),
        ("CREATE TABLE a (x int REFERENCES b)", "a b"),
        ("CREATE INDEX ON a (x)", "a"),
        ("CREATE VIEW v AS SELECT * FROM a", "v a"),
        ("COPY a TO '/x'", "a"),
        ("LOCK a, b", "a b"),
        ("VACUUM a", "a"),
        ("EXPLAIN SELECT * FROM a", "a"),
        ("DECLARE c CURSOR FOR SELECT * FROM a", "a"),
        ("GRANT SELECT ON a TO b", "a"),
        ("SELECT 1", ""),
    ])
    func namesTables(_ sql: String, _ tables: String) {
        let named = judge.statement(sql).tables.map(\.description)
        #expect(Set(named) == Set(listed(tables)), "\(named)")
        #expect(named.count == Set(named).count)
    }

    /// `D.e F` is the one name with a blank.
    private func listed(_ names: String) -> [String] {
        if names == "a b.c D.e F" { return ["a", "b.c", "D.e F"] }
        return names.split(separator: " ").map(String.init)
    }

    @Test(arguments: [
        ("SELECT f(1), S.G(2), \"H\"(3), f(4)", ["f", "s.g", "H"]),
        ("SELECT * FROM f() WHERE g(1) ORDER BY h(2)", ["f", "g", "h"]),
        ("CALL p(f(1))", ["p", "f"]),
        ("SELECT extract(year FROM now())", ["pg_catalog.extract", "now"]),
        ("SELECT current_date, coalesce(a, 1) FROM t", []),
    ])
    func namesFunctions(_ sql: String, _ functions: [String]) {
        #expect(Set(judge.statement(sql).functions.map(\.description)) == Set(functions))
    }

    @Test func namesSchemasOfDDL() {
        #expect(judge.statement("CREATE SCHEMA S").schemas == ["s"])
        #expect(judge.statement("DROP SCHEMA a, \"B\"").schemas == ["a", "B"])
    }

    @Test(arguments: [
        ("SELECT 1", 0), ("SELECT $1", 1), ("SELECT $3", 3), ("SELECT $2, $1, $2", 2), ("SELECT '$9', $$ $8 $$", 0),
        ("INSERT INTO t VALUES ($1, $2), ($3, $4)", 4), ("SELECT * FROM t LIMIT $1 OFFSET $2", 2),
        ("WITH x AS (DELETE FROM t WHERE id = $7) SELECT $1", 7), ("SELECT f(VARIADIC $1::int[])", 1),
        ("SELECT $65535", 65535), ("SELECT a[$2] FROM t WHERE b = ANY ($5)", 5), ("CALL p($1)", 1),
        ("SET LOCAL x = 1", 0),
    ])
    func countsParameters(_ sql: String, _ count: Int) {
        #expect(judge.statement(sql).parameterCount == count)
    }

    @Test func parametersOfAnUnparsedTextAreUnknown() {
        #expect(judge.statement("SELEC $1").parameterCount == nil)
    }

    @Test(arguments: [
        ("SELECT 1", false), ("INSERT INTO t VALUES (1)", false), ("CALL p()", true), ("DO 'x'", true),
        ("VACUUM", true),
        ("ANALYZE t", true), ("CREATE INDEX CONCURRENTLY i ON t (a)", true), ("CREATE INDEX i ON t (a)", false),
        ("DROP INDEX CONCURRENTLY i", true), ("DROP INDEX i", false), ("REINDEX TABLE t", false),
        ("REINDEX TABLE CONCURRENTLY t", true), ("REINDEX (CONCURRENTLY) TABLE t", true), ("REINDEX SCHEMA s", true),
        ("CREATE DATABASE d", true), ("DROP DATABASE d", true), ("ALTER SYSTEM SET x = 1", true), ("CLUSTER", true),
        ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", true), ("ALTER TABLE t DETACH PARTITION p", false),
        ("CREATE TABLESPACE s LOCATION '/x'", true), ("CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", true),
        ("SELEC 1", true), ("TRUNCATE t", false), ("CREATE TABLE t (a int)", false),
    ])
    func knowsWhatCommitsOnTheWay(_ sql: String, _ commits: Bool) {
        #expect(judge.statement(sql).commitsOnTheWay == commits)
    }

    @Test func knowsSavepoints() {
        #expect(judge.statement("SAVEPOINT a").savepointCommand == .savepoint)
        #expect(judge.statement("RELEASE a").savepointCommand == .release)
        #expect(judge.statement("ROLLBACK TO a").savepointCommand == .rollbackTo)
        #expect(judge.statement("ROLLBACK").savepointCommand == nil)
        #expect(!judge.statement("SELECT 1").isSavepointCommand)
    }

    @Test(arguments: [
        ("SELECT 1", true), ("SELECT count(*), lower(a), now() FROM t", true), ("SELECT my_function(1)", false),
        ("SELECT app.lower('x')", false), ("SELECT pg_catalog.lower('x')", true),
        ("SELECT extract(year FROM now())", true),
        ("SELECT set_config('a', 'b', true)", true), ("EXPLAIN SELECT my_function(1)", true),
        ("EXPLAIN ANALYZE SELECT my_function(1)", false), ("SELEC 1", false), ("SELECT similarity(a, b) FROM t", false),
        ("SELECT position('a' IN b), substring(a FROM 1), trim(a), overlay(a PLACING b FROM 1) FROM t", true),
        ("SELECT a LIKE 'x' ESCAPE '!', a SIMILAR TO 'y', a AT TIME ZONE 'UTC', normalize(a) FROM t", true),
        ("SELECT * FROM t TABLESAMPLE SYSTEM (1)", true),
    ])
    func knowsPostgreSQLsOwnFunctions(_ sql: String, _ known: Bool) {
        #expect(judge.statement(sql).namesOnlyKnownFunctions == known)
    }

    @Test func rowLocksAreSeenEverywhere() {
        #expect(judge.statement("SELECT * FROM t FOR SHARE").hasRowLocks)
        #expect(judge.statement("WITH x AS (SELECT * FROM t FOR UPDATE) SELECT 1").hasRowLocks)
        #expect(!judge.statement("SELECT * FROM t").hasRowLocks)
    }

    @Test func theDecidingFunctionIsNamed() {
        #expect(judge.statement("SELECT lower('x'), nextval('s')").decidingFunction?.description == "nextval")
        #expect(judge.statement("INSERT INTO t VALUES (nextval('s'))").reason == .classifier)
    }

    @Test func fingerprintsIgnoreConstants() {
        let one = judge.statement("SELECT * FROM t WHERE a = 1 AND b IN (1, 2)")
        let other = judge.statement("select  * from t where a = 27 and b in (3, 4, 5) -- x")
        #expect(one.fingerprint == other.fingerprint)
        #expect(one.fingerprint != judge.statement("SELECT * FROM t WHERE b = 1").fingerprint)
        #expect(judge.statement("SELEC 1").fingerprint == judge.statement("SELEC 1").fingerprint)
        #expect(judge.statement("SELEC 1").fingerprint != judge.statement("SELEC 2").fingerprint)
    }

    @Test func normalisedTextHasNoConstants() {
        #expect(judge.statement("SELECT 'secret', 42").normalised == "SELECT $1, $2")
        #expect(judge.statement("SELEC 'x'").normalised == "SELEC 'x'")
    }

    @Test func commentTagsAreRead() {
        func tags(_ sql: String) -> [String] { judge.statement(sql).commentTags.map { "\($0.key)=\($0.value)" } }
        #expect(tags("SELECT 1 /*action='a%20b',controller='c'*/") == ["action=a b", "controller=c"])
        #expect(tags("SELECT 1 /* a='it\\'s' */ ;") == ["a=it's"])
        #expect(tags("SELECT 1 /* just a comment */") == [])
        #expect(tags("SELECT 1 /*a='b',*/") == [])
        #expect(tags("SELECT 1 /*a='b'") == [])
        #expect(tags("/*a='b'*/ SELECT 1") == [])
        #expect(tags("SELECT 1 /**/") == [])
    }

    @Test func aNulByteIsRefused() {
        #expect(judge.ask("SELECT 1\0; DELETE FROM t").refusal?.sqlstate == "22021")
    }
}
