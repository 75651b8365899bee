import Testing

@testable import Settings

/// Files that are nearly right, made from fixed seeds: whatever they say, the parser answers.
struct FuzzTests {
    /// SplitMix64.
    struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    static let tokens = [
        "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "\"", "\"\"\"", "'", "'''", "#", "\n", "\r", "\\", "\\u0000",
        "\u{FEFF}",
        "\u{FEFD}", "é", "1e400", "0x", "1979-05-27", "inf", "true", "-", "version", "pool.", "[[rule]]", "[pool.x]",
        "password=", "9223372036854775808", "\u{1}", "\u{7F}",
    ]

    static func mutate(_ text: [UInt8], with others: [[UInt8]], by generator: inout Generator) -> [UInt8] {
        var text = text
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let start = Int.random(in: 0...text.count, using: &generator)
            let end = min(text.count, start + Int.random(in: 0...12, using: &generator))
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: text.removeSubrange(start..<end)
            case 1: text.insert(UInt8.random(in: 0...255, using: &generator), at: start)
            case 2: text.insert(contentsOf: (tokens.randomElement(using: &generator) ?? "").utf8, at: start)
            case 3: text.replaceSubrange(start..<end, with: (tokens.randomElement(using: &generator) ?? "").utf8)
            case 4:
                text.insert(contentsOf: Array(text[start..<end]), at: Int.random(in: 0...text.count, using: &generator))
            default:
                let other = others.randomElement(using: &generator) ?? []
                let from = Int.random(in: 0...other.count, using: &generator)
                text.insert(contentsOf: other[from..<min(other.count, from + 80)], at: start)
            }
        }
        return text
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func mutatedFilesAreAnswered(_ seed: UInt64) throws {
        var generator = Generator(state: seed)
        let seeds = try ["good.toml", "ten-mistakes.toml", "later-features.toml", "base.toml", "bad.txt"].map {
            Array(try Corpus.read($0).utf8)
        }
        var syntaxErrors = 0
        var others = 0
        for round in 0..<400 {
            let text = Self.mutate(seeds[round % 4], with: seeds, by: &generator)
            let parsed = Settings.parse(text, file: "fuzzed")
            let lines = text.count { $0 == UInt8(ascii: "\n") } + 1
            for complaint in parsed.complaints {
                #expect((1...lines).contains(complaint.line) && complaint.column >= 1 && !complaint.message.isEmpty)
            }
            #expect(parsed.complaints == parsed.complaints.inFileOrder())
            if parsed.draft == nil { syntaxErrors += 1 } else { others += 1 }
            if parsed.draft == nil { #expect(parsed.complaints.count == 1) }
            if let settings = parsed.settings {
                #expect(!settings.listeners.isEmpty && settings.pools.contains { $0.role.value == .primary })
            }
        }
        // The mutations are of both kinds, else the loop tests less than it seems to.
        #expect(syntaxErrors > 40 && others > 40)
    }

    /// Deep, long or repetitive: neither the stack nor the clock runs out.
    @Test func hostileTextsAreAnswered() {
        let texts: [String] = [
            "[" + String(repeating: "a.", count: 200_000) + "a]",
            String(repeating: "\"a\" . ", count: 100_000) + "a = 1",
            "a = " + String(repeating: "[", count: 500_000),
            "a = " + String(repeating: "{a=", count: 200_000),
            String(repeating: "[[rule]]\n", count: 100_000),
            (0..<20_000).map { "[pool.p\($0)]\nrole = \"primary\"\n" }.joined(),
            (0..<20_000).map { "[[rule]]\nname = \"\($0)\"\npool = \"p\($0)\"\n" }.joined(),
            "a = \"" + String(repeating: "\\\\", count: 400_000),
            String(repeating: "'''\n", count: 200_001),
            String(repeating: "\u{FEFD}", count: 300_000),
        ]
        for text in texts { #expect(!Settings.parse(text).complaints.isEmpty) }
    }
}
