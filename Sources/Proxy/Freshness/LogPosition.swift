/// A byte position in the write-ahead log, PostgreSQL's pg_lsn: ordered, and meaningful only with a system and a timeline.
///
/// Source: PostgreSQL 15 manual, 8.20 "pg_lsn Type": two hexadecimal numbers of up to 8 digits with a slash between them.
package struct LogPosition: Comparable, Hashable, Sendable, CustomStringConvertible {
    package let bytes: UInt64

    package init(_ bytes: UInt64) {
        self.bytes = bytes
    }

    /// The server's text, `16/B374D848`. Nil for anything else.
    package init?(_ text: UnsafeRawBufferPointer) {
        guard let slash = text.firstIndex(of: UInt8(ascii: "/")),
            let high = Self.hexadecimal(UnsafeRawBufferPointer(rebasing: text[..<slash])),
            let low = Self.hexadecimal(UnsafeRawBufferPointer(rebasing: text[(slash + 1)...]))
        else { return nil }
        bytes = UInt64(high) << 32 | UInt64(low)
    }

    /// One to eight hexadecimal digits, as in positions, names of WAL files and tokens.
    package static func hexadecimal(_ digits: UnsafeRawBufferPointer) -> UInt32? {
        guard (1...8).contains(digits.count) else { return nil }
        var number: UInt32 = 0
        for digit in digits {
            guard let value = value(of: digit) else { return nil }
            number = number << 4 | UInt32(value)
        }
        return number
    }

    private static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    package static func < (left: LogPosition, right: LogPosition) -> Bool { left.bytes < right.bytes }

    package var description: String {
        "\(Self.hexadecimal(UInt32(bytes >> 32)))/\(Self.hexadecimal(UInt32(truncatingIfNeeded: bytes)))"
    }

    private static func hexadecimal(_ number: UInt32) -> String {
        String(number, radix: 16, uppercase: true)
    }

    /// The insert position without the page header that it counts when it stands at the beginning of a page (24 bytes, 40 in the
    /// first page of a segment): no standby reports a position inside a header before the next record was written. The
    /// segment's size is `wal_segment_size` in bytes, a power of two.
    package func withoutPageHeader(segmentSize: UInt64 = 16 << 20) -> LogPosition {
        if bytes % segmentSize == 40 { return LogPosition(bytes - 40) }
        if bytes % 8192 == 24 { return LogPosition(bytes - 24) }
        return self
    }
}
