import Testing

@testable import Wire

/// A line that is refused, and how.
struct BadLine: Sendable, CustomTestStringConvertible {
    var bytes: [UInt8]
    var id: String
    var error: WireError

    init(_ line: String, id: String = "1", _ error: WireError) {
        self.init(Array(line.utf8), id: id, error)
    }

    init(_ bytes: [UInt8], id: String = "1", _ error: WireError) {
        self.bytes = bytes
        self.id = id
        self.error = error
    }

    var testDescription: String { String(decoding: bytes.prefix(60), as: UTF8.self).debugDescription }
}

@Suite struct RequestErrorTests {
    private static func name(_ text: String) -> PackedName {
        Array(text.utf8).withUnsafeBytes { PackedName($0) }
    }

    /// Framing that can no longer be trusted: the connection closes.
    static let closing: [BadLine] = [
        BadLine("\n", id: "", .unknownVerb(name(""))),
        BadLine("\r\n", id: "", .unknownVerb(name(""))),
        BadLine(" Q 1 x\n", id: "", .unknownVerb(name(""))),
        BadLine("\tQ 1 x\n", id: "", .unknownVerb(name(""))),
        BadLine("GET / HTTP/1.1\r\n", id: "", .unknownVerb(name("GET"))),
        BadLine("SELECT 1\n", .unknownVerb(name("SELECT"))),
        BadLine("Q: 1 x\n", .unknownVerb(name("Q:"))),
        BadLine("Q1 1 x\n", .unknownVerb(name("Q1"))),
        BadLine("QQ 1 x\n", .unknownVerb(name("QQ"))),
        BadLine("@Q 1 x\n", .unknownVerb(name("@Q"))),
        BadLine("ROLLBACKS 1\n", .unknownVerb(name("ROLLBACKS"))),
        BadLine("ÄÖ 1\n", .unknownVerb(name("????"))),
        BadLine("a-very-long-word-that-is-no-verb 1\n", .unknownVerb(name("a-very-long-word"))),
        BadLine("Q 1 a\0b\n", .nulByte(at: 5)),
        BadLine("\0\n", id: "", .nulByte(at: 0)),
        BadLine("Q 1 SELECT 1\t\0\n", .nulByte(at: 13)),
        BadLine("Q \0 1\n", id: "", .nulByte(at: 2)),
        BadLine("Q 1 a\rb\n", .carriageReturn(at: 5)),
        BadLine("Q 1 SELECT 1\r\r\n", .carriageReturn(at: 12)),
        BadLine("Q 1 SELECT 1\r\t2\n", .carriageReturn(at: 12)),
        BadLine("\r\r\n", id: "", .carriageReturn(at: 0)),
        // What closes comes first, whatever else is wrong.
        BadLine([0x51, 0x20, 0x31, 0x20, 0xFF, 0x5C, 0x64, 0x00, 0x0A], .nulByte(at: 7)),
        BadLine("NOPE 1 a\rb\n", .carriageReturn(at: 8)),
    ]

    /// One request is refused: the connection stays open.
    static let open: [BadLine] = [
        // The id.
        BadLine("Q\n", id: "", .badID(at: 1)),
        BadLine("Q \n", id: "", .badID(at: 2)),
        BadLine("Q\t1\n", id: "", .badID(at: 1)),
        BadLine("Q   \t1\n", id: "", .badID(at: 4)),
        BadLine("Q a/b SELECT 1\n", id: "", .badID(at: 2)),
        BadLine("Q ü SELECT 1\n", id: "", .badID(at: 2)),
        BadLine("Q @ro SELECT 1\n", id: "", .badID(at: 2)),
        BadLine("Q 0123456789abcdef0123456789abcdef0 SELECT 1\n", id: "", .badID(at: 2)),
        // UTF-8.
        BadLine([0x51, 0x20, 0x31, 0x20, 0x61, 0xFF, 0x0A], .invalidUTF8(at: 5)),
        BadLine([0x51, 0x20, 0x31, 0x20, 0x61, 0xC3, 0x0A], .invalidUTF8(at: 5)),
        BadLine([0x51, 0x20, 0x31, 0x20, 0x61, 0x09, 0xE2, 0x82, 0x0A], .invalidUTF8(at: 6)),
        // Options.
        BadLine("Q 1 @ x\n", .malformedOption(at: 4)),
        BadLine("Q 1 @=1 x\n", .malformedOption(at: 4)),
        BadLine("Q 1 @Lag=1 x\n", .malformedOption(at: 4)),
        BadLine("Q 1 @lag-1 x\n", .malformedOption(at: 4)),
        BadLine("Q 1 @ro@token x\n", .malformedOption(at: 4)),
        BadLine("Q 1 @abcdefghijklmnopq x\n", .malformedOption(at: 4)),
        BadLine("Q 1 @nope x\n", .unknownOption(name("nope"), of: .query, at: 4)),
        BadLine("Q 1 @ro @lagg=1 x\n", .unknownOption(name("lagg"), of: .query, at: 8)),
        BadLine("Q 1 @abcdefghijklmnop x\n", .unknownOption(name("abcdefghijklmnop"), of: .query, at: 4)),
        BadLine("Q 1 @timeoutss=1 x\n", .unknownOption(name("timeoutss"), of: .query, at: 4)),
        BadLine("HELLO 1 @cap=x 1\n", .unknownOption(name("cap"), of: .hello, at: 8)),
        BadLine("BEGIN 1 @token\n", .optionRefused(.token, of: .begin)),
        BadLine("ROLLBACK 1 @token\n", .optionRefused(.token, of: .rollback)),
        BadLine("PING 1 @lag=1\n", .optionRefused(.lag, of: .ping)),
        BadLine("Q 1 @iso=rr x\n", .optionRefused(.iso, of: .query)),
        BadLine("Q 1 @lag=1 @lag=1 x\n", .optionRepeated(.lag)),
        BadLine("Q 1 @ro @token @ro x\n", .optionRepeated(.ro)),
        BadLine("Q 1 @lag x\n", .badOptionValue(.lag, at: 4)),
        BadLine("Q 1 @lag= x\n", .badOptionValue(.lag, at: 4)),
        BadLine("Q 1 @lag=1s x\n", .badOptionValue(.lag, at: 4)),
        BadLine("Q 1 @lag=-1 x\n", .badOptionValue(.lag, at: 4)),
        BadLine("Q 1 @lag=86400001 x\n", .badOptionValue(.lag, at: 4)),
        BadLine("Q 1 @wait=86400001 x\n", .badOptionValue(.wait, at: 4)),
        BadLine("Q 1 @wait=99999999999999999999999 x\n", .badOptionValue(.wait, at: 4)),
        BadLine("Q 1 @timeout=0 x\n", .badOptionValue(.timeout, at: 4)),
        BadLine("Q 1 @timeout=86400001 x\n", .badOptionValue(.timeout, at: 4)),
        BadLine("Q 1 @ro= x\n", .badOptionValue(.ro, at: 4)),
        BadLine("Q 1 @ro=1 x\n", .badOptionValue(.ro, at: 4)),
        BadLine("Q 1 @route=Primary x\n", .badOptionValue(.route, at: 4)),
        BadLine("Q 1 @route=primaryx x\n", .badOptionValue(.route, at: 4)),
        BadLine("BEGIN 1 @iso=serializable\n", .badOptionValue(.iso, at: 8)),
        BadLine("Q 1 @tag=ü x\n", .badOptionValue(.tag, at: 4)),
        BadLine("Q 1 @tag=a\u{1}b x\n", .badOptionValue(.tag, at: 4)),
        BadLine("HELLO 1 @salt=a/b 1\n", .badOptionValue(.salt, at: 8)),
        BadLine("HELLO 1 @salt=0123456789abcdefg 1\n", .badOptionValue(.salt, at: 8)),
        BadLine("CANCEL 1 @conn=0 @key=1 x\n", .badOptionValue(.conn, at: 9)),
        BadLine("CANCEL 1 @conn=18446744073709551616 @key=1 x\n", .badOptionValue(.conn, at: 9)),
        BadLine("CANCEL 1 @conn=1 @key=xyz x\n", .badOptionValue(.key, at: 17)),
        BadLine("CANCEL 1 @conn=1 @key=12345678901234567 x\n", .badOptionValue(.key, at: 17)),
        BadLine("CANCEL 1 @conn=1 x\n", .optionAlone(.conn)),
        BadLine("CANCEL 1 @key=1 x\n", .optionAlone(.key)),
        // Text.
        BadLine("Q 1\n", .textMissing(.query)),
        BadLine("Q 1 \n", .textMissing(.query)),
        BadLine("Q 1     \n", .textMissing(.query)),
        BadLine("Q 1\t42\n", .textMissing(.query)),
        BadLine("Q 1 \t42\n", .textMissing(.query)),
        BadLine("Q 1 @ro\n", .textMissing(.query)),
        BadLine("Q 1 @ro \r\n", .textMissing(.query)),
        BadLine("ROUTE 1\n", .textMissing(.route)),
        BadLine("HELLO 1\n", .textMissing(.hello)),
        BadLine("CANCEL 1 \n", .textMissing(.cancel)),
        BadLine("PAUSE 1\n", .textMissing(.pause)),
        BadLine("PING 1 \n", .trailingSpace(at: 6)),
        BadLine("BEGIN 1 @ro  \n", .trailingSpace(at: 12)),
        BadLine("STATS 1 \n", .trailingSpace(at: 7)),
        BadLine("PING 1 x\n", .textRefused(.ping, at: 7)),
        BadLine("BEGIN 1 READ ONLY\n", .textRefused(.begin, at: 8)),
        BadLine("COMMIT 1 @token now\n", .textRefused(.commit, at: 16)),
        BadLine("HELLO 1 one\n", .badText(.hello, at: 8)),
        BadLine("HELLO 1 0\n", .badText(.hello, at: 8)),
        BadLine("HELLO 1 1.0\n", .badText(.hello, at: 8)),
        BadLine("HELLO 1 1000000000\n", .badText(.hello, at: 8)),
        BadLine("KILL 1 all\n", .badText(.kill, at: 7)),
        BadLine("CANCEL 1 a b\n", .badText(.cancel, at: 9)),
        BadLine("CANCEL 1 0123456789abcdef0123456789abcdef0\n", .badText(.cancel, at: 9)),
        // Escapes.
        BadLine("Q 1 a\\d\n", .badEscape(0x64, at: 5)),
        BadLine("Q 1 SELECT \\N\n", .badEscape(0x4E, at: 11)),
        BadLine("Q 1 \\N\n", .badEscape(0x4E, at: 4)),
        BadLine("Q 1 x\\\n", .badEscape(0, at: 5)),
        BadLine("Q 1 x\\\r\n", .badEscape(0, at: 5)),
        BadLine("Q 1 x\\\ty\n", .badEscape(0, at: 5)),
        BadLine("Q 1 x\\\\\\\n", .badEscape(0, at: 7)),
        BadLine("Q 1 x\tok\t\\Nx\n", .badEscape(0x4E, at: 9)),
        BadLine("Q 1 x\tx\\N\n", .badEscape(0x4E, at: 7)),
        BadLine("Q 1 x\t\\\\\\N\n", .badEscape(0x4E, at: 8)),
        BadLine("Q 1 x\t\\N\\N\n", .badEscape(0x4E, at: 6)),
        BadLine("Q 1 x\t\\b\n", .badEscape(0x62, at: 6)),
        BadLine("Q 1 x\t\\T\n", .badEscape(0x54, at: 6)),
        BadLine("Q 1 x\t\\x41\n", .badEscape(0x78, at: 6)),
        BadLine("Q 1 x\t\\ü\n", .badEscape(0xC3, at: 6)),
        // Values.
        BadLine("ROUTE 1 SELECT $1\t42\n", .valueRefused(.route, at: 17)),
        BadLine("PING 1\t\n", .valueRefused(.ping, at: 6)),
        BadLine("COMMIT 1 @token\tx\n", .valueRefused(.commit, at: 15)),
        BadLine("STATS 1 pools\tx\n", .valueRefused(.stats, at: 13)),
    ]

    @Test(arguments: closing, Feeding.allCases)
    func closes(_ bad: BadLine, _ feeding: Feeding) {
        let parsed = ParsedLine(bad.bytes, feeding: feeding)
        #expect(parsed.error == bad.error)
        #expect(parsed.error?.closesConnection == true)
        #expect(parsed.error?.sqlstate == "08P01")
        #expect(parsed.id == bad.id)
    }

    @Test(arguments: open, Feeding.allCases)
    func staysOpen(_ bad: BadLine, _ feeding: Feeding) {
        let parsed = ParsedLine(bad.bytes, feeding: feeding)
        #expect(parsed.error == bad.error)
        #expect(parsed.error?.closesConnection == false)
        #expect(parsed.id == bad.id)
    }

    /// 42601 and 22021 as PostgreSQL itself would say, 54000 for limits, 08P01 for all else.
    @Test func sqlstatesFollowTheProtocol() {
        for bad in Self.open {
            let sqlstate =
                switch bad.error {
                case .textMissing(.query), .textMissing(.route): "42601"
                case .invalidUTF8: "22021"
                default: "08P01"
                }
            #expect(bad.error.sqlstate == sqlstate, "\(bad.testDescription)")
        }
        for limit in [WireError.lineTooLong(limit: 1), .tooManyOptions(limit: 1), .tooManyParameters(limit: 1)] {
            #expect(limit.sqlstate == "54000")
        }
    }

    /// Texts that end up before a person: what is wrong, where, and the way out.
    @Test(arguments: [
        (
            "Q 1 @lagg=1 x\n",
            "no option \"@lagg\" (byte 5): Q takes @using, @route, @pool, @lag, @after, @token, @wait, @ro, "
                + "@timeout, @tag, @tp, @session, @resolve"
        ),
        ("PING 1 @ro\n", "PING takes no @ro: it takes none"),
        ("Q 1 @timeout=0 x\n", "@timeout at byte 5 is written @timeout=MILLISECONDS, 1 to 86400000"),
        (
            "Q 1 a\\d\n",
            "\\d at byte 6 is no escape: they are \\\\ \\t \\n \\r, and \\N alone for NULL; write a backslash as \\\\"
        ),
        ("Q 1\n", "Q without a statement: write Q ID SELECT 1"),
        ("PING 1 x\n", "PING takes no text, but some stands at byte 8: leave it out"),
        (
            "FETCH 1\n",
            "no verb \"FETCH\": a line starts with HELLO, Q, BEGIN, COMMIT, ROLLBACK, ROUTE, CANCEL, PING or STATS"
        ),
    ])
    func messagesNameWhatWhereAndTheWayOut(_ line: String, _ message: String) {
        #expect(ParsedLine(Array(line.utf8)).error?.message == message)
    }

    @Test func everyErrorHasAMessageOfOneLine() {
        var errors = (Self.closing + Self.open).map(\.error)
        errors += [.lineTooLong(limit: 64), .saltMissing, .tooManyOptions(limit: 16), .tooManyParameters(limit: 9)]
        errors += [.textStartsWithAt, .malformedReply(at: 3)]
        for error in errors {
            #expect(error.message.count > 20, "\(error)")
            #expect(!error.message.contains { $0.isNewline || $0 == "\t" }, "\(error)")
        }
    }
}
