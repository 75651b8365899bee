import Testing

@testable import Wire

/// A line that is served, and what it means.
struct GoodLine: Sendable, CustomTestStringConvertible {
    var line: String
    var verb: Verb
    var id: String
    var text = ""
    var parameters: [String?] = []
    var options: [OptionKey: String] = [:]
    var after: [String] = []

    var testDescription: String { line.debugDescription }
}

@Suite struct RequestParserTests {
    static let limits = WireLimits()

    static let lines: [GoodLine] = [
        // The transcript of the protocol's documentation.
        GoodLine(
            line: "Q 1 SELECT id, msg_text FROM msgs_msg WHERE id = $1\t42\n", verb: .query, id: "1",
            text: "SELECT id, msg_text FROM msgs_msg WHERE id = $1", parameters: ["42"]),
        GoodLine(line: "BEGIN 2\n", verb: .begin, id: "2"),
        GoodLine(
            line: "Q 3 INSERT INTO msgs_msg(msg_text) VALUES ($1) RETURNING id\ttwo\\nlines\n", verb: .query,
            id: "3", text: "INSERT INTO msgs_msg(msg_text) VALUES ($1) RETURNING id", parameters: ["two\nlines"]),
        GoodLine(line: "COMMIT 4 @token\n", verb: .commit, id: "4", options: [.token: ""]),
        GoodLine(
            line: "Q 5 @after=1.0/36B0FA0.5f2c91aa @wait=50 SELECT * FROM nope\n", verb: .query, id: "5",
            text: "SELECT * FROM nope", options: [.after: "", .wait: "50"], after: ["1.0/36B0FA0.5f2c91aa"]),
        // Every verb, and verbs of any case.
        GoodLine(
            line: "HELLO h @app=web @salt=k3. 1\n", verb: .hello, id: "h", text: "1",
            options: [.app: "web", .salt: "k3."]),
        GoodLine(line: "ROLLBACK 6\n", verb: .rollback, id: "6"),
        GoodLine(line: "ROUTE 7 DELETE FROM t\n", verb: .route, id: "7", text: "DELETE FROM t"),
        GoodLine(line: "CANCEL 8 a.b_c-9\n", verb: .cancel, id: "8", text: "a.b_c-9"),
        GoodLine(
            line: "CANCEL 8 @conn=18446744073709551615 @key=00ffA0 x\n", verb: .cancel, id: "8", text: "x",
            options: [.conn: "18446744073709551615", .key: "ffa0"]),
        GoodLine(line: "PING 9\n", verb: .ping, id: "9"),
        GoodLine(line: "STATS 10\n", verb: .stats, id: "10"),
        GoodLine(line: "STATS 10 pools\n", verb: .stats, id: "10", text: "pools"),
        GoodLine(line: "RELOAD 11\n", verb: .reload, id: "11"),
        GoodLine(line: "PAUSE 12 standby\n", verb: .pause, id: "12", text: "standby"),
        GoodLine(line: "RESUME 13 standby\n", verb: .resume, id: "13", text: "standby"),
        GoodLine(line: "DRAIN 14\n", verb: .drain, id: "14"),
        GoodLine(line: "KILL 15 1234\n", verb: .kill, id: "15", text: "1234"),
        GoodLine(line: "LOG 16 debug\n", verb: .log, id: "16", text: "debug"),
        GoodLine(line: "FORGET 17 50fde20626009aba\n", verb: .forget, id: "17", text: "50fde20626009aba"),
        GoodLine(line: "q 1 x\n", verb: .query, id: "1", text: "x"),
        GoodLine(line: "rOlLbAcK 1\n", verb: .rollback, id: "1"),
        // Spaces, CR, ids.
        GoodLine(line: "Q    1    SELECT  1 \n", verb: .query, id: "1", text: "SELECT  1 "),
        GoodLine(
            line: "Q   1   @ro    @token   SELECT 1\n", verb: .query, id: "1", text: "SELECT 1",
            options: [.ro: "", .token: ""]),
        GoodLine(line: "Q 1 SELECT 1\r\n", verb: .query, id: "1", text: "SELECT 1"),
        GoodLine(line: "PING 1\r\n", verb: .ping, id: "1"),
        GoodLine(line: "Q 1 x\tv\r\n", verb: .query, id: "1", text: "x", parameters: ["v"]),
        GoodLine(line: "Q 1 x\t\r\n", verb: .query, id: "1", text: "x", parameters: [""]),
        GoodLine(line: "PING -\n", verb: .ping, id: "-"),
        GoodLine(line: "PING AZaz09._-\n", verb: .ping, id: "AZaz09._-"),
        GoodLine(line: "PING 0123456789abcdef0123456789abcdef\n", verb: .ping, id: "0123456789abcdef0123456789abcdef"),
        // Escapes and NULL.
        GoodLine(
            line: #"Q 1 SELECT '\\d\t\n\r'"# + "\n", verb: .query, id: "1", text: "SELECT '\\d\t\n\r'"),
        GoodLine(line: #"Q 1 \tSELECT 1\n"# + "\n", verb: .query, id: "1", text: "\tSELECT 1\n"),
        GoodLine(
            line: "Q 1 x\t\\\\\t\\t\t\\n\t\\r\n", verb: .query, id: "1", text: "x",
            parameters: ["\\", "\t", "\n", "\r"]),
        GoodLine(line: "Q 1 x\t\\N\n", verb: .query, id: "1", text: "x", parameters: [nil]),
        GoodLine(
            line: "Q 1 x\t\\N\t\\N\ta\t\\N\t\n", verb: .query, id: "1", text: "x",
            parameters: [nil, nil, "a", nil, ""]),
        GoodLine(line: "Q 1 x\t\\\\N\tN\n", verb: .query, id: "1", text: "x", parameters: ["\\N", "N"]),
        GoodLine(line: "Q 1 x\t\t\t\n", verb: .query, id: "1", text: "x", parameters: ["", "", ""]),
        GoodLine(line: "Q 1 x\t @ro \t\"\n", verb: .query, id: "1", text: "x", parameters: [" @ro ", "\""]),
        GoodLine(
            line: "Q 1 x\\n\ta\\\\b\\\\\t\\N\tend\n", verb: .query, id: "1", text: "x\n",
            parameters: ["a\\b\\", nil, "end"]),
        // UTF-8, and controls that the grammar allows.
        GoodLine(
            line: "Q 1 SELECT 'é€😀'\t😀\tü\n", verb: .query, id: "1", text: "SELECT 'é€😀'",
            parameters: ["😀", "ü"]),
        GoodLine(
            line: "Q 1 a\u{1}\u{B}\u{C}\u{7F}\u{2028}\u{85}b\n", verb: .query, id: "1",
            text: "a\u{1}\u{B}\u{C}\u{7F}\u{2028}\u{85}b"),
        GoodLine(
            line: "Q 1 \u{10FFFF}\u{FFFF}\u{E000}\u{D7FF}\u{800}\u{7FF}\u{80}\n", verb: .query, id: "1",
            text: "\u{10FFFF}\u{FFFF}\u{E000}\u{D7FF}\u{800}\u{7FF}\u{80}"),
        // Options.
        GoodLine(
            line: "Q 1 @using=accounts @route=standby @pool=s-1 @lag=0 @wait=86400000 @timeout=1 @tag=front "
                + "@tp=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 @session=a@b=c @resolve @ro @token x\n",
            verb: .query, id: "1", text: "x",
            options: [
                .using: "accounts", .route: "standby", .pool: "s-1", .lag: "0", .wait: "86400000", .timeout: "1",
                .tag: "front", .tp: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", .session: "a@b=c",
                .resolve: "", .ro: "", .token: "",
            ]),
        GoodLine(line: "Q 1 @route=primary x\n", verb: .query, id: "1", text: "x", options: [.route: "primary"]),
        GoodLine(
            line: "Q 1 @after=b.1 @tag=@after=no @after=a.2 @after=c x\t@after=d\n", verb: .query, id: "1",
            text: "x", parameters: ["@after=d"], options: [.after: "", .tag: "@after=no"],
            after: ["b.1", "a.2", "c"]),
        GoodLine(
            line: "BEGIN 1 @ro @iso=rr @lag=007\n", verb: .begin, id: "1",
            options: [.ro: "", .iso: "rr", .lag: "7"]),
        GoodLine(line: "BEGIN 1 @iso=rc\n", verb: .begin, id: "1", options: [.iso: "rc"]),
        GoodLine(line: "BEGIN 1 @iso=ser\r\n", verb: .begin, id: "1", options: [.iso: "ser"]),
        // No escapes inside options: a backslash is one of their characters.
        GoodLine(line: "Q 1 @tag=a\\nb x\n", verb: .query, id: "1", text: "x", options: [.tag: "a\\nb"]),
        GoodLine(line: "Q 1 x@ro @ro\n", verb: .query, id: "1", text: "x@ro @ro"),
    ]

    @Test(arguments: lines, Feeding.allCases)
    func reads(_ good: GoodLine, _ feeding: Feeding) {
        let parsed = ParsedLine(Array(good.line.utf8), feeding: feeding)
        #expect(parsed.error == nil)
        #expect(parsed.verb == good.verb)
        #expect(parsed.id == good.id)
        #expect(parsed.text == good.text)
        #expect(parsed.parameters == good.parameters)
        #expect(parsed.options == good.options)
        #expect(parsed.after == good.after)
    }

    @Test(arguments: Verb.allCases)
    func everyVerbIsKnownByItsNameInAnyCase(_ verb: Verb) {
        for name in ["\(verb.name)", "\(verb.name)".lowercased()] {
            let parsed = ParsedLine(Array("\(name) 1\n".utf8))
            #expect(parsed.verb == verb)
            if case .unknownVerb = parsed.error { Issue.record("\(name) is a verb") }
        }
        let longer = ParsedLine(Array("\(verb.name)X 1\n".utf8))
        #expect(longer.error?.closesConnection == true)
    }

    /// The table says which options a verb takes; the parser takes those and no other.
    @Test(arguments: Verb.allCases, OptionKey.allCases)
    func takesExactlyTheOptionsOfItsTable(_ verb: Verb, _ key: OptionKey) {
        let samples: [OptionKey: String] = [
            .lag: "=1", .wait: "=1", .timeout: "=1", .route: "=primary", .iso: "=rc", .conn: "=1 @key=1",
            .key: "=1 @conn=1", .token: "", .ro: "", .resolve: "",
        ]
        let text =
            switch verb.form.text {
            case .none, .optionalName: ""
            case .statement, .name, .request, .version, .connection: " 1"
            }
        let line = "\(verb.name) 1 @\(key.name)\(samples[key] ?? "=v")\(text)\n"
        let parsed = ParsedLine(Array(line.utf8))
        if verb.form.options.contains(OptionKeys(key)) {
            #expect(parsed.error == nil)
            #expect(parsed.options[key] != nil)
        } else {
            #expect(parsed.error == .optionRefused(key, of: verb))
            #expect(parsed.error?.message.contains("\(verb.name) takes no @\(key.name)") == true)
        }
    }

    @Test func theIDIsComparedWithTheSalt() {
        let cases: [(line: String, salt: String, holds: Bool)] = [
            ("PING k3.1\n", "k3.", true), ("PING k3.\n", "k3.", true), ("PING k3\n", "k3.", false),
            ("PING x3.1\n", "k3.", false), ("PING 1\n", "", true), ("PING ?\n", "k3.", false),
        ]
        for (line, salt, holds) in cases {
            let memory = GuardedMemory(Array(line.utf8))
            defer { memory.free() }
            guard let base = memory.bytes.baseAddress else { return }
            let request = RequestParser.parse(memory.bytes, limits: Self.limits)
            let starts = Array(salt.utf8).withUnsafeBytes { request.idStarts(with: $0, in: base) }
            #expect(starts == holds, "\(line) \(salt)")
        }
    }

    @Test(arguments: [
        ("HELLO 1 1\n", 1), ("HELLO 1 999999999\n", 999_999_999), ("KILL 1 18446744073709551615\n", UInt64.max),
    ])
    func aNumberIsReadFromTheText(_ line: String, _ number: UInt64) {
        let memory = GuardedMemory(Array(line.utf8))
        defer { memory.free() }
        guard let base = memory.bytes.baseAddress else { return }
        let request = RequestParser.parse(memory.bytes, limits: Self.limits)
        #expect(request.error == nil)
        #expect(request.number(in: base) == number)
    }

    /// It is copied for each request in flight, so it stays plain and small.
    @Test func aRequestIsSmallAndPlain() {
        #expect(MemoryLayout<Request>.size <= 136)
        #expect(_isPOD(Request.self))
    }
}
