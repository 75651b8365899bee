import Foundation
import Synchronization
import TestKit
import Testing

/// Tokens that prove nothing here: they mean the primary, at once, and are counted.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct FreshnessTokenTests {
    private static let own = Mutex<FreshnessRig?>(nil)

    private static func rig() throws -> FreshnessRig {
        try own.withLock { rig in
            if let rig { return rig }
            let made = try FreshnessRig(daemons: 1)
            rig = made
            return made
        }
    }

    /// The parts of `1.0/36B0FA0.5f2c91aa`.
    private struct Token {
        var timeline: Int
        var high: UInt32
        var low: UInt32
        var system: UInt32

        init(_ text: String) throws {
            guard let found = text.wholeMatch(of: /([0-9]+)\.([0-9A-F]+)\/([0-9A-F]+)\.([0-9a-f]{8})/),
                let timeline = Int(found.1), let high = UInt32(found.2, radix: 16),
                let low = UInt32(found.3, radix: 16), let system = UInt32(found.4, radix: 16)
            else { throw TestFailure("no token: \(text)") }
            (self.timeline, self.high, self.low, self.system) = (timeline, high, low, system)
        }

        var text: String {
            let position = "\(String(high, radix: 16, uppercase: true))/\(String(low, radix: 16, uppercase: true))"
            return "\(timeline).\(position).\(String(format: "%08x", system))"
        }
    }

    private static func token(_ daemon: DaemonProcess, _ table: String, _ options: String = "@token") throws -> Token {
        let answer = try daemon.client().run("UPDATE \(table) SET value = value + 1 WHERE slot = 0", options: options)
        return try Token(#require(answer["token"], "\(answer.attributes)"))
    }

    static let wrong: [(reason: String, change: @Sendable (inout String) throws -> Void)] = [
        ("foreign", { text in try change(&text) { $0.system ^= 0xdead_beef } }),
        ("future", { text in try change(&text) { $0.high += 1000 } }),
        ("malformed", { text in text = "nonsense" }),
        ("malformed", { text in text = "1.0/36B0FA0" }),
    ]

    private static func change(_ text: inout String, _ body: (inout Token) -> Void) throws {
        var token = try Token(text)
        body(&token)
        text = token.text
    }

    /// Each goes to the primary although every standby has everything, and spends nothing of its `@wait`.
    @Test(arguments: wrong.indices)
    func tokensThatProveNothing(_ index: Int) throws {
        let rig = try Self.rig()
        let daemon = rig.daemons[0]
        let (reason, change) = Self.wrong[index]
        let good = try Self.token(daemon, rig.table)
        try rig.cluster.waitForReplay()
        var text = good.text
        try change(&text)
        let client = try daemon.client()
        // The good one is no reason to ask the primary.
        try eventually("a standby serves the good token") {
            try client.run("SELECT pg_is_in_recovery()", options: "@after=\(good.text) @wait=2000").value == "t"
        }
        let before = try daemon.counted("tokens_refused_total", "reason=\(reason)")
        for _ in 0..<5 {
            let took = try elapsed {
                let answer = try client.run("SELECT pg_is_in_recovery()", options: "@after=\(text) @wait=10000")
                #expect(try answer.value == "f", "\(answer.attributes)")
                #expect(answer["pool"] == "primary" && answer["why"] == "after", "\(answer.attributes)")
            }
            #expect(took < .seconds(5), "\(took)")
        }
        #expect(try daemon.counted("tokens_refused_total", "reason=\(reason)") == before + 5)
        // Beside a good one it still counts.
        let both = try client.run(
            "SELECT pg_is_in_recovery()", options: "@after=\(good.text) @after=\(text) @wait=10000")
        #expect(try both.value == "f")
        // In a transaction too.
        #expect(try client.succeed("BEGIN", "@ro @after=\(text) @wait=10000")["pool"] == "primary")
        #expect(try client.run("SELECT pg_is_in_recovery()").value == "f")
        try client.succeed("COMMIT")
    }

    /// A primary that is not on the token's timeline yet may be one of the past: it does not answer as if it were not.
    @Test func aTokenOfANewerTimeline() throws {
        let rig = try Self.rig()
        let daemon = rig.daemons[0]
        var token = try Self.token(daemon, rig.table)
        token.timeline += 1
        try rig.cluster.waitForReplay()
        let before = try daemon.counted("tokens_refused_total", "reason=timeline")
        let took = try elapsed {
            let answer = try daemon.client().query(
                "SELECT pg_is_in_recovery()", options: "@after=\(token.text) @wait=10000")
            #expect(answer.sqlstate == "57P03" && answer.problem?.retry == .later, "\(answer)")
        }
        #expect(took < .seconds(5), "\(took)")
        #expect(try daemon.counted("tokens_refused_total", "reason=timeline") == before + 1)
    }

    /// The tokens of two known clusters in one request: each holds for its own.
    @Test func tokensOfAnotherKnownClusterAreIgnored() throws {
        let rig = try Self.rig()
        let other = try Cluster()
        let otherTable = try PairLoad.makeTable(in: other, threads: 1)
        var settings = try DaemonSettings(rig.cluster)
        settings.more = """
            [pool.other]
            cluster = "other"
            conninfo = "\(try other.readWrite)"
            role = "primary"
            size = 2

            [pool.other-standby]
            cluster = "other"
            conninfo = "\(try other.readOnly)"
            role = "standby"
            size = 2
            """
        let daemon = try DaemonProcess(settings)
        let here = try Self.token(daemon, rig.table)
        let there = try Self.token(daemon, otherTable, "@using=other @token")
        #expect(here.system != there.system)
        try rig.cluster.waitForReplay()
        try other.waitForReplay()
        let client = try daemon.client()
        for (using, pool) in [("main", "standby"), ("other", "other-standby")] {
            try eventually("a standby of \(using) serves") {
                let options = "@using=\(using) @after=\(here.text) @after=\(there.text) @wait=2000"
                return try client.run("SELECT pg_is_in_recovery()", options: options)["pool"] == pool
            }
            let single = using == "main" ? there : here
            let answer = try client.run("SELECT 1", options: "@using=\(using) @after=\(single.text)")
            #expect(answer["pool"] == pool, "\(answer.attributes)")
        }
        #expect(try daemon.counted("tokens_refused_total") == 0)
        // Where it does hold, it holds: what is written there next is not on its standbys yet.
        try other.pauseReplay(.standby1)
        try other.pauseReplay(.standby2)
        let next = try Self.token(daemon, otherTable, "@using=other @token")
        #expect(try client.run("SELECT 1", options: "@using=other @after=\(next.text)")["pool"] == "other")
        #expect(try client.run("SELECT 1", options: "@using=main @after=\(next.text)")["pool"] == "standby")
        try daemon.stop()
        other.end()
    }

    /// Without a wish there is no token; with one, every form of a write has it, and a read has none.
    @Test func whoGetsATokenAndWhoDoesNot() throws {
        let rig = try Self.rig()
        let table = Workplace.uniqueTable()
        try rig.cluster.makeTables("CREATE TABLE \(table)(id int)")
        let client = try rig.daemons[0].client()
        #expect(try client.run("INSERT INTO \(table) VALUES (1)")["token"] == nil)
        #expect(try client.run("SELECT 1", options: "@token")["token"] == nil)
        var last = try Token(#require(try client.run("INSERT INTO \(table) VALUES (2)", options: "@token")["token"]))
        for sql in [
            "DO $$BEGIN INSERT INTO \(table) VALUES (3); END$$", "WITH i AS (DELETE FROM \(table)) SELECT 1",
            "TRUNCATE \(table)", "CREATE TABLE \(table)_x()",
        ] {
            let token = try Token(#require(try client.run(sql, options: "@token")["token"], "\(sql)"))
            #expect((token.high, token.low) > (last.high, last.low), "\(sql)")
            #expect(token.system == last.system && token.timeline == last.timeline)
            last = token
        }
        try client.succeed("BEGIN")
        #expect(try client.run("INSERT INTO \(table) VALUES (4)", options: "@token")["token"] == nil)
        _ = try Token(#require(try client.succeed("COMMIT", "@token")["token"]))
        try client.succeed("BEGIN")
        try client.run("INSERT INTO \(table) VALUES (5)")
        #expect(try client.succeed("ROLLBACK")["token"] == nil)
        let session = try rig.daemons[0].client()
        try session.succeed("HELLO", "@token", "1")
        _ = try Token(#require(try session.run("INSERT INTO \(table) VALUES (6)")["token"]))
    }

    /// Before the first report nobody knows whose token it is: the primary tells.
    @Test func aForeignTokenIsTheFirstRequest() throws {
        let rig = try Self.rig()
        let daemon = try DaemonProcess(try DaemonSettings(rig.cluster))
        let address = try rig.cluster.address(.primary)
        for _ in 0..<2 {
            let answer = try daemon.client().run("SELECT pg_is_in_recovery()", options: "@after=99.0/1.deadbeef")
            #expect(try answer.value == "f")
            #expect(answer["pool"] == "primary" && answer["node"] == address, "\(answer.attributes)")
        }
        #expect(try daemon.counted("tokens_refused_total", "reason=foreign") > 0)
    }

    /// Whatever returns rows, and may write besides: it does not run on a primary that may be one of the past.
    @Test func whatMayWriteAsksForProofToo() throws {
        let rig = try Self.rig()
        let table = Workplace.uniqueTable()
        try rig.cluster.makeTables(
            """
            CREATE TABLE \(table)(id int); INSERT INTO \(table) VALUES (1);
            CREATE FUNCTION \(table)_add() RETURNS int LANGUAGE sql
            AS 'INSERT INTO msgsvr.\(table) VALUES (7) RETURNING id'
            """)
        let client = try rig.daemons[0].client()
        let now = try Token(
            #require(try client.run("UPDATE \(table) SET id = 1", options: "@token")["token"]))
        var later = now
        later.timeline = 99
        for sql in [
            "SELECT id FROM \(table) FOR UPDATE", "INSERT INTO \(table) VALUES (7) RETURNING id",
            "UPDATE \(table) SET id = 7 RETURNING id", "SELECT \(table)_add()", "DELETE FROM \(table)",
        ] {
            for options in ["", "@resolve "] {
                let answer = try client.query(sql, options: "\(options)@after=\(later.text) @timeout=5000")
                #expect(answer.sqlstate == "57P03" && answer.problem?.retry == .later, "\(sql): \(answer)")
            }
        }
        #expect(try rig.cluster.sql("SELECT id FROM msgsvr.\(table)") == [["1"]])
        // With a token of this timeline they run.
        let answer = try client.run("INSERT INTO \(table) VALUES (8) RETURNING id", options: "@after=\(now.text)")
        #expect(try answer.value == "8")
        #expect(try answer["node"] == rig.cluster.address(.primary), "\(answer)")
        #expect(try client.run("SELECT \(table)_add()", options: "@after=\(now.text)").value == "7")
    }

    /// Who waits for standbys that stand still looks at them less and less often.
    @Test func waitingAsksLittle() throws {
        let rig = try Self.rig()
        let daemon = rig.daemons[0]
        let table = Workplace.uniqueTable()
        try rig.cluster.makeTables("CREATE TABLE \(table)(text text)")
        // From a pace that promises much.
        let insert = "INSERT INTO \(table) SELECT repeat('x', 1000) FROM generate_series(1, 200)"
        for _ in 0..<20 {
            let token = try #require(try daemon.client().run(insert, options: "@token")["token"])
            try daemon.client().run("SELECT 1", options: "@after=\(token) @wait=1000")
        }
        try rig.cluster.waitForReplay()
        for node in [Cluster.Node.standby1, .standby2] { try rig.cluster.pauseReplay(node) }
        defer { for node in [Cluster.Node.standby1, .standby2] { _ = try? rig.cluster.resumeReplay(node) } }
        let token = try Self.token(daemon, rig.table)
        let before = try daemon.counted("fences_total", "result=failed")
        let took = try elapsed {
            let answer = try daemon.client().run("SELECT 1", options: "@after=\(token.text) @wait=1500")
            #expect(answer["pool"] == "primary", "\(answer.attributes)")
        }
        #expect(took > .seconds(1), "\(took)")
        let looks = try daemon.counted("fences_total", "result=failed") - before
        #expect(looks > 3 && looks < 100, "\(looks)")
    }

    /// Its answer would not have counted; a cancelled read does not go on elsewhere for that.
    @Test func aCancelledReadDoesNotRunAgain() throws {
        let rig = try Self.rig()
        let client = try rig.daemons[0].client()
        try rig.cluster.waitForReplay()
        for node in [Cluster.Node.standby1, .standby2] { try rig.cluster.pauseReplay(node) }
        defer { for node in [Cluster.Node.standby1, .standby2] { _ = try? rig.cluster.resumeReplay(node) } }
        try eventually("a standby serves it") { try client.run("SELECT 1", options: "@lag=300")["pool"] == "standby" }
        let marker = Workplace.uniqueTable()
        try client.send("Q q @lag=300 SELECT pg_sleep(10) AS \(marker)\n")
        try eventually("it runs on a standby") {
            for node in [Cluster.Node.standby1, .standby2] {
                if try rig.cluster.sessions("active", "%\(marker)%", on: node) > 0 { return true }
            }
            return false
        }
        _ = try Self.token(rig.daemons[0], rig.table)
        // Now it is too old for what it was asked for.
        #expect(!client.hasInput(within: .milliseconds(500)))
        try client.send("CANCEL c q\n")
        let answer = try client.answer(to: "q")
        #expect(answer.sqlstate == "57014" && answer["pool"] == "standby", "\(answer)")
        #expect(try client.answer(to: "c").count == 1)
    }
}
