import Freshness
import Testing

/// Positions as PostgreSQL writes and orders them.
struct LogPositionTests {
    private func position(_ text: String) -> LogPosition? {
        withBytes(of: text) { LogPosition($0) }
    }

    static let texts: [(text: String, bytes: UInt64)] = [
        ("0/0", 0), ("0/1", 1), ("16/B374D848", 0x16_B374_D848), ("16/b374d848", 0x16_B374_D848),
        ("FFFFFFFF/FFFFFFFF", .max), ("1/0", 1 << 32), ("00000001/00000002", 1 << 32 | 2),
    ]

    @Test(arguments: texts)
    func textsOfTheServer(_ text: String, _ bytes: UInt64) {
        #expect(position(text) == LogPosition(bytes))
    }

    @Test(arguments: [
        "", "/", "0", "0/", "/0", "0/0/0", "0/0 ", " 0/0", "0x1/0", "-1/0", "+1/0", "G/0", "0/G", "0/123456789",
        "123456789/0", "0\\0", "0/:", "0/@", "0/`", "0/g", "0//",
    ])
    func anythingElseIsNone(_ text: String) {
        #expect(position(text) == nil)
    }

    /// As `SELECT '0/16B3748'::pg_lsn` writes it: capitals, no zeros in front.
    @Test func itIsWrittenAsTheServerWritesIt() {
        #expect(LogPosition(0).description == "0/0")
        #expect(LogPosition(0x16B_3748).description == "0/16B3748")
        #expect(LogPosition(0xAB_0000_000C).description == "AB/C")
        #expect(LogPosition(.max).description == "FFFFFFFF/FFFFFFFF")
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func whatIsWrittenIsReadAndOrdered(_ seed: UInt64) {
        var random = RandomNumbers(seed: seed)
        for _ in 0..<2_000 {
            // Long numbers and short ones.
            let (left, right) = (random.next() >> (random.next() % 64), random.next() >> (random.next() % 64))
            #expect(position(LogPosition(left).description) == LogPosition(left))
            #expect((LogPosition(left) < LogPosition(right)) == (left < right))
        }
    }

    /// At the beginning of a page the insert position counts the page's header, which no standby reports before a record
    /// follows it: 40 bytes in a segment's first page, 24 in the others (measured with PostgreSQL 15).
    @Test func aPageHeaderIsTakenAway() {
        let segment: UInt64 = 16 << 20
        let page: UInt64 = 8192
        for base in [0, segment, 7 * segment, 0x16 << 32] as [UInt64] {
            #expect(LogPosition(base + 40).withoutPageHeader() == LogPosition(base))
            #expect(LogPosition(base + page + 24).withoutPageHeader() == LogPosition(base + page))
            #expect(LogPosition(base + 5 * page + 24).withoutPageHeader() == LogPosition(base + 5 * page))
            // Inside a page, or on its edge, nothing is a header.
            for inside in [base, base + page, base + page + 40, base + 48, base + page + 32, base + 2 * page - 24] {
                #expect(LogPosition(inside).withoutPageHeader() == LogPosition(inside))
            }
        }
        // Of segments of another size.
        #expect(LogPosition(segment + 40).withoutPageHeader(segmentSize: 64 << 20) == LogPosition(segment + 40))
        #expect(LogPosition((64 << 20) + 40).withoutPageHeader(segmentSize: 64 << 20) == LogPosition(64 << 20))
    }

    /// Only ever by a header's size, and never up: a floor may become easier by what is no record, by nothing else.
    @Test func nothingElseIsTakenAway() {
        var random = RandomNumbers(seed: 5)
        for _ in 0..<10_000 {
            let before = LogPosition(random.next() >> 8)
            let after = before.withoutPageHeader()
            #expect([0, 24, 40].contains(before.bytes - after.bytes) && (after == before || after.bytes % 8192 == 0))
        }
    }
}
