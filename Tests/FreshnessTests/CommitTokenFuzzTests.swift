import Freshness
import Testing

/// Tokens of chance, from fixed seeds: none ends the process, what is taken is what the grammar says, and what was written is
/// read again.
struct CommitTokenFuzzTests {
    private static let textsPerSeed = 8_000

    /// The grammar, by other means than the parser's: `TIMELINE.X/Y.SYSTEM`.
    private static func reference(_ text: [UInt8]) -> String? {
        guard text.count <= CommitToken.maximumBytes, text.allSatisfy({ $0 < 0x80 }) else { return nil }
        let parts = String(decoding: text, as: UTF8.self).split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        let halves = parts[1].split(separator: "/", omittingEmptySubsequences: false)
        let hexadecimal = { (digits: Substring) -> UInt32? in
            digits.allSatisfy(\.isHexDigit) && digits.utf8.count <= 8 ? UInt32(digits, radix: 16) : nil
        }
        guard parts[0].utf8.count <= 10, parts[0].allSatisfy(\.isWholeNumber), let timeline = UInt32(parts[0]),
            timeline > 0, halves.count == 2, let high = hexadecimal(halves[0]), let low = hexadecimal(halves[1]),
            parts[2].utf8.count == 8, let system = hexadecimal(parts[2])
        else { return nil }
        let position = LogPosition(UInt64(high) << 32 | UInt64(low))
        return CommitToken(timeline: timeline, position: position, system: system).description
    }

    private static let pieces = [
        ".", "/", "0", "1", "9", "4294967295", "4294967296", "a", "F", "g", "-", "+", " ", "\\", "\0", "ü", "00000000",
        "5f2c91aa", "FFFFFFFF", "16", "B374D848", "1.0/36B0FA0.5f2c91aa", "00000000000", ":", "@", "`",
    ]

    private static func text(_ random: inout RandomNumbers) -> [UInt8] {
        var bytes: [UInt8] = []
        switch random.below(4) {
        case 0: for _ in 0..<random.below(70) { bytes.append(UInt8(random.below(256))) }
        case 1: for _ in 0..<random.below(9) { bytes += pieces[random.below(pieces.count)].utf8 }
        default:
            let token = CommitToken(
                timeline: UInt32(truncatingIfNeeded: random.next() >> (32 + random.next() % 32)),
                position: LogPosition(random.next() >> (random.next() % 64)),
                system: UInt32(truncatingIfNeeded: random.next() >> (random.next() % 64)))
            bytes += token.description.utf8
            // A byte is another, is gone, or is there twice.
            for _ in 0..<random.below(3) {
                let index = random.below(bytes.count)
                switch random.below(3) {
                case 0: bytes[index] = UInt8(random.chance(80) ? 0x2B + random.below(0x40) : random.below(256))
                case 1: bytes.remove(at: index)
                default: bytes.insert(bytes[index], at: index)
                }
            }
        }
        return bytes
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func agreesWithTheGrammar(_ seed: UInt64) {
        var random = RandomNumbers(seed: seed)
        var (taken, refused) = (0, 0)
        for round in 0..<Self.textsPerSeed {
            let text = Self.text(&random)
            let token = text.withUnsafeBytes { CommitToken($0) }
            if token == nil { refused += 1 } else { taken += 1 }
            guard token?.description == Self.reference(text) else {
                let shown = String(decoding: text, as: UTF8.self).debugDescription
                Issue.record("seed \(seed), round \(round): \(shown): \(token?.description ?? "none")")
                return
            }
        }
        // A fuzz that only ever meets one of them tests nothing.
        #expect(taken > Self.textsPerSeed / 20 && refused > Self.textsPerSeed / 20)
    }

    @Test(arguments: 11...12 as ClosedRange<UInt64>)
    func whatIsWrittenIsRead(_ seed: UInt64) {
        var random = RandomNumbers(seed: seed)
        for _ in 0..<4_000 {
            let token = CommitToken(
                timeline: max(1, UInt32(truncatingIfNeeded: random.next() >> (random.next() % 64))),
                position: LogPosition(random.next() >> (random.next() % 64)),
                system: UInt32(truncatingIfNeeded: random.next() >> (random.next() % 64)))
            #expect(withBytes(of: token.description) { CommitToken($0) } == token)
            #expect(token.description.utf8.count <= 37)
        }
    }
}
