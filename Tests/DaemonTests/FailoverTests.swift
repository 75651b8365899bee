import Foundation
import TestKit
import Testing

/// Servers that change their roles. Each test has a cluster of its own, which ends as another one.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(6)))
struct FailoverTests {
    /// The promoted standby has all that was acknowledged: the primary waited for it with every commit.
    private func commitOnBoth(_ cluster: Cluster, _ standby: Cluster.Node) throws {
        try cluster.configure("synchronous_standby_names = '\"\(standby.rawValue)\"'", on: .primary)
        try eventually("\(standby.rawValue) is synchronous") {
            try cluster.value(
                "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'") == "1"
        }
    }

    /// The primary dies under writers, a standby takes its place, PgBouncer is told.
    @Test(arguments: [Cluster.StopMode.fast, .kill])
    func aStandbyIsPromotedUnderWriters(_ mode: Cluster.StopMode) throws {
        let cluster = try Cluster()
        try commitOnBoth(cluster, .standby1)
        let daemon = try DaemonProcess(try DaemonSettings(cluster))
        let ledger = try WriteLedger(cluster, daemon)
        try cluster.stop(.primary, mode)
        try cluster.promote(.standby1)
        try cluster.follow(.standby2, .standby1)
        try cluster.point(.readWrite, to: .standby1)
        try cluster.point(.readOnly, to: .standby2)
        let back = try elapsed { try ledger.awaitWrites(20) }
        #expect(back < .seconds(8), "\(back)")
        try ledger.awaitWrites(100)
        let account = try ledger.stop()
        try expectTruth(account, ledger.table, cluster, on: .standby1)
        #expect(account.failures(of: "read").isEmpty, "\(account.report)")
        // The daemon has noticed: who asks for it reads at the new primary, on its timeline.
        let client = try daemon.client()
        let token = try client.run("INSERT INTO \(ledger.table) VALUES (0)", options: "@token")["token"]
        #expect(token?.hasPrefix("2.") == true, "\(token ?? "no token")")
        #expect(
            try daemon.client().run("SELECT host(inet_server_addr())", options: "@lag=0").value == "127.0.0.11")
    }

    private func expectTruth(
        _ account: WriteLedger.Account, _ table: String, _ cluster: Cluster, on node: Cluster.Node
    ) throws {
        try eventually("no write is under way any more") {
            let idle = try cluster.sessions("idle", "INSERT INTO \(table)%", on: node)
            return try cluster.sessions("%", "INSERT INTO \(table)%", on: node) == idle
        }
        let keys = try cluster.sql("SELECT key FROM msgsvr.\(table)", on: node).compactMap { Int($0[0]) }
        let contradictions = account.contradictions(keys)
        #expect(contradictions.isEmpty, "\(contradictions)\n\(account.report)")
        #expect(account.acknowledged.count > 100)
        #expect(account.slowestWrite < .seconds(20), "\(account.slowestWrite)")
    }

    /// The old primary comes back as a standby at its old address, and PgBouncer still takes it for the primary: writes
    /// are held and then refused, and nobody who asked for freshness reads there.
    @Test func aDemotedPrimaryBehindTheWritePool() throws {
        let cluster = try Cluster()
        var settings = try DaemonSettings(cluster)
        settings.primary[2] = "queue_timeout = \"1s\""
        settings.standby[2] = "queue_timeout = \"1s\""
        let daemon = try DaemonProcess(settings)
        let table = Workplace.uniqueTable()
        try cluster.makeTables("CREATE TABLE \(table)(id int)")
        let writer = try daemon.client()
        let early = try #require(try writer.run("INSERT INTO \(table) VALUES (1)", options: "@token")["token"])
        try cluster.waitForReplay()
        try cluster.stop(.primary, .fast)
        try cluster.promote(.standby1)
        try cluster.follow(.standby2, .standby1)
        try cluster.follow(.primary, .standby1)
        try cluster.point(.readOnly, to: .standby2)
        // What is written from now on, the old primary has not. A daemon of another host knows the new one.
        for node in [Cluster.Node.primary, .standby2] { try cluster.pauseReplay(node) }
        settings = try DaemonSettings(cluster)
        settings.primaryConninfo = try cluster.direct(.standby1)
        let elsewhere = try DaemonProcess(settings)
        let insert = "INSERT INTO msgsvr.\(table) VALUES (2)"
        let late = try #require(try elsewhere.client().run(insert, options: "@token")["token"])
        try leadsToAStandby(cluster)
        for options in ["@lag=0", "@after=\(late)", "@lag=100", "@after=\(early) @after=\(late)", "@route=primary"] {
            for _ in 0..<3 {
                let took = try elapsed {
                    let answer = try daemon.client().query(
                        "SELECT count(*) FROM \(table)", options: "\(options) @timeout=2000")
                    expectHeld(answer, options)
                }
                #expect(took < .seconds(6), "\(options): \(took)")
            }
        }
        expectHeld(try writer.query("INSERT INTO \(table) VALUES (3)", options: "@timeout=2000"), "a write")
        // Who asks for nothing is served, and who asks for what was there before.
        #expect(try daemon.client().run("SELECT count(*) FROM \(table)").value == "1")
        let own = try writer.query("SELECT count(*) FROM \(table)", options: "@timeout=2000")
        if own.problem == nil { #expect(try own.value == "1", "\(own)") } else { expectHeld(own, "an own write") }
        // PgBouncer is told: it goes on.
        try cluster.point(.readWrite, to: .standby1)
        try eventually("writes work again", within: .seconds(10)) {
            try writer.query("INSERT INTO \(table) VALUES (4)", options: "@timeout=2000").problem == nil
        }
        #expect(try writer.run("SELECT count(*) FROM \(table)", options: "@after=\(early)").value == "3")
        #expect(try cluster.sql("SELECT id FROM msgsvr.\(table) WHERE id = 3", on: .standby1).isEmpty)
    }

    /// PgBouncer has noticed that the server behind the write pool is another one.
    private func leadsToAStandby(_ cluster: Cluster) throws {
        try eventually("the write pool leads to a standby") {
            (try? cluster.sql("SELECT pg_is_in_recovery()", at: cluster.readWrite)) == [["t"]]
        }
    }

    /// It waited for a primary until its time was over, or was told that there is none.
    private func expectHeld(_ answer: Answer, _ what: String) {
        #expect(["57P03", "57014"].contains(answer.sqlstate ?? ""), "\(what): \(answer)")
        #expect([.now, .later].contains(answer.problem?.retry), "\(what): \(answer)")
    }

    /// What waits for a primary gets one that is promoted within its deadline.
    @Test func heldWritesAreReleased() throws {
        let cluster = try Cluster()
        var settings = try DaemonSettings(cluster)
        settings.primary[2] = "queue_timeout = \"20s\""
        let daemon = try DaemonProcess(settings)
        let table = Workplace.uniqueTable()
        try cluster.makeTables("CREATE TABLE \(table)(id int)")
        try daemon.client().run("INSERT INTO \(table) VALUES (0)")
        try cluster.waitForReplay()
        // A standby answers in the primary's place: by 25006 the daemon learns that the role has moved.
        try cluster.stop(.primary, .fast)
        try cluster.point(.readWrite, to: .standby1)
        try leadsToAStandby(cluster)
        let client = try daemon.client()
        let refused = try client.query("INSERT INTO \(table) VALUES (-1)")
        #expect(refused.sqlstate == "57P03" && [.now, .later].contains(refused.problem?.retry), "\(refused)")
        let waiting = try (1...8).map { number in
            let client = try daemon.client()
            try client.send("Q w @timeout=20000 INSERT INTO \(table) VALUES (\(number))\n")
            return client
        }
        #expect(!waiting[0].hasInput(within: .milliseconds(700)))
        try cluster.promote(.standby1)
        for (index, client) in waiting.enumerated() {
            let answer = try client.answer(to: "w")
            #expect(answer.count == 1, "\(index + 1): \(answer)")
        }
        let kept = try cluster.sql("SELECT id FROM msgsvr.\(table) ORDER BY id", on: .standby1).map { $0[0] }
        #expect(kept == (0...8).map(String.init))
    }

    /// A primary behind the standby pool: it serves reads, and writes nothing for them.
    @Test func aPromotedStandbyStaysInTheStandbyPool() throws {
        let cluster = try Cluster()
        let daemon = try DaemonProcess(try DaemonSettings(cluster))
        let table = Workplace.uniqueTable()
        try cluster.makeTables(
            """
            CREATE TABLE \(table)(id int);
            CREATE FUNCTION \(table)_w() RETURNS int LANGUAGE sql AS 'INSERT INTO \(table) VALUES (9) RETURNING id'
            """)
        try cluster.promote(.standby1)
        try cluster.point(.readOnly, to: .standby1)
        let client = try daemon.client()
        try eventually("a primary serves the standby pool") {
            let answer = try client.run("SELECT pg_is_in_recovery()")
            return try answer.value == "f" && answer["pool"] == "standby"
        }
        // Two primaries: what calls a writing function writes at the one behind the write pool, or nowhere.
        _ = try client.query("SELECT \(table)_w()")
        #expect(try cluster.value("SELECT count(*) FROM msgsvr.\(table)", on: .standby1) == "0")
        // Its positions say nothing about the other one's writes.
        let token = try #require(try daemon.client().run("INSERT INTO \(table) VALUES (1)", options: "@token")["token"])
        for _ in 0..<20 {
            let answer = try daemon.client().run(
                "SELECT count(*) FROM \(table) WHERE id = 1", options: "@after=\(token)")
            #expect(try answer.value == "1", "\(answer.attributes)")
        }
    }

    /// Requests that ask for freshness and may write, or seem to: `TOKEN` is of a write that the standbys lack, `count()` a
    /// function that only reads it.
    static let fresh: [(options: String, sql: String)] = [
        ("@after=TOKEN", "SELECT TABLE_count()"),
        ("@after=TOKEN @resolve", "SELECT TABLE_count()"),
        ("@after=TOKEN", "SELECT count(*) FROM TABLE"),
        ("@route=primary @after=TOKEN", "SELECT TABLE_count()"),
        ("@lag=0", "SELECT TABLE_count()"),
        ("@lag=200", "SELECT TABLE_count()"),
        ("@after=TOKEN", "SELECT id FROM TABLE FOR UPDATE"),
        ("@after=TOKEN", "INSERT INTO TABLE VALUES (3) RETURNING id"),
    ]

    /// A standby takes the primary's place behind PgBouncer, unnoticed: what asked for freshness is not answered by it, however
    /// it comes there. Each request is the first of its daemon to meet it.
    @Test func aStandbyInThePrimarysPlaceAnswersNothingFresh() throws {
        let cluster = try Cluster()
        let table = Workplace.uniqueTable()
        let count = "SELECT count(*) FROM msgsvr.\(table)"
        try cluster.makeTables(
            """
            CREATE TABLE \(table)(id int);
            CREATE FUNCTION \(table)_count() RETURNS bigint STABLE LANGUAGE sql AS '\(count)'
            """)
        let daemons = try Self.fresh.map { _ in try DaemonProcess(try DaemonSettings(cluster)) }
        let (cutOff, relay) = try withoutStandbys(cluster)
        defer { relay.end() }
        var settings = try DaemonSettings(cluster)
        settings.primary[0] = "size = 1"
        let full = try DaemonProcess(settings)
        for node in [Cluster.Node.standby1, .standby2] { try cluster.pauseReplay(node) }
        let holder = try full.client()
        let insert = "INSERT INTO \(table) VALUES (1)"
        let token = try #require(try holder.run(insert, options: "@token")["token"])
        try holder.succeed("BEGIN")
        try holder.run("SELECT 1")
        try daemons.forEach(meetTheServers)
        try daemons.forEach(rest)
        try cluster.point(.readWrite, to: .standby1)
        try leadsToAStandby(cluster)
        let late = try full.client()
        try late.send("Q l @route=primary @after=\(token) @timeout=1000 SELECT \(table)_count()\n")
        try eventually("it waits") { try full.pool("primary", "waiting_requests") == 1 }
        try holder.succeed("ROLLBACK")
        let clients = try zip(daemons, Self.fresh).map { daemon, request in
            let client = try daemon.client()
            let options = request.options.replacing("TOKEN", with: token)
            try client.send("Q f \(options) @timeout=1000 \(request.sql.replacing("TABLE", with: table))\n")
            return client
        }
        expectHeld(try cutOff.client().query(count, options: "@lag=200 @timeout=1000"), "a spilled one")
        expectHeld(try late.answer(to: "l"), "behind a queue")
        for (client, request) in zip(clients, Self.fresh) { expectHeld(try client.answer(to: "f"), "\(request)") }
        try cluster.point(.readWrite, to: .primary)
        for daemon in daemons + [full, cutOff] {
            try eventually("it goes on") {
                let answer = try daemon.client().query(count, options: "@after=\(token) @timeout=1000")
                return try answer.problem == nil && answer.value == "1"
            }
        }
    }

    /// A daemon that has given up its standbys, and knows no position of its primary.
    private func withoutStandbys(_ cluster: Cluster) throws -> (DaemonProcess, Relay) {
        var settings = try DaemonSettings(cluster)
        let (relay, conninfo) = try Relay.before(settings.standbyConninfo)
        settings.standbyConninfo = conninfo
        let daemon = try DaemonProcess(settings)
        try daemon.client().run("SELECT 1", options: "@route=primary")
        relay.refuse(true)
        relay.cut()
        try eventually("the standbys are given up") {
            try daemon.client().query("SELECT 1", options: "@timeout=1000")["why"] == "spill"
        }
        return (daemon, relay)
    }

    /// It knows which its primary is, and has connections to the standbys.
    private func meetTheServers(_ daemon: DaemonProcess) throws {
        let client = try daemon.client()
        try client.run("SELECT 1", options: "@lag=0")
        for _ in 0..<4 { try client.run("SELECT 1") }
    }

    /// Nobody looks at the servers of a pool without traffic, and a daemon that looks would notice that they changed.
    private func rest(_ daemon: DaemonProcess) throws {
        try eventually("it has looked around for the last time") {
            let rows = try daemon.stats("nodes").filter { $0["pool"] == "primary" }
            return rows.allSatisfy { Int($0["seen_ms"] ?? "") ?? 0 > 1_200 }
        }
    }
}
