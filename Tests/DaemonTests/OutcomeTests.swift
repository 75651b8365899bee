import Foundation
import TestKit
import Testing

/// What an error says about the statement: a relay between the daemon and PgBouncer loses replies and connections.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct OutcomeTests {
    private struct Fixture {
        let daemon: DaemonProcess
        let relay: Relay
        let client: LineClient
        let table: String
    }

    /// A daemon both of whose pools go through one relay.
    private func fixture(_ adjust: (inout DaemonSettings) -> Void = { _ in }) throws -> Fixture {
        let cluster = try Cluster.shared()
        let (relay, primary) = try Relay.before(try cluster.readWrite)
        let host = try #require(primary.split(separator: " ").first { $0.hasPrefix("host=") })
        let daemon = try DaemonProcess {
            $0.primaryConninfo = primary
            $0.standbyConninfo = $0.standbyConninfo.replacing(/host=[^ ]+/, with: host)
            adjust(&$0)
        }
        let client = try daemon.client()
        let table = try makeTable("id int PRIMARY KEY, n int", then: "INSERT INTO TABLE_NAME VALUES (1, 0)")
        try client.expectAlive()
        try client.run("SELECT 1", options: "@route=primary")
        return Fixture(daemon: daemon, relay: relay, client: client, table: table)
    }

    private func value(_ table: String) throws -> String {
        try Cluster.shared().value("SELECT n FROM msgsvr.\(table) WHERE id = 1")
    }

    /// The update is applied, its reply lost on the way: only "unknown" is true.
    @Test func aWriteWhoseReplyIsLostIsUnknown() throws {
        let test = try fixture()
        test.relay.holdReplies()
        try test.client.send("Q u UPDATE \(test.table) SET n = n + 1 WHERE id = 1\n")
        try eventually("the update is applied") { try value(test.table) == "1" }
        test.relay.cut()
        test.relay.thaw()
        let answer = try test.client.answer(to: "u")
        #expect(answer.sqlstate == "08007" && answer.problem?.retry == .unknown && answer["tx"] == "I", "\(answer)")
        // Not once more, and the connection goes on: it reads from the primary, for it may have written.
        let read = try test.client.run("SELECT n FROM \(test.table) WHERE id = 1")
        #expect(try read.value == "1")
        #expect(read["pool"] == "primary")
    }

    /// It never ran to its end: the daemon cannot know, and says so.
    @Test func aWriteThatIsCutOffIsUnknown() throws {
        let test = try fixture()
        try test.client.send("Q u UPDATE \(test.table) SET n = n + 1 FROM pg_sleep(1) WHERE id = 1\n")
        try eventually("the update runs") {
            try Cluster.shared().sessions("active", "UPDATE \(test.table)%") == 1
        }
        test.relay.cut()
        let answer = try test.client.answer(to: "u")
        #expect(answer.sqlstate == "08007" && answer.problem?.retry == .unknown)
        try test.client.expectAlive()
    }

    @Test func aReadThatIsCutOffMayBeTriedAgain() throws {
        let test = try fixture()
        try test.client.send("Q r SELECT pg_sleep(3)\n")
        try eventually("the read runs") {
            try test.daemon.pool("standby", "connections_active") == 1
        }
        test.relay.cut()
        let answer = try test.client.answer(to: "r")
        // A later version runs it again by itself.
        #expect(answer.problem == nil || (answer.sqlstate == "08006" && answer.problem?.retry == .now), "\(answer)")
        try test.client.expectAlive()
    }

    /// A statement that commits on the way.
    @Test func aLostDOIsUnknown() throws {
        let test = try fixture()
        test.relay.holdReplies()
        try test.client.send("Q d DO $$BEGIN UPDATE \(test.table) SET n = 7; END$$\n")
        try eventually("it is applied") { try value(test.table) == "7" }
        test.relay.cut()
        test.relay.thaw()
        #expect(try test.client.answer(to: "d").problem?.retry == .unknown)
    }

    @Test func aTransactionThatIsCutOffIsRolledBack() throws {
        let test = try fixture()
        try test.client.ask("BEGIN")
        try test.client.run("UPDATE \(test.table) SET n = 5")
        test.relay.cut()
        let answer = try test.client.query("UPDATE \(test.table) SET n = 6")
        #expect(answer.problem?.retry == .tx && answer["tx"] == "E", "\(answer)")
        #expect(["08006", "25P02"].contains(answer.sqlstate ?? ""))
        #expect(try test.client.query("UPDATE \(test.table) SET n = 7").sqlstate == "25P02")
        let commit = try test.client.ask("COMMIT")
        #expect(commit.sqlstate == "25P02" && commit.problem?.retry == .tx && commit["tx"] == "I")
        try eventually("the server has rolled back") { try value(test.table) == "0" }
        #expect(try test.client.run("UPDATE \(test.table) SET n = 8").count == 1)
    }

    @Test func aLostCommitIsUnknown() throws {
        let test = try fixture()
        try test.client.ask("BEGIN")
        try test.client.run("UPDATE \(test.table) SET n = 5")
        test.relay.holdReplies()
        try test.client.send("COMMIT c\n")
        try eventually("the commit is applied") { try value(test.table) == "5" }
        test.relay.cut()
        test.relay.thaw()
        let answer = try test.client.answer(to: "c")
        #expect(answer.sqlstate == "08007" && answer.problem?.retry == .unknown && answer["tx"] == "I", "\(answer)")
        #expect(try test.client.run("SELECT n FROM \(test.table) WHERE id = 1").value == "5")
    }

    /// Rows came, then the connection broke: an E behind them, never a second set.
    @Test func aReadThatBreaksBehindRows() throws {
        let test = try fixture()
        try test.client.send("Q r SELECT g, repeat('x', 1000) FROM generate_series(1, 1000000) g\n")
        for _ in 0..<100 { _ = try test.client.line() }
        test.relay.cut()
        var last = ""
        while let line = try test.client.line() {
            if line.first != UInt8(ascii: "D") {
                last = String(decoding: line, as: UTF8.self)
                break
            }
        }
        #expect(last.hasPrefix("E\tr\t08006\t"), "\(last)")
        try test.client.expectAlive()
    }

    /// Nothing passes and nothing is closed: only the daemon's own timer ends it.
    @Test func aBlackHoleEndsAtTheDeadline() throws {
        let test = try fixture()
        test.relay.freeze()
        for (sql, options) in [
            ("SELECT 1", "@timeout=400 @route=standby"), ("UPDATE \(test.table) SET n = 9", "@timeout=400"),
        ] {
            let took = try elapsed {
                let answer = try test.client.query(sql, options: options)
                if sql.hasPrefix("UPDATE") {
                    #expect(answer.problem?.retry == .unknown, "\(answer)")
                } else {
                    #expect(answer.sqlstate == "57014" || answer.problem?.retry == .now, "\(answer)")
                }
            }
            #expect(took >= .milliseconds(390) && took < .seconds(3), "\(took)")
        }
        // The daemon itself is not held.
        #expect(try test.daemon.client().ask("PING").problem == nil)
        // First the cut: what the relay still holds, a cancel among it, must not reach PgBouncer any more.
        test.relay.cut()
        test.relay.thaw()
        try eventually("all is well again") {
            try test.client.query("SELECT 1", options: "@route=primary @timeout=1000").problem == nil
        }
    }

    /// A deadline inside a transaction whose server does not answer.
    @Test func aBlackHoleInATransaction() throws {
        let test = try fixture()
        try test.client.ask("BEGIN")
        try test.client.run("UPDATE \(test.table) SET n = 5")
        test.relay.freeze()
        let answer = try test.client.query("UPDATE \(test.table) SET n = 6", options: "@timeout=400")
        #expect(answer.problem?.retry == .tx && answer["tx"] == "E", "\(answer)")
        #expect(try test.client.ask("COMMIT").problem?.retry == .tx)
        // First the cut: what the relay still holds, a cancel among it, must not reach PgBouncer any more.
        test.relay.cut()
        test.relay.thaw()
        try eventually("the server has rolled back") { try value(test.table) == "0" }
    }

    /// The server's own words keep their meaning.
    @Test func theServersErrorsAreTold() throws {
        let client = try Shared.client()
        let table = try makeTable("id int PRIMARY KEY", then: "INSERT INTO TABLE_NAME VALUES (1)")
        let holder = try Shared.client()
        try holder.ask("BEGIN")
        try holder.run("SELECT * FROM \(table) FOR UPDATE")
        let locked = try client.query("SELECT * FROM \(table) FOR UPDATE NOWAIT")
        #expect(locked.sqlstate == "55P03" && locked.problem?.retry == .later)
        try client.ask("BEGIN")
        let inside = try client.query("SELECT * FROM \(table) FOR UPDATE NOWAIT")
        #expect(inside.sqlstate == "55P03" && inside.problem?.retry == .tx)
        try client.ask("ROLLBACK")
        try holder.ask("ROLLBACK")
        let raised = try client.query("DO $$BEGIN RAISE SQLSTATE '40001' USING MESSAGE = 'again'; END$$")
        #expect(raised.sqlstate == "40001" && raised.problem?.retry == .unknown)
        #expect(try client.query("SELECT 1/0").problem?.retry == .never)
    }

    /// A cancel that acts and does not come back: its connection serves nobody until then, and what comes next in the transaction
    /// does not wait for it beyond its own deadline.
    @Test func aCancelThatDoesNotComeBack() throws {
        let test = try fixture()
        try test.client.succeed("BEGIN")
        test.relay.strandNew()
        let marker = Workplace.uniqueTable()
        try test.client.send("Q slow SELECT pg_sleep(20) AS \(marker)\n")
        try eventually("it runs") { try Cluster.shared().sessions("active", "%\(marker)%") == 1 }
        try test.client.send("CANCEL c slow\nQ next @timeout=500 SELECT 1\nROLLBACK r @timeout=500\n")
        let slow = try test.client.answer(to: "slow")
        #expect(slow.sqlstate == "57014" && slow.problem?.retry == .tx, "\(slow)")
        #expect(try test.client.answer(to: "c").problem == nil)
        let took = try elapsed {
            let next = try test.client.answer(to: "next")
            #expect(next.problem?.retry == .tx, "\(next)")
        }
        #expect(took < .seconds(3), "\(took)")
        #expect(try test.client.answer(to: "r").problem == nil)
        try test.client.expectAlive()
    }

    /// The deadline of what waited for a connection that was lost means nothing to the next one.
    @Test func whatWaitedForALostConnectionEndsWithIt() throws {
        let test = try fixture()
        try test.client.succeed("BEGIN")
        test.relay.strandNew()
        let marker = Workplace.uniqueTable()
        try test.client.send("Q slow SELECT pg_sleep(20) AS \(marker)\n")
        try eventually("it runs") { try Cluster.shared().sessions("active", "%\(marker)%") == 1 }
        try test.client.send("CANCEL c slow\nROLLBACK r @timeout=1500\n")
        #expect(try test.client.answer(to: "slow").sqlstate == "57014")
        #expect(try test.client.answer(to: "c").problem == nil)
        #expect(!test.client.hasInput(within: .milliseconds(200)))
        test.relay.thaw()
        test.relay.cut()
        #expect(try test.client.answer(to: "r").problem == nil)
        try eventually("a transaction begins") {
            if try test.client.ask("BEGIN").problem == nil { return true }
            try test.client.ask("ROLLBACK")
            return false
        }
        try test.client.run("SELECT pg_sleep(2)")
        try test.client.succeed("COMMIT")
    }

    /// A backend that is ended by an administrator: the first error says why, the write's outcome is unknown.
    @Test func aTerminatedBackend() throws {
        let client = try Shared.client()
        let table = try makeTable("id int", then: "INSERT INTO TABLE_NAME VALUES (1)")
        try client.send("Q u UPDATE \(table) SET id = 2 FROM pg_sleep(20)\n")
        try eventually("the backend is found and ended") {
            try Cluster.shared().terminate("active", "UPDATE \(table)%") == 1
        }
        let answer = try client.answer(to: "u")
        #expect(answer.sqlstate == "08007" && answer.problem?.retry == .unknown, "\(answer)")
        try client.expectAlive()
        // A read is run again: the server had held it to reading.
        let marker = Workplace.uniqueTable()
        try client.send("Q r @route=primary SELECT pg_sleep(20) AS \(marker)\n")
        try eventually("the backend is found and ended") {
            try Cluster.shared().terminate("active", "%\(marker)%") == 1
        }
        try eventually("it runs again, and is ended again") {
            try Cluster.shared().terminate("active", "%\(marker)%") == 1
        }
        let read = try client.answer(to: "r")
        #expect(read.sqlstate == "57P01" && read.problem?.retry == .now, "\(read)")
        try client.expectAlive()
    }
}
