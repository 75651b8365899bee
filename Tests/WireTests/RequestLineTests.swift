import Testing

@testable import Wire

@Suite struct RequestLineTests {
    private typealias Option = RequestLine.Option

    @Test func writesTheTranscript() throws {
        let cases: [(RequestLine, String)] = [
            (
                RequestLine(.query, id: "1", text: "SELECT $1", parameters: ["42"]),
                "Q 1 SELECT $1\t42\n"
            ),
            (RequestLine(.begin, id: "2"), "BEGIN 2\n"),
            (
                RequestLine(.query, id: "3", text: "INSERT INTO t VALUES ($1)", parameters: ["two\nlines"]),
                "Q 3 INSERT INTO t VALUES ($1)\ttwo\\nlines\n"
            ),
            (RequestLine(.commit, id: "4", options: [Option(.token)]), "COMMIT 4 @token\n"),
            (
                RequestLine(
                    .query, id: "5", options: [Option(.after, "1.0/A.b"), Option(.wait, "50"), Option(.after, "c")],
                    text: "SELECT '\\d'", parameters: [nil, "", "\\N", "a\tb\r"]),
                "Q 5 @after=1.0/A.b @wait=50 @after=c SELECT '\\\\d'\t\\N\t\t\\\\N\ta\\tb\\r\n"
            ),
            (RequestLine(.query, id: "6", text: "  SELECT 1"), "Q 6 SELECT 1\n"),
            (RequestLine(.query, id: "7", text: "\n  SELECT 1\r\n"), "Q 7 \\n  SELECT 1\\r\\n\n"),
            (RequestLine(.hello, id: "h", options: [Option(.salt, "k")], text: "1"), "HELLO h @salt=k 1\n"),
            (RequestLine(.stats, id: "s"), "STATS s\n"),
            (RequestLine(.stats, id: "s", text: "pools"), "STATS s pools\n"),
        ]
        for (request, line) in cases {
            #expect(String(decoding: try request.bytes(), as: UTF8.self) == line)
        }
    }

    /// What would become another line, option or value is refused and nothing of it is appended.
    @Test func refusesWhatCannotBeWritten() {
        let limits = WireLimits(maxLine: 64, maxParameters: 2, maxOptions: 2)
        let cases: [(RequestLine, WireError)] = [
            (RequestLine(.query, id: "", text: "x"), .badID(at: 2)),
            (RequestLine(.query, id: "a b", text: "x"), .badID(at: 2)),
            (RequestLine(.query, id: "a\nQ", text: "x"), .badID(at: 2)),
            (RequestLine(.query, id: String(repeating: "i", count: 33), text: "x"), .badID(at: 2)),
            (RequestLine(.query, id: "1", options: [Option(.tag, "a b")], text: "x"), .badOptionValue(.tag, at: 4)),
            (RequestLine(.query, id: "1", options: [Option(.tag, "a\nb")], text: "x"), .badOptionValue(.tag, at: 4)),
            (RequestLine(.query, id: "1", options: [Option(.tag, "ü")], text: "x"), .badOptionValue(.tag, at: 4)),
            (RequestLine(.query, id: "1", options: [Option(.tag, "")], text: "x"), .badOptionValue(.tag, at: 4)),
            (RequestLine(.query, id: "1", options: [Option(.tag)], text: "x"), .badOptionValue(.tag, at: 4)),
            (RequestLine(.query, id: "1", options: [Option(.ro, "1")], text: "x"), .badOptionValue(.ro, at: 4)),
            (
                RequestLine(
                    .query, id: "1", options: [Option(.tag, String(repeating: "t", count: 65))], text: "x"),
                .badOptionValue(.tag, at: 4)
            ),
            (
                RequestLine(.query, id: "1", options: [Option(.ro), Option(.ro)], text: "x"), .optionRepeated(.ro)
            ),
            (RequestLine(.ping, id: "1", options: [Option(.ro)]), .optionRefused(.ro, of: .ping)),
            (
                RequestLine(.query, id: "1", options: [Option(.after, "a"), Option(.ro), Option(.token)], text: "x"),
                .tooManyOptions(limit: 2)
            ),
            (RequestLine(.query, id: "1"), .textMissing(.query)),
            (RequestLine(.query, id: "1", text: "   "), .textMissing(.query)),
            (RequestLine(.query, id: "1", text: "@ro DELETE"), .textStartsWithAt),
            (RequestLine(.query, id: "1", text: "  @ro DELETE"), .textStartsWithAt),
            (RequestLine(.query, id: "1", text: "SELECT '\0'"), .nulByte(at: 12)),
            (RequestLine(.query, id: "1", text: "x", parameters: ["ok", "a\\\0"]), .nulByte(at: 12)),
            (RequestLine(.query, id: "1", text: "x", parameters: ["", "", ""]), .tooManyParameters(limit: 2)),
            (RequestLine(.ping, id: "1", text: "x"), .textRefused(.ping, at: 7)),
            (RequestLine(.begin, id: "1", parameters: ["x"]), .valueRefused(.begin, at: 7)),
            (
                RequestLine(.query, id: "1", text: String(repeating: "x", count: 60)), .lineTooLong(limit: 64)
            ),
        ]
        for (request, error) in cases {
            var bytes = Array("before".utf8)
            #expect(throws: error) { try request.append(to: &bytes, limits: limits) }
            #expect(bytes == Array("before".utf8), "\(error)")
        }
        #expect(throws: Never.self) {
            try RequestLine(.query, id: "1", text: String(repeating: "x", count: 59)).bytes(limits: limits)
        }
    }

    /// A client's line is read by the daemon as the same request, whatever text it holds.
    @Test func comesBackAsWritten() throws {
        var random = SeededGenerator(seed: 7)
        for round in 0..<3_000 {
            var text = "S" + SeededGenerator.text(upTo: 120, &random)
            if round % 3 == 0 { text = "\n\t" + text }
            let parameters = (0..<Int.random(in: 0...8, using: &random)).map { _ in
                Int.random(in: 0..<4, using: &random) == 0 ? nil : SeededGenerator.text(upTo: 60, &random)
            }
            var options = [Option(.tag, "t\(round)"), Option(.ro), Option(.after, "x.\(round)"), Option(.lag, "5")]
            options.shuffle(using: &random)
            options.removeLast(Int.random(in: 0...options.count, using: &random))
            let request = RequestLine(
                .query, id: "id-\(round)", options: options, text: text, parameters: parameters)
            let parsed = ParsedLine(try request.bytes())
            #expect(parsed.error == nil)
            #expect(parsed.id == request.id)
            #expect(parsed.text == text)
            #expect(parsed.parameters == parameters)
            #expect(parsed.after == options.filter { $0.key == .after }.map { $0.value ?? "" })
            var expected: [OptionKey: String] = [:]
            for option in options { expected[option.key] = option.key == .after ? "" : option.value ?? "" }
            #expect(parsed.options == expected)
        }
    }
}
