import Foundation
import TestKit
import Testing

/// CANCEL and deadlines: what was asked to stop stops, and nothing else does.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct CancelTests {
    /// Waits until a statement with this text runs on some server.
    private func waitUntilRuns(_ marker: String) throws {
        try eventually("\(marker) runs") {
            for node in [Cluster.Node.primary, .standby1, .standby2] {
                if try Cluster.shared().sessions("active", "%\(marker)%", on: node) > 0 { return true }
            }
            return false
        }
    }

    @Test(arguments: ["standby", "primary"])
    func aRequestIsCancelledByItsID(_ role: String) throws {
        let client = try Shared.client()
        let marker = Workplace.uniqueTable()
        try client.send("Q q @route=\(role) SELECT pg_sleep(30) AS \(marker)\n")
        try waitUntilRuns(marker)
        let took = try elapsed {
            try client.send("CANCEL c q\n")
            let answer = try client.answer(to: "q")
            #expect(answer.sqlstate == "57014" && answer.problem?.retry == .later && answer["tx"] == "I")
            let cancelled = try client.answer(to: "c")
            #expect(cancelled.tag == "CANCEL" && cancelled.problem == nil)
        }
        #expect(took < .seconds(5))
        try client.expectAlive()
    }

    /// CANCEL acts when it is read, though its own answer waits for its turn.
    @Test func itActsBehindAPipeline() throws {
        let client = try Shared.client()
        let took = try elapsed {
            try client.send("Q a SELECT pg_sleep(30)\nQ b @route=primary SELECT 'b'\nCANCEL c a\nQ d SELECT 'd'\n")
            #expect(try client.answer(to: "a").sqlstate == "57014")
            #expect(try client.answer(to: "b").value == "b")
            #expect(try client.answer(to: "c").tag == "CANCEL")
            #expect(try client.answer(to: "d").value == "d")
        }
        #expect(took < .seconds(10))
    }

    /// One that has not started yet is cancelled where it waits.
    @Test func aWaitingRequestIsCancelled() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        try client.send(
            "Q a SELECT 'a' FROM pg_sleep(0.5)\nQ b INSERT INTO \(table) VALUES (1)\n"
                + "Q d INSERT INTO \(table) VALUES (2)\nCANCEL c b\n")
        #expect(try client.answer(to: "a").value == "a")
        #expect(try client.answer(to: "b").sqlstate == "57014")
        #expect(try client.answer(to: "d").count == 1)
        #expect(try client.answer(to: "c").tag == "CANCEL")
        #expect(try Cluster.shared().sql("SELECT id FROM msgsvr.\(table)") == [["2"]])
    }

    /// From another connection, with the number and the key of HELLO's answer.
    @Test func aRequestIsCancelledFromElsewhere() throws {
        let client = try Shared.client()
        let hello = try client.ask("HELLO", "", "1")
        let number = try #require(hello["conn"])
        let key = try #require(hello["key"])
        let marker = Workplace.uniqueTable()
        try client.send("Q q SELECT pg_sleep(30) AS \(marker)\n")
        try waitUntilRuns(marker)
        let other = try Shared.client()
        // A wrong key, a wrong id: nothing happens, and nothing is told apart.
        let wrong = key.dropLast() + (key.last == "0" ? "1" : "0")
        #expect(try other.ask("CANCEL", "@conn=\(number) @key=\(wrong)", "q").tag == "CANCEL")
        #expect(try other.ask("CANCEL", "@conn=\(number) @key=\(key)", "other").tag == "CANCEL")
        #expect(!client.hasInput(within: .milliseconds(300)))
        #expect(try other.ask("CANCEL", "@conn=\(number) @key=\(key)", "q").tag == "CANCEL")
        #expect(try client.answer(to: "q").sqlstate == "57014")
        try client.expectAlive()
    }

    /// In a transaction a cancelled statement fails it; a savepoint mends it.
    @Test func inATransaction() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        try client.ask("BEGIN")
        try client.run("INSERT INTO \(table) VALUES (1)")
        try client.run("SAVEPOINT a")
        let marker = Workplace.uniqueTable()
        try client.send("Q q SELECT pg_sleep(30) AS \(marker)\n")
        try waitUntilRuns(marker)
        try client.send("CANCEL c q\n")
        let answer = try client.answer(to: "q")
        #expect(answer.sqlstate == "57014" && answer.problem?.retry == .tx && answer["tx"] == "E")
        _ = try client.answer(to: "c")
        try client.run("ROLLBACK TO a")
        #expect(try client.ask("COMMIT").tag == "COMMIT")
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "1")
    }

    /// Cancels that come too late hit nobody: neighbours share the server connections.
    @Test func noNeighbourIsHit() throws {
        let daemon = try DaemonProcess { $0.standby[0] = "size = 2" }
        let rounds = 150
        try concurrently(3) { index in
            let client = try daemon.client()
            if index == 0 {
                for round in 0..<rounds {
                    let pause = ["0", "0.001", "0.01", "0.05"][round % 4]
                    try client.send("Q q\(round) SELECT 'x' FROM pg_sleep(\(pause))\nCANCEL c\(round) q\(round)\n")
                    let answer = try client.answer(to: "q\(round)")
                    guard answer.problem == nil || answer.sqlstate == "57014" else { throw TestFailure("\(answer)") }
                    _ = try client.answer(to: "c\(round)")
                }
            } else {
                for round in 0..<rounds * 2 {
                    let text = "\(index)-\(round)"
                    guard try client.run("SELECT $1::text FROM pg_sleep(0.002)", [text]).value == text else {
                        throw TestFailure("another's answer")
                    }
                }
            }
        }
    }

    // MARK: Deadlines

    @Test(arguments: ["@route=standby", "@route=primary"])
    func aRequestEndsAtItsTimeout(_ role: String) throws {
        let client = try Shared.client()
        let took = try elapsed {
            let answer = try client.query("SELECT pg_sleep(30)", options: "\(role) @timeout=300")
            #expect(answer.sqlstate == "57014" && answer.problem?.retry == .later && answer["tx"] == "I")
        }
        // The promise is 100 ms; other tests run on these cores, so only its order of magnitude is checked here.
        #expect(took >= .milliseconds(300) && took < .milliseconds(2000), "\(took)")
        try client.expectAlive()
        try client.expectAlive()
    }

    @Test func aWriteEndsAtItsTimeout() throws {
        let table = try makeTable("id int", then: "INSERT INTO TABLE_NAME VALUES (1)")
        let client = try Shared.client()
        let answer = try client.query("UPDATE \(table) SET id = 2 FROM pg_sleep(30)", options: "@timeout=300")
        #expect(answer.sqlstate == "57014" || answer.sqlstate == "08007", "\(answer)")
        // Cancelled by the server, its outcome is known: it had no effect.
        #expect(try Cluster.shared().value("SELECT id FROM msgsvr.\(table)") == "1")
        try client.expectAlive()
    }

    @Test func aTimeoutFailsTheTransaction() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        try client.ask("BEGIN")
        try client.run("INSERT INTO \(table) VALUES (1)")
        let answer = try client.query("SELECT pg_sleep(30)", options: "@timeout=200")
        #expect(answer.sqlstate == "57014" && answer.problem?.retry == .tx && answer["tx"] == "E")
        #expect(try client.query("INSERT INTO \(table) VALUES (2)").sqlstate == "25P02")
        #expect(try client.ask("COMMIT").problem?.retry == .tx)
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "0")
        try client.expectAlive()
    }

    /// A deadline counts from the moment the line was read: waiting for a server connection is inside it.
    @Test func waitingIsInsideTheTimeout() throws {
        let daemon = try DaemonProcess { $0.primary[0] = "size = 1" }
        let holder = try daemon.client()
        try holder.ask("BEGIN")
        let client = try daemon.client()
        let took = try elapsed {
            let answer = try client.query("SELECT 1", options: "@route=primary @timeout=300")
            #expect(answer.problem != nil && answer.problem?.retry == .later, "\(answer)")
        }
        #expect(took < .seconds(3))
        try holder.ask("ROLLBACK")
        #expect(try client.run("SELECT 1", options: "@route=primary").value == "1")
    }

    @Test func thePoolsTimeoutHolds() throws {
        let daemon = try DaemonProcess { $0.standby[3] = "timeout = \"250ms\"" }
        let client = try daemon.client()
        #expect(try client.query("SELECT pg_sleep(30)").sqlstate == "57014")
        #expect(try client.run("SELECT 1 FROM pg_sleep(0.6)", options: "@timeout=5000").count == 1)
        #expect(try client.run("SELECT 1 FROM pg_sleep(0.6)", options: "@route=primary").count == 1)
    }

    /// Many deadlines at once: the connections that were cancelled come back, and none answers for another.
    @Test func manyTimeoutsAtOnce() throws {
        let daemon = try DaemonProcess { $0.standby[0] = "size = 3" }
        try concurrently(6) { index in
            let client = try daemon.client()
            for round in 0..<8 {
                let answer = try client.query("SELECT pg_sleep(30)", options: "@timeout=\(40 + index * 7)")
                guard answer.problem?.retry == .later else { throw TestFailure("\(answer)") }
                let text = "\(index) \(round)"
                guard try client.run("SELECT $1::text", [text]).value == text else { throw TestFailure("another's") }
            }
        }
    }

    // MARK: Ends of transactions

    /// A COMMIT that is cancelled before it ran rolls back: what its client takes for undone must not be left open.
    @Test func aCommitThatWaits() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        try client.send(
            "BEGIN b\nQ i INSERT INTO \(table) VALUES (1)\nQ s SELECT pg_sleep(0.2)\nCOMMIT e\nCANCEL c e\n")
        for id in ["b", "i", "s"] { #expect(try client.answer(to: id).problem == nil) }
        let answer = try client.answer(to: "e")
        #expect(answer.sqlstate == "57014" && answer.problem?.retry == .tx && answer["tx"] == "I", "\(answer)")
        #expect(try client.answer(to: "c").count == 1)
        #expect(try Cluster.shared().sessions("idle in%", "%\(table)%") == 0)
        // It starts again, as it was told to.
        try client.succeed("BEGIN")
        try client.run("INSERT INTO \(table) VALUES (2)")
        #expect(try client.succeed("COMMIT").tag == "COMMIT")
        #expect(try Cluster.shared().sql("SELECT id FROM msgsvr.\(table)") == [["2"]])
    }

    /// A ROLLBACK undoes what a CANCEL of it could want undone.
    @Test func aRollbackIsNotCancelled() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        try client.send(
            "BEGIN b\nQ i INSERT INTO \(table) VALUES (1)\nQ s SELECT pg_sleep(0.2)\nROLLBACK e\nCANCEL c e\n")
        for id in ["b", "i", "s"] { #expect(try client.answer(to: id).problem == nil) }
        let answer = try client.answer(to: "e")
        #expect(answer.tag == "ROLLBACK" && answer["tx"] == "I", "\(answer)")
        #expect(try client.answer(to: "c").count == 0)
        try client.succeed("BEGIN")
        try client.run("INSERT INTO \(table) VALUES (2)")
        try client.succeed("COMMIT")
        #expect(try Cluster.shared().sql("SELECT id FROM msgsvr.\(table)") == [["2"]])
    }
}
