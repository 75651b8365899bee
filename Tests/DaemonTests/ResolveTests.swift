import Foundation
import TestKit
import Testing

/// `@resolve`: after the loss of a commit's reply the server says what became of it, and only while it can know.
///
/// Commits wait here for a standby that does not exist: what is lost then is lost in COMMIT, applied and unsaid.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct ResolveTests {
    private struct Fixture {
        let cluster: Cluster
        let daemon: DaemonProcess
        let table: String

        init() throws {
            cluster = try Cluster()
            var settings = try DaemonSettings(cluster)
            settings.primary[0] = "size = 2"
            daemon = try DaemonProcess(settings)
            table = Workplace.uniqueTable()
            try cluster.makeTables("CREATE TABLE \(table)(id int PRIMARY KEY)")
        }

        /// How many rows have this id: 0 or 1.
        func rows(_ id: Int) throws -> String {
            try cluster.value("SELECT count(*) FROM msgsvr.\(table) WHERE id = \(id)")
        }

        /// A session whose last statement looks like this waits in its commit.
        func isWaiting(_ statement: String) throws -> Bool {
            try cluster.value(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE wait_event = 'SyncRep' AND query LIKE '\(statement)'
                """) == "1"
        }

        /// From here on commits wait for ever. The server takes its settings in by and by: a commit shows it.
        ///
        /// - Returns: the answer to one that was ended while it waited, without `@resolve`, and its row's id.
        func holdCommits() throws -> (answer: Answer, id: Int) {
            try cluster.configure("synchronous_standby_names = 'nobody'", on: .primary)
            let client = try daemon.client()
            for id in 1_000...1_100 {
                try client.send("Q \(id) INSERT INTO \(table) VALUES (\(id))\n")
                var isHeld = false
                try eventually("the insert waits, or is answered") {
                    isHeld = try isWaiting("INSERT INTO \(table)%")
                    return isHeld || client.hasInput(within: .milliseconds(1))
                }
                if isHeld { #expect(try cluster.terminate("active", "INSERT INTO \(table)%") == 1) }
                let answer = try client.answer(to: "\(id)")
                if isHeld { return (answer, id) }
            }
            throw TestFailure("commits do not wait")
        }

        func releaseCommits() throws {
            try cluster.configure("synchronous_standby_names = ''", on: .primary)
        }
    }

    /// An autocommit statement and a transaction, each with what begins it and what is lost in the end; the wish for the latter
    /// may come with a statement of it.
    private enum Form: String, CaseIterable {
        case statement, transaction, inside
    }

    /// Sends an insert, in this form, up to its commit.
    private func sendInsert(_ test: Fixture, _ client: LineClient, _ form: Form, id: Int) throws {
        let insert = "INSERT INTO \(test.table) VALUES (\(id))"
        switch form {
        case .statement: try client.send("Q last @resolve \(insert)\n")
        case .transaction:
            try client.succeed("BEGIN", "@resolve")
            try client.run(insert)
            try client.send("COMMIT last\n")
        case .inside:
            try client.succeed("BEGIN")
            try client.run(insert, options: "@resolve")
            try client.send("COMMIT last\n")
        }
    }

    @Test func lostInItsCommit() throws {
        let test = try Fixture()
        let (unresolved, id) = try test.holdCommits()
        // Nobody asked what became of it.
        #expect(unresolved.sqlstate == "08007" && unresolved.problem?.retry == .unknown, "\(unresolved)")
        #expect(try test.rows(id) == "1")
        for (id, form) in zip(1..., Form.allCases) {
            let client = try test.daemon.client()
            try sendInsert(test, client, form, id: id)
            try eventually("\(form) waits in its commit") { try test.isWaiting("COMMIT") }
            #expect(try test.cluster.terminate("active", "COMMIT") == 1)
            let answer = try client.answer(to: "last")
            #expect(answer.problem == nil && answer["resolved"] == "committed", "\(form): \(answer)")
            #expect(answer.tag == (form == .statement ? "INSERT" : "COMMIT"), "\(answer)")
            #expect(answer.count == (form == .statement ? 1 : nil), "\(answer)")
            #expect(try test.rows(id) == "1")
            // The connection goes on, outside any transaction, and sees its write.
            let read = try client.run("SELECT count(*) FROM \(test.table) WHERE id = \(id)")
            #expect(try read.value == "1")
            #expect(read["pool"] == "primary")
        }
        try test.releaseCommits()
        try test.daemon.stop()
        test.cluster.end()
    }

    /// Before the commit nothing can have been applied: the word is `now`, or `tx` inside a transaction.
    @Test func lostBeforeItsCommit() throws {
        let test = try Fixture()
        let client = try test.daemon.client()
        let insert = "INSERT INTO \(test.table) SELECT 1 FROM pg_sleep(20)"
        try client.send("Q last @resolve \(insert)\n")
        try eventually("it runs and is ended") { try test.cluster.terminate("active", "INSERT INTO%pg_sleep%") == 1 }
        let alone = try client.answer(to: "last")
        #expect(alone.problem?.retry == .now && alone["tx"] == "I", "\(alone)")
        #expect(try test.rows(1) == "0")
        // What it says is so: it may be sent again.
        #expect(try client.run("INSERT INTO \(test.table) VALUES (1)", options: "@resolve").count == 1)

        try client.succeed("BEGIN", "@resolve")
        try client.send("Q last INSERT INTO \(test.table) SELECT 2 FROM pg_sleep(20)\n")
        try eventually("it runs and is ended") { try test.cluster.terminate("active", "INSERT INTO%pg_sleep%") == 1 }
        let inside = try client.answer(to: "last")
        #expect(inside.problem?.retry == .tx && inside["tx"] == "E", "\(inside)")
        #expect(try client.ask("COMMIT").problem?.retry == .tx)
        #expect(try test.rows(2) == "0")

        // An error of the statement's own is no loss.
        let twice = try client.query("INSERT INTO \(test.table) VALUES (1)", options: "@resolve")
        #expect(twice.sqlstate == "23505" && twice.problem?.retry == .never, "\(twice)")
        #expect(try client.run("SELECT 1")["tx"] == "I")
        try test.daemon.stop()
        test.cluster.end()
    }

    /// A crash may have lost the WAL of the id, which is then given again: what the server says of it proves nothing.
    @Test(arguments: Form.allCases.map(\.rawValue))
    func acrossACrashItStaysUnknown(_ name: String) throws {
        let form = try #require(Form(rawValue: name))
        let test = try Fixture()
        _ = try test.holdCommits()
        let client = try test.daemon.client()
        try sendInsert(test, client, form, id: 1)
        try eventually("it waits in its commit") { try test.isWaiting("COMMIT") }
        try test.cluster.killBackend("active", "COMMIT")
        let answer = try client.answer(to: "last")
        #expect(answer.sqlstate == "08007" && answer.problem?.retry == .unknown, "\(answer)")
        #expect(answer["resolved"] == nil)
        try eventually("the server is there again") { (try? test.cluster.value("SELECT 1")) == "1" }
        try test.releaseCommits()
        try eventually("the daemon works again") {
            try client.query("SELECT 1", options: "@route=primary").problem == nil
        }
        try test.daemon.stop()
        test.cluster.end()
    }

    /// What has no id, or nothing to find again, is none the worse for the wish.
    @Test func withoutALoss() throws {
        let client = try Shared.client()
        let table = try makeTable("id int PRIMARY KEY")
        for form in ["INSERT INTO \(table) VALUES (1)", "INSERT INTO \(table) VALUES (2) RETURNING id"] {
            let answer = try client.run(form, options: "@resolve @token")
            #expect(answer.count == 1 && answer["resolved"] == nil && answer["token"] != nil, "\(answer)")
        }
        #expect(try client.run("UPDATE \(table) SET id = 9 WHERE id = 8", options: "@resolve").count == 0)
        #expect(try client.run("SELECT 7", options: "@resolve").value == "7")
        try client.succeed("BEGIN", "@resolve")
        #expect(try client.run("SELECT count(*) FROM \(table)").value == "2")
        #expect(try client.succeed("COMMIT").tag == "COMMIT")
        try client.succeed("BEGIN", "@resolve")
        try client.run("DELETE FROM \(table)")
        #expect(try client.succeed("ROLLBACK").tag == "ROLLBACK")
        #expect(try client.run("SELECT count(*) FROM \(table)").value == "2")
        // What PostgreSQL refuses inside a transaction block is not put into one.
        #expect(try client.query("VACUUM \(table)", options: "@resolve").problem == nil)
    }

    /// COMMIT was not sent: what asked for the transaction's id was lost, and with it the transaction.
    @Test func lostBeforeCommitWasSent() throws {
        let (relay, conninfo) = try Relay.before(try Cluster.shared().readWrite)
        defer { relay.end() }
        let daemon = try DaemonProcess { $0.primaryConninfo = conninfo }
        let table = try makeTable("id int PRIMARY KEY")
        let client = try daemon.client()
        try client.succeed("BEGIN", "@resolve")
        try client.run("INSERT INTO \(table) VALUES (1)")
        relay.freeze()
        try client.send("COMMIT last\n")
        #expect(!client.hasInput(within: .milliseconds(100)))
        relay.cut()
        relay.thaw()
        let answer = try client.answer(to: "last")
        #expect(answer.problem?.retry == .tx && answer["tx"] == "I", "\(answer)")
        try client.succeed("BEGIN", "@resolve")
        // The server has rolled back the first one, or this would wait for it.
        try client.run("INSERT INTO \(table) VALUES (1)")
        try client.succeed("COMMIT")
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "1")
    }
}
