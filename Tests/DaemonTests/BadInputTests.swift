import Foundation
import TestKit
import Testing

/// Input that no client should send: each gets its E, only framing errors close, and neighbours notice nothing.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct BadInputTests {
    /// Sends the bytes, then a PING. Gives the first E, and whether the PING was answered.
    private func outcome(_ bytes: [UInt8], within patience: Duration = .seconds(10)) throws -> (Problem, open: Bool) {
        let neighbour = try Shared.client()
        try neighbour.expectAlive()
        let client = try Shared.client()
        client.patience = patience
        // A framing error may close before all is written.
        try? client.send(bytes + Array("PING after\n".utf8))
        let answer = try client.answer()
        guard let problem = answer.problem else { throw TestFailure("accepted: \(answer)") }
        let next = try? client.answer(to: "after")
        if next == nil { try client.expectEnd() }
        try neighbour.expectAlive()
        return (problem, next != nil)
    }

    @Test(arguments: ["FROB 1 x", "SELECT 1", "Q1 SELECT 1", "12", "?", " Q 1 SELECT 1", "ABCDEFGHIJKLMNOP 1", "É 1 x"])
    func anUnknownVerbCloses(_ line: String) throws {
        let (problem, open) = try outcome(Array("\(line)\n".utf8))
        #expect(problem.sqlstate == "08P01" && problem.retry == .never && !open)
    }

    @Test(arguments: ["", "Q", "Q ", "PING", "Q \t", "PING é", "PING a/b"])
    func aLineWithoutAnID(_ line: String) throws {
        #expect(try outcome(Array("\(line)\n".utf8)).0.sqlstate == "08P01")
    }

    static let nuls: [[UInt8]] = [
        Array("Q 1 SELECT \u{0}1\n".utf8), Array("Q 1 SELECT $1\ta\u{0}b\n".utf8), [0, 10],
        Array("Q \u{0} SELECT 1\n".utf8),
        Array("Q 1 @tag=a\u{0} SELECT 1\n".utf8),
    ]

    @Test(arguments: nuls)
    func aNULCloses(_ bytes: [UInt8]) throws {
        let (problem, open) = try outcome(bytes)
        #expect(problem.sqlstate == "08P01" && problem.retry == .never && !open)
    }

    @Test(arguments: ["Q 1 SELECT\r1\n", "Q 1 SELECT $1\ta\rb\n", "\r\r\n", "Q 1 SELECT 1\r\r\n", "Q\r 1 SELECT 1\n"])
    func aBareCRCloses(_ text: String) throws {
        let (problem, open) = try outcome(Array(text.utf8))
        #expect(problem.sqlstate == "08P01" && !open)
    }

    static let notUTF8: [[UInt8]] = [
        [0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0x80], [0xc3], [0xf8, 0x88],
    ]

    @Test(arguments: notUTF8, ["Q 1 SELECT '@'", "Q 1 SELECT $1::text\t@", "Q 1 SELECT $1::text, $2::text\tx@\ty"])
    func invalidUTF8IsRefused(_ bytes: [UInt8], _ form: String) throws {
        var line: [UInt8] = []
        for byte in form.utf8 { line += byte == UInt8(ascii: "@") ? bytes : [byte] }
        let (problem, open) = try outcome(line + [10])
        #expect(problem.sqlstate == "22021" && problem.retry == .never && open)
    }

    @Test(arguments: [
        "Q 1 SELECT '\\d'", "Q 1 SELECT '\\'", "Q 1 SELECT 1\\", "Q 1 SELECT $1\t\\x", "Q 1 SELECT $1\ta\\N",
        "Q 1 SELECT $1\t\\Na",
        "Q 1 SELECT $1\t\\", "Q 1 \\N", "Q 1 SELECT $1\t\\0", "Q 1 SELECT $1\t\\\\\\",
    ])
    func aBadEscapeIsRefused(_ line: String) throws {
        let (problem, open) = try outcome(Array("\(line)\n".utf8))
        #expect(problem.sqlstate == "08P01" && open)
    }

    @Test(arguments: [
        "Q 1 @ SELECT 1", "Q 1 @tag SELECT 1", "Q 1 @tag= SELECT 1", "Q 1 @ro=1 SELECT 1", "Q 1 @timeout=-1 SELECT 1",
        "Q 1 @timeout=1.5 SELECT 1", "Q 1 @timeout=99999999999999999999 SELECT 1", "Q 1 @lag=x SELECT 1",
        "Q 1 @TAG=x SELECT 1",
        "Q 1 @route=both SELECT 1", "Q 1 @tag=a @tag=b SELECT 1", "Q 1 @nosuch=1 SELECT 1", "Q 1 @salt=x SELECT 1",
        "BEGIN 1 @iso=none", "COMMIT 1 @ro", "PING 1 @ro", "STATS 1 @tag=x pools", "CANCEL 1 @conn=1 2",
        "CANCEL 1 @key=1 2",
        "BEGIN 1 SELECT 1", "COMMIT 1 now", "Q 1 SELECT 1 \t", "HELLO 1", "HELLO 1 x", "PING 1\tvalue", "CANCEL 1",
        "Q 1 @" + String(repeating: "a", count: 17) + "=x SELECT 1",
        "Q 1 @tag=" + String(repeating: "x", count: 65) + " SELECT 1",
    ])
    func aWrongOptionOrTextIsRefused(_ line: String) throws {
        let (problem, open) = try outcome(Array("\(line)\n".utf8))
        #expect(problem.sqlstate == "08P01" && problem.retry == .never && open, "\(problem)")
    }

    @Test(arguments: [
        "Q 1", "Q 1 ;", "Q 1 ;;", "Q 1 -- x", "Q 1 /* x */", "Q 1 /* x */ ; -- y", "Q 1 \\n", "Q 1 \\t\\n", "ROUTE 1",
    ])
    func anEmptyStatementIsRefused(_ line: String) throws {
        let (problem, open) = try outcome(Array("\(line)\n".utf8))
        #expect(problem.sqlstate == "42601" && problem.retry == .never && open)
    }

    @Test(arguments: [
        "SELECT 1; SELECT 2", "SELECT 1;SELECT 2;", "INSERT INTO x VALUES (1); DROP TABLE x",
        "SELECT 1; -- x\n SELECT 2",
        "BEGIN; SELECT 1",
    ])
    func twoStatementsAreRefused(_ sql: String) throws {
        let (problem, open) = try outcome(LineClient.request("Q", "1", "", sql))
        #expect(problem.sqlstate == "42601" && open)
    }

    /// Checked before anything is sent: nothing of it may run.
    @Test func theNumberOfParametersIsChecked() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        for (sql, values) in [
            ("INSERT INTO \(table) VALUES ($1)", []), ("INSERT INTO \(table) VALUES ($1)", ["1", "2"]),
            ("INSERT INTO \(table) VALUES (1)", ["1"]), ("INSERT INTO \(table) VALUES ($2)", ["1"]),
            ("INSERT INTO \(table) SELECT $1::int WHERE $3 > $2", ["1", "2"]),
        ] as [(String, [String?])] {
            let answer = try client.query(sql, values)
            #expect(answer.sqlstate == "08P01" && answer["src"] == "router", "\(sql): \(answer)")
        }
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "0")
        #expect(try client.run("SELECT '$1' || $1::text", ["x"]).value == "$1x")
    }

    @Test func aThousandAndTwentyFourParameters() throws {
        let client = try Shared.client()
        let list = { (count: Int) in (1...count).map { "$\($0)::int" }.joined(separator: "+") }
        let values = { (count: Int) in (1...count).map { "\($0)" as String? } }
        #expect(try client.run("SELECT \(list(1024))", values(1024)).value == "\(1024 * 1025 / 2)")
        let (problem, open) = try outcome(LineClient.request("Q", "1", "", "SELECT \(list(1025))", values(1025)))
        #expect(problem.sqlstate == "54000" && open)
    }

    @Test func seventeenOptions() throws {
        let options = { (count: Int) in (0..<count).map { _ in "@after=1.0/1.5f2c91aa" }.joined(separator: " ") }
        #expect(try Shared.client().run("SELECT 1", options: options(16)).value == "1")
        let (problem, open) = try outcome(LineClient.request("Q", "1", options(17), "SELECT 1"))
        #expect(problem.sqlstate == "54000" && open)
    }

    /// An over-long line is refused as soon as it is too long, and closes.
    @Test(arguments: [true, false])
    func anOverLongLineCloses(withEnd: Bool) throws {
        let table = try makeTable("id int")
        let neighbour = try Shared.client()
        let client = try Shared.client()
        var bytes = Array("Q 1 SELECT '".utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: (1 << 20) + 10)
        if withEnd { bytes += Array("'\nQ 2 INSERT INTO \(table) VALUES (1)\n".utf8) }
        try? client.send(bytes)
        let answer = try client.answer()
        #expect(answer.sqlstate == "54000" && answer.problem?.retry == .never)
        try client.expectEnd()
        try neighbour.expectAlive()
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "0")
    }

    /// What stands behind a framing error is never parsed, though it came in the same packet.
    @Test(arguments: ["FROB 1", "Q 1 SELECT\u{0}1", "Q 1 a\rb"])
    func whatFollowsAFramingErrorIsNeverRun(_ bad: String) throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        try client.send("Q a INSERT INTO \(table) VALUES (1)\n\(bad)\nQ b INSERT INTO \(table) VALUES (2)\n")
        #expect(try client.answer(to: "a").count == 1)
        #expect(try client.answer().sqlstate == "08P01")
        try client.expectEnd()
        #expect(try Cluster.shared().sql("SELECT id FROM msgsvr.\(table)") == [["1"]])
    }

    @Test func theSaltGuardsEachID() throws {
        let client = try Shared.client()
        #expect(try client.ask("HELLO", "@salt=1", "1").problem == nil)  // the client's ids count from 1
        let table = try makeTable("id int")
        try client.send("Q 1x SELECT 1\nQ 2x INSERT INTO \(table) VALUES (1)\nQ 1y INSERT INTO \(table) VALUES (2)\n")
        #expect(try client.answer(to: "1x").value == "1")
        #expect(try client.answer().sqlstate == "08P01")
        try client.expectEnd()
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "0")
    }

    @Test func aSocketCanRequireASalt() throws {
        let daemon = try DaemonProcess { $0.listen = ["require_salt = true"] }
        let without = try daemon.client()
        #expect(try without.ask("Q", "", "SELECT 1").sqlstate == "08P01")
        try without.expectEnd()
        let hello = try daemon.client()
        #expect(try hello.ask("HELLO", "", "1").sqlstate == "08P01")
        let with = try daemon.client()
        try with.send("HELLO s.1 @salt=s. 1\nQ s.2 SELECT 1\n")
        #expect(try with.answer(to: "s.1").problem == nil)
        #expect(try with.answer(to: "s.2").value == "1")
    }

    @Test func limitsAreSettings() throws {
        let daemon = try DaemonProcess { $0.server = ["max_line = \"4KiB\"", "max_parameters = 2"] }
        let client = try daemon.client()
        let hello = try client.ask("HELLO", "", "1")
        #expect(hello["max_line"] == "4096" && hello["max_params"] == "2")
        #expect(try client.run("SELECT length($1::text)", [String(repeating: "x", count: 3900)]).value == "3900")
        #expect(try client.query("SELECT $1, $2, $3", ["1", "2", "3"]).sqlstate == "54000")
        #expect(try client.query("SELECT $1", [String(repeating: "x", count: 5000)]).sqlstate == "54000")
        try client.expectEnd()
    }

    /// Random bytes: the daemon answers with E or closes, and lives.
    @Test func noise() throws {
        let daemon = try Shared.daemon()
        var random = SystemRandomNumberGenerator()
        for round in 0..<200 {
            let client = try daemon.client()
            var bytes = (0..<Int.random(in: 1...600, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            if round.isMultiple(of: 2) { bytes = Array("Q 1 SELECT ".utf8) + bytes }
            try? client.send(bytes + [10])
            client.endRequests()
            client.patience = .seconds(10)
            while let line = try client.line() { _ = try ReplyLine(line) }
        }
        try daemon.client().expectAlive()
    }
}
