import Foundation
import TestKit
import Testing

/// More requests than server connections.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct QueueTests {
    private func daemon(queue: Int, timeout: String) throws -> DaemonProcess {
        try DaemonProcess {
            $0.primary = ["size = 1", "queue = \(queue)", "queue_timeout = \"\(timeout)\"", "timeout = \"20s\""]
        }
    }

    private func waitForWaiting(_ daemon: DaemonProcess, _ count: Int) throws {
        try eventually("\(count) waiting requests") {
            try daemon.pool("primary", "waiting_requests") == count
        }
    }

    @Test func aFullQueueRefusesAtOnce() throws {
        let daemon = try daemon(queue: 2, timeout: "10s")
        let holder = try daemon.client()
        try holder.ask("BEGIN")
        let waiting = try (0..<2).map { number in
            let client = try daemon.client()
            try client.send("Q w @route=primary SELECT \(number)\n")
            return client
        }
        try waitForWaiting(daemon, 2)
        let extra = try daemon.client()
        let took = try elapsed {
            let answer = try extra.query("SELECT 1", options: "@route=primary")
            #expect(
                answer.sqlstate == "53300" && answer.problem?.retry == .later && answer["src"] == "pool", "\(answer)")
            #expect((answer["after_ms"].flatMap { Int($0) } ?? -1) >= 0, "\(answer)")
        }
        #expect(took < .seconds(2))
        // Other pools are not concerned.
        try extra.expectAlive()
        try holder.ask("ROLLBACK")
        for (number, client) in waiting.enumerated() { #expect(try client.answer(to: "w").value == "\(number)") }
        #expect(try extra.run("SELECT 1", options: "@route=primary").value == "1")
    }

    @Test func whoWaitsTooLongIsRefused() throws {
        let daemon = try daemon(queue: 10, timeout: "300ms")
        let holder = try daemon.client()
        try holder.ask("BEGIN")
        let table = try makeTable("id int")
        let client = try daemon.client()
        let took = try elapsed {
            let answer = try client.query("INSERT INTO \(table) VALUES (1)")
            #expect(answer.sqlstate == "53300" && answer.problem?.retry == .later, "\(answer)")
        }
        #expect(took >= .milliseconds(290) && took < .seconds(3))
        let begin = try client.ask("BEGIN")
        #expect(begin.sqlstate == "53300" && begin["tx"] == "E")
        #expect(try client.ask("ROLLBACK").tag == "ROLLBACK")
        try holder.ask("ROLLBACK")
        #expect(try client.run("INSERT INTO \(table) VALUES (2)").count == 1)
        #expect(try Cluster.shared().sql("SELECT id FROM msgsvr.\(table)") == [["2"]])
    }

    @Test func firstComeFirstServed() throws {
        let daemon = try daemon(queue: 100, timeout: "10s")
        let table = try makeTable("id int, at timestamptz DEFAULT clock_timestamp()")
        let holder = try daemon.client()
        try holder.ask("BEGIN")
        var clients: [LineClient] = []
        for number in 0..<20 {
            let client = try daemon.client()
            try client.send("Q w INSERT INTO \(table)(id) VALUES (\(number))\n")
            clients.append(client)
            try waitForWaiting(daemon, number + 1)
        }
        try holder.ask("ROLLBACK")
        for client in clients { #expect(try client.answer(to: "w").count == 1) }
        let order = try Cluster.shared().sql("SELECT id FROM msgsvr.\(table) ORDER BY at").map { $0[0] }
        #expect(order == (0..<20).map { "\($0)" })
    }

    /// Who closes while waiting leaves the queue, and what it asked is not run.
    @Test func whoClosesLeavesTheQueue() throws {
        let daemon = try daemon(queue: 10, timeout: "10s")
        let table = try makeTable("id int")
        let holder = try daemon.client()
        try holder.ask("BEGIN")
        let client = try daemon.client()
        try client.send("Q w INSERT INTO \(table) VALUES (1)\n")
        try waitForWaiting(daemon, 1)
        client.close()
        try waitForWaiting(daemon, 0)
        try holder.ask("ROLLBACK")
        #expect(try daemon.client().run("INSERT INTO \(table) VALUES (2)").count == 1)
        #expect(try Cluster.shared().sql("SELECT id FROM msgsvr.\(table)") == [["2"]])
    }

    /// Many clients, few connections: everything is answered, and right.
    @Test func manyClientsFewConnections() throws {
        let daemon = try DaemonProcess {
            $0.primary[0] = "size = 1"
            $0.standby[0] = "size = 2"
        }
        let table = try makeTable("id int, n int")
        try concurrently(40) { index in
            let client = try daemon.client()
            for round in 0..<10 {
                let text = "\(index) \(round)"
                guard try client.run("SELECT $1::text", [text]).value == text else { throw TestFailure("another's") }
                try client.run("INSERT INTO \(table) VALUES (\(index), \(round))")
            }
        }
        #expect(
            try Cluster.shared().value("SELECT count(DISTINCT (id, n)) || ' ' || count(*) FROM msgsvr.\(table)")
                == "400 400")
    }
}
