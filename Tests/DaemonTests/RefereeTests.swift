import Daemon
import Foundation
import Routing
import TestKit
import Testing

/// The judgement against PostgreSQL itself: each statement of `Tests/Corpus/referee` runs on a primary and on a standby,
/// and what happens there is its label.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(10)))
struct RefereeTests {
    /// At most so many thousandths of the harmless reads may be kept from the standbys.
    private static let falseWritesPerThousand = 3

    @Test func judgesAsPostgreSQLAnswers() throws {
        let cluster = try Cluster()
        defer { cluster.end() }
        try Self.prepare(cluster)
        let statements = try RefereeCorpus.statements()
        #expect(statements.count >= 1500)
        let questions = try RefereeCorpus.questions()
        let verdicts = try Referee(cluster, questions: questions).label(statements)
        let report = RefereeReport(verdicts, writers: try Self.writers(cluster))
        print(report.text)
        #expect(report.falseReads.map(\.text) == [])
        #expect(report.wrongMeaningOnStandby.map(\.text) == [])
        #expect(report.falseWrites.count * 1000 <= report.count(of: .harmless) * Self.falseWritesPerThousand)
        // An exception that nothing needs may hide something later. What a server counts is flushed when it likes: whether two
        // answers differ hangs on the moment, so those are not asked about.
        let needed = Set(verdicts.compactMap(\.label.question))
        let lasting = questions.map(\.word).filter { !$0.hasPrefix("pg_stat") }
        #expect(lasting.filter { !needed.contains($0) } == [])
        // Statements that PostgreSQL cannot run label nothing: few of them may be there.
        #expect(report.unlabelled.count * 100 <= statements.count * 2)
    }

    /// The referee itself: each kind of evidence is seen.
    @Test func seesTheEvidence() throws {
        let cluster = try Cluster()
        defer { cluster.end() }
        try Self.prepare(cluster)
        let cases: [(sql: String, label: RefereeLabel)] = [
            ("SELECT 1", .harmless),
            ("SELECT now(), random(), clock_timestamp()", .harmless),
            ("SELECT FROM shop.no_such_table", .none("42P01")),
            ("INSERT INTO shop.audit (what) VALUES ('x')", .write("25006")),
            ("SELECT nextval('shop.ticket_seq')", .write("25006")),
            ("SELECT * FROM shop.carts", .write("0A000")),
            ("SELECT pg_current_wal_lsn()", .write("55000")),
            ("VACUUM shop.throwaway", .write("25006")),
            ("SELECT pg_advisory_xact_lock(7)", .wrongMeaning("advisory lock")),
            ("SELECT pg_advisory_lock(7)", .wrongMeaning("advisory lock, session advisory lock")),
            ("LOCK TABLE shop.orders IN ROW SHARE MODE", .wrongMeaning("table lock")),
            ("EXPLAIN UPDATE shop.orders SET note = 'x'", .harmless),
            ("SELECT pg_export_snapshot()", .wrongMeaning("exported snapshot")),
            ("SELECT lo_open(4242, 262144)", .wrongMeaning("large object descriptor")),
            ("SET work_mem = '8MB'", .wrongMeaning("settings")),
            ("SET TIME ZONE 'UTC'", .wrongMeaning("settings")),
            ("PREPARE p AS SELECT 1", .wrongMeaning("prepared statement")),
            ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", .wrongMeaning("cursor")),
            ("SELECT setseed(0.5)", .wrongMeaning("random")),
            ("SELECT pg_stat_reset()", .wrongMeaning("statistics reset")),
            ("COPY shop.points TO PROGRAM 'cat > referee-points'", .wrongMeaning("file")),
            ("SELECT current_setting('cluster_name')", .aboutTheServer("cluster_name")),
            ("SELECT setting FROM pg_settings WHERE name LIKE 'cluster_n%'", .wrongMeaning("another answer")),
        ]
        let statements = cases.enumerated().map { number, one in
            RefereeStatement(origin: "evidence", line: number + 1, sql: one.sql, setup: nil)
        }
        let questions = [ServerQuestion(word: "cluster_name", reason: "")]
        let verdicts = try Referee(cluster, questions: questions).label(statements)
        for (one, verdict) in zip(cases, verdicts) {
            #expect(verdict.label == one.label, "\(one.sql): \(verdict.onPrimary) \(verdict.onStandby)")
        }
    }

    /// Makes the schema. Autovacuum would write WAL beside the statements, and change the answers about tables.
    private static func prepare(_ cluster: Cluster) throws {
        let session = try DirectSession(cluster.direct(.primary))
        let texts =
            ["ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()"] + (try RefereeCorpus.schema())
            // As sequences are that somebody uses; one that setval has just set looks the same on a standby.
            + ["SELECT nextval(oid::regclass) FROM pg_class WHERE relkind = 'S'"]
        for sql in texts {
            let outcome = session.run(sql)
            if let failure = outcome.failure { throw TestFailure("\(failure) in: \(sql.prefix(60))") }
        }
        try cluster.waitForReplay()
    }

    /// The functions and views that write: schema.sql says so in their comments.
    private static func writers(_ cluster: Cluster) throws -> Set<String> {
        let sql = """
            SELECT proname FROM pg_proc WHERE obj_description(oid, 'pg_proc') = 'writes'
            UNION ALL SELECT relname FROM pg_class
            WHERE obj_description(oid, 'pg_class') = 'writes' OR relkind = 'r' AND relpersistence = 'u'
            """
        return Set(try cluster.sql(sql).flatMap { $0 })
    }
}
