import Foundation
import TestKit
import Testing

/// What PgBouncer's console says decides what becomes of requests. Its commands concern everybody, so the cluster is
/// these tests' own.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct PgBouncerTests {
    private static let cluster = Result { try Cluster() }

    private static func settings(_ adjust: (inout DaemonSettings) -> Void = { _ in }) throws -> DaemonSettings {
        let cluster = try cluster.get()
        var settings = try DaemonSettings(cluster)
        settings.more = """
            [pgbouncer]
            admin = "\(try cluster.variable("STATS"))"
            interval = "200ms"
            """
        adjust(&settings)
        return settings
    }

    private static func daemon(_ adjust: (inout DaemonSettings) -> Void = { _ in }) throws -> DaemonProcess {
        let daemon = try DaemonProcess(settings(adjust))
        try eventually("the console's first round") { try row(daemon)["state"] == "active" }
        return daemon
    }

    private static func row(_ daemon: DaemonProcess, _ pool: String = "primary") throws -> [String: String] {
        try #require(try daemon.stats("pgbouncer").first { $0["pool"] == pool })
    }

    private static func number(_ daemon: DaemonProcess, _ pool: String, _ column: String) throws -> Int {
        Int(try row(daemon, pool)[column] ?? "") ?? -1
    }

    private func command(_ text: String) throws {
        let cluster = try Self.cluster.get()
        try cluster.sql(text, at: try cluster.console)
    }

    private func waitForState(_ daemon: DaemonProcess, _ state: String) throws {
        try eventually("state \(state)") { try Self.row(daemon)["state"] == state }
    }

    @Test func theConsoleIsShown() throws {
        let daemon = try Self.daemon()
        try daemon.client().expectAlive()
        try eventually("a server connection") { try Self.number(daemon, "standby", "sv_idle") > 0 }
        let row = try Self.row(daemon, "standby")
        #expect(row["database"] == "msgsvr_ro" && row["pool_mode"] == "transaction", "\(row)")
        #expect(row["version"]?.hasPrefix("1.") == true && row["pool_size"] == "40" && row["max_client_conn"] == "2000")
        #expect(try Self.row(daemon)["database"] == "msgsvr_rw")
        let counters = try daemon.stats("counters")
        #expect(counters.first { $0["counter"] == "pgbouncer_known" }?["value"] == "1")
        // Without the section there is nothing to show, and nobody is asked.
        let without = try DaemonProcess(Self.settings { $0.more = "" })
        #expect(try without.stats("pgbouncer").isEmpty)
    }

    /// Requests wait here while a database is paused, each within its own deadline, and are answered at its end. Other
    /// pools are not concerned.
    @Test func pauseAndResume() throws {
        let daemon = try Self.daemon { $0.primary = ["size = 2", "queue_timeout = \"100ms\"", "timeout = \"20s\""] }
        let table = Workplace.uniqueTable()
        try Self.cluster.get().makeTables("CREATE TABLE \(table)(id int)")
        try daemon.client().run("INSERT INTO \(table) VALUES (0)")
        try command("PAUSE msgsvr_rw")
        try waitForState(daemon, "paused")
        #expect(try daemon.stats("pools").first { $0["pool"] == "primary" }?["held"] == "paused")
        let waiting = try (1...5).map { number in
            let client = try daemon.client()
            try client.send("Q w INSERT INTO \(table) VALUES (\(number))\n")
            return client
        }
        // Within its own deadline, to the hundred milliseconds.
        let took = try elapsed {
            let answer = try daemon.client().query("INSERT INTO \(table) VALUES (99)", options: "@timeout=600")
            #expect(answer.sqlstate == "57014" && answer.problem?.retry == .later, "\(answer)")
            #expect(answer.problem?.message.contains("paused") == true, "\(answer)")
        }
        #expect(took >= .milliseconds(590) && took < .milliseconds(700), "\(took)")
        #expect(try daemon.client().run("SELECT 1").value == "1", "a read of the standby")
        #expect(try daemon.pool("primary", "waiting_requests") == 5)
        try command("RESUME msgsvr_rw")
        for client in waiting { #expect(try client.answer(to: "w").count == 1) }
        let ids = try Self.cluster.get().sql("SELECT id FROM msgsvr.\(table) ORDER BY id").map { $0[0] }
        #expect(ids == (0...5).map { "\($0)" })
        #expect(daemon.log.contains("event=pool_released"))
        #expect(try daemon.stats("pools").first { $0["pool"] == "primary" }?["held"] == "")
    }

    /// The queue's limit holds in a pause too.
    @Test func aPausedPoolsQueueIsBounded() throws {
        let daemon = try Self.daemon { $0.primary = ["size = 2", "queue = 3", "timeout = \"20s\""] }
        try command("PAUSE msgsvr_rw")
        defer { try? command("RESUME msgsvr_rw") }
        try waitForState(daemon, "paused")
        let waiting = try (1...3).map { _ in
            let client = try daemon.client()
            try client.send("Q w @route=primary SELECT 1\n")
            return client
        }
        try eventually("3 waiting") { try daemon.pool("primary", "waiting_requests") == 3 }
        let answer = try daemon.client().query("SELECT 1", options: "@route=primary")
        #expect(answer.sqlstate == "53300" && answer.problem?.retry == .later, "\(answer)")
        try command("RESUME msgsvr_rw")
        for client in waiting { #expect(try client.answer(to: "w").value == "1") }
    }

    /// KILL cuts all connections of a database and leaves it paused.
    @Test func killAndResume() throws {
        let daemon = try Self.daemon()
        try daemon.client().run("SELECT 1", options: "@route=primary")
        try command("KILL msgsvr_rw")
        try waitForState(daemon, "paused")
        let client = try daemon.client()
        try client.send("Q w @route=primary SELECT 'served'\n")
        try eventually("it waits") { try daemon.pool("primary", "waiting_requests") == 1 }
        try command("RESUME msgsvr_rw")
        #expect(try client.answer(to: "w").value == "served")
    }

    /// A disabled database refuses new connections; those that are there go on.
    @Test func disableAndEnable() throws {
        let daemon = try Self.daemon { $0.primary = ["size = 2", "queue_timeout = \"20s\"", "timeout = \"20s\""] }
        try daemon.client().run("SELECT 1", options: "@route=primary")
        try command("DISABLE msgsvr_rw")
        defer { try? command("ENABLE msgsvr_rw") }
        try waitForState(daemon, "disabled")
        #expect(try daemon.client().run("SELECT 2", options: "@route=primary").value == "2")
        try command("KILL msgsvr_rw")
        try command("RESUME msgsvr_rw")
        try eventually("no connection", within: .seconds(10)) { try daemon.pool("primary", "connections_idle") == 0 }
        // At once, not when the console is asked again.
        let client = try daemon.client()
        let took = try elapsed {
            for _ in 0..<40 {
                let answer = try client.query("SELECT 1", options: "@route=primary")
                #expect(answer.sqlstate == "57P03" && answer.problem?.retry == .later, "\(answer)")
                #expect(answer.problem?.message.contains("disabled in PgBouncer") == true, "\(answer)")
                #expect(answer["src"] == "pool" && answer["after_ms"] == "1000", "\(answer)")
            }
        }
        #expect(took < .seconds(2))
        try command("ENABLE msgsvr_rw")
        try eventually("it serves again", within: .seconds(10)) {
            try daemon.client().query("SELECT 1", options: "@route=primary").problem == nil
        }
    }

    /// Reads of a standby pool that can open no connection go where they are served.
    @Test func aDisabledStandbyDatabase() throws {
        let daemon = try Self.daemon()
        let client = try daemon.client()
        #expect(try client.run("SELECT pg_is_in_recovery()").value == "t")
        try command("DISABLE msgsvr_ro")
        defer { #expect(throws: Never.self) { try command("ENABLE msgsvr_ro") } }
        try command("KILL msgsvr_ro")
        try command("RESUME msgsvr_ro")
        try eventually("no connection") { try daemon.pool("standby", "connections_idle") == 0 }
        for _ in 0..<20 {
            #expect(try client.query("SELECT pg_is_in_recovery()").value == "f")
        }
        try command("ENABLE msgsvr_ro")
        try eventually("the standbys serve again", within: .seconds(10)) {
            try client.run("SELECT pg_is_in_recovery()").value == "t"
        }
    }

    /// A request that would stand behind others for longer than it may wait is told so at once.
    @Test func aLongQueueInPgBouncerRefusesShortRequests() throws {
        let file = try Self.cluster.get().variable("PGBOUNCER_INI")
        let shipped = try String(contentsOfFile: file, encoding: .utf8)
        defer {
            try? shipped.write(toFile: file, atomically: false, encoding: .utf8)
            try? command("RELOAD")
        }
        // One server for all: the second client waits in PgBouncer.
        let one = shipped.replacingOccurrences(of: "pool_size=20 min_pool_size=2", with: "pool_size=1")
        try #require(one != shipped)
        try one.write(toFile: file, atomically: false, encoding: .utf8)
        try command("RELOAD")
        try command("RECONNECT msgsvr_rw")
        let daemon = try Self.daemon()
        try eventually("one server") { try Self.row(daemon)["pool_size"] == "1" }
        let holder = try daemon.client()
        try holder.ask("BEGIN")
        let second = try daemon.client()
        try second.send("Q w @route=primary @timeout=15000 SELECT 'second'\n")
        try eventually("a wait in PgBouncer") { try Self.number(daemon, "primary", "maxwait_us") > 500_000 }
        let took = try elapsed {
            let answer = try daemon.client().query("SELECT 1", options: "@route=primary @timeout=400")
            #expect(answer.sqlstate == "57P03" && answer.problem?.retry == .later, "\(answer)")
            #expect(answer.problem?.message.contains("clients have waited") == true, "\(answer)")
        }
        #expect(took < .milliseconds(300), "\(took)")
        // Who may wait longer does.
        let third = try daemon.client()
        try third.send("Q w @route=primary @timeout=15000 SELECT 'third'\n")
        try holder.ask("COMMIT")
        #expect(try second.answer(to: "w").value == "second")
        #expect(try third.answer(to: "w").value == "third")
    }

    /// A standby stands in the primary's place: PgBouncer is told to let go of it, when the settings allow that.
    @Test func aLostRoleReconnects() throws {
        let cluster = try Self.cluster.get()
        let console = try cluster.console
        func daemon(_ reconnect: Bool) throws -> DaemonProcess {
            try Self.daemon {
                $0.more = "[pgbouncer]\nadmin = \"\(console)\"\ninterval = \"200ms\"\nreconnect = \(reconnect)\n"
            }
        }
        let daemons = try [daemon(true), daemon(false)]
        let table = Workplace.uniqueTable()
        try cluster.makeTables("CREATE TABLE \(table)(id int)")
        try cluster.point(.readWrite, to: .standby1)
        defer { #expect(throws: Never.self) { try cluster.point(.readWrite, to: .primary) } }
        for daemon in daemons {
            let answer = try daemon.client().query("INSERT INTO \(table) VALUES (1)", options: "@timeout=1000")
            #expect(answer.problem != nil, "\(answer)")
            try daemon.waitForLog("event=pool_held")
        }
        try daemons[0].waitForLog("command=\"RECONNECT")
        func told(_ daemon: DaemonProcess) throws -> String? {
            try daemon.stats("counters").first { $0["counter"] == "pgbouncer_reconnects_total" }?["value"]
        }
        #expect(try told(daemons[0]) == "1" && told(daemons[1]) == "0")
        try cluster.point(.readWrite, to: .primary)
        for daemon in daemons {
            try eventually("it writes again", within: .seconds(10)) {
                try daemon.client().query("INSERT INTO \(table) VALUES (2)").problem == nil
            }
        }
    }

    /// Nothing that the daemon does depends on the console.
    @Test func theConsoleIsDown() throws {
        let cluster = try Self.cluster.get()
        let daemon = try DaemonProcess(
            Self.settings { settings in
                settings.more = """
                    [pgbouncer]
                    admin = "host=\(settings.folder) port=1 dbname=pgbouncer user=stats"
                    """
            })
        try daemon.waitForLog("event=pgbouncer_unknown")
        for _ in 0..<20 { try daemon.client().expectAlive() }
        #expect(try daemon.client().run("SELECT 1", options: "@route=primary").value == "1")
        let row = try #require(try daemon.stats("pgbouncer").first)
        #expect(row["state"] == "" && row["pool"] == "primary", "\(row)")
        // A reload leads to the right one.
        try daemon.settings.write(try Self.settings { $0.folder = daemon.settings.folder }.text)
        #expect(try daemon.operatorClient().ask("RELOAD").problem == nil)
        try waitForState(daemon, "active")
        // Nobody is held for what is not known any more.
        try command("PAUSE msgsvr_rw")
        try waitForState(daemon, "paused")
        try daemon.settings.write()
        #expect(try daemon.operatorClient().ask("RELOAD").problem == nil)
        #expect(try daemon.stats("pools").first { $0["pool"] == "primary" }?["held"] == "")
        // A PgBouncer that is started anew has forgotten the pause.
        try daemon.settings.write(try Self.settings { $0.folder = daemon.settings.folder }.text)
        #expect(try daemon.operatorClient().ask("RELOAD").problem == nil)
        try waitForState(daemon, "paused")
        try cluster.stop(.pgbouncer)
        try cluster.start(.pgbouncer)
        try eventually("it serves again", within: .seconds(10)) {
            try daemon.client().query("SELECT 1", options: "@route=primary").problem == nil
        }
        try waitForState(daemon, "active")
    }
}
