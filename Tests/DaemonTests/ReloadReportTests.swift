import Foundation
import TestKit
import Testing

/// What a reload says of itself: which statements it moves, and each mistake of a file that it refuses.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct ReloadReportTests {
    private static let fresh = """
        [[rule]]
        name = "fresh"
        table = ["pg_class"]
        tag = ["fresh"]
        route = "primary"

        """

    /// The statements that were called lately are judged by the old rules and by the new ones, as they were asked.
    @Test func aReloadSaysWhatItMoves() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        for number in 0..<6 { try client.run("SELECT \(number) FROM pg_class LIMIT 1", options: "@tag=fresh") }
        for _ in 0..<3 { try client.run("SELECT oid FROM pg_class LIMIT 1") }
        try client.run("SELECT 1")
        var settings = daemon.settings
        settings.more = Self.fresh
        try settings.write()
        let before = daemon.log.utf8.count
        let answer = try daemon.operatorClient().ask("RELOAD")
        #expect(answer.problem == nil)
        #expect(answer["statements"] == "3" && answer["moved"] == "1", "\(answer)")
        #expect(answer["calls"] == "10" && answer["moved_calls"] == "6", "\(answer)")
        let line = try daemon.waitForLog("event=reloaded", from: before)
        #expect(line.contains("moves 1 of 3 statements, 60.0 % of calls"), "\(line)")
        let move = try daemon.waitForLog("event=reload_moves", from: before)
        for word in ["from=standby", "to=primary", "calls=6", "sql=\"SELECT $1 FROM pg_class LIMIT $2\""] {
            #expect(move.contains(word), "\(word): \(move)")
        }
        // The same file again moves nothing; the command says so.
        let again = try run(Workplace.pointsman, ["reload", "--socket", daemon.settings.opsSocket])
        #expect(again.output == "reloaded; moves 0 of 3 statements, 0.0 % of calls\n", "\(again)")
    }

    /// One statement of two apps: what moves is told by who called it, in whatever order.
    @Test func eachCallerCounts() throws {
        let daemon = try DaemonProcess()
        let (web, job) = (try daemon.client(), try daemon.client())
        try web.ask("HELLO", "@app=web", "1")
        try job.ask("HELLO", "@app=job", "1")
        for _ in 0..<5 { try web.run("SELECT oid FROM pg_class LIMIT 1") }
        try job.run("SELECT oid FROM pg_class LIMIT 1")
        for _ in 0..<4 { try web.run("SELECT oid FROM pg_class LIMIT 2") }
        try job.run("SELECT oid FROM pg_class LIMIT 3", options: "@route=primary")
        var settings = daemon.settings
        settings.more = "[[rule]]\nname = \"jobs\"\napp = [\"job\"]\nroute = \"primary\"\n"
        try settings.write()
        let answer = try daemon.operatorClient().ask("RELOAD")
        #expect(answer["statements"] == "1" && answer["moved"] == "1", "\(answer)")
        #expect(answer["calls"] == "11" && answer["moved_calls"] == "1", "\(answer)")
        // One row all the same.
        let rows = try daemon.stats("statements")
        #expect(rows.count == 1 && rows.first?["calls"] == "11", "\(rows)")
    }

    /// A rule that goes lets through what it refused.
    @Test func whatWasRefusedMovesToo() throws {
        let daemon = try DaemonProcess {
            $0.more = "[[rule]]\nname = \"no\"\ntable = [\"pg_type\"]\nreject = { message = \"no\" }\n"
        }
        let client = try daemon.client()
        for _ in 0..<3 { _ = try client.query("SELECT oid FROM pg_type LIMIT 1") }
        let row = try #require(try daemon.stats("statements").first)
        #expect(row["calls"] == "3" && row["errors"] == "3" && row["reason"] == "rule", "\(row)")
        var settings = daemon.settings
        settings.more = ""
        try settings.write()
        let before = daemon.log.utf8.count
        #expect(try daemon.operatorClient().ask("RELOAD")["moved_calls"] == "3")
        let move = try daemon.waitForLog("event=reload_moves", from: before)
        #expect(move.contains("from=\"refused 42501\"") && move.contains("to=standby"), "\(move)")
    }

    /// A statement that only ever ran in a transaction stays where its transaction is; a rejection reaches it there too.
    @Test func aTransactionsStatementsStay() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        try client.ask("BEGIN", "@ro")
        try client.run("SELECT oid FROM pg_class LIMIT 1")
        try client.run("SELECT oid FROM pg_type LIMIT 1")
        try client.ask("COMMIT")
        var settings = daemon.settings
        settings.more = """
            [[rule]]
            name = "moved"
            table = ["pg_class"]
            route = "primary"
            [[rule]]
            name = "no types"
            table = ["pg_type"]
            reject = { message = "no types" }
            """
        try settings.write()
        let before = daemon.log.utf8.count
        let answer = try daemon.operatorClient().ask("RELOAD")
        #expect(answer["statements"] == "2" && answer["moved"] == "1", "\(answer)")
        let move = try daemon.waitForLog("event=reload_moves", from: before)
        #expect(move.contains("from=standby to=\"refused 42501\"") || move.contains("to=\"refused 42501\""), "\(move)")
        #expect(move.contains("pg_type"), "\(move)")
    }

    /// Requests that come while one reload is under way share the next one, and each is answered.
    @Test func reloadsThatCollideAreAllAnswered() throws {
        let daemon = try DaemonProcess()
        let operators = try daemon.operatorClient()
        let count = 40
        try operators.send((0..<count).map { "RELOAD r\($0)\n" }.joined())
        let others = try (0..<4).map { _ in try daemon.operatorClient() }
        for other in others { try other.send((0..<10).map { "RELOAD r\($0)\n" }.joined()) }
        for number in 0..<count { #expect(try operators.answer(to: "r\(number)").problem == nil) }
        for other in others {
            for number in 0..<10 { #expect(try other.answer(to: "r\(number)").problem == nil) }
        }
    }

    private static let tenMistakes = """
        [default]
        raed = "standby"
        write = "standby"

        [[rule]]
        name = "one"
        tabel = ["x"]
        route = "primary"
        [[rule]]
        name = "two"
        regex = ["fine", "("]
        route = "sideways"
        [[rule]]
        name = "three"
        pool = "standbi"
        timeout = 5
        [[rule]]
        name = "four"
        table = ["a_*", "a_b"]
        route = "primary"
        [[rule]]
        name = "five"
        table = ["a_c"]
        route = "primary"
        [[rule]]
        name = "six"
        kind = ["insert"]
        route = "standby"
        [[rule]]
        name = "seven"
        user = ["nobody-of-that-name"]
        fingerprint = ["abc"]
        listen = ["apps"]
        max_lag = "5 parsecs"
        """

    /// Line within `tenMistakes`, column, and a word of the complaint: all of them in one run.
    private static let places: [(line: Int, column: Int, word: String)] = [
        (2, 1, "did you mean `read`"), (3, 9, "`write` takes"),
        (7, 1, "did you mean `table`"), (11, 18, "missing )"), (12, 9, "`route` takes"), (15, 8, "standbi"),
        (16, 11, "`timeout` takes a duration"), (19, 17, "\"a_*\" includes it"), (21, 1, "can never match"),
        (28, 9, "never go to a standby"), (31, 9, "no user"), (32, 16, "no fingerprint"), (33, 11, "apps"),
        (34, 11, "`max_lag` takes a duration"),
    ]

    /// The running rules stay, a gauge and a counter say so, and the next good file makes it well again.
    @Test func aFileWithManyMistakesNamesThemAll() throws {
        let daemon = try DaemonProcess { $0.more = Self.fresh }
        let client = try daemon.client()
        func gauge(_ name: String) throws -> String? {
            try daemon.stats("counters").first { $0["counter"] == name }?["value"]
        }
        #expect(try gauge("config_last_reload_successful") == "1")
        var settings = daemon.settings
        settings.server = []
        settings.more = Self.tenMistakes
        try settings.write()
        let text = try String(contentsOfFile: settings.file, encoding: .utf8)
        let start = text.components(separatedBy: Self.tenMistakes)[0].split(
            separator: "\n", omittingEmptySubsequences: false
        ).count
        func place(_ place: (line: Int, column: Int, word: String)) -> String {
            "\(settings.file):\(start + place.line - 1):\(place.column): "
        }

        let checked = try run(Workplace.pointsman, ["check", settings.file])
        #expect(checked.code == 78)
        let complaints = checked.errorOutput.split(separator: "\n")
        for expected in Self.places {
            let found = complaints.first { $0.hasPrefix(place(expected)) }
            #expect(found?.contains(expected.word) == true, "\(expected)\n\(checked.errorOutput)")
        }
        #expect(complaints.count == Self.places.count, "\(checked.errorOutput)")

        let before = daemon.log.utf8.count
        daemon.process.signal(SIGHUP)
        for expected in Self.places { try daemon.waitForLog(place(expected), from: before) }
        try eventually("the gauge") { try gauge("config_last_reload_successful") == "0" }
        #expect(try client.run("SELECT oid FROM pg_class LIMIT 1", options: "@tag=fresh")["rule"] == "fresh")

        settings.more = ""
        try settings.write()
        daemon.process.signal(SIGHUP)
        try eventually("the gauge") { try gauge("config_last_reload_successful") == "1" }
        #expect(try client.run("SELECT oid FROM pg_class LIMIT 1", options: "@tag=fresh")["rule"] == nil)
    }
}
