import Foundation
import TestKit
import Testing

/// A connection's own writes send its next read of the same cluster to the primary, and of no other; that one brings the
/// position back that later reads ask of the standbys.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct OwnWriteTests {
    private static func daemon() throws -> DaemonProcess {
        let second = try Cluster.shared().secondDatabase()
        return try DaemonProcess {
            $0.more = """
                [pool.accounts]
                cluster = "accounts"
                conninfo = "\(second.readWrite)"
                role = "primary"
                size = 2

                [pool.accounts-standby]
                cluster = "accounts"
                conninfo = "\(second.readOnly)"
                role = "standby"
                size = 2
                """
        }
    }

    /// One table of the same name in both databases.
    private static func makeTable() throws -> String {
        let name = Workplace.uniqueTable()
        try Cluster.shared().makeTables("CREATE TABLE \(name)(id int)")
        try Cluster.shared().makeTables(inSecond: "CREATE TABLE \(name)(id int)")
        return name
    }

    /// Where a read of each cluster would go now, and why: `main accounts`.
    private func routes(_ client: LineClient) throws -> String {
        let sql = "SELECT current_database() || ' ' || pg_is_in_recovery()"
        let planned = try ["@using=main", "@using=accounts"].map { using in
            let row = try #require(try client.ask("ROUTE", using, sql).table.first)
            return "\(row["pool"] ?? "?")/\(row["reason"] ?? "?")"
        }.joined(separator: " ")
        #expect(try taken(client, sql) == planned)
        return planned
    }

    /// The same of reads that run.
    private func taken(_ client: LineClient, _ sql: String) throws -> String {
        try ["@using=main", "@using=accounts"].map { using in
            let answer = try client.run(sql, options: using)
            let database = using == "@using=main" ? "msgsvr" : "accounts"
            let isStandby = answer["pool"]?.hasSuffix("standby") == true
            #expect(try answer.value == "\(database) \(isStandby)")
            return "\(answer["pool"] ?? "?")/\(answer["why"] ?? "?")"
        }.joined(separator: " ")
    }

    private let none = "standby/classifier accounts-standby/classifier"
    private let main = "primary/own-write accounts-standby/classifier"
    private let accounts = "standby/classifier accounts/own-write"
    private let both = "primary/own-write accounts/own-write"

    @Test func aWriteCountsForItsClusterOnly() throws {
        let daemon = try Self.daemon()
        let table = try Self.makeTable()
        let first = try daemon.client()
        #expect(try routes(first) == none)
        #expect(try first.run("INSERT INTO \(table) VALUES (1)", options: "@using=accounts")["pool"] == "accounts")
        #expect(try routes(first) == accounts)
        // The position is known now: whoever answers has seen the write.
        for _ in 0..<20 {
            #expect(try first.run("SELECT id FROM \(table)", options: "@using=accounts").value == "1")
        }
        try eventually("a standby answers behind the own write") {
            try first.run("SELECT id FROM \(table)", options: "@using=accounts")["pool"] == "accounts-standby"
        }
        #expect(try first.run("SELECT count(*) FROM \(table)").value == "0")
        let second = try daemon.client()
        #expect(try second.run("INSERT INTO \(table) VALUES (2)")["pool"] == "primary")
        #expect(try routes(second) == main)
        try second.run("INSERT INTO \(table) VALUES (3)")
        try second.run("DELETE FROM \(table)", options: "@using=accounts")
        #expect(try routes(second) == both)
        // What a request asks for itself holds in every cluster.
        #expect(try first.run("SELECT 1", options: "@lag=0")["why"] == "lag")
    }

    @Test func aTransactionCountsForItsClusterWhenItCommits() throws {
        let daemon = try Self.daemon()
        let table = try Self.makeTable()
        let client = try daemon.client()
        try client.succeed("BEGIN", "@using=accounts")
        try client.run("INSERT INTO \(table) VALUES (1)")
        try client.succeed("ROLLBACK")
        #expect(try routes(client) == none)
        try client.succeed("BEGIN", "@using=accounts")
        try client.run("INSERT INTO \(table) VALUES (2)")
        try client.succeed("COMMIT")
        #expect(try routes(client) == accounts)
        // A transaction that only reads sees it, wherever it goes.
        try client.succeed("BEGIN", "@ro @using=accounts")
        #expect(try client.run("SELECT id FROM \(table)").value == "2")
        try client.succeed("COMMIT")
        try client.succeed("BEGIN", "@using=accounts")
        try client.run("UPDATE \(table) SET id = 4")
        try client.succeed("COMMIT")
        #expect(try client.succeed("BEGIN", "@ro @using=accounts")["pool"] == "accounts")
        #expect(try client.run("SELECT id FROM \(table)").value == "4")
        try client.succeed("COMMIT")
        try client.succeed("BEGIN", "@using=accounts")
        try client.run("UPDATE \(table) SET id = 5")
        try client.succeed("COMMIT")
        #expect(try client.succeed("BEGIN", "@ro")["pool"] == "standby")
        try client.succeed("COMMIT")
        try client.succeed("BEGIN")
        try client.run("INSERT INTO \(table) VALUES (3)")
        try client.succeed("COMMIT")
        #expect(try routes(client) == both)
    }

    /// A write whose connection ended under it may have been applied, where it ran.
    @Test func aLostWriteCountsForItsCluster() throws {
        let daemon = try Self.daemon()
        let table = try Self.makeTable()
        let client = try daemon.client()
        try client.send("Q w @using=accounts INSERT INTO \(table) SELECT 1 FROM pg_sleep(20)\n")
        try eventually("the write's end") {
            try Cluster.shared().terminate("active", "INSERT INTO \(table)%") == 1
        }
        #expect(try client.answer(to: "w").problem?.retry == .unknown)
        #expect(try routes(client) == accounts)
    }

    /// A SELECT that turns out to write, and whose function does not wait for the disk, is a write from its first sight on:
    /// it has a token, and who reads behind it sees it.
    @Test func theFirstSightOfASelectThatWrites() throws {
        let daemon = try Self.daemon()
        let rounds = 10
        let table = Workplace.uniqueTable()
        try Cluster.shared().makeTables(
            """
            CREATE TABLE \(table)(id int);
            DO $$BEGIN FOR n IN 1..\(rounds) LOOP EXECUTE format(
            'CREATE FUNCTION \(table)_add%s() RETURNS int LANGUAGE plpgsql AS %L', n,
            'BEGIN SET LOCAL synchronous_commit = off; INSERT INTO msgsvr.\(table) VALUES (1); RETURN 1; END');
            END LOOP; END$$
            """)
        for round in 1...rounds {
            let client = try daemon.client()
            let written = try client.run("SELECT \(table)_add\(round)()", options: round % 2 == 0 ? "@token" : "")
            #expect(written["rerun"] == "writes" && written["pool"] == "primary", "\(written)")
            #expect((written["token"] != nil) == (round % 2 == 0), "\(written)")
            if let token = written["token"] {
                let other = try daemon.client().run("SELECT count(*) FROM \(table)", options: "@after=\(token)")
                #expect(try other.value == "\(round)", "\(other)")
            }
            for _ in 0..<3 {
                let read = try client.run("SELECT count(*) FROM \(table)")
                #expect(try read.value == "\(round)", "\(read)")
            }
        }
        #expect(try daemon.counted("tokens_total", "result=given") == rounds / 2)
    }

    /// It failed, and yet something of it was committed.
    @Test func whatCommitsOnTheWayAndThenFails() throws {
        let daemon = try Self.daemon()
        let table = try Self.makeTable()
        let client = try daemon.client()
        let body = "BEGIN INSERT INTO \(table) VALUES (1); COMMIT; RAISE EXCEPTION 'no more'; END"
        let failed = try client.query("DO $$\(body)$$", options: "@session=\(table)")
        #expect(failed.sqlstate == "P0001", "\(failed)")
        #expect(try routes(client) == main)
        #expect(try client.run("SELECT count(*) FROM \(table)").value == "1")
        let shared = try daemon.client().run("SELECT count(*) FROM \(table)", options: "@session=\(table)")
        #expect(try shared.value == "1")
        // What an ordinary statement did before it failed is gone: nothing to see.
        let other = try daemon.client()
        #expect(try other.query("INSERT INTO \(table) VALUES (1 / 0)").sqlstate == "22012")
        #expect(try routes(other) == none)
    }
}
