import Foundation
import TestKit
import Testing

/// The commands of `pointsman`, as an operator and a script use them.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct CommandTests {
    private func pointsman(_ arguments: String..., input: String? = nil, environment: [String: String] = [:]) throws
        -> CommandResult
    {
        try run(Workplace.pointsman, arguments, environment: environment, input: input)
    }

    private func settings(_ more: String) throws -> DaemonSettings {
        var settings = try DaemonSettings(try Cluster.shared())
        settings.more = more
        try settings.write()
        return settings
    }

    private static let rule = """
        [[rule]]
        name = "fresh"
        table = ["fresh_*"]
        route = "primary"

        """

    @Test func version() throws {
        let result = try pointsman("version")
        #expect(result.code == 0)
        #expect(result.output.contains(/^pointsman [0-9]+\.[0-9]+\.[0-9]+\n$/), "\(result)")
    }

    @Test func checkAcceptsAGoodFile() throws {
        let good = try settings(
            Self.rule + "[[expect]]\nsql = \"SELECT * FROM fresh_a\"\npool = \"primary\"\nrule = \"fresh\"\n")
        let result = try pointsman("check", good.file)
        #expect(result.code == 0 && result.errorOutput.isEmpty, "\(result)")
        // The file that deploy/cluster writes is one.
        #expect(try pointsman("check", try Cluster.shared().variable("SETTINGS")).code == 0)
    }

    /// All of it in one run, each with its place, in a form that editors understand.
    @Test func checkNamesEachMistakeWithItsPlace() throws {
        let bad = try settings("")
        let lines = bad.text.split(separator: "\n", omittingEmptySubsequences: false).count
        try bad.write(
            bad.text + """
                [[rule]]
                name = "a"
                tabel = ["x"]
                route = "primary"
                [[rule]]
                name = "b"
                regex = ["(", "fine"]
                route = "primary"
                [[rule]]
                name = "c"
                tag = ["c"]
                pool = "nowhere"
                [[expect]]
                sql = "SELECT 1"
                poool = "standby"
                """)
        let result = try pointsman("check", bad.file)
        #expect(result.code == 78)
        for (line, column, word) in [(2, 1, "table"), (6, 10, ")"), (11, 8, "nowhere"), (14, 1, "pool")] {
            let place = "\(bad.file):\(lines + line):\(column): "
            let complaint = result.errorOutput.split(separator: "\n").first { $0.hasPrefix(place) }
            #expect(complaint?.contains(word) == true, "\(place) \(word)\n\(result.errorOutput)")
        }
    }

    @Test func checkListsEverySetting() throws {
        let result = try pointsman("check", "--reference")
        #expect(result.code == 0 && result.errorOutput.isEmpty)
        for word in ["## `[[rule]]`", "| `max_lag` |", "| `statement_cache` |", "A reload does not change it"] {
            #expect(result.output.contains(word), "\(word)")
        }
        #expect(try pointsman("check").code == 64)
        #expect(try pointsman("check", "--reference", "x.toml").code == 64)
    }

    @Test func checkRunsTheExpectations() throws {
        let file = try settings("[[expect]]\nsql = \"DELETE FROM x\"\npool = \"standby\"\n")
        let result = try pointsman("check", file.file)
        #expect(result.code == 78 && result.errorOutput.contains("primary"), "\(result)")
    }

    @Test func checkOfAMissingFile() throws {
        let result = try pointsman("check", "/nonexistent.toml")
        #expect(result.code == 78 && result.errorOutput.contains("/nonexistent.toml"))
    }

    @Test func sqlRunsAStatement() throws {
        let socket = try Shared.daemon().settings.appSocket
        let result = try pointsman("sql", "--socket", socket, "SELECT 42 AS answer, NULL AS nothing")
        #expect(result.code == 0)
        #expect(result.output.contains("answer") && result.output.contains("42"), "\(result.output)")
        #expect(result.output.contains("pool=standby"))
        let fromEnvironment = try pointsman("sql", "SELECT 43", environment: ["POINTSMAN_SOCKET": socket])
        #expect(fromEnvironment.output.contains("43"))
    }

    @Test func sqlAnswersAsJSON() throws {
        let socket = try Shared.daemon().settings.appSocket
        let result = try pointsman("sql", "--json", "--socket", socket, "SELECT 'a\"b' AS text, NULL AS nothing")
        let rows = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[String: Any]]
        #expect(rows?.first?["text"] as? String == "a\"b")
        #expect(rows?.first?["nothing"] is NSNull, "\(result.output)")
    }

    @Test func sqlTellsAnError() throws {
        let socket = try Shared.daemon().settings.appSocket
        let result = try pointsman("sql", "--socket", socket, "SELECT 1/0")
        #expect(result.code == 1)
        #expect(result.errorOutput.contains("22012") && result.errorOutput.contains("division by zero"))
        let nobody = try pointsman("sql", "--socket", "/nonexistent.sock", "SELECT 1")
        #expect(nobody.code == 1 && nobody.errorOutput.contains("/nonexistent.sock"))
        #expect(try pointsman("sql", "SELECT 1", environment: ["POINTSMAN_SOCKET": ""]).code != 0)
    }

    /// A script, a line at a time, with a transaction in it; it ends at the first error.
    @Test func sqlReadsAScript() throws {
        let socket = try Shared.daemon().settings.appSocket
        let table = try makeTable("id int")
        let script = """
            -- a script
            BEGIN
            INSERT INTO \(table) VALUES (1);
            COMMIT
            SELECT count(*) AS n FROM \(table)
            SELECT nonsense
            INSERT INTO \(table) VALUES (2)
            """
        let result = try pointsman("sql", "--socket", socket, "-", input: script + "\n")
        #expect(result.code == 1 && result.errorOutput.contains("42703"), "\(result)")
        #expect(try Cluster.shared().sql("SELECT id FROM msgsvr.\(table)") == [["1"]])
    }

    @Test func statsShowsTables() throws {
        let daemon = try Shared.daemon()
        let pools = try pointsman("stats", "--socket", daemon.settings.opsSocket)
        #expect(pools.code == 0 && pools.output.contains("standby") && pools.output.contains("primary"))
        let settings = try pointsman("stats", "--socket", daemon.settings.opsSocket, "settings")
        #expect(settings.output.contains("server.max_clients"))
        let json = try pointsman("stats", "--json", "--socket", daemon.settings.opsSocket, "pools")
        let rows = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]]
        let names = Set((rows ?? []).compactMap { $0["pool"] as? String })
        #expect(names.isSuperset(of: ["primary", "standby"]))
        let wrong = try pointsman("stats", "--socket", daemon.settings.opsSocket, "weather")
        #expect(wrong.code == 1 && !wrong.errorOutput.isEmpty)
    }

    @Test func reload() throws {
        let daemon = try DaemonProcess()
        var settings = daemon.settings
        settings.more = Self.rule
        try settings.write()
        let good = try pointsman("reload", "--socket", daemon.settings.opsSocket)
        #expect(good.code == 0, "\(good)")
        let client = try daemon.client()
        #expect(try client.ask("ROUTE", "", "SELECT * FROM fresh_a").table.first?["pool"] == "primary")
        settings.more = "wrong = 1"
        try settings.write()
        let bad = try pointsman("reload", "--socket", daemon.settings.opsSocket)
        #expect(bad.code == 1 && bad.errorOutput.contains(/pointsman\.toml:[0-9]+:[0-9]+/), "\(bad)")
        // Only on an operator's socket.
        let app = try pointsman("reload", "--socket", daemon.settings.appSocket)
        #expect(app.code == 1 && !app.errorOutput.isEmpty)
    }

    @Test(arguments: ["--help", "run --help", "route --help", "sql --help"])
    func help(_ arguments: String) throws {
        let result = try run(Workplace.pointsman, arguments.split(separator: " ").map(String.init))
        #expect(result.code == 0 && result.output.contains("USAGE"))
    }
}

/// The client in Python's standard library, used as its reader would use it.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct PythonClientTests {
    private static let client = "\(Workplace.root)/Tests/Clients/pointsman_client.py"

    private func python(_ program: String, _ arguments: [String]) throws -> CommandResult {
        let head = "import sys; sys.dont_write_bytecode = True; sys.path.insert(0, '\(Workplace.root)/Tests/Clients')\n"
        return try run("/usr/bin/python3", ["-c", head + program] + arguments)
    }

    @Test func itsCommandLine() throws {
        let socket = try Shared.daemon().settings.appSocket
        let result = try run(
            "/usr/bin/python3", ["-B", Self.client, socket, "SELECT $1::int + 1 AS n, $2", "41", "a\tb\\"])
        #expect(result.code == 0 && result.output.split(separator: "\n").last == "42\ta\tb\\", "\(result)")
        let failed = try run("/usr/bin/python3", ["-B", Self.client, socket, "SELECT 1/0"])
        #expect(failed.code == 1 && failed.errorOutput.contains("22012") && failed.errorOutput.contains("never"))
    }

    @Test func itsWholeLife() throws {
        let table = try makeTable("id int PRIMARY KEY, v text")
        let program = """
            from pointsman_client import Client, PointsmanError
            c = Client(sys.argv[1]); t = sys.argv[2]
            nasty = ["", "\\\\", "\\\\N", "\\t\\r\\n", "😀", None, "\\u2028", "x" * 100000]
            r = c.query("SELECT " + ",".join(f"${i + 1}::text" for i in range(len(nasty))), *nasty)
            assert r.rows == [nasty], r.rows
            assert r.receipt["pool"] == "standby", r.receipt
            c.begin()
            for i, v in enumerate(nasty): c.query(f"INSERT INTO {t} VALUES ($1, $2)", i, v)
            c.commit()
            r = c.query(f"SELECT v FROM {t} ORDER BY id")
            assert [row[0] for row in r.rows] == nasty and r.receipt["pool"] == "primary", r
            c.begin(); c.query(f"DELETE FROM {t}"); c.rollback()
            assert c.query(f"SELECT count(*) FROM {t}").rows == [[str(len(nasty))]]
            try:
                c.query(f"INSERT INTO {t} VALUES (0, '')"); assert False
            except PointsmanError as e:
                assert (e.sqlstate, e.retry) == ("23505", "never"), e
            answers = c.pipeline(*[("Q", "SELECT $1::int", i) for i in range(300)])
            assert [a.rows[0][0] for a in answers] == [str(i) for i in range(300)]
            smuggled = "1\\nQ x DROP TABLE " + t
            assert c.query("SELECT $1::text", smuggled).rows == [[smuggled]]
            assert c.query("SELECT 1", route="primary", tag="report").receipt["pool"] == "primary"
            print("done")
            """
        let result = try python(program, [try Shared.daemon().settings.appSocket, table])
        #expect(result.code == 0 && result.output == "done\n", "\(result)")
    }

    /// One client that forgets to escape a line feed: the salt keeps the smuggled line from running.
    @Test func aSmuggledLineIsRefused() throws {
        let table = try makeTable("id int")
        let program = """
            import pointsman_client
            c = pointsman_client.Client(sys.argv[1])
            pointsman_client.escape = str
            try:
                print(c.query("SELECT $1::text", "x\\nQ 1 INSERT INTO " + sys.argv[2] + " VALUES (1)"))
            except pointsman_client.PointsmanError as e:
                print(e)
            """
        let result = try python(program, [try Shared.daemon().settings.appSocket, table])
        #expect(result.code == 0, "\(result)")
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "0")
    }
}
