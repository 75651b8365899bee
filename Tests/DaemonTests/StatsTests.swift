import Foundation
import TestKit
import Testing

/// STATS: ordinary rows, and the numbers are right.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct StatsTests {
    private func pool(_ daemon: DaemonProcess, _ name: String) throws -> [String: String] {
        try #require(try daemon.stats("pools").first { $0["pool"] == name })
    }

    private func number(_ row: [String: String], _ key: String) -> Int { row[key].flatMap { Int($0) } ?? -1 }

    @Test func poolsCountRequests() throws {
        let daemon = try DaemonProcess()
        let table = try makeTable("id int")
        let client = try daemon.client()
        for _ in 0..<11 { try client.run("SELECT 1") }
        for number in 0..<7 { try client.run("INSERT INTO \(table) VALUES (\(number))") }
        for _ in 0..<3 { _ = try client.query("SELECT 1/0") }
        let standby = try pool(daemon, "standby")
        let primary = try pool(daemon, "primary")
        #expect(number(standby, "reads") == 11, "\(standby)")
        #expect(number(primary, "writes") == 7, "\(primary)")
        // The failed reads went to the primary, behind own writes.
        #expect(number(primary, "reads") == 3, "\(primary)")
        #expect(number(primary, "errors") == 3 && number(standby, "errors") == 0, "\(primary)")
        #expect(number(standby, "max") == 4 && number(standby, "waiting") == 0 && number(standby, "active") == 0)
        #expect(number(standby, "idle") >= 1)
        #expect(number(standby, "rows") == 11)
    }

    @Test func connectionsAreShown() throws {
        let daemon = try DaemonProcess { $0.primary[0] = "size = 2" }
        let one = try daemon.client()
        try one.ask("BEGIN")
        #expect(number(try pool(daemon, "primary"), "active") == 1)
        try one.ask("ROLLBACK")
        try eventually("idle again") { number(try pool(daemon, "primary"), "active") == 0 }
    }

    @Test func rulesAreListedInOrder() throws {
        let daemon = try DaemonProcess {
            $0.more = """
                [[rule]]
                name = "b"
                tag = ["b"]
                route = "primary"
                [[rule]]
                name = "a"
                tag = ["a"]
                route = "primary"
                """
        }
        try daemon.client().run("SELECT 1", options: "@tag=a")
        let rows = try daemon.stats("rules")
        #expect(rows.map { $0["rule"] } == ["b", "a"], "\(rows)")
        #expect(rows.map { $0["hits"] } == ["0", "1"], "\(rows)")
    }

    @Test func clientsAreListed() throws {
        let daemon = try DaemonProcess()
        let clients = try (0..<3).map { _ in try daemon.client() }
        try clients[0].ask("HELLO", "@app=shop", "1")
        try clients[1].ask("BEGIN")
        for client in clients { try client.ask("PING") }
        let rows = try daemon.stats("clients")
        // The one that asks is a client too.
        #expect(rows.count == 4, "\(rows)")
        #expect(rows.filter { $0.values.contains("shop") }.count == 1)
        #expect(rows.filter { $0.values.contains("T") }.count == 1, "\(rows)")
    }

    @Test func settingsInForce() throws {
        let daemon = try DaemonProcess { $0.server = ["max_clients = 77"] }
        let rows = try daemon.stats("settings")
        let value = { (name: String) in rows.first { $0.values.contains(name) }?["value"] }
        #expect(value("server.max_clients") == "77" && value("pool.standby.size") == "4", "\(rows.prefix(3))")
        #expect(value("server.line_timeout") != nil)
    }

    /// Without a name, and on the app's socket as well; a name of a later version says so.
    @Test func whoMayAskWhat() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        #expect(try !client.ask("STATS").table.isEmpty)
        #expect(try !client.ask("STATS", "", "pools").table.isEmpty)
        #expect(try client.ask("STATS", "", "nosuch").problem?.retry == .never)
        try client.ask("BEGIN")
        #expect(try client.ask("STATS", "", "pools").problem == nil)
        #expect(try client.run("SELECT 1")["tx"] == "T")
    }

    /// Receipts add up: microseconds from the line read to the completion, of which some in the queue.
    @Test func receipts() throws {
        let client = try Shared.client()
        let answer = try client.run("SELECT 1 FROM pg_sleep(0.05)")
        let us = Int(answer["us"] ?? "") ?? -1
        #expect(us >= 50_000 && us < 5_000_000, "\(answer.attributes)")
        #expect(answer["tx"] == "I" && answer["why"] == "classifier")
        for key in ["token", "node", "lag_ms"] { #expect(answer[key] == nil) }
    }
}
