/// Eight and sixteen bytes looked at together: what keeps the scans near the speed of memcpy. The needles are those of
/// `LineSurvey` and of the escapes.
enum Words {
    static let eachByte: UInt64 = 0x0101_0101_0101_0101
    /// Not zero in a word of which a byte is not ASCII.
    static let highBits: UInt64 = 0x8080_8080_8080_8080

    /// The high bit of each byte of `word` that is `byte`. Above the first match a bit can be wrong, so it tells
    /// whether there is one and where the first one is, and no more.
    @inline(__always)
    static func matches(_ word: UInt64, _ byte: UInt8) -> UInt64 {
        let difference = word ^ (UInt64(byte) &* eachByte)
        return (difference &- eachByte) & ~difference & highBits
    }

    /// As `matches`, for the bytes that need an escape.
    @inline(__always)
    static func escapes(_ word: UInt64) -> UInt64 {
        matches(word, ASCII.backslash) | matches(word, ASCII.tab)
            | matches(word, ASCII.lineFeed) | matches(word, ASCII.carriageReturn)
    }

    // Comparisons take two vectors on purpose: Swift 6.3 compiles `vector .== scalar` to a loop over the lanes, 40 times
    // slower.

    /// The lanes of `chunk` that are `byte`.
    @inline(__always)
    static func lanes(of chunk: SIMD16<UInt8>, _ byte: UInt8) -> SIMDMask<SIMD16<Int8>> {
        chunk .== SIMD16<UInt8>(repeating: byte)
    }

    /// The lanes that may need an escape: VT and FF, between LF and CR, count as if they did.
    @inline(__always)
    private static func suspects(in chunk: SIMD16<UInt8>) -> SIMDMask<SIMD16<Int8>> {
        let fromTab = chunk &- SIMD16<UInt8>(repeating: ASCII.tab)
        let upToReturn = fromTab .<= SIMD16<UInt8>(repeating: ASCII.carriageReturn - ASCII.tab)
        return upToReturn .| lanes(of: chunk, ASCII.backslash)
    }

    /// Copies whole sixteens of the `count` bytes at `source` up to the first sixteen that may need an escape; how many
    /// bytes that was. May also store what it did not count, up to 64 bytes, but never more than `count`.
    @inline(__always)
    static func copyPlain(from source: UnsafeRawPointer, count: Int, to target: UnsafeMutableRawPointer) -> Int {
        var offset = 0
        while offset &+ 64 <= count {
            var found = SIMDMask<SIMD16<Int8>>(repeating: false)
            for part in 0..<4 {
                let chunk = source.loadUnaligned(fromByteOffset: offset &+ 16 &* part, as: SIMD16<UInt8>.self)
                found = found .| suspects(in: chunk)
                target.storeBytes(of: chunk, toByteOffset: offset &+ 16 &* part, as: SIMD16<UInt8>.self)
            }
            if isAnySet(found) { break }
            offset &+= 64
        }
        while offset &+ 16 <= count {
            let chunk = source.loadUnaligned(fromByteOffset: offset, as: SIMD16<UInt8>.self)
            if isAnySet(suspects(in: chunk)) { break }
            target.storeBytes(of: chunk, toByteOffset: offset, as: SIMD16<UInt8>.self)
            offset &+= 16
        }
        return offset
    }

    @inline(__always)
    static func isAnySet(_ mask: SIMDMask<SIMD16<Int8>>) -> Bool {
        let halves = unsafeBitCast(mask, to: SIMD2<UInt64>.self)
        return halves.x | halves.y != 0
    }

    /// 1 to 8 bytes as a word with zeros above them, without a byte read behind them: loads that may overlap.
    @inline(__always)
    static func load(_ source: UnsafeRawPointer, count: Int) -> UInt64 {
        if count == 8 { return source.loadUnaligned(as: UInt64.self) }
        if count >= 4 {
            let low = UInt64(source.loadUnaligned(as: UInt32.self))
            let high = UInt64(source.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
            return low | high &<< (8 &* UInt64(count &- 4))
        }
        let first = UInt64(source.load(as: UInt8.self))
        guard count > 1 else { return first }
        let middle = UInt64(source.load(fromByteOffset: 1, as: UInt8.self))
        let last = UInt64(source.load(fromByteOffset: count &- 1, as: UInt8.self))
        return first | middle &<< 8 | last &<< (8 &* UInt64(count &- 1))
    }
}
