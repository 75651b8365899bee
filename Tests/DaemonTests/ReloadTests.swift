import Foundation
import Synchronization
import TestKit
import Testing

@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct ReloadTests {
    private static func rule(_ name: String, _ tables: String) -> String {
        """
        [[rule]]
        name = "\(name)"
        table = ["\(tables)"]
        route = "primary"

        """
    }

    private func pool(_ client: LineClient, _ table: String) throws -> String? {
        try client.ask("ROUTE", "", "SELECT * FROM \(table)").table.first?["pool"]
    }

    @Test func aRuleIsReloadedBySignal() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        #expect(try pool(client, "fresh_news") == "standby")
        var settings = daemon.settings
        settings.more = Self.rule("fresh", "fresh_*")
        try settings.write()
        // Nothing happens before the signal.
        #expect(try pool(client, "fresh_news") == "standby")
        daemon.process.signal(SIGHUP)
        try eventually("the new rule") { try pool(client, "fresh_news") == "primary" }
        #expect(try client.ask("ROUTE", "", "SELECT * FROM fresh_news").table.first?["rule"] == "fresh")
        settings.more = ""
        try settings.write()
        daemon.process.signal(SIGHUP)
        try eventually("the rule's end") { try pool(client, "fresh_news") == "standby" }
    }

    @Test func aRuleIsReloadedByRequest() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        let operators = try daemon.operatorClient()
        var settings = daemon.settings
        settings.more = Self.rule("fresh", "fresh_*")
        try settings.write()
        try operators.succeed("RELOAD")
        // C means that it is in force.
        #expect(try pool(client, "fresh_news") == "primary")
    }

    /// Settings of pools change as well.
    @Test func poolSettingsAreReloaded() throws {
        let daemon = try DaemonProcess { $0.standby[3] = "timeout = \"20s\"" }
        let client = try daemon.client()
        var settings = daemon.settings
        settings.standby[3] = "timeout = \"200ms\""
        try settings.write()
        try daemon.operatorClient().succeed("RELOAD")
        #expect(try client.query("SELECT pg_sleep(5)").sqlstate == "57014")
    }

    /// A request that runs while its rule goes away is answered with the rule that sent it.
    @Test func aRuleThatIsGoneIsStillOnItsReceipt() throws {
        let rule = "[[rule]]\nname = \"naps\"\nfunction = [\"pg_sleep\"]\nroute = \"primary\"\n"
        let daemon = try DaemonProcess { $0.more = rule }
        let client = try daemon.client()
        try client.send("Q nap SELECT pg_sleep(1)\n")
        var settings = daemon.settings
        settings.more = ""
        try settings.write()
        #expect(try daemon.operatorClient().ask("RELOAD").problem == nil)
        let answer = try client.answer(to: "nap")
        #expect(answer.problem == nil)
        #expect(answer["rule"] == "naps")
        #expect(try client.query("SELECT pg_sleep(0)")["rule"] == nil)
    }

    /// Every kind of bad file: the old one stays in force as a whole, and each complaint says where.
    @Test(arguments: [
        ("size = \"many\"", "size"), ("colour = \"red\"", "colour"),
        ("[[rule]]\nname = \"x\"\nregex = [\"(\"]\nroute = \"primary\"", "missing )"),
        ("[[rule]]\nname = \"x\"\ntable = [\"a\"]\nroute = \"sideways\"", "sideways"),
        ("[[rule]]\nname = \"x\"\ntable = [\"a\"]\npool = \"nowhere\"", "nowhere"),
        ("[[expect]]\nsql = \"SELECT 1\"\npool = \"primary\"", "expected pool"), ("[pool.standby", "]"),
        ("[pgbouncer]\nadmin = \"dbname=pgbouncer password=x\"", "passfile"),
    ])
    func aBadFileChangesNothing(_ wrong: String, _ word: String) throws {
        let daemon = try DaemonProcess { $0.more = Self.rule("fresh", "fresh_*") }
        let client = try daemon.client()
        var settings = daemon.settings
        settings.more = Self.rule("other", "other_*") + wrong
        let line = settings.text.split(separator: "\n", omittingEmptySubsequences: false).count
        try settings.write()
        let before = daemon.log.utf8.count
        daemon.process.signal(SIGHUP)
        let complaint = try daemon.waitForLog(settings.file + ":", from: before)
        #expect(complaint.contains(word), "\(complaint)")
        // file:line:column, the line one of the last few.
        let place = try #require(complaint.firstMatch(of: /pointsman\.toml:([0-9]+):([0-9]+)/), "\(complaint)")
        let number = Int(place.1) ?? 0
        #expect(number > line - 8 && number <= line + 1, "line \(number) of \(line): \(complaint)")
        #expect(try pool(client, "fresh_news") == "primary")
        #expect(try pool(client, "other_news") == "standby")
        let problem = try daemon.operatorClient().failure("RELOAD")
        #expect(problem.message.contains("pointsman.toml:\(number):"), "\(problem)")
        #expect(try pool(client, "fresh_news") == "primary")
    }

    @Test func allComplaintsComeInOneRun() throws {
        let daemon = try DaemonProcess()
        var settings = daemon.settings
        settings.server = ["drain_timout = \"1s\"", "workers = \"two\""]
        settings.more = "[[rule]]\nname = \"x\"\nregex = [\"(\"]\nroute = \"primary\"\n"
        try settings.write()
        daemon.process.signal(SIGHUP)
        try daemon.waitForLog("drain_timeout")  // did you mean
        try daemon.waitForLog("workers")
        try daemon.waitForLog("missing )")
    }

    @Test func aMissingFileChangesNothing() throws {
        let daemon = try DaemonProcess { $0.more = Self.rule("fresh", "fresh_*") }
        unlink(daemon.settings.file)
        #expect(try daemon.operatorClient().failure("RELOAD").message.contains("pointsman.toml"))
        #expect(try pool(try daemon.client(), "fresh_news") == "primary")
    }

    /// What the daemon is made of does not change while it runs, and what could have changed does not either then.
    @Test func aPoolThatComesGoesOrMovesNeedsARestart() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        let operators = try daemon.operatorClient()
        var settings = daemon.settings
        settings.more = Self.rule("fresh", "fresh_*")
        let text = settings.text
        let start = try #require(text.range(of: "[pool.primary]")?.lowerBound)
        let middle = try #require(text.range(of: "[pool.standby]")?.lowerBound)
        let end = try #require(text.range(of: "[[rule]]")?.lowerBound)
        let primary = String(text[start..<middle])
        let standby = String(text[middle..<end])
        let moved = String(text[..<start]) + standby + primary + String(text[end...])
        let turned = text.replacing("role = \"primary\"", with: "role = \"primary \"")
            .replacing("role = \"standby\"", with: "role = \"primary\"")
            .replacing("role = \"primary \"", with: "role = \"standby\"")
        let wrongs: [(String, String)] = [
            (turned, "pool.primary.role` needs a restart to change"),
            (text + standby.replacing("pool.standby", with: "pool.far"), "pool.far.role` needs a restart to change"),
            (text.replacing(standby, with: ""), "pool.standby.role` needs a restart to go away"),
            (moved, "pool.standby` needs a restart to change its place"),
        ]
        for (wrong, word) in wrongs {
            try settings.write(wrong)
            #expect(try operators.failure("RELOAD").message.contains(word), "\(word)")
            #expect(try pool(client, "fresh_news") == "standby")
        }
        try client.expectAlive()
    }

    /// Thirty signals in ten seconds, good and bad files in turn, while clients work.
    @Test func reloadsUnderLoadFailNothing() throws {
        let daemon = try DaemonProcess { $0.more = Self.rule("generation", "generation_0") }
        let table = try makeTable(
            "id int PRIMARY KEY, n int", then: "INSERT INTO TABLE_NAME SELECT g, 0 FROM generate_series(0, 3) g")
        let stop = Mutex(false)
        let done = Mutex(0)
        let workers = DispatchGroup()
        let failure = Mutex<(any Error)?>(nil)
        for index in 0..<3 {
            workers.enter()
            Thread.detachNewThread {
                defer { workers.leave() }
                do {
                    let client = try daemon.client()
                    var number = 0
                    while !stop.withLock({ $0 }) {
                        number += 1
                        let text = "\(index)-\(number)"
                        guard try client.run("SELECT $1::text", [text]).value == text else {
                            throw TestFailure("a wrong answer")
                        }
                        try client.run("UPDATE \(table) SET n = n + 1 WHERE id = \(index)")
                        try client.ask("BEGIN")
                        try client.run("SELECT n FROM \(table) WHERE id = \(index)")
                        guard try client.ask("COMMIT").problem == nil else { throw TestFailure("COMMIT failed") }
                        done.withLock { $0 += 1 }
                        usleep(2000)
                    }
                } catch {
                    failure.withLock { $0 = error }
                }
            }
        }
        let client = try daemon.client()
        for number in 1...30 {
            let good = number.isMultiple(of: 2)
            var settings = daemon.settings
            settings.more = Self.rule("generation", "generation_\(number)")
            if !good { settings.more += "wrong_\(number) = 1\n" }
            try settings.write()
            let before = daemon.log.utf8.count
            let start = ContinuousClock.now
            daemon.process.signal(SIGHUP)
            if good {
                try eventually("generation \(number)") { try pool(client, "generation_\(number)") == "primary" }
            } else {
                let line = try daemon.waitForLog("wrong_\(number)", from: before)
                #expect(line.contains(/pointsman\.toml:[0-9]+:1\b/), "\(line)")
                #expect(try pool(client, "generation_\(number)") == "standby")
                #expect(try pool(client, "generation_\(number - 1)") == "primary")
            }
            let left = .milliseconds(330) - (ContinuousClock.now - start)
            if left > .zero { usleep(UInt32(left.milliseconds) * 1000) }
        }
        stop.withLock { $0 = true }
        workers.wait()
        if let error = failure.withLock({ $0 }) { throw error }
        #expect(done.withLock { $0 } > 100)
    }

    /// Signals that arrive during a reload become one more; the last file wins.
    @Test func aStormOfSignals() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        try client.expectAlive()
        let files = try ProcessFacts.openFiles(daemon.pid)
        for number in 1...300 {
            if number.isMultiple(of: 50) {
                var settings = daemon.settings
                settings.more = Self.rule("storm", "storm_\(number)")
                try settings.write()
            }
            daemon.process.signal(SIGHUP)
        }
        try eventually("the last file's rule") { try pool(client, "storm_300") == "primary" }
        try client.expectAlive()
        #expect(try ProcessFacts.openFiles(daemon.pid) <= files + 4)
    }
}
