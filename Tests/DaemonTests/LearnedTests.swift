import Foundation
import TestKit
import Testing

/// What a standby refuses once goes to the primary from then on.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct LearnedTests {
    private func fingerprint(_ client: LineClient, _ sql: String) throws -> String {
        try #require(try client.ask("ROUTE", "", sql).table.first?["fingerprint"])
    }

    /// A function of the user's own that writes: nothing in the text says so.
    @Test func aFunctionThatWrites() throws {
        let daemon = try DaemonProcess()
        let table = try makeTable(
            "id int",
            then: """
                CREATE FUNCTION TABLE_NAME_add(n int) RETURNS int LANGUAGE sql
                AS 'INSERT INTO msgsvr.TABLE_NAME VALUES (n) RETURNING id'
                """)
        let client = try daemon.client()
        let first = try client.run("SELECT \(table)_add(1)")
        // It had no effect on the standby, and ran once on the primary.
        #expect(first["pool"] == "primary" && first["rerun"] == "writes" && first["why"] == "learned", "\(first)")
        let log = try daemon.waitForLog("event=learned")
        #expect(log.contains("sqlstate=25006") && log.contains("pool=standby"), "\(log)")
        // The same statement with another constant, on another connection, whatever it asks for.
        for options in ["", "@route=standby", "@pool=standby"] {
            let answer = try daemon.client().run("SELECT \(table)_add(2)", options: options)
            #expect(answer["pool"] == "primary" && answer["why"] == "learned", "\(answer)")
        }
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table) WHERE id = 2") == "3")
        #expect(try daemon.client().query("SELECT \(table)_add(3)", options: "@ro").sqlstate == "25006")
        #expect(try Cluster.shared().value("SELECT sum(id) FROM msgsvr.\(table) WHERE id <> 2") == "1")
        // It wrote: its own later reads see that.
        let writer = try daemon.client()
        try writer.run("SELECT \(table)_add(4)")
        #expect(try writer.run("SELECT count(*) FROM \(table)")["why"] == "own-write")
        // Another statement of the same function is another statement, and nobody lets it write who said that it does not.
        #expect(try daemon.client().query("SELECT \(table)_add(5), 1", options: "@ro").sqlstate == "25006")
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table) WHERE id = 5") == "0")
    }

    /// A standby cannot read an unlogged table; the statement reads all the same.
    @Test func anUnloggedTable() throws {
        let daemon = try DaemonProcess()
        let table = try makeTable("id int", then: "ALTER TABLE TABLE_NAME SET UNLOGGED")
        let client = try daemon.client()
        let first = try client.run("SELECT count(*) FROM \(table)")
        #expect(first["pool"] == "primary" && first["rerun"] == "recovery", "\(first)")
        let answer = try client.run("SELECT count(*) FROM \(table)", options: "@ro")
        #expect(answer["pool"] == "primary" && answer["why"] == "learned", "\(answer)")
        #expect(try client.run("SELECT 1")["pool"] == "standby")
    }

    /// In a transaction on a standby it is refused as before, and learned.
    @Test func inATransaction() throws {
        let daemon = try DaemonProcess()
        let table = try makeTable("id int", then: "ALTER TABLE TABLE_NAME SET UNLOGGED")
        let client = try daemon.client()
        try client.ask("BEGIN", "@ro")
        let refused = try client.query("SELECT id FROM \(table)")
        #expect(refused.sqlstate == "0A000" && refused.problem?.retry == .never, "\(refused)")
        try client.ask("ROLLBACK")
        #expect(try client.run("SELECT id FROM \(table)")["why"] == "learned")
    }

    /// Other errors teach nothing. What is missing may only be late on the standby: the primary has the last word.
    @Test func otherErrorsAreErrors() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        for (sql, pool) in [
            ("SELECT 1/0", "standby"), ("SELECT * FROM nowhere", "primary"), ("SELECT nothing()", "primary"),
        ] {
            for _ in 0..<2 {
                let refused = try client.query(sql)
                #expect(refused["pool"] == pool && refused.problem?.retry == .never, "\(refused)")
            }
        }
        #expect(try daemon.stats("learned").isEmpty)
    }

    @Test func itIsShownAndForgotten() throws {
        let daemon = try DaemonProcess()
        let table = try makeTable("id int", then: "ALTER TABLE TABLE_NAME SET UNLOGGED")
        let client = try daemon.client()
        _ = try client.query("SELECT id FROM \(table) WHERE id = 7")
        let row = try #require(try daemon.stats("learned").first)
        let fingerprint = try fingerprint(client, "SELECT id FROM \(table) WHERE id = 8")
        #expect(row["fingerprint"] == fingerprint && row["sqlstate"] == "0A000")
        #expect(row["statement"] == "SELECT id FROM \(table) WHERE id = $1")
        // A reload keeps it.
        let operators = try daemon.operatorClient()
        try operators.succeed("RELOAD")
        #expect(try client.run("SELECT id FROM \(table) WHERE id = 7")["why"] == "learned")
        // Its rule is one that a settings file takes, and that does the same.
        var settings = daemon.settings
        settings.more = try #require(row["rule"])
        try settings.write()
        // It goes there already.
        #expect(try operators.succeed("RELOAD")["moved"] == "0")
        #expect(try operators.ask("FORGET", "", fingerprint).problem == nil)
        let ruled = try client.run("SELECT id FROM \(table) WHERE id = 9")
        #expect(ruled["pool"] == "primary" && ruled["why"] == "rule")
        settings.more = ""
        try settings.write()
        try operators.succeed("RELOAD")
        #expect(try client.run("SELECT id FROM \(table) WHERE id = 9")["rerun"] == "recovery")
        #expect(try operators.failure("FORGET", "", "0123456789abcdef").message.contains("STATS learned"))
        #expect(try operators.failure("FORGET", "", "x").message.contains("STATS learned"))
        #expect(try client.failure("FORGET", "", fingerprint).sqlstate == "42501")
    }
}
