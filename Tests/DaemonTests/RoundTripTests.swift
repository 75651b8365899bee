import Foundation
import TestKit
import Testing

/// Values go in as parameters and come back as they were, from a standby and out of a table.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct RoundTripTests {
    static let values: [String?] = [
        "", "a", " ", "\t", "\n", "\r", "\r\n", "\\", "\\\\", "\\N", "\\n", "N", nil, "a\tb\nc\rd\\e", "tail\\",
        "😀👩‍👩‍👧", "é", "e\u{301}", "\u{2028}\u{2029}\u{85}", "\u{feff}", "\u{1}\u{7f}", "@tag=x", "-- comment", "'; DROP",
        String(repeating: "\\\t\n\r", count: 5000),
    ]

    @Test func valuesComeBackFromAStandby() throws {
        let client = try Shared.client()
        for value in Self.values {
            let answer = try client.run("SELECT $1::text", [value])
            #expect(try answer.value == value)
            #expect(answer["pool"] == "standby")
        }
        // All at once, as neighbours in one line.
        let list = (1...Self.values.count).map { "$\($0)::text" }.joined(separator: ", ")
        #expect(try client.run("SELECT \(list)", Self.values).rows == [Self.values])
    }

    @Test func valuesAreStoredAsTheyWere() throws {
        let table = try makeTable("id int PRIMARY KEY, v text, bytes int")
        let client = try Shared.client()
        for (index, value) in Self.values.enumerated() {
            let answer = try client.run(
                "INSERT INTO \(table) VALUES ($1, $2, octet_length($2)) RETURNING v", ["\(index)", value])
            #expect(try answer.value == value)
            #expect(answer.tag == "INSERT" && answer.count == 1)
        }
        let rows = try client.run("SELECT v, bytes FROM \(table) ORDER BY id").rows
        #expect(rows.map { $0[0] } == Self.values)
        #expect(rows.map { $0[1] } == Self.values.map { $0.map { "\($0.utf8.count)" } })
    }

    @Test func statementsAreEscapedLikeValues() throws {
        let client = try Shared.client()
        #expect(try client.run("SELECT 'a\tb\nc\rd\\'").value == "a\tb\nc\rd\\")
        #expect(try client.run("SELECT E'\\\\x' ~ '\\\\[a-z]'").value == "t")
        #expect(try client.run("SELECT 1 -- over\n + 1").value == "2")
    }

    @Test func aValueOf900KilobytesGoesBothWays() throws {
        let table = try makeTable("v text")
        let client = try Shared.client()
        let unit = "0123456789abcdef\u{e9}\t"
        let value = String(repeating: unit, count: 900_000 / (unit.utf8.count + 1))
        #expect(try client.run("SELECT $1::text", [value]).value == value)
        let stored = try client.run("INSERT INTO \(table) VALUES ($1) RETURNING octet_length(v)", [value])
        #expect(try stored.value == "\(value.utf8.count)")
        #expect(try client.run("SELECT v FROM \(table)").value == value)
    }

    @Test func aStatementOf900KilobytesIsSent() throws {
        let literal = String(repeating: "x", count: 900_000)
        #expect(try Shared.client().run("SELECT length('\(literal)')").value == "900000")
    }

    @Test func fiftyColumns() throws {
        let client = try Shared.client()
        let list = (1...50).map { "\($0) AS c\($0)" }.joined(separator: ", ")
        let answer = try client.run("SELECT \(list)")
        #expect(answer.columns?.map(\.name) == (1...50).map { "c\($0)" })
        #expect(answer.columns?.allSatisfy { $0.oid == 23 } == true)
        #expect(answer.rows == [(1...50).map { "\($0)" }])
    }

    @Test func noRowsAndNoColumns() throws {
        let client = try Shared.client()
        let noRows = try client.run("SELECT 1 AS a, 'x' AS b WHERE false")
        #expect(noRows.columns?.map(\.name) == ["a", "b"])
        #expect(noRows.rows.isEmpty && noRows.count == 0)
        let noColumns = try client.run("SELECT FROM generate_series(1, 3)")
        #expect(noColumns.columns == [])
        #expect(noColumns.rows == [[], [], []] && noColumns.count == 3)
        let neither = try client.run("SELECT WHERE false")
        #expect(neither.columns == [] && neither.rows.isEmpty && neither.count == 0)
    }

    @Test func whatReturnsNoRowsHasNoColumns() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        for (sql, tag, count) in [
            ("INSERT INTO \(table) SELECT generate_series(1, 5)", "INSERT", 5),
            ("UPDATE \(table) SET id = id + 10 WHERE id < 4", "UPDATE", 3),
            ("DELETE FROM \(table) WHERE id > 10", "DELETE", 3),
            ("DELETE FROM \(table) WHERE id > 10", "DELETE", 0),
            ("TRUNCATE \(table)", "TRUNCATE TABLE", nil), ("COMMENT ON TABLE \(table) IS 'x'", "COMMENT", nil),
        ] as [(String, String, Int?)] {
            let answer = try client.run(sql)
            #expect(answer.columns == nil && answer.rows.isEmpty)
            #expect(answer.tag == tag && answer.count == count)
        }
    }

    @Test func columnNamesAreEscapedToo() throws {
        let answer = try Shared.client().run("SELECT 1 AS \"a\tb\n\\c\", 2 AS \"π\"")
        #expect(answer.columns?.map(\.name) == ["a\tb\n\\c", "π"])
    }

    @Test func noticesArriveBeforeTheEnd() throws {
        let client = try Shared.client()
        let answer = try client.run("DO $$BEGIN RAISE NOTICE 'first\tline'; RAISE WARNING 'second'; END$$")
        #expect(answer.notices == ["first\tline", "second"])
        #expect(try client.run("SELECT 1").notices.isEmpty)
    }

    @Test func errorsKeepTheServersFields() throws {
        let table = try makeTable("id int CONSTRAINT positive CHECK (id > 0)")
        let client = try Shared.client()
        let answer = try client.query("INSERT INTO \(table) VALUES (-1)")
        #expect(answer.sqlstate == "23514")
        #expect(answer["t"] == table && answer["n"] == "positive" && answer["s"] == "msgsvr")
        #expect(answer["D"]?.contains("-1") == true)
        #expect(answer["src"] == "server" && answer["pool"] == "primary" && answer["tx"] == "I")
        let hint = try client.query("SELECT nofunction(1)")
        #expect(hint.sqlstate == "42883" && hint["P"] == "8" && hint["H"] != nil)
    }
}

/// Results bigger than any buffer.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct BigResultTests {
    /// What reading a big result may add to the daemon's memory, in KiB.
    static let bound = 12 * 1024

    @Test func aHundredThousandRowsInBoundedMemory() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        try client.expectAlive()
        let before = try ProcessFacts.residentKiB(daemon.pid)
        try client.send("Q r SELECT g, repeat('x', 200) FROM generate_series(1, 100000) g\n")
        #expect(try client.text() == "T\tr\t23\tg\t25\trepeat")
        let filler = String(repeating: "x", count: 200)
        var highest = 0
        for number in 1...100_000 {
            let line = try client.line() ?? []
            if !line.equals("D\t\(number)\t\(filler)") {
                throw TestFailure("row \(number): \(String(decoding: line.prefix(80), as: UTF8.self))")
            }
            if number.isMultiple(of: 10_000) { highest = max(highest, try ProcessFacts.residentKiB(daemon.pid)) }
        }
        #expect(try client.text()?.hasPrefix("C\tr\tSELECT\t100000\t") == true)
        #expect(highest - before < Self.bound, "grew from \(before) to \(highest) KiB")
        try client.expectAlive()
    }

    /// The daemon stops reading from the server when the client does not read: 200 MB must not move into its memory.
    @Test func aSlowReaderDoesNotFillTheDaemon() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        try client.expectAlive()
        let before = try ProcessFacts.residentKiB(daemon.pid)
        try client.send("Q r SELECT g, repeat('x', 1000) FROM generate_series(1, 200000) g\n")
        #expect(try client.text()?.hasPrefix("T\tr\t") == true)
        // The memory must stand still at a low level while nothing is read: two seconds of looking.
        for _ in 0..<40 {
            let now = try ProcessFacts.residentKiB(daemon.pid)
            #expect(now - before < Self.bound, "grew from \(before) to \(now) KiB")
            usleep(50_000)
        }
        for number in 1...1000 { #expect(try client.line()?.starts(with: "D\t\(number)\t".utf8) == true) }
        client.close()
        let next = try daemon.client()
        try next.expectAlive()
    }

    /// Both sides have much to write and neither may wait for the other.
    @Test func megabytesInBothDirectionsAtOnce() throws {
        let client = try Shared.client()
        let value = String(repeating: "v", count: 300_000)
        var bytes: [UInt8] = []
        for number in 0..<60 { bytes += LineClient.request("Q", "b\(number)", "", "SELECT $1::text", [value]) }
        try client.send(bytes)
        for number in 0..<60 { #expect(try client.answer(to: "b\(number)").value == value) }
    }

    @Test func aRowBiggerThanEveryBuffer() throws {
        let client = try Shared.client()
        let answer = try client.run("SELECT repeat('ab', 4000000), 1")
        #expect(answer.rows.first?[0]?.utf8.count == 8_000_000)
        #expect(answer.rows.first?[1] == "1")
        try client.expectAlive()
    }

    /// Rows that came before the error are void, and the connection goes on.
    @Test func anErrorBehindRows() throws {
        let client = try Shared.client()
        let answer = try client.query("SELECT 1 / (50000 - g) FROM generate_series(1, 100000) g")
        #expect(answer.sqlstate == "22012")
        #expect(!answer.rows.isEmpty && answer.rows.count < 50_000)
        try client.expectAlive()
    }
}
