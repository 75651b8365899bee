import Foundation
import TestKit
import Testing

/// Reads go to the standbys, everything else to the primary: asked of the servers themselves.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct SplitTests {
    @Test func readsGoToBothStandbys() throws {
        let client = try Shared.client()
        var addresses: Set<String> = []
        // PgBouncer opens its connections one by one, to the hosts in turn.
        try eventually("both standbys answer") {
            let answer = try client.run("SELECT pg_is_in_recovery(), host(inet_server_addr())")
            #expect(answer.rows.first?[0] == "t")
            #expect(answer["pool"] == "standby" && answer["why"] == "classifier")
            if let address = answer.rows.first?[1] { addresses.insert(address) }
            return addresses == ["127.0.0.11", "127.0.0.12"]
        }
    }

    @Test func writesGoToThePrimary() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        let answer = try client.run(
            "INSERT INTO \(table) VALUES (1) RETURNING pg_is_in_recovery(), host(inet_server_addr())")
        #expect(answer.rows == [["f", "127.0.0.1"]])
        #expect(answer["pool"] == "primary")
    }

    /// The statement about this table: `t` is the table, `t_x` what belongs to it, `'s'` its sequence.
    private static func named(_ sql: String, _ table: String) -> String {
        let name = /\bt(?=\b|_)/.wordBoundaryKind(.simple)
        return sql.replacingOccurrences(of: "'s'", with: "'\(table)_s'").replacing(name, with: table)
    }

    static let reads = [
        "SELECT 1", "VALUES (1), (2)", "TABLE t", "SHOW server_version", "EXPLAIN SELECT * FROM t",
        "EXPLAIN DELETE FROM t", "SELECT * FROM generate_series(1, 3)", "SELECT random()",
        "WITH x AS (SELECT 1 AS a) SELECT * FROM x JOIN t ON true", "SELECT 1 UNION ALL SELECT id FROM t",
        "SELECT (SELECT count(*) FROM t)", "(SELECT 1)", "EXPLAIN ANALYZE SELECT 1", "SELECT now(), current_user",
        "SELECT 'INSERT INTO t VALUES (1)'", "/* DELETE */ SELECT 1 -- FOR UPDATE",
        "SELECT current_setting('work_mem')", "SELECT \"for\" FROM (SELECT 1 AS \"for\") AS \"update\"",
    ]

    @Test(arguments: reads)
    func isARead(_ sql: String) throws {
        let table = try makeTable("id int")
        let answer = try Shared.client().run(Self.named(sql, table))
        #expect(answer["pool"] == "standby", "\(sql)")
    }

    /// A statement, and whether it needs a transaction around it.
    static let writes: [(String, Bool)] = [
        ("SELECT * FROM t FOR UPDATE", false), ("SELECT * FROM t FOR NO KEY UPDATE", false),
        ("SELECT * FROM t FOR SHARE", false), ("SELECT * FROM t FOR KEY SHARE OF t SKIP LOCKED", false),
        ("SELECT * FROM (SELECT * FROM t FOR UPDATE) x", false),
        ("WITH d AS (DELETE FROM t RETURNING id) SELECT * FROM d", false),
        ("WITH i AS (INSERT INTO t VALUES (5)) SELECT 1", false),
        ("SELECT * FROM t WHERE id IN (WITH u AS (SELECT 1) SELECT 1 FROM t FOR UPDATE)", false),
        ("SELECT id INTO t_copy FROM t", false), ("CREATE TABLE t_as AS SELECT * FROM t", false),
        ("SELECT nextval('s')", false), ("SELECT setval('s', 7)", false), ("SELECT 1 WHERE nextval('s') > 0", false),
        ("SELECT pg_catalog.nextval('s')", false), ("SELECT PG_CATALOG.\"nextval\"('s')", false),
        ("SELECT pg_advisory_xact_lock(4)", false), ("SELECT pg_try_advisory_xact_lock(4)", false),
        ("SELECT txid_current()", false), ("SELECT pg_current_xact_id()", false),
        ("SELECT pg_notify('c', 'x')", false), ("NOTIFY c", false), ("SELECT lo_create(0)", false),
        ("SELECT pg_current_wal_lsn()", false), ("EXPLAIN ANALYZE INSERT INTO t VALUES (1)", false),
        ("EXPLAIN (ANALYZE, COSTS off) DELETE FROM t", false), ("DO $$BEGIN PERFORM 1; END$$", false),
        ("VACUUM t", false), ("ANALYZE t", false), ("CREATE INDEX ON t (id)", false), ("TRUNCATE t", false),
        ("MERGE INTO t USING (SELECT 1 AS a) x ON t.id = x.a WHEN NOT MATCHED THEN INSERT VALUES (1)", false),
        ("LOCK TABLE t IN ACCESS SHARE MODE", true),
        ("REINDEX TABLE t", false), ("SELECT pg_export_snapshot()", true),
        ("CREATE INDEX CONCURRENTLY ON t (id)", false),
    ]

    @Test(arguments: writes)
    func isNoRead(_ sql: String, _ inTransaction: Bool) throws {
        let table = try makeTable("id int", then: "CREATE SEQUENCE TABLE_NAME_s; INSERT INTO TABLE_NAME VALUES (1)")
        let own = Self.named(sql, table)
        let client = try Shared.client()
        if inTransaction { try client.ask("BEGIN") }
        let answer = try client.run(own)
        #expect(answer["pool"] == "primary", "\(own)")
        if inTransaction { try client.ask("COMMIT") }
    }

    /// Whatever form the write had, the next read of this connection sees it.
    @Test(arguments: [
        "WITH i AS (INSERT INTO t VALUES (5)) SELECT 1", "DO $$BEGIN INSERT INTO t VALUES (5); END$$",
        "MERGE INTO t USING (SELECT 5 AS a) x ON false WHEN NOT MATCHED THEN INSERT VALUES (a)",
        "EXPLAIN ANALYZE INSERT INTO t VALUES (5)", "SELECT t_f()",
    ])
    func everyWriteIsAnOwnWrite(_ sql: String) throws {
        let table = try makeTable(
            "id int",
            then:
                "CREATE FUNCTION TABLE_NAME_f() RETURNS int LANGUAGE sql AS 'INSERT INTO TABLE_NAME VALUES (5) RETURNING 1'"
        )
        let client = try Shared.client()
        let own = Self.named(sql, table)
        // The daemon cannot know a user's function before a standby has refused it: here the client says it.
        try client.run(own, options: own.contains("_f()") ? "@route=primary" : "")
        let read = try client.run("SELECT id FROM \(table)")
        #expect(try read.value == "5")
        #expect(read["pool"] == "primary")
    }

    /// `lastval` and `currval` belong to a session that nobody keeps: on the primary, by the server's own error.
    @Test func sequenceStateNeverGoesToAStandby() throws {
        let table = try makeTable("id int", then: "CREATE SEQUENCE TABLE_NAME_s")
        let client = try Shared.client()
        #expect(try client.query("SELECT currval('\(table)_s')")["pool"] == "primary")
        try client.ask("BEGIN")
        #expect(try client.run("SELECT nextval('\(table)_s')").value == "1")
        #expect(try client.run("SELECT currval('\(table)_s')").value == "1")
        #expect(try client.run("SELECT lastval()").value == "1")
        try client.ask("COMMIT")
    }

    /// What the parser does not know goes to the primary; the server says what it is.
    @Test func unparsedTextGoesToThePrimary() throws {
        let answer = try Shared.client().query("SELECT FROM WHERE")
        #expect(answer.sqlstate == "42601" && answer["pool"] == "primary" && answer["src"] == "server")
    }

    @Test func procedures() throws {
        let table = try makeTable(
            "id int", then: "CREATE PROCEDURE TABLE_NAME_p() LANGUAGE sql AS 'INSERT INTO TABLE_NAME VALUES (9)'")
        let client = try Shared.client()
        let answer = try client.run("CALL \(table)_p()")
        #expect(answer.tag == "CALL" && answer["pool"] == "primary")
        #expect(try client.run("SELECT id FROM \(table)").value == "9")
    }

    // MARK: What a request wishes

    @Test func aConnectionsOwnWritesAreRead() throws {
        let table = try makeTable("id int")
        let writer = try Shared.client()
        let other = try Shared.client()
        #expect(try writer.run("SELECT 1")["why"] == "classifier")
        try writer.run("INSERT INTO \(table) VALUES (1)")
        let own = try writer.run("SELECT count(*) FROM \(table)")
        #expect(own["pool"] == "primary" && own["why"] == "own-write")
        #expect(try own.value == "1")
        #expect(try other.run("SELECT 1")["pool"] == "standby")
    }

    /// A transaction that only read is no write, one that wrote is one from its commit on.
    @Test func onlyCommittedWritesCount() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        try client.ask("BEGIN")
        try client.run("INSERT INTO \(table) VALUES (1)")
        try client.ask("ROLLBACK")
        #expect(try client.run("SELECT 1")["pool"] == "standby")
        try client.ask("BEGIN")
        try client.run("INSERT INTO \(table) VALUES (1)")
        try client.ask("COMMIT")
        #expect(try client.run("SELECT 1")["why"] == "own-write")
    }

    /// HELLO's `@lag` is a wish like the request's own: also where a hint names the primary it has to show that it is one.
    @Test func aConnectionsLagIsProvedOnThePrimaryToo() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        try client.ask("HELLO", "@lag=60000", "1")
        let first = try client.run("SELECT pg_is_in_recovery()", options: "@route=primary")
        #expect(try first.value == "f")
        #expect(first["node"] != nil, "\(first.attributes)")
        try daemon.stop()
    }

    @Test func hints() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        for (options, pool, why) in [
            ("@route=primary", "primary", "hint"), ("@pool=primary", "primary", "hint"),
            ("@route=standby", "standby", "hint"), ("@pool=standby", "standby", "hint"),
            ("@lag=0", "primary", "lag"),
            ("@after=1.0/36B0FA0.5f2c91aa", "primary", "after"),
            ("@after=1.0/1.5f2c91aa @after=2.0/2.00000001", "primary", "after"), ("@wait=10", "standby", "classifier"),
            ("@ro", "standby", "classifier"), ("@tag=x", "standby", "classifier"),
            ("@using=main", "standby", "classifier"), ("@token", "standby", "classifier"),
            ("@tp=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "standby", "classifier"),
        ] {
            let answer = try client.run("SELECT count(*) FROM \(table)", options: options)
            #expect(answer["pool"] == pool && answer["why"] == why, "\(options): \(answer.attributes)")
        }
        // The first position that is known is of this moment, and other tests write meanwhile.
        try eventually("a standby is found to be no older than a minute") {
            let answer = try client.run("SELECT count(*) FROM \(table)", options: "@lag=60000")
            return answer["pool"] == "standby" && answer["why"] == "classifier"
        }
    }

    /// No hint takes to a standby what is known to write.
    @Test(arguments: ["@route=standby", "@pool=standby"])
    func hintsNeverTakeAWriteToAStandby(_ options: String) throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        for sql in ["INSERT INTO \(table) VALUES (1)", "SELECT * FROM \(table) FOR UPDATE"] {
            let answer = try client.query(sql, options: options)
            #expect(answer["pool"] != "standby", "\(answer)")
        }
    }

    @Test func readOnlyIsAnAssertion() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        let answer = try client.query("INSERT INTO \(table) VALUES (1)", options: "@ro")
        #expect(answer.sqlstate == "25006" && answer["src"] == "router" && answer.problem?.retry == .never)
        #expect(try client.run("SELECT count(*) FROM \(table)", options: "@ro").value == "0")
    }

    @Test(arguments: ["@using=nowhere", "@pool=nowhere"])
    func unknownNamesAreErrors(_ options: String) throws {
        let client = try Shared.client()
        let problem = try client.failure("Q", options, "SELECT 1")
        #expect(problem.sqlstate == "08P01" && problem.message.contains("nowhere"))
        try client.expectAlive()
    }

    @Test func defaultsOfHelloHold() throws {
        let client = try Shared.client()
        #expect(try client.ask("HELLO", "@lag=0 @timeout=300", "1").problem == nil)
        #expect(try client.run("SELECT 1")["pool"] == "primary")
        #expect(try client.query("SELECT pg_sleep(10)").sqlstate == "57014")
        // A request's own option is stronger.
        #expect(try client.run("SELECT 1 FROM pg_sleep(0.5)", options: "@timeout=5000").count == 1)
    }
}
