import Foundation
import TestKit
import Testing

/// STATS: ordinary rows, and the numbers are right.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct StatsTests {
    @Test func poolsCountRequests() throws {
        let daemon = try DaemonProcess()
        let table = try makeTable("id int")
        let client = try daemon.client()
        for _ in 0..<11 { try client.run("SELECT 1") }
        for number in 0..<7 { try client.run("INSERT INTO \(table) VALUES (\(number))") }
        // The failed reads go to the primary, behind own writes.
        for _ in 0..<3 { _ = try client.query("SELECT 1/0") }
        try client.ask("BEGIN")
        try client.run("SELECT 1 FROM generate_series(1, 5)")
        try client.ask("COMMIT")
        for (pool, column, value) in [
            ("standby", "requests_read", 11), ("standby", "requests_write", 0), ("standby", "requests_ok", 11),
            ("standby", "requests_error", 0), ("standby", "rows", 11), ("primary", "requests_write", 7),
            ("primary", "requests_read", 3), ("primary", "requests_error", 3), ("primary", "requests_transaction", 3),
            ("primary", "requests_ok", 10), ("primary", "retry_advice_never", 3), ("primary", "rows", 5),
            ("primary", "connections_maximum", 4), ("primary", "connections_active", 0),
            ("primary", "waiting_requests", 0),
        ] {
            #expect(try daemon.pool(pool, column) == value, "\(pool) \(column)")
        }
        #expect(try daemon.pool("standby", "connections_idle") >= 1)
        #expect(try daemon.pool("primary", "sent_bytes") > 100)
    }

    /// Refused and timed-out requests are told apart.
    @Test func resultsAreToldApart() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        _ = try client.query("SELECT pg_sleep(5)", options: "@timeout=100")
        #expect(try daemon.pool("standby", "requests_timeout") == 1)
        try client.send("Q a SELECT pg_sleep(5)\nCANCEL c a\n")
        _ = try client.answer(to: "a")
        _ = try client.answer(to: "c")
        // Read together with its CANCEL, it may be cancelled before a pool was chosen.
        let cancelled = try daemon.stats("pools").compactMap { $0["requests_cancelled"].flatMap { Int($0) } }
        #expect(cancelled.reduce(0, +) == 1)
        _ = try client.query("LISTEN x")
        // What no pool was chosen for is counted all the same.
        let refused = try daemon.stats("pools").compactMap { $0["requests_refused"].flatMap { Int($0) } }
        #expect(refused.reduce(0, +) == 1)
    }

    @Test func connectionsAreShown() throws {
        let daemon = try DaemonProcess { $0.primary[0] = "size = 2" }
        let client = try daemon.client()
        try client.ask("BEGIN")
        #expect(try daemon.pool("primary", "connections_active") == 1)
        try client.ask("ROLLBACK")
        #expect(try daemon.pool("primary", "connections_active") == 0)
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
