import Wire

/// How new the data must be that a read sees. Several wishes hold together, and the strictest of them decides:
///
/// ```swift
/// client.query(sql, freshness: .after(token), options: .read)
/// client.query(sql, freshness: [.after(token), .within(milliseconds: 500)], options: .read)
/// ```
///
/// A standby that is new enough answers; else the primary does, at once or after ``QueryOptions/waitMilliseconds``.
/// What a connection wrote it always sees later, wished for or not.
public struct Freshness: Hashable, Sendable {
    private var tokens: [CommitToken] = []
    private var maximumLagMilliseconds: Int?

    private init() {}

    /// What the daemon's rules and this client's configuration ask for, and no more.
    public static let any = Freshness()

    /// The newest data: the primary answers.
    public static let primary = Freshness.within(milliseconds: 0)

    /// At least what was written when this receipt was made. It was asked to carry its token; where none could be had,
    /// only the primary is sure to have the write, and is asked.
    public static func after(_ write: Receipt) -> Freshness { write.token.map { .after($0) } ?? .primary }

    /// At least what these tokens stand for.
    public static func after(_ tokens: CommitToken...) -> Freshness { .after(tokens) }

    public static func after(_ tokens: [CommitToken]) -> Freshness {
        var freshness = Freshness()
        freshness.tokens = tokens
        return freshness
    }

    /// At most this much older than what the primary has; 0 to a day.
    public static func within(milliseconds: Int) -> Freshness {
        var freshness = Freshness()
        freshness.maximumLagMilliseconds = milliseconds
        return freshness
    }

    /// Both wishes.
    public func union(_ other: Freshness) -> Freshness {
        var both = self
        both.tokens += other.tokens.filter { !tokens.contains($0) }
        both.maximumLagMilliseconds = [maximumLagMilliseconds, other.maximumLagMilliseconds].compactMap { $0 }.min()
        return both
    }

    /// `@lag` and `@after`.
    var fields: [RequestLine.Option] {
        var fields: [RequestLine.Option] = []
        if let maximumLagMilliseconds { fields.append(RequestLine.Option(.lag, String(maximumLagMilliseconds))) }
        for token in tokens { fields.append(RequestLine.Option(.after, token.rawValue)) }
        return fields
    }
}

extension Freshness: ExpressibleByArrayLiteral {
    public init(arrayLiteral wishes: Freshness...) {
        self = wishes.reduce(.any) { $0.union($1) }
    }
}
