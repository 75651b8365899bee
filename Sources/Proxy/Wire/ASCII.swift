/// The bytes that the grammar names, and tests of single bytes and of eight at once.
enum ASCII {
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let hyphen: UInt8 = 0x2D
    static let equals: UInt8 = 0x3D
    static let questionMark: UInt8 = 0x3F
    static let at: UInt8 = 0x40
    static let backslash: UInt8 = 0x5C
    static let underscore: UInt8 = 0x5F
    static let capitalN: UInt8 = 0x4E
    static let n: UInt8 = 0x6E
    static let r: UInt8 = 0x72
    static let t: UInt8 = 0x74
    static let zero: UInt8 = 0x30
    /// Stands for SQL NULL among unescaped values, since no UTF-8 text contains it.
    static let nullMark: UInt8 = 0xFF

    /// VCHAR of RFC 5234.
    @inline(__always)
    static func isVisible(_ byte: UInt8) -> Bool { byte &- 0x21 <= 0x7E - 0x21 }

    /// ALPHA, DIGIT, ".", "_" or "-".
    @inline(__always)
    static func isIDCharacter(_ byte: UInt8) -> Bool {
        guard byte < 0x80 else { return false }
        // One bit for each allowed byte: "-", "." and the digits in the first word, letters and "_" in the second.
        let set: UInt64 = byte < 0x40 ? 0x03FF_6000_0000_0000 : 0x07FF_FFFE_87FF_FFFE
        return set &>> UInt64(byte & 0x3F) & 1 != 0
    }

    /// a to z or "_".
    @inline(__always)
    static func isOptionCharacter(_ byte: UInt8) -> Bool { byte &- 0x61 < 26 || byte == underscore }

    /// 1 to 20 decimal digits that fit; leading zeros are allowed. Nil for anything else.
    static func decimal(_ bytes: UnsafeRawBufferPointer) -> UInt64? {
        guard (1...20).contains(bytes.count) else { return nil }
        var number: UInt64 = 0
        for byte in bytes {
            let digit = byte &- zero
            guard digit < 10 else { return nil }
            let (tens, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(digit))
            guard !overflow, !carry else { return nil }
            number = sum
        }
        return number
    }

    /// 1 to 16 hexadecimal digits of any case.
    static func hexadecimal(_ bytes: UnsafeRawBufferPointer) -> UInt64? {
        guard (1...16).contains(bytes.count) else { return nil }
        var number: UInt64 = 0
        for byte in bytes {
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte &- 0x30
            case 0x41...0x46: digit = byte &- 0x37
            case 0x61...0x66: digit = byte &- 0x57
            default: return nil
            }
            number = number &<< 4 | UInt64(digit)
        }
        return number
    }
}
