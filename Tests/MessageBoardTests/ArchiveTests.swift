import Testing

@testable import MessageBoard

@Suite struct ArchiveTests {
    @Test(
        arguments: [
            (nil, 1), ("", 1), ("1", 1), ("7", 7), ("007", 7), ("0", 1), ("000", 1), ("-3", 1), ("+3", 1), ("3.5", 1),
            ("abc", 1), (" 3", 1), ("٣", 1), ("1e3", 1), ("999999999", 999_999_999), ("1000000000", 1_000_000_000),
            ("99999999999999999999999999", 1_000_000_000), ("0x10", 1), ("2;DROP TABLE", 1),
        ] as [(String?, Int)])
    func anAddressAsksForAPage(text: String?, page: Int) {
        #expect(Archive.wantedPage(text) == page)
    }

    @Test(arguments: [
        (page: 1, total: 0, shown: 1, pages: 1), (page: 9, total: 0, shown: 1, pages: 1),
        (page: 1, total: 1, shown: 1, pages: 1), (page: 1, total: 10, shown: 1, pages: 1),
        (page: 2, total: 10, shown: 1, pages: 1), (page: 2, total: 11, shown: 2, pages: 2),
        (page: 0, total: 11, shown: 1, pages: 2), (page: -5, total: 11, shown: 1, pages: 2),
        (page: 1_000_000_000, total: 101, shown: 11, pages: 11), (page: 5, total: 100, shown: 5, pages: 10),
        (page: 1, total: -1, shown: 1, pages: 1),
    ])
    func aPageIsClamped(page: Int, total: Int, shown: Int, pages: Int) {
        let archive = Archive(page: page, total: total, messages: [])
        #expect(archive.page == shown)
        #expect(archive.pages == pages)
        #expect(archive.hasPrevious == (shown > 1))
        #expect(archive.hasNext == (shown < pages))
    }

    @Test func aMomentIsForMachinesAndForPeople() throws {
        let moment = try #require(Moment("2026-11-02T03:05:09Z"))
        #expect(moment.machine == "2026-11-02T03:05:09Z")
        #expect(moment.human == "2 November 2026, 03:05 UTC")
        #expect(Moment("1999-01-31T23:59:59Z")?.human == "31 January 1999, 23:59 UTC")
    }

    @Test(arguments: [
        "", "infinity", "2026-13-02T03:05:09Z", "2026-11-02 03:05:09", "2026-11-02T03:05:09+02", "2026-11-02T03:05Z",
        "10000-01-01T00:00:00Z", "2026-11-02T24:05:09Z", "2026-00-02T03:05:09Z", "xxxx-11-02T03:05:09Z",
    ])
    func whatIsNoMomentIsNone(text: String) {
        #expect(Moment(text) == nil)
    }
}
