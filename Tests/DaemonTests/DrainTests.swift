import Foundation
import TestKit
import Testing

/// TERM: what was sent is answered, what idles is rolled back, the end is 0.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct DrainTests {
    private func waitUntilRuns(_ daemon: DaemonProcess, _ pool: String) throws {
        try eventually("a request runs") {
            try daemon.pool(pool, "connections_active") == 1
        }
    }

    @Test func whatWasSentIsAnswered() throws {
        let daemon = try DaemonProcess()
        let table = try makeTable("id int")
        let client = try daemon.client()
        let idle = try daemon.client()
        try idle.expectAlive()
        try client.send("Q a INSERT INTO \(table) SELECT 1 FROM pg_sleep(0.8)\n")
        try waitUntilRuns(daemon, "primary")
        daemon.process.signal(SIGTERM)
        #expect(try client.answer(to: "a").count == 1)
        // An idle client learns it by the end of its connection, or by an E when it still asks.
        while let line = try idle.text() { #expect(line.hasPrefix("E\t") || line.hasPrefix("N\t"), "\(line)") }
        while let line = try client.text() { #expect(line.hasPrefix("E\t") || line.hasPrefix("N\t"), "\(line)") }
        #expect(try daemon.process.wait(within: .seconds(5)) == .exited(0))
        #expect(!FileManager.default.fileExists(atPath: daemon.settings.appSocket))
        #expect(!FileManager.default.fileExists(atPath: daemon.settings.opsSocket))
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "1")
    }

    @Test func nothingNewIsTaken() throws {
        let daemon = try DaemonProcess()
        let table = try makeTable("id int")
        let client = try daemon.client()
        let other = try daemon.client()
        try other.expectAlive()
        try client.send("Q a INSERT INTO \(table) SELECT 1 FROM pg_sleep(1)\n")
        try waitUntilRuns(daemon, "primary")
        daemon.process.signal(SIGTERM)
        // New connections are refused as soon as the signal is seen.
        try eventually("no new connection") { (try? LineClient(daemon.settings.appSocket, within: .zero)) == nil }
        try? client.send("Q b INSERT INTO \(table) VALUES (2)\n")
        try? other.send("Q c INSERT INTO \(table) VALUES (3)\n")
        #expect(try client.answer(to: "a").count == 1)
        for connection in [client, other] {
            while let line = try connection.text() {
                let fields = line.split(separator: "\t")
                #expect(fields[0] == "E" && fields[2] == "57P01" && fields[4] == "later", "\(line)")
            }
        }
        #expect(try daemon.process.wait(within: .seconds(5)) == .exited(0))
        #expect(try Cluster.shared().sql("SELECT id FROM msgsvr.\(table)") == [["1"]])
    }

    /// What waited for a server connection has not run and says so.
    @Test func theQueueIsAnswered() throws {
        let daemon = try DaemonProcess { $0.primary[0] = "size = 1" }
        let table = try makeTable("id int")
        let client = try daemon.client()
        try client.send("Q a INSERT INTO \(table) SELECT 1 FROM pg_sleep(0.7)\nQ b INSERT INTO \(table) VALUES (2)\n")
        try waitUntilRuns(daemon, "primary")
        let queued = try daemon.client()
        try queued.send("Q q INSERT INTO \(table) VALUES (3)\n")
        try eventually("it waits") {
            try daemon.pool("primary", "waiting_requests") == 1
        }
        daemon.process.signal(SIGTERM)
        #expect(try client.answer(to: "a").count == 1)
        // "Answer what was sent": what was read before may still run, or is told that it did not.
        var expected: Set<String> = ["1"]
        for (connection, id, value) in [(client, "b", "2"), (queued, "q", "3")] {
            let answer = try connection.answer(to: id)
            if answer.problem == nil {
                expected.insert(value)
            } else {
                #expect(answer.sqlstate == "57P01" && answer.problem?.retry == .later, "\(answer)")
            }
        }
        #expect(try daemon.process.wait(within: .seconds(5)) == .exited(0))
        #expect(try Set(Cluster.shared().sql("SELECT id FROM msgsvr.\(table)").map { $0[0] }) == expected)
    }

    @Test func anIdleTransactionIsRolledBack() throws {
        let daemon = try DaemonProcess { $0.server = ["drain_timeout = \"1s\""] }
        let table = try makeTable("id int")
        let client = try daemon.client()
        try client.ask("BEGIN")
        try client.run("INSERT INTO \(table) VALUES (1)")
        daemon.process.signal(SIGTERM)
        #expect(try daemon.process.wait(within: .seconds(6)) == .exited(0))
        try eventually("no transaction is left", within: .seconds(1)) {
            try Cluster.shared().sessions("idle in%", "%\(table)%") == 0
        }
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "0")
    }

    /// What does not end in time is cut; a write among it is unknown.
    @Test func theDrainHasALimit() throws {
        let daemon = try DaemonProcess { $0.server = ["drain_timeout = \"500ms\""] }
        let table = try makeTable("id int")
        let client = try daemon.client()
        try client.send("Q a INSERT INTO \(table) SELECT 1 FROM pg_sleep(30)\n")
        try waitUntilRuns(daemon, "primary")
        var ending: ChildProcess.Ending?
        let took = try elapsed {
            daemon.process.signal(SIGTERM)
            ending = try daemon.process.wait(within: .seconds(6))
        }
        // 0 would say that everything was answered.
        #expect(ending == .exited(1) && took >= .milliseconds(400), "\(String(describing: ending))")
        if let line = try client.text() { #expect(line.hasPrefix("E\ta\t"), "\(line)") }
    }

    @Test func aSecondSignalEndsItNow() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        try client.send("Q a SELECT pg_sleep(30)\n")
        try waitUntilRuns(daemon, "standby")
        daemon.process.signal(SIGTERM)
        try eventually("no new connection") { (try? LineClient(daemon.settings.appSocket, within: .zero)) == nil }
        #expect(daemon.process.poll() == nil)
        let took = try elapsed {
            daemon.process.signal(SIGTERM)
            try daemon.process.wait(within: .seconds(5))
        }
        #expect(took < .seconds(3))
    }

    @Test func theOperatorsVerbDrainsToo() throws {
        let daemon = try DaemonProcess()
        #expect(try daemon.operatorClient().ask("DRAIN").problem == nil)
        #expect(try daemon.process.wait(within: .seconds(5)) == .exited(0))
    }
}
