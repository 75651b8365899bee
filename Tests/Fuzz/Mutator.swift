// Mutations by words of SQL, so that most texts parse or nearly do; libFuzzer's own, by bytes, are one of them.

/// libFuzzer's own mutation.
@_silgen_name("LLVMFuzzerMutate")
private func libFuzzerMutate(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int) -> Int

struct Mutator {
    private let buffer: UnsafeMutableRawBufferPointer
    private var text: [UInt8]
    private var random: SplitMix

    /// Texts are kept this short, for speed: what length does is tested by the few that are stretched.
    private static let usualBytes = 500
    private static let stretchedBytes = 16_384
    /// One text in this many is stretched.
    private static let stretching = 1000

    /// `buffer` holds `count` bytes of text.
    init(_ buffer: UnsafeMutableRawBufferPointer, count: Int, seed: CUnsignedInt) {
        self.buffer = buffer
        text = Array(buffer.prefix(count))
        random = SplitMix(state: UInt64(seed))
    }

    /// The new text's length.
    mutating func mutate() -> Int {
        if text.count > Mutator.usualBytes { cut() }
        if chance(Mutator.stretching) {
            stretch()
            store()
            return min(text.count, buffer.count)
        }
        if chance(6) {
            store()
            guard let base = buffer.bindMemory(to: UInt8.self).baseAddress else { return 0 }
            return libFuzzerMutate(base, text.count, min(buffer.count, Mutator.usualBytes))
        }
        for _ in 0..<below(4) + 1 { change() }
        store()
        return min(text.count, buffer.count)
    }

    private func store() { buffer.copyBytes(from: text.prefix(buffer.count)) }

    private mutating func cut() {
        let start = below(text.count - Mutator.usualBytes / 2)
        text = Array(text[start...].prefix(Mutator.usualBytes / 2))
    }

    private mutating func change() {
        switch below(8) {
        case 0, 1: insert(word(), at: boundary())
        case 2: replace(tokenRange(), word())
        case 3: text.removeSubrange(tokenRange())
        case 4: insert(Array(text[tokenRange()]), at: boundary())
        case 5: insert(Array(text[range()]), at: boundary())
        case 6: wrap()
        default: replace(range(), word())
        }
    }

    private mutating func word() -> [UInt8] {
        let word = Array(SQLWords.all[below(SQLWords.all.count)].utf8)
        return chance(3) ? word : [0x20] + word + [0x20]
    }

    private mutating func wrap() {
        let pair = SQLWords.pairs[below(SQLWords.pairs.count)]
        let range = tokenRange()
        text.replaceSubrange(range, with: Array(pair.0.utf8) + text[range] + Array(pair.1.utf8))
    }

    private mutating func insert(_ bytes: [UInt8], at index: Int) { text.insert(contentsOf: bytes, at: index) }

    private mutating func replace(_ range: Range<Int>, _ bytes: [UInt8]) { text.replaceSubrange(range, with: bytes) }

    /// A piece again and again, up to where texts are no longer parsed, or a little above.
    private mutating func stretch() {
        let range = tokenRange()
        let piece = Array(text[range])
        guard !piece.isEmpty else { return }
        let room = Mutator.stretchedBytes - text.count - below(64) + 32
        let copies = repeatElement(piece, count: max(0, room / piece.count)).joined()
        text.insert(contentsOf: Array(copies), at: range.upperBound)
    }

    // MARK: Places

    private mutating func range() -> Range<Int> {
        let start = below(text.count + 1)
        return start..<min(text.count, start + below(40))
    }

    /// A place where a word begins or ends, near a place by chance.
    private mutating func boundary() -> Int { Mutator.boundary(in: text, from: below(text.count + 1)) }

    private mutating func tokenRange() -> Range<Int> {
        let start = boundary()
        var end = start
        for _ in 0..<below(3) + 1 where end < text.count { end = Mutator.boundary(in: text, from: end + 1) }
        return start..<end
    }

    private static func boundary(in text: [UInt8], from start: Int) -> Int {
        var index = start
        while index > 0, index < text.count, isLetter(text[index]), isLetter(text[index - 1]) { index += 1 }
        return index
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        byte >= 0x80 || byte == UInt8(ascii: "_") || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a)
    }

    // MARK: Chance

    private mutating func below(_ bound: Int) -> Int { bound < 2 ? 0 : Int(random.next() % UInt64(bound)) }
    private mutating func chance(_ oneIn: Int) -> Bool { below(oneIn) == 0 }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): libFuzzer's seed decides all.
private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
