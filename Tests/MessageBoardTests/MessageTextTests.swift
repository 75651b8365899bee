import Testing

@testable import MessageBoard

@Suite struct MessageTextTests {
    @Test(arguments: [
        ("hello", "hello"), ("  hello \r\n", "hello"), ("one\r\ntwo", "one\ntwo"), ("one\rtwo", "one\ntwo"),
        ("one\r\r\ntwo", "one\n\ntwo"), ("a\tb", "a b"), ("\u{FEFF}\u{200B} x \u{2060}", "x"), ("x\u{A0}", "x"),
        ("\u{3000}x", "x"), ("<script>alert(1)</script>", "<script>alert(1)</script>"), ("'; DROP--", "'; DROP--"),
        ("\\N", "\\N"), ("🎉", "🎉"), ("مرحبا", "مرحبا"), ("a\u{200D}b", "a\u{200D}b"), ("a\u{200E}b", "a\u{200E}b"),
    ])
    func isTrimmed(typed: String, stored: String) throws {
        let text = try MessageText(typed).text
        #expect(Array(text.unicodeScalars) == Array(stored.unicodeScalars))
    }

    /// Compared by code points: Swift takes the two forms of a character for the same String.
    @Test(arguments: [("e\u{301}", "\u{E9}"), ("\u{1112}\u{1161}\u{11AB}", "\u{D55C}"), ("\u{212B}", "\u{C5}")])
    func isComposed(typed: String, stored: String) throws {
        #expect(Array(try MessageText(typed).text.unicodeScalars) == Array(stored.unicodeScalars))
    }

    @Test(
        arguments: [
            "", " ", "\r\n\t ", "\u{200B}", "\u{FEFF}", "\u{2800}", "\u{3164}", "\u{202E}", "\u{2067}\u{2069}",
        ])
    func nothingIsNoMessage(typed: String) {
        #expect(throws: MessageText.Refusal.empty) { try MessageText(typed) }
    }

    @Test(
        arguments: [
            "a\0b", "\0", "a\u{1B}[31m", "a\u{7}", "a\u{85}b", "a\u{7F}", "a\u{2028}b", "a\u{2029}b", "\u{B}x",
        ])
    func controlCharactersAreRefused(typed: String) {
        #expect(throws: MessageText.Refusal.controlCharacter) { try MessageText(typed) }
    }

    @Test(arguments: Array(0x202A...0x202E) + Array(0x2066...0x2069))
    func directionOverridesAreRemoved(value: Int) throws {
        let scalar = try #require(Unicode.Scalar(UInt32(value)))
        #expect(try MessageText("a\(String(scalar))b").text == "ab")
    }

    @Test func lengthIsCountedInCodePointsAsPostgreSQLDoes() throws {
        #expect(try MessageText(String(repeating: "x", count: 200)).text.count == 200)
        #expect(throws: MessageText.Refusal.tooLong(by: 1)) { try MessageText(String(repeating: "x", count: 201)) }
        // One character to Swift, four code points to PostgreSQL.
        let family = "👨\u{200D}👩\u{200D}👧\u{200D}👦"
        #expect(family.count == 1)
        #expect(throws: MessageText.Refusal.tooLong(by: 10)) { try MessageText(String(repeating: family, count: 30)) }
        // Two code points typed, one stored: counted after composing, as it is stored.
        #expect(try MessageText(String(repeating: "e\u{301}", count: 200)).text.unicodeScalars.count == 200)
        // CR LF is one character, as in the browser's own count.
        #expect(try MessageText("a" + String(repeating: "\r\n", count: 198) + "b").text.unicodeScalars.count == 200)
        // White space at the ends does not count.
        #expect(try MessageText("  " + String(repeating: "x", count: 200) + "\n").text.count == 200)
    }

    @Test func aSpaceWithACombiningMarkIsStillASpaceAtTheEnds() throws {
        // "\n" and U+0301 are one Character that is no white space to Swift.
        #expect(Array(try MessageText("\n\u{301}x").text.unicodeScalars) == ["\u{301}", "x"])
        #expect(Array(try MessageText("\r\u{301}x").text.unicodeScalars) == ["\u{301}", "x"])
    }
}
