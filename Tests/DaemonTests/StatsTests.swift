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
        for _ in 0..<3 { _ = try client.query("SELECT 1/0", options: "@route=primary") }
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

    /// One row a statement, whatever its constants and the length of its lists.
    @Test func statementsAreCounted() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        for length in 1...9 {
            let list = (1...length).map(String.init).joined(separator: ", ")
            try client.run("SELECT oid FROM pg_class WHERE oid IN (\(list)) -- \(length)")
        }
        try client.run("SELECT oid FROM pg_class WHERE oid IN ($1, $2)", ["1", "2"])
        try client.run("SELECT * FROM generate_series(1, 4)")
        for _ in 0..<2 { _ = try client.query("SELECT 1/0") }
        _ = try client.query("SELEC 1 'a constant'")
        _ = try client.query("SELECT '" + String(repeating: "x", count: 20_000) + "'")
        let deep = String(repeating: "(SELECT ", count: 20) + "'hidden'" + String(repeating: ")", count: 20)
        try client.run("SELECT " + deep)
        let rows = try daemon.stats("statements")
        func row(_ word: String) -> [String: String]? { rows.first { $0["statement"]?.contains(word) == true } }
        #expect(rows.count == 6, "\(rows)")
        let lists = try #require(row("WHERE oid IN"))
        #expect(lists["calls"] == "10" && lists["errors"] == "0" && lists["rows"] == "0", "\(lists)")
        #expect(lists["kind"] == "select" && lists["access"] == "read" && lists["pool"] == "standby", "\(lists)")
        #expect(lists["fingerprint"]?.utf8.count == 16 && lists["reason"] == "classifier", "\(lists)")
        #expect(row("generate_series")?["rows"] == "4")
        #expect(row("/")?["errors"] == "2", "\(rows)")
        // What was not parsed cannot be told from its constants: it is counted, not shown.
        #expect(row("(not parsed)")?["errors"] == "1" && row("longer than")?["calls"] == "1", "\(rows)")
        #expect(!rows.contains { $0["statement"]?.contains("a constant") == true })
        #expect(row("too deep")?["calls"] == "1" && row("hidden") == nil, "\(rows)")
        let mean = Int(lists["mean_us"] ?? "") ?? 0
        let total = Int(lists["total_us"] ?? "") ?? 0
        #expect(mean > 0 && total / 10 == mean && (Int(lists["max_us"] ?? "") ?? 0) >= mean, "\(lists)")
        // In reach of the ROUTE that explains it.
        let explained = try client.ask("ROUTE", "", "SELECT oid FROM pg_class WHERE oid IN (5)").table.first
        #expect(explained?["fingerprint"] == lists["fingerprint"])
    }

    /// What STATS keeps of a statement is bounded, whatever tags come with how long a text.
    @Test func longTextsAreKeptOnce() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        let text = "LISTEN x /*" + String(repeating: "x", count: 500_000) + "*/"
        _ = try client.query(text, options: "@tag=warm")
        let before = try ProcessFacts.residentKiB(daemon.pid)
        for number in 0..<200 {
            #expect(try client.query(text, options: "@tag=t\(number)").sqlstate == "0A000")
        }
        // 200 texts are 98 MiB.
        #expect(try ProcessFacts.residentKiB(daemon.pid) - before < 16 << 10)
        #expect(try daemon.stats("statements").first?["calls"] == "201")
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
