/// What a client carries from a commit to its next reads: the position that they must see, and the history in which that
/// position means something.
///
/// On the wire `TIMELINE.LSN.SYSTEM`: decimal, PostgreSQL's X/Y, and the low 32 bits of the system identifier as eight
/// hexadecimal digits; at most 37 bytes. It is not signed: whoever forges one asks for fresher data than exist, which sends
/// the read to the primary, or for older ones, which is what no token asks for.
package struct CommitToken: Hashable, Sendable, CustomStringConvertible {
    package let timeline: UInt32
    package let position: LogPosition
    package let system: UInt32

    /// The longest that the protocol allows; longer ones are no tokens.
    package static let maximumBytes = 64

    package init(timeline: UInt32, position: LogPosition, system: UInt32) {
        self.timeline = timeline
        self.position = position
        self.system = system
    }

    package init?(_ text: UnsafeRawBufferPointer) {
        let dot = UInt8(ascii: ".")
        guard text.count <= Self.maximumBytes, let first = text.firstIndex(of: dot),
            let second = text[(first + 1)...].firstIndex(of: dot),
            let timeline = Self.decimal(text[..<first]), timeline > 0,
            let position = LogPosition(UnsafeRawBufferPointer(rebasing: text[(first + 1)..<second])),
            text.count - second == 9,
            let system = LogPosition.hexadecimal(UnsafeRawBufferPointer(rebasing: text[(second + 1)...]))
        else { return nil }
        self.init(timeline: timeline, position: position, system: system)
    }

    private static func decimal(_ digits: Slice<UnsafeRawBufferPointer>) -> UInt32? {
        guard (1...10).contains(digits.count) else { return nil }
        var value: UInt64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + UInt64(digit - UInt8(ascii: "0"))
        }
        return UInt32(exactly: value)
    }

    package var description: String {
        let digits = String(system, radix: 16)
        return "\(timeline).\(position).\(String(repeating: "0", count: 8 - digits.count))\(digits)"
    }
}
