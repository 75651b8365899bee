/// Stands for everything that was committed when a write was answered: handed out with the write's receipt, given back
/// with a later read, which then sees at least that, through any connection and any daemon of the same database.
///
/// What its text says is the daemons' business. It may travel through cookies, queues and other hosts; a daemon that
/// cannot tell what a token stands for asks the primary, so an old or a foreign one costs speed and never truth.
public struct CommitToken: RawRepresentable, Hashable, Sendable, Codable {
    /// 1 to 64 visible ASCII characters, as the protocol has them.
    public let rawValue: String

    public static let maximumLength = 64

    /// nil for a text that no token can have.
    public init?(rawValue: String) {
        let isVisible = rawValue.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        guard isVisible, (1...Self.maximumLength).contains(rawValue.utf8.count) else { return nil }
        self.rawValue = rawValue
    }
}
