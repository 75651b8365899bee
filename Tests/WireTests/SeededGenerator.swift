/// SplitMix64: the same values for the same seed everywhere, so that a find can be run again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Text of all that needs care: escapes, controls, characters of every length, and plain runs between them.
    static func text(upTo length: Int, _ random: inout SeededGenerator) -> String {
        let pieces = [
            "\\", "\t", "\n", "\r", "\r\n", "\\N", "\\n", "@", " ", "=", "ü", "€", "😀", "\u{1}", "\u{338}", "\u{2028}",
        ]
        var text = ""
        let count = Int.random(in: 0...length, using: &random)
        while text.utf8.count < count {
            if Int.random(in: 0..<3, using: &random) == 0 {
                text += pieces[Int.random(in: 0..<pieces.count, using: &random)]
            } else {
                text += String(repeating: "a", count: Int.random(in: 1...20, using: &random))
            }
        }
        return text
    }
}
