import Foundation
import TestKit
import Testing

/// What writes without a word of it in its text: views and policies call functions. The server itself holds every read to
/// reading, on the primary as on a standby, and its refusal teaches.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct HeldToReadingTests {
    /// A table, a function that writes a row into it, and two relations that call that function when they are read.
    private func makeViews() throws -> String {
        try makeTable(
            "id int",
            then: """
                CREATE FUNCTION TABLE_NAME_add() RETURNS int LANGUAGE sql
                AS 'INSERT INTO msgsvr.TABLE_NAME VALUES (7) RETURNING id';
                CREATE VIEW TABLE_NAME_view AS SELECT TABLE_NAME_add() AS id;
                CREATE TABLE TABLE_NAME_policy(id int);
                INSERT INTO TABLE_NAME_policy VALUES (7);
                ALTER TABLE TABLE_NAME_policy ENABLE ROW LEVEL SECURITY;
                ALTER TABLE TABLE_NAME_policy FORCE ROW LEVEL SECURITY;
                CREATE POLICY writes ON TABLE_NAME_policy USING (TABLE_NAME_add() = id)
                """)
    }

    private func rows(_ table: String) throws -> String {
        try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)")
    }

    /// Whatever brings its first sight to the primary: it runs again as the write that it is, once.
    @Test(
        arguments: [
            ("@route=primary", "view"), ("@route=primary @timeout=9000", "policy"), ("@lag=0", "policy"),
            ("@after=nonsense", "view"),
        ])
    func onThePrimary(_ options: String, _ relation: String) throws {
        let daemon = try DaemonProcess()
        let table = try makeViews()
        let client = try daemon.client()
        let sql = "SELECT id FROM \(table)_\(relation)"
        let first = try client.run(sql, options: "\(options) @token")
        #expect(try first.value == "7")
        #expect(first["pool"] == "primary" && first["rerun"] == "writes", "\(first)")
        let token = try #require(first["token"], "\(first)")
        #expect(try rows(table) == "1")
        // A write like any other: its own client sees it, and who has its token.
        #expect(try client.run("SELECT count(*) FROM \(table)").value == "1")
        #expect(try daemon.client().run("SELECT count(*) FROM \(table)", options: "@after=\(token)").value == "1")
        // It is learned.
        let second = try client.run(sql)
        #expect(second["pool"] == "primary" && second["why"] == "learned" && second["rerun"] == nil, "\(second)")
        #expect(try rows(table) == "2")
        #expect(try daemon.counted("reruns_total", "reason=writes") == 1)
    }

    /// A read whose reply is lost runs again; one that writes must not have written by then.
    @Test func aLostReplyDoublesNothing() throws {
        let (relay, conninfo) = try Relay.before(try Cluster.shared().readWrite)
        defer { relay.end() }
        let daemon = try DaemonProcess { $0.primaryConninfo = conninfo }
        let table = try makeViews()
        let client = try daemon.client()
        try client.run("SELECT 1", options: "@route=primary")
        relay.holdReplies()
        let before = relay.bytesToTarget
        try client.send("Q v @route=primary SELECT id FROM \(table)_view\n")
        try eventually("it was sent") { relay.bytesToTarget > before }
        #expect(!client.hasInput(within: .milliseconds(200)))
        #expect(try rows(table) == "0")
        relay.cut()
        relay.thaw()
        let answer = try client.answer(to: "v")
        #expect(try answer.value == "7", "\(answer)")
        #expect(answer["rerun"] == "writes", "\(answer)")
        #expect(try rows(table) == "1")
    }

    /// Inside a transaction nothing is held to reading: COMMIT asks the server whether something was written.
    @Test(arguments: ["view", "policy"])
    func inATransaction(_ relation: String) throws {
        let daemon = try DaemonProcess()
        let table = try makeViews()
        let client = try daemon.client()
        for number in 1...3 {
            try client.succeed("BEGIN")
            #expect(try client.run("SELECT id FROM \(table)_\(relation)").value == "7")
            let committed = try client.succeed("COMMIT", number == 2 ? "" : "@token")
            #expect((committed["token"] != nil) == (number != 2), "\(committed)")
            let own = try client.run("SELECT count(*) FROM \(table)")
            #expect(try own.value == "\(number)")
            guard let token = committed["token"] else {
                #expect(own["pool"] == "primary" && own["why"] == "own-write", "\(own)")
                continue
            }
            let other = try daemon.client().run("SELECT count(*) FROM \(table)", options: "@after=\(token)")
            #expect(try other.value == "\(number)", "\(other)")
        }
        // One that reads has no token, and leaves nothing to see.
        let reader = try daemon.client()
        try reader.succeed("BEGIN")
        try reader.run("SELECT count(*) FROM \(table)")
        #expect(try reader.succeed("COMMIT", "@token")["token"] == nil)
        #expect(try reader.run("SELECT 1")["pool"] == "standby")
    }

    /// PostgreSQL lets the first statement of a READ ONLY transaction make it one that writes.
    @Test(
        arguments: ["@ro @route=primary", "@ro @iso=ser"],
        ["SET TRANSACTION READ WRITE", "SET LOCAL transaction_read_only = off"])
    func aReadOnlyTransactionThatIsMadeToWrite(_ options: String, _ set: String) throws {
        let daemon = try DaemonProcess()
        let table = try makeTable("id int")
        let client = try daemon.client()
        #expect(try client.succeed("BEGIN", options)["pool"] == "primary")
        try client.run(set)
        try client.run("INSERT INTO \(table) VALUES (1)")
        let token = try #require(try client.succeed("COMMIT", "@token")["token"])
        #expect(try client.run("SELECT count(*) FROM \(table)").value == "1")
        #expect(try daemon.client().run("SELECT count(*) FROM \(table)", options: "@after=\(token)").value == "1")
        // Without it the transaction reads, and no more.
        try client.succeed("BEGIN", options)
        #expect(try client.query("INSERT INTO \(table) VALUES (2)").sqlstate == "25006")
        try client.succeed("ROLLBACK")
        #expect(try rows(table) == "1")
    }
}
