import Testing

@testable import Wire

@Suite struct ReplyLineTests {
    private static func parse(_ bytes: [UInt8]) throws(WireError) -> ReplyLine {
        let memory = GuardedMemory(bytes)
        defer { memory.free() }
        return try ReplyLine.parse(UnsafeRawBufferPointer(memory.bytes))
    }

    static let lines: [(String, ReplyLine)] = [
        (
            "T\t1\t20\tid\t25\tmsg_text\n",
            .columns(
                id: "1",
                [
                    ReplyLine.Column(oid: 20, name: "id"), ReplyLine.Column(oid: 25, name: "msg_text"),
                ])
        ),
        ("T\t1\n", .columns(id: "1", [])),
        ("T\ta\t4294967295\t\\tx\n", .columns(id: "a", [ReplyLine.Column(oid: UInt32.max, name: "\tx")])),
        ("D\n", .row([])),
        ("D\t\n", .row([""])),
        ("D\t\\N\n", .row([nil])),
        ("D\t42\t\\N\t\t\\\\N\ttwo\\nlines\\r\\t\\\\\n", .row(["42", nil, "", "\\N", "two\nlines\r\t\\"])),
        ("D\tü😀\u{2028}\n", .row(["ü😀\u{2028}"])),
        (
            "C\t1\tSELECT\t1\tpool=standby\tnode=127.0.0.12:5433\tus=311\ttx=I\n",
            .completion(
                ReplyLine.Completion(
                    id: "1", tag: "SELECT", rows: 1,
                    attributes: [
                        ReplyLine.Attribute(key: "pool", value: "standby"),
                        ReplyLine.Attribute(key: "node", value: "127.0.0.12:5433"),
                        ReplyLine.Attribute(key: "us", value: "311"), ReplyLine.Attribute(key: "tx", value: "I"),
                    ]))
        ),
        (
            "C\t2\tCREATE TABLE\t\\N\n",
            .completion(ReplyLine.Completion(id: "2", tag: "CREATE TABLE", rows: nil, attributes: []))
        ),
        (
            "C\t2\tBEGIN\t\\N\tempty=\tequals=a=b\tcombined=\u{338}x\n",
            .completion(
                ReplyLine.Completion(
                    id: "2", tag: "BEGIN", rows: nil,
                    attributes: [
                        ReplyLine.Attribute(key: "empty", value: ""), ReplyLine.Attribute(key: "equals", value: "a=b"),
                        ReplyLine.Attribute(key: "combined", value: "\u{338}x"),
                    ]))
        ),
        (
            "E\t5\t42P01\tERROR\tnever\trelation \"nope\"\\ndoes not exist\tP=15\tsrc=server\n",
            .failure(
                ReplyLine.Failure(
                    id: "5", sqlstate: "42P01", severity: "ERROR", retry: .never,
                    message: "relation \"nope\"\ndoes not exist",
                    attributes: [
                        ReplyLine.Attribute(key: "P", value: "15"), ReplyLine.Attribute(key: "src", value: "server"),
                    ]))
        ),
        (
            "E\t-\t08P01\tFATAL\tunknown\t\n",
            .failure(
                ReplyLine.Failure(
                    id: "-", sqlstate: "08P01", severity: "FATAL", retry: .unknown, message: "", attributes: []))
        ),
        (
            "N\t-\t00000\tNOTICE\tthe server drains\n",
            .notice(
                ReplyLine.Notice(
                    id: "-", sqlstate: "00000", severity: "NOTICE", message: "the server drains", attributes: []))
        ),
        (
            "N\t7\t01000\tWARNING\tx\tsrc=server\n",
            .notice(
                ReplyLine.Notice(
                    id: "7", sqlstate: "01000", severity: "WARNING", message: "x",
                    attributes: [ReplyLine.Attribute(key: "src", value: "server")]))
        ),
    ]

    @Test(arguments: lines)
    func reads(_ line: String, _ reply: ReplyLine) throws {
        #expect(try Self.parse(Array(line.utf8)) == reply)
    }

    static let refused: [(String, WireError)] = [
        ("", .malformedReply(at: 0)),
        ("\n", .malformedReply(at: 0)),
        ("D\t1", .malformedReply(at: 3)),
        ("X\t1\n", .malformedReply(at: 0)),
        ("d\t1\n", .malformedReply(at: 0)),
        ("D1\n", .malformedReply(at: 0)),
        ("DD\t1\n", .malformedReply(at: 0)),
        ("D\ta\rb\n", .malformedReply(at: 3)),
        ("D\ta\r\n", .malformedReply(at: 3)),
        ("D\ta\0b\n", .malformedReply(at: 3)),
        ("D\ta\\d\n", .badEscape(0x64, at: 3)),
        ("D\ta\\\n", .badEscape(0, at: 3)),
        ("D\tok\ta\\N\n", .badEscape(0x4E, at: 6)),
        ("D\t\\Nx\n", .badEscape(0x4E, at: 2)),
        ("T\n", .malformedReply(at: 1)),
        ("T\t\n", .malformedReply(at: 2)),
        ("T\ta b\n", .malformedReply(at: 2)),
        ("T\t1\t20\n", .malformedReply(at: 6)),
        ("T\t1\tx\tid\n", .malformedReply(at: 4)),
        ("T\t1\t4294967296\tid\n", .malformedReply(at: 4)),
        ("T\t1\t20\t\\N\n", .malformedReply(at: 7)),
        ("C\n", .malformedReply(at: 1)),
        ("C\t1\n", .malformedReply(at: 3)),
        ("C\t1\tSELECT\n", .malformedReply(at: 10)),
        ("C\t1\tSELECT\tmany\n", .malformedReply(at: 11)),
        ("C\t1\tSELECT\t\n", .malformedReply(at: 11)),
        ("C\t1\tSELECT\t1\tpool\n", .malformedReply(at: 13)),
        ("C\t1\tSELECT\t1\t=x\n", .malformedReply(at: 13)),
        ("C\t1\tSELECT\t1\t\\N\n", .malformedReply(at: 13)),
        ("C\t\\N\tSELECT\t1\n", .malformedReply(at: 2)),
        ("E\t1\t42P0\tERROR\tnever\tx\n", .malformedReply(at: 4)),
        ("E\t1\t42p01\tERROR\tnever\tx\n", .malformedReply(at: 4)),
        ("E\t1\t42P01\tERROR\tmaybe\tx\n", .malformedReply(at: 16)),
        ("E\t1\t42P01\tERROR\tnever\n", .malformedReply(at: 21)),
        ("N\t1\t00000\tNOTICE\n", .malformedReply(at: 16)),
    ]

    @Test(arguments: refused)
    func refuses(_ line: String, _ error: WireError) {
        #expect(throws: error) { try Self.parse(Array(line.utf8)) }
    }

    @Test func refusesInvalidUTF8() {
        #expect(throws: WireError.invalidUTF8(at: 2)) { try Self.parse([0x44, 0x09, 0xFF, 0x0A]) }
    }

    /// What the daemon writes is what a client reads, for rows of every byte that text can hold.
    @Test func rowsComeBackAsWritten() throws {
        var random = SeededGenerator(seed: 20)
        for _ in 0..<2_000 {
            let values = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                Bool.random(using: &random) ? SeededGenerator.text(upTo: 90, &random) : nil
            }
            let bytes = values.reduce(0) { $0 + ($1?.utf8.count ?? 0) }
            let line = written(bound: ReplyWriter.boundOfRow(columns: values.count, valueBytes: bytes)) {
                $0.beginRow()
                for value in values {
                    if let value { $0.value(Array(value.utf8)) } else { $0.null() }
                }
                $0.endLine()
            }
            #expect(line.filter { $0 == 0x0A }.count == 1)
            #expect(try Self.parse(line) == .row(values))
        }
    }

    @Test func errorsComeBackAsWritten() throws {
        var random = SeededGenerator(seed: 21)
        for _ in 0..<500 {
            let message = SeededGenerator.text(upTo: 60, &random)
            let detail = SeededGenerator.text(upTo: 60, &random)
            let failure = ReplyLine.Failure(
                id: "a.1", sqlstate: "22P02", severity: "ERROR", retry: .tx, message: message,
                attributes: [ReplyLine.Attribute(key: "D", value: detail)])
            let memory = GuardedMemory(Array("a.122P02ERROR".utf8) + Array((message + detail).utf8))
            defer { memory.free() }
            func part(_ start: Int, _ count: Int) -> UnsafeRawBufferPointer {
                UnsafeRawBufferPointer(rebasing: memory.bytes[start..<(start + count)])
            }
            let bound =
                ReplyWriter.boundOfError(idBytes: 3, severityBytes: 5, messageBytes: message.utf8.count)
                + ReplyWriter.boundOfAttribute(keyBytes: 1, valueBytes: detail.utf8.count)
            let line = written(bound: bound) {
                $0.beginError(
                    id: part(0, 3), sqlstate: part(3, 5), severity: part(8, 5), retry: .tx,
                    message: part(13, message.utf8.count))
                $0.attribute("D", part(13 + message.utf8.count, detail.utf8.count))
                $0.endLine()
            }
            #expect(try Self.parse(line) == .failure(failure))
        }
    }
}
