import MessageBoard
import PointsmanClient

/// The board as the pages need it, asked through Pointsman.
struct Board: Sendable {
    /// A page's content and where it came from.
    struct Read<Content: Sendable>: Sendable {
        var content: Content
        var receipt: Receipt
    }

    /// What became of a message.
    enum Storing: Sendable {
        /// Stored, now or before.
        case stored(Receipt)
        /// Nobody knows. Sending the same form again is safe.
        case unconfirmed
    }

    /// An answer that makes no sense, from a table that is not ours.
    struct Malformed: Error {}

    /// A visitor waits: what is not over by then is better told than tried again.
    private static let patience = Duration.seconds(1)
    /// How long a standby may take to replay a visitor's own message before the primary is asked: usually it takes a few
    /// milliseconds.
    private static let waitMilliseconds = 100

    /// A connection sees what it wrote, whoever asks next: a stranger's page through a poster's connection would wait for
    /// the poster's message. So messages are stored through connections of their own, and a page waits for what its
    /// visitor's cookie says and for nothing else.
    private let reading: PointsmanClient
    private let writing: PointsmanClient

    init(_ configuration: PointsmanClient.Configuration) {
        reading = PointsmanClient(configuration: configuration)
        writing = PointsmanClient(configuration: configuration)
    }

    func close() {
        reading.close()
        writing.close()
    }

    /// The newest message.
    func newest(_ freshness: Freshness) async throws -> Read<Message?> {
        let result = try await read(Statements.newest, [], freshness, tag: "newest")
        return Read(content: try result.rows.first.flatMap { try Self.message($0) }, receipt: result.receipt)
    }

    func archive(page: Int, _ freshness: Freshness) async throws -> Read<Archive> {
        let result = try await read(Statements.page, [String(page)], freshness, tag: "archive")
        guard let first = result.rows.first else { throw Malformed() }
        let archive = Archive(
            page: try first.decode("page"), total: try first.decode("total"),
            messages: try result.rows.compactMap { try Self.message($0) })
        return Read(content: archive, receipt: result.receipt)
    }

    /// Stores a message under its key, at most once, whatever happens on the way.
    func store(_ text: MessageText, key: String) async throws(PointsmanError) -> Storing {
        do throws(PointsmanError) {
            return .stored(try await insert(text, key))
        } catch {
            guard error.retry == .unknown else { throw error }
        }
        // The reply was lost. The same statement finds out: when the key is taken the message is stored, and else it
        // stores it now. One that is still on its way is waited for, which a look at the table would not do.
        do throws(PointsmanError) {
            return .stored(try await insert(text, key))
        } catch {
            return .unconfirmed
        }
    }

    /// Whether the daemon answers.
    func isReachable() async -> Bool {
        (try? await reading.ping()) != nil
    }

    private func insert(_ text: MessageText, _ key: String) async throws(PointsmanError) -> Receipt {
        try await writing.retrying(within: Self.patience)
            .query(Statements.insert, [text.text, key], options: QueryOptions(wantsToken: true, tag: "post")).receipt
    }

    private func read(
        _ sql: String, _ parameters: [String?], _ freshness: Freshness, tag: String
    ) async throws(PointsmanError) -> QueryResult {
        let options = QueryOptions(
            readOnly: true, waitMilliseconds: freshness == .any ? nil : Self.waitMilliseconds, tag: tag)
        return try await reading.retrying(within: Self.patience)
            .query(sql, parameters, freshness: freshness, options: options)
    }

    /// nil for the row of a page that has no message.
    private static func message(_ row: Row) throws -> Message? {
        guard let id = try row.decodeIfPresent("id", as: Int.self) else { return nil }
        return Message(
            id: id, text: row["msg_text"] ?? "",
            posted: try row.decodeIfPresent("posted", as: String.self).flatMap(Moment.init))
    }
}
