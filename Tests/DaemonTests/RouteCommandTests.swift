import Foundation
import TestKit
import Testing

/// `pointsman route`: statements explained one by one, or judged in bulk.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct RouteCommandTests {
    private func route(_ arguments: String..., input: String? = nil) throws -> CommandResult {
        try run(Workplace.pointsman, ["route"] + arguments, input: input, within: .seconds(60))
    }

    private func settings() throws -> DaemonSettings {
        var settings = try DaemonSettings(try Cluster.shared())
        settings.more = """
            [[rule]]
            name = "fresh"
            table = ["fresh_*"]
            route = "primary"

            [[rule]]
            name = "reports"
            app = ["reports"]
            tag = ["slow"]
            timeout = "60s"

            [[rule]]
            name = "no truncate"
            kind = ["ddl"]
            listen = ["app"]
            reject = { message = "schema changes go through migrations" }

            """
        try settings.write()
        return settings
    }

    // MARK: One by one

    @Test func aStatementIsExplained() throws {
        let file = try settings()
        let result = try route("-c", file.file, "SELECT lower(a) FROM fresh_b")
        #expect(result.code == 0)
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(lines.first == "a read, to pool \"primary\": rule \"fresh\"")
        let text = try String(contentsOfFile: file.file, encoding: .utf8)
        let before = text.components(separatedBy: "name = \"fresh\"")[0]
        let line = before.split(separator: "\n", omittingEmptySubsequences: false).count - 1
        for fact in [
            "kind         select", "rule         \"fresh\", \(file.file):\(line)", "reason       rule",
            "tables       fresh_b", "functions    lower",
        ] {
            #expect(lines.contains("  " + fact), "\(fact)\n\(result.output)")
        }
    }

    /// Without a file: one primary, one standby, no rules.
    @Test(arguments: [
        ("SELECT 1", "a read, to pool \"standby\": nothing in it is known to write"),
        ("INSERT INTO x VALUES (1)", "a write, to pool \"primary\": insert writes"),
        ("SELECT * FROM x FOR UPDATE", "a write, to pool \"primary\": it locks rows"),
        (
            "WITH d AS (DELETE FROM x RETURNING *) SELECT * FROM d",
            "a write, to pool \"primary\": a statement inside it writes"
        ), ("TABLE pg_sequences", "a write, to pool \"primary\": pg_sequences: it calls pg_sequence_last_value"),
        ("SELECT nextval('s')", "a write, to pool \"primary\": nextval: a sequence's state"),
        ("SELEC 1", "not parsed, to pool \"primary\": syntax error at or near \"SELEC\""),
        ("LISTEN x", "refused with 0A000: LISTEN and UNLISTEN need"),
    ])
    func theJudgementComesFirst(_ sql: String, _ sentence: String) throws {
        let result = try route(sql)
        #expect(result.code == 0 && result.output.hasPrefix(sentence), "\(result)")
    }

    /// The examples of the README are what the command says.
    @Test func theReadmeIsTrue() throws {
        let readme = try String(contentsOfFile: "\(Workplace.root)/README.md", encoding: .utf8)
        let rows = readme.split(separator: "\n").compactMap {
            $0.wholeMatch(of: /\| `([^`]+)` \| ((?:a|refused|not) .+) \|/)
        }
        try #require(rows.count >= 10)
        for row in rows {
            let said = try route(String(row.1)).output.split(separator: "\n").first
            #expect(said == row.2, "\(row.1)")
        }
        let example = try #require(readme.firstMatch(of: /\$ pointsman route "(.+)"\n((?:.+\n)+)```/))
        #expect(try route(String(example.1)).output == example.2)
    }

    @Test func severalStatementsAreToldApart() throws {
        let result = try route("SELECT 1", "SELECT 2")
        #expect(result.output.contains("SELECT 1\na read"), "\(result)")
        #expect(result.output.contains("\n\nSELECT 2\na read"), "\(result)")
    }

    /// Who asks can be given, as HELLO and a request's options would.
    @Test func itJudgesForWhomItIsTold() throws {
        let file = try settings().file
        #expect(try route("-c", file, "--tag", "slow", "SELECT 1").output.contains("timeout") == false)
        let report = try route("-c", file, "--app", "reports", "--tag", "slow", "SELECT 1")
        #expect(report.output.contains("timeout      60000 ms"), "\(report)")
        #expect(try route("-c", file, "--listen", "app", "DROP TABLE x").output.hasPrefix("refused with 42501"))
        #expect(try route("-c", file, "--listen", "ops", "DROP TABLE x").output.hasPrefix("a write"))
        #expect(try route("--route", "primary", "SELECT 1").output.contains("reason       hint"))
        #expect(try route("--pool", "primary", "SELECT 1").output.hasPrefix("a read, to pool \"primary\""))
        let nowhere = try route("--using", "accounts", "SELECT 1")
        #expect(nowhere.output.hasPrefix("refused with 08P01: @using: no cluster \"accounts\""), "\(nowhere)")
        for (option, value) in [("--user", "nobody-of-that-name"), ("--listen", "nowhere")] {
            let wrong = try route("-c", file, option, value, "SELECT 1")
            #expect(wrong.code == 64 && wrong.errorOutput.contains(value), "\(wrong)")
        }
        let wrong = try route("--route", "sideways", "SELECT 1")
        #expect(wrong.code == 64 && wrong.errorOutput.contains("primary or standby"), "\(wrong)")
    }

    @Test func itAnswersAsJSON() throws {
        let result = try route("--json", "SELECT \"a\tb\" FROM x", "LISTEN y")
        #expect(result.code == 0)
        let rows = try #require(
            try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[String: Any]], "\(result.output)")
        #expect(rows.count == 2)
        #expect(rows.first?["pool"] as? String == "standby" && rows.first?["kind"] as? String == "select")
        #expect(rows.last?["sqlstate"] as? String == "0A000", "\(rows)")
    }

    @Test func aBadFileIsRefused() throws {
        var file = try settings()
        file.more = "wrong = 1"
        try file.write()
        let result = try route("-c", file.file, input: "SELECT 1\n")
        #expect(result.code == 78 && result.output.isEmpty, "\(result)")
        #expect(result.errorOutput.contains(/pointsman\.toml:[0-9]+:[0-9]+:/), "\(result)")
    }

    // MARK: In bulk

    private static let bulk: [(line: String, judgement: String)] = [
        ("SELECT 1", "read\tstandby\tclassifier"),
        ("SELECT\\n1 -- \\\\ \\t", "read\tstandby\tclassifier"),
        ("SELECT * FROM fresh_a", "read\tprimary\trule"),
        ("UPDATE t SET a = 1", "write\tprimary\tclassifier"),
        ("SELECT nextval('s')", "write\tprimary\tfunction"),
        ("SELEC 1", "unknown\tprimary\tunparsed"),
        ("SELECT '" + String(repeating: "x", count: 20_000) + "'", "unknown\tprimary\tunparsed"),
        ("", "refused\t\t42601: there is no statement"),
        ("LISTEN x", "refused\t\t0A000: LISTEN"),
        ("SELECT 1; SELECT 2", "refused\t\t42601: 2 statements"),
        // A name with a tab in it stays one field.
        (
            "COPY \"a\\tb\" TO STDOUT",
            "refused\t\t0A000: COPY … TO STDOUT cannot travel in a pipeline; send SELECT * FROM \"a\\tb\""
        ),
        ("SELECT \\d", "unknown\t\t08P01: "),
    ]

    @Test func eachLineIsAnsweredInItsPlace() throws {
        let file = try settings().file
        // The last line has no end.
        let result = try route("-c", file, input: Self.bulk.map(\.line).joined(separator: "\n"))
        #expect(result.code == 0 && result.errorOutput.isEmpty, "\(result.errorOutput)")
        let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
        try #require(lines.count == Self.bulk.count + 1 && lines.last?.isEmpty == true, "\(result.output)")
        for (line, expected) in zip(lines, Self.bulk) {
            #expect(line.hasPrefix(expected.judgement), "\(expected.line): \(line)")
            #expect(line.split(separator: "\t", omittingEmptySubsequences: false).count == 3, "\(line)")
        }
    }

    @Test func eachLineIsAnObject() throws {
        let result = try route("--json", input: "SELECT 1\nLISTEN \"a\"\n")
        let objects = try result.output.split(separator: "\n").map {
            try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: String]
        }
        #expect(objects.first == ["judgement": "read", "pool": "standby", "reason": "classifier"])
        #expect(objects.count == 2 && objects.last??["judgement"] == "refused", "\(result)")
    }

    @Test func textThatIsNoUTF8IsUnknown() throws {
        let path = "\(Workplace.folder)/\(Workplace.unique("latin1-"))"
        try Data([UInt8]("SELECT 1\nSELECT '".utf8) + [0xE9] + [UInt8]("'\nSELECT 2\n".utf8)).write(
            to: URL(fileURLWithPath: path))
        let result = try run("/bin/sh", ["-c", "exec '\(Workplace.pointsman)' route < '\(path)'"])
        unlink(path)
        let words = result.output.split(separator: "\n").map { $0.prefix { $0 != "\t" } }
        #expect(words == ["read", "unknown", "read"], "\(result)")
        #expect(result.output.contains("unknown\t\t22021: "), "\(result)")
    }

    /// Whoever feeds it may wait for each answer before the next line.
    @Test func eachAnswerComesAtOnce() throws {
        let program = """
            import subprocess, sys
            p = subprocess.Popen([sys.argv[1], "route"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for sql, word in [(b"SELECT 1", b"read"), (b"DELETE FROM t", b"write")] * 50:
                p.stdin.write(sql + b"\\n"); p.stdin.flush()
                assert p.stdout.readline().split(b"\\t")[0] == word
            p.stdin.close()
            assert p.wait() == 0 and p.stdout.read() == b""
            print("done")
            """
        let result = try run("/usr/bin/python3", ["-c", program, Workplace.pointsman])
        #expect(result.code == 0 && result.output == "done\n", "\(result)")
    }
}
