import Glibc
import Testing

@testable import Wire

/// Lines of chance, from fixed seeds: the parser agrees with the reference on every one of them, stays inside the line,
/// and leaves what surrounds it alone. (The line ends where its page ends, so a read behind it ends the test.)
@Suite struct RequestFuzzTests {
    private static let linesPerSeed = 25_000

    /// Pieces that a request is made of, right and wrong.
    private static let pieces: [String] = [
        "Q", "q", "BEGIN", "COMMIT", "ROUTE", "CANCEL", "HELLO", "STATS", "PING", "KILL", " ", " ", " ", " ", "  ",
        "\t",
        "\t", "\t", "1", "a.b-c_9", "@", "@ro", "@token", "@lag=5", "@lag=", "@timeout=0", "@timeout=9", "@after=x.y",
        "@tag=t", "@tag=" + String(repeating: "t", count: 65), "@route=standby", "@pool=p", "@iso=rr", "@conn=1",
        "@key=ff", "@salt=s", "@app=a", "@Lag", "=", "SELECT 1", "x", "\\\\", "\\t", "\\n", "\\r", "\\N", "\\d", "\\",
        "\r", "\0", "ü", "€", "😀", "\u{1}", "\u{7F}", "some longer text of more than sixteen bytes",
    ]

    private static let verbs = Verb.allCases.map { "\($0.name)" }

    private static func line(_ random: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ pieces: some Collection<String>) { bytes += (pieces.randomElement(using: &random) ?? "").utf8 }
        switch Int.random(in: 0..<8, using: &random) {
        case 0:
            // Bytes of any kind.
            for _ in 0..<Int.random(in: 0...40, using: &random) {
                bytes.append(UInt8.random(in: 0...255, using: &random))
            }
        case 1:
            // Pieces in any order.
            for _ in 0..<Int.random(in: 0...14, using: &random) { append(pieces) }
        default:
            // The shape of a request, and pieces where they belong.
            let verb = Bool.random(using: &random) ? verbs[Int.random(in: 0..<verbs.count, using: &random)] : "Q"
            bytes += "\(verb) r-7".utf8
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                bytes.append(0x20)
                append(pieces[24...])
            }
            append([" x", " 12", "", " ", " SELECT"])
            for _ in 0..<Int.random(in: 0...5, using: &random) {
                bytes.append(0x09)
                append(pieces[38...])
            }
        }
        if Int.random(in: 0..<6, using: &random) == 0, !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            bytes[index] = UInt8.random(in: 0...255, using: &random)
        }
        bytes.removeAll { $0 == 0x0A }
        if Int.random(in: 0..<8, using: &random) == 0 { bytes.append(0x0D) }
        return bytes + [0x0A]
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func agreesWithTheReference(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let limits = WireLimits()
        let arena = GuardedMemory([UInt8](repeating: 0, count: 4096))
        defer { arena.free() }
        var accepted = 0
        var refused = 0
        for round in 0..<Self.linesPerSeed {
            let bytes = Self.line(&random)
            let before = UnsafeMutableRawBufferPointer(rebasing: arena.bytes[..<(4096 - bytes.count)])
            let line = UnsafeMutableRawBufferPointer(rebasing: arena.bytes[(4096 - bytes.count)...])
            before.last8.storeBytes(of: 0xA5A5_A5A5_A5A5_A5A5, as: UInt64.self)
            line.copyBytes(from: bytes)
            let request = RequestParser.parse(line, limits: limits)
            let parsed = ParsedLine(request, UnsafeRawBufferPointer(line), #_sourceLocation)
            try #require(before.last8.loadUnaligned(as: UInt64.self) == 0xA5A5_A5A5_A5A5_A5A5)
            let outcome: ReferenceParser.Outcome
            if let error = request.error {
                refused += 1
                outcome = .refused(closing: error.closesConnection)
            } else {
                accepted += 1
                outcome = .request(
                    verb: parsed.verb, id: parsed.id, options: [], text: parsed.text, parameters: parsed.parameters)
            }
            let expected = ReferenceParser.parse(bytes)
            guard expected.isSame(as: outcome, parsed) else {
                Issue.record("seed \(seed), round \(round): \(Self.shown(bytes)): \(outcome), not \(expected)")
                return
            }
        }
        // A fuzz that only ever meets one of them tests nothing.
        #expect(accepted > Self.linesPerSeed / 20)
        #expect(refused > Self.linesPerSeed / 20)
    }

    private static func shown(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self).debugDescription }

    /// UTF-8: every sequence of one and two bytes, and three and four bytes at their edges, alone and behind a run.
    @Test func invalidUTF8IsFoundWhereItIs() {
        let leads: [UInt8] = [
            0x7F, 0x80, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5,
            0xFF,
        ]
        let next: [UInt8] = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
        var sequences: [[UInt8]] = (0...255).map { [$0] }
        for first in UInt8.min...UInt8.max {
            for second in UInt8.min...UInt8.max { sequences.append([first, second]) }
        }
        for lead in leads {
            for second in next {
                for third in next {
                    sequences.append([lead, second, third])
                    for fourth in next { sequences.append([lead, second, third, fourth]) }
                }
            }
        }
        let memory = GuardedMemory([UInt8](repeating: 0x61, count: 16))
        defer { memory.free() }
        var wrong = 0
        for sequence in sequences {
            let place = UnsafeMutableRawBufferPointer(rebasing: memory.bytes[(16 - sequence.count)...])
            place.copyBytes(from: sequence)
            let found = UTF8Check.firstInvalid(UnsafeRawBufferPointer(place))
            let foundBehind = UTF8Check.firstInvalid(UnsafeRawBufferPointer(memory.bytes))
            var valid = 0
            while valid < sequence.count,
                let length = (1...4).first(where: {
                    valid + $0 <= sequence.count
                        && String(validating: sequence[valid..<(valid + $0)], as: UTF8.self) != nil
                })
            {
                valid += length
            }
            let expected = valid == sequence.count ? nil : valid
            if found != expected || foundBehind != expected.map({ $0 + 16 - sequence.count }) { wrong += 1 }
            memory.bytes.copyBytes(from: [UInt8](repeating: 0x61, count: 16))
        }
        #expect(wrong == 0)
    }
}

extension UnsafeMutableRawBufferPointer {
    /// The last eight bytes, which stand right before the line.
    fileprivate var last8: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: self[(count - 8)...])
    }
}

extension ReferenceParser.Outcome {
    /// Whether the parser found the same; the options are compared by their decoded values.
    fileprivate func isSame(as other: Self, _ parsed: ParsedLine) -> Bool {
        switch (self, other) {
        case (.refused(let one), .refused(let two)):
            return one == two
        case (
            .request(let verb, let id, let options, let text, let parameters),
            .request(let otherVerb, let otherID, _, let otherText, let otherParameters)
        ):
            var expected: [String: String] = [:]
            var after: [String] = []
            for option in options {
                let key = String(option.prefix { $0 != "=" })
                let value = String(option.dropFirst(key.count + 1))
                if key == "after" { after.append(value) }
                expected[key] = key == "after" ? "" : value
            }
            let found = Dictionary(uniqueKeysWithValues: parsed.options.map { ("\($0.key.name)", $0.value) })
            return verb == otherVerb && id == otherID && text == otherText && parameters == otherParameters
                && expected == found && after == parsed.after
        default:
            return false
        }
    }
}
