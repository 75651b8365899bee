import Testing

@testable import Wire

/// Every limit, one below it, at it and one above.
@Suite struct LimitTests {
    private func error(_ line: String, _ limits: WireLimits = WireLimits()) -> WireError? {
        ParsedLine(Array((line + "\n").utf8), limits: limits).error
    }

    @Test func theDefaultsAreThoseOfTheProtocol() {
        let limits = WireLimits()
        #expect(limits.maxLine == 1_048_576)
        #expect(limits.maxParameters == 1024)
        #expect(limits.maxOptions == 16)
    }

    @Test(arguments: [1, 31, 32, 33, 40])
    func idLength(_ length: Int) {
        let id = String(repeating: "a", count: length)
        #expect(error("PING \(id)") == (length <= 32 ? nil : .badID(at: 5)))
    }

    @Test(arguments: [0, 1, 63, 64, 65, 300])
    func optionValueLength(_ length: Int) {
        for key in ["tag", "session", "using", "pool", "tp", "after"] {
            let parsed = error("Q 1 @\(key)=\(String(repeating: "v", count: length)) x")
            #expect((parsed == nil) == (1...64).contains(length), "@\(key) of \(length)")
        }
    }

    @Test(arguments: [1, 15, 16, 17])
    func saltLength(_ length: Int) {
        let salt = String(repeating: "s", count: length)
        #expect(error("HELLO 1 @salt=\(salt) 1") == (length <= 16 ? nil : .badOptionValue(.salt, at: 8)))
    }

    @Test(arguments: [15, 16, 17, 40])
    func options(_ count: Int) {
        let options = (0..<count).map { "@after=t.\($0)" }.joined(separator: " ")
        let parsed = ParsedLine(Array("Q 1 \(options) x\n".utf8))
        #expect(parsed.error == (count <= 16 ? nil : .tooManyOptions(limit: 16)))
        if count <= 16 { #expect(parsed.after == (0..<count).map { "t.\($0)" }) }
        #expect(parsed.id == "1")
    }

    @Test(arguments: [0, 1, 1023, 1024, 1025, 3000], Feeding.allCases)
    func parameters(_ count: Int, _ feeding: Feeding) {
        let values = (0..<count).map { $0 % 7 == 3 ? nil : "v\($0)" }
        let line = "Q 1 x" + values.map { "\t" + ($0 ?? "\\N") }.joined() + "\n"
        let parsed = ParsedLine(Array(line.utf8), feeding: feeding)
        #expect(parsed.error == (count <= 1024 ? nil : .tooManyParameters(limit: 1024)))
        #expect(parsed.error?.closesConnection != true)
        if count <= 1024 { #expect(parsed.parameters == values) }
    }

    @Test func limitsOfTheSettingsHold() {
        let limits = WireLimits(maxLine: 64, maxParameters: 2, maxOptions: 1)
        #expect(error("Q 1 @ro x\ta\tb", limits) == nil)
        #expect(error("Q 1 @ro x\ta\tb\tc", limits) == .tooManyParameters(limit: 2))
        #expect(error("Q 1 @ro @token x", limits) == .tooManyOptions(limit: 1))
    }

    /// A value as long as a line allows, and one with an escape for each byte.
    @Test(arguments: ["a", "\\n", "ü"])
    func aLineOfAMebibyte(_ unit: String) {
        let head = "Q 1 SELECT $1\t"
        let room = (1 << 20) - head.utf8.count - 1
        let count = room / unit.utf8.count
        let line = head + String(repeating: unit, count: count) + String(repeating: "-", count: room % unit.utf8.count)
        let parsed = ParsedLine(Array((line + "\n").utf8))
        #expect(parsed.error == nil)
        let value = unit == "\\n" ? "\n" : unit
        #expect(
            parsed.parameters == [String(repeating: value, count: count) + (room % unit.utf8.count == 0 ? "" : "-")])
    }

    /// Offsets of options are kept in 24 bits: the last place where one fits.
    @Test func anOptionAtTheEndOfTheLongestLine() {
        let limits = WireLimits(maxLine: WireLimits.largestLine)
        let tail = "@tag=\(String(repeating: "t", count: 64)) x\n"
        let gap = String(repeating: " ", count: WireLimits.largestLine - 3 - tail.utf8.count)
        let parsed = ParsedLine(Array("Q 1\(gap)\(tail)".utf8), limits: limits)
        #expect(parsed.error == nil)
        #expect(parsed.options == [.tag: String(repeating: "t", count: 64)])
        #expect(parsed.text == "x")
    }
}
