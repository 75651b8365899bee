/// One page of all messages, newest first, and the way to the others.
package struct Archive: Hashable, Sendable {
    package static let pageSize = 10

    /// Counted from 1.
    package let page: Int
    /// At least 1: an empty board has one empty page.
    package let pages: Int
    package let total: Int
    package let messages: [Message]

    /// `page` may be anything; it is clamped to what `total` allows.
    package init(page: Int, total: Int, messages: [Message]) {
        pages = max(1, (max(0, total) + Self.pageSize - 1) / Self.pageSize)
        self.page = min(max(1, page), pages)
        self.total = max(0, total)
        self.messages = messages
    }

    package var hasPrevious: Bool { page > 1 }
    package var hasNext: Bool { page < pages }

    /// The page that an address asks for: what is no number means the first, what is too large the last one.
    ///
    /// The number of pages is not known here; the upper bound only keeps the number one that PostgreSQL's `bigint` can
    /// be multiplied in.
    package static func wantedPage(_ text: String?) -> Int {
        guard let text, !text.isEmpty else { return 1 }
        let digits = text.utf8.drop { $0 == 0x30 }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return 1 }
        guard digits.count <= 9, let number = Int(Substring(digits)) else { return digits.isEmpty ? 1 : largestPage }
        return max(1, number)
    }

    static let largestPage = 1_000_000_000
}

/// A stored message.
package struct Message: Hashable, Sendable {
    package let id: Int
    package let text: String
    /// nil for a time that has no date: PostgreSQL's `infinity`.
    package let posted: Moment?

    package init(id: Int, text: String, posted: Moment?) {
        self.id = id
        self.text = text
        self.posted = posted
    }
}

/// A time in UTC, to the second, for machines and for people.
package struct Moment: Hashable, Sendable {
    /// As in `<time datetime>`: `2026-11-22T13:05:09Z`.
    package let machine: String
    /// `22 November 2026, 13:05 UTC`.
    package let human: String

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]

    /// nil for anything but the form of `machine` with a date that can be.
    package init?(_ text: String) {
        let parts = text.split(whereSeparator: { "-T:Z".contains($0) }).map { Int($0) }
        guard text.utf8.count == 20, text.utf8.last == 0x5A, parts.count == 6,
            let year = parts[0], let month = parts[1], let day = parts[2], let hour = parts[3], let minute = parts[4],
            (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour), (0...59).contains(minute)
        else { return nil }
        machine = text
        let clock = [hour, minute].map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: ":")
        human = "\(day) \(Self.months[month - 1]) \(year), \(clock) UTC"
    }
}
