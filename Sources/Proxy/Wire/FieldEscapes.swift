import Glibc

/// The escapes of fields, those of PostgreSQL's COPY text format: `\\ \t \n \r`, and `\N` for SQL NULL.
package enum FieldEscapes {
    /// Unescapes a whole field in place and checks that it is UTF-8.
    ///
    /// - Returns: the field, in the same memory.
    /// - Throws: what a request line with that field would be refused with; offsets are those in the field.
    package static func unescaped(_ field: UnsafeMutableRawBufferPointer) throws(WireError) -> UnsafeRawBufferPointer {
        guard let base = field.baseAddress else { return UnsafeRawBufferPointer(field) }
        if let invalid = UTF8Check.firstInvalid(UnsafeRawBufferPointer(field)) {
            throw .invalidUTF8(at: Int32(truncatingIfNeeded: invalid))
        }
        let end = try unescape(base, from: 0, to: field.count, into: 0)
        return UnsafeRawBufferPointer(start: base, count: end)
    }

    /// A text as a field of one line.
    package static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: { letter(for: $0) != nil }) else { return text }
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if let letter = letter(for: byte) {
                bytes.append(ASCII.backslash)
                bytes.append(letter)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Unescapes the bytes from `source` to `end` to `target`, which is not behind `source`, and answers where the
    /// result ends. Unescaping never grows a field, so it works in place.
    static func unescape(
        _ line: UnsafeMutableRawPointer, from source: Int, to end: Int, into target: Int
    ) throws(WireError) -> Int {
        var source = source
        var target = target
        while let found = memchr(line + source, Int32(ASCII.backslash), end &- source) {
            let backslash = UnsafeMutableRawPointer(found) - line
            move(line, from: source, to: backslash, into: target)
            target &+= backslash &- source
            let letter = backslash &+ 1 < end ? line.load(fromByteOffset: backslash &+ 1, as: UInt8.self) : 0
            guard let byte = meaning(ofEscape: letter) else {
                throw .badEscape(letter, at: Int32(truncatingIfNeeded: backslash))
            }
            line.storeBytes(of: byte, toByteOffset: target, as: UInt8.self)
            target &+= 1
            source = backslash &+ 2
        }
        move(line, from: source, to: end, into: target)
        return target &+ (end &- source)
    }

    @inline(__always)
    static func move(_ line: UnsafeMutableRawPointer, from source: Int, to end: Int, into target: Int) {
        if target != source { memmove(line + target, line + source, end &- source) }
    }

    /// The byte that backslash and `letter` stand for.
    static func meaning(ofEscape letter: UInt8) -> UInt8? {
        switch letter {
        case ASCII.backslash: ASCII.backslash
        case ASCII.t: ASCII.tab
        case ASCII.n: ASCII.lineFeed
        case ASCII.r: ASCII.carriageReturn
        default: nil
        }
    }

    /// The letter behind a backslash that stands for `byte`, or nil for a byte that stands for itself.
    @inline(__always)
    static func letter(for byte: UInt8) -> UInt8? {
        switch byte {
        case ASCII.backslash: ASCII.backslash
        case ASCII.tab: ASCII.t
        case ASCII.lineFeed: ASCII.n
        case ASCII.carriageReturn: ASCII.r
        default: nil
        }
    }
}

/// What one pass over a line finds, so that most lines need no second look.
struct LineSurvey {
    /// The line has a NUL or a CR.
    let breaksFraming: Bool
    let hasBackslash: Bool
    let isASCII: Bool

    @inline(__always)
    init(_ base: UnsafeRawPointer, count: Int) {
        if count >= 16 {
            self.init(long: base, count: count)
        } else if count >= 8 {
            // Two words that may overlap: never a byte behind the end.
            self.init(
                base.loadUnaligned(as: UInt64.self),
                base.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self))
        } else if count > 0 {
            // Spaces where the line has ended, lest its end be taken for a NUL.
            let spaces = (UInt64(ASCII.space) &* Words.eachByte) &<< (8 &* UInt64(count))
            let word = Words.load(base, count: count) | spaces
            self.init(word, word)
        } else {
            let spaces = UInt64(ASCII.space) &* Words.eachByte
            self.init(spaces, spaces)
        }
    }

    @inline(__always)
    private init(_ first: UInt64, _ second: UInt64) {
        breaksFraming =
            Words.matches(first, 0) | Words.matches(second, 0) | Words.matches(first, ASCII.carriageReturn)
            | Words.matches(second, ASCII.carriageReturn) != 0
        hasBackslash = Words.matches(first, ASCII.backslash) | Words.matches(second, ASCII.backslash) != 0
        isASCII = (first | second) & Words.highBits == 0
    }

    @inline(__always)
    private init(long base: UnsafeRawPointer, count: Int) {
        var framing = SIMDMask<SIMD16<Int8>>(repeating: false)
        var backslashes = framing
        var all = SIMD16<UInt8>()
        var offset = 0
        while offset < count {
            // The last sixteen overlap those before them.
            let chunk = base.loadUnaligned(fromByteOffset: min(offset, count &- 16), as: SIMD16<UInt8>.self)
            framing = framing .| Words.lanes(of: chunk, 0) .| Words.lanes(of: chunk, ASCII.carriageReturn)
            backslashes = backslashes .| Words.lanes(of: chunk, ASCII.backslash)
            all |= chunk
            offset &+= 16
        }
        breaksFraming = Words.isAnySet(framing)
        hasBackslash = Words.isAnySet(backslashes)
        isASCII = !Words.isAnySet(all .>= SIMD16<UInt8>(repeating: 0x80))
    }
}

enum UTF8Check {
    /// The offset of the first byte that starts no valid sequence, or nil when all of `bytes` is UTF-8. Surrogates,
    /// overlong forms and what lies behind U+10FFFF are invalid, as in PostgreSQL's pg_utf8_islegal.
    static func firstInvalid(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        let end = bytes.count
        var offset = 0
        while offset < end {
            if offset &+ 8 <= end,
                base.loadUnaligned(fromByteOffset: offset, as: UInt64.self) & Words.highBits == 0
            {
                offset &+= 8
                continue
            }
            let length = sequence(base + offset, end &- offset)
            guard length > 0 else { return offset }
            offset &+= length
        }
        return nil
    }

    /// The length of the sequence that starts at `start`, of which `available` bytes (1 or more) are there; 0 when it is
    /// invalid. Table 3-7 of the Unicode Standard.
    @inline(__always)
    private static func sequence(_ start: UnsafeRawPointer, _ available: Int) -> Int {
        let first = start.load(as: UInt8.self)
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0x00...0x7F: return 1
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return 0
        }
        guard available >= length, second.contains(start.load(fromByteOffset: 1, as: UInt8.self)) else { return 0 }
        for index in 2..<max(length, 2) where start.load(fromByteOffset: index, as: UInt8.self) & 0xC0 != 0x80 {
            return 0
        }
        return length
    }
}
