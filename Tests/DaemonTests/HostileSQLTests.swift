import Foundation
import TestKit
import Testing

/// Texts that crash or stall a process which hands them to the parser as they are: each is answered, and meanwhile the
/// daemon goes on answering others.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct HostileSQLTests {
    struct Text: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let sql: String

        init(_ name: String, _ sql: String) {
            testDescription = name
            self.sql = sql
        }
    }

    private static func times(_ count: Int, _ text: String) -> String { String(repeating: text, count: count) }

    static let texts: [Text] = [
        Text("sum of 4,500", "SELECT 1" + times(4500, "+a")), Text("sum of 30,000", "SELECT 1" + times(30_000, "+1")),
        Text("sum of 400,000", "SELECT 1" + times(400_000, "+1")),
        Text("concatenation", "SELECT ''" + times(20_000, "||b")),
        Text("casts", "SELECT 1" + times(15_000, "::int")), Text("isnull", "SELECT 1" + times(10_000, " isnull")),
        Text("collate", "SELECT 'a'" + times(8000, " collate \"C\"")),
        Text("unions", "SELECT 1" + times(5000, " UNION SELECT 1")),
        Text("joins", "SELECT 1 FROM a" + times(3000, " CROSS JOIN a")),
        Text("subselects", "SELECT " + times(1500, "(SELECT ") + "1" + times(1500, ")")),
        Text("subselects of columns", times(40, "(SELECT ") + "1" + times(7000, ",a") + times(40, ")")),
        Text("subselects in FROM", "SELECT FROM " + times(900, "(SELECT FROM ") + "a" + times(900, ")a")),
        Text("WITH in WITH", times(800, "WITH a AS(") + "TABLE a" + times(800, ")TABLE a")),
        Text("statements of 10,000", times(10_000, "SELECT 1;")),
        Text("carriage returns", "SELECT 1" + times(15_000, "\r")),
        Text("Unicode names", "SELECT " + times(3000, "U&\"a\"")),
        Text("big parameters", "SELECT 1" + times(1000, ",$2147483647")),
        Text("parentheses", "SELECT " + times(100_000, "(")), Text("a megabyte of parentheses", times(1_000_000, "(")),
        Text("closed parentheses", "SELECT " + times(9000, "(") + "1" + times(9000, ")")),
        Text("cases", "SELECT " + times(1500, "CASE WHEN true THEN ") + "1" + times(1500, " END")),
        Text("operators of 4 KB", "SELECT 1 " + times(4000, "+") + " 1"),
        Text("operators of 40 KB", "SELECT 1 " + times(40_000, "+") + " 1"),
        Text("half comments", times(20_000, "/*/")), Text("nested comments", times(20_000, "/*") + times(20_000, "*/")),
        Text("nested comments of 400 KB", times(200_000, "/*")), Text("minus one", "SELECT 1" + times(16_000, "-1")),
        Text("statements of 900 KB", times(90_000, "SELECT 1;")), Text("semicolons", times(900_000, ";")),
        Text("not", "SELECT " + times(20_000, "NOT ") + "true"), Text("minus", "SELECT " + times(20_000, "- ") + "1"),
        Text("arrays", "SELECT " + times(5000, "ARRAY[") + "1" + times(5000, "]")),
        Text("a long list", "SELECT * FROM a WHERE id IN (" + times(100_000, "1,") + "1)"),
        Text("columns", "SELECT " + times(30_000, "a,") + "a"), Text("indirection", "SELECT a" + times(15_000, ".a")),
        Text("dollar quote", "SELECT $" + times(30_000, "a") + "$ x"),
        Text("open quote", "SELECT '" + times(500_000, "x")),
        Text("open identifier", "SELECT \"" + times(30_000, "x")),
        Text("a long literal", "SELECT length('" + times(900_000, "x") + "')"),
        Text("unicode escapes", "SELECT U&'" + times(20_000, "!0041") + "' UESCAPE '!'"),
        Text("big parameter number", "SELECT $99999999999999999999"), Text("parameter zero", "SELECT $0"),
        Text("many rows", "INSERT INTO nosuch VALUES (1)" + times(50_000, ",(1)")),
        Text("and", "SELECT true" + times(20_000, " AND a")),
        Text("functions", "SELECT " + times(4000, "f(") + times(4000, ")")), Text("one quote", "'"),
        Text("nothing but spaces", times(900_000, " ") + "\t"),
        Text("a lone dollar", "$"), Text("a backslash", "\\"), Text("control bytes", "\u{1}\u{2}\u{7f}"),
        Text("a BOM", "\u{feff}SELECT 1"),
    ]

    @Test func eachIsAnsweredAndNobodyWaits() throws {
        let daemon = try DaemonProcess()
        // Somebody else's requests, every few milliseconds: how long did the longest take?
        let neighbour = try daemon.client()
        let hostile = try daemon.client()
        for text in Self.texts {
            try hostile.send(LineClient.request("Q", "h", "@timeout=5000", text.sql))
            var longest = Duration.zero
            let deadline = Deadline(after: .seconds(20))
            while !hostile.hasInput(within: .milliseconds(2)), !deadline.hasPassed {
                var ping: Answer?
                longest = max(longest, try elapsed { ping = try neighbour.ask("PING") })
                #expect(ping?.tag == "PING")
            }
            // The answer is the server's or ours, but there is one. Unguarded, the parser takes 4 to 200 seconds for some
            // of these; guarded, a fraction of one, and this machine may be busy.
            let answer = try hostile.answer(to: "h")
            #expect(answer.tag != nil || answer.sqlstate?.utf8.count == 5, "\(text.testDescription)")
            #expect(longest < .seconds(3), "\(text.testDescription) held the daemon for \(longest)")
        }
        #expect(daemon.process.poll() == nil)
        try neighbour.expectAlive()
    }

    /// ROUTE judges the same texts without any server behind it.
    @Test func judgingThemCrashesNothing() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        for text in Self.texts {
            let id = client.freshID()
            try client.send(LineClient.request("ROUTE", id, "", text.sql))
            _ = try client.answer(to: id)
        }
        #expect(daemon.process.poll() == nil)
        try client.expectAlive()
    }

    /// What a long text hides is refused here, or, behind a semicolon, by the server: its extended protocol takes one statement.
    @Test func lengthHidesNothing() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        let comment = "/* \(Self.times(17_000, "x")) */"
        for sql in [
            "\(comment) SET work_mem = 65", "SELECT set_config('work_mem', '65', false) \(comment)",
            "SELECT U&\"set!005fconfig\" UESCAPE '!' ('work_mem', '65', false) \(comment)",
            "SELECT E'a' -- '\n'\\'', set_config('work_mem', '65', false) \(comment)",
            "SELECT 1 INTO TEMP TABLE hidden \(comment)", "EXPLAIN (ANALYZE) (SELECT 1 INTO TEMP hidden) \(comment)",
        ] {
            #expect(try client.query(sql).sqlstate == "0A000", "\(sql.prefix(60))")
        }
        for sql in ["SELECT 1 \(comment); SET work_mem = 65", "SELECT $$;$$ \(comment); COMMIT; DISCARD ALL"] {
            #expect(try client.query(sql).sqlstate == "42601", "\(sql.prefix(60))")
        }
        // Nothing of it stayed behind, whichever connection answers.
        for _ in 0..<8 {
            let left = try client.query(
                "SELECT current_setting('work_mem'), to_regclass('pg_temp.hidden')", options: "@route=primary")
            #expect(left.rows == [["4MB", nil]])
        }
    }

    /// The cache of verdicts is bounded in bytes, however many different texts come.
    @Test func manyDifferentTextsDoNotFillTheMemory() throws {
        let daemon = try DaemonProcess { $0.server = ["statement_cache = \"1MiB\""] }
        let client = try daemon.client()
        let padding = Self.times(3000, "x")
        func send(_ range: Range<Int>) throws {
            var bytes: [UInt8] = []
            for number in range {
                bytes += LineClient.request("ROUTE", "t\(number)", "", "SELECT \(number), '\(padding)'")
            }
            try client.send(bytes)
            for number in range { _ = try client.answer(to: "t\(number)") }
        }
        try send(0..<1000)
        let before = try ProcessFacts.residentKiB(daemon.pid)
        for chunk in 1..<10 { try send(chunk * 1000..<(chunk + 1) * 1000) }
        let after = try ProcessFacts.residentKiB(daemon.pid)
        #expect(after - before < 8 * 1024, "grew from \(before) to \(after) KiB over 27 MB of texts")
    }
}
