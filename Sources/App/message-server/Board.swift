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
        /// Stored, now or before: by the pool of this name, where that is known.
        case stored(pool: String?)
        /// Nobody knows. Sending the same form again is safe.
        case unconfirmed
    }

    /// An answer that makes no sense, from a table that is not ours.
    struct Malformed: Error {}

    private let client: PointsmanClient

    init(_ client: PointsmanClient) {
        self.client = client
    }

    /// The newest message. From the primary when the visitor has just left a message and must see it: in this version
    /// the daemon gives out no tokens, so that is the way to be sure.
    func newest(fromPrimary: Bool) async throws -> Read<Message?> {
        let result = try await client.query(Statements.newest, options: Self.options(fromPrimary, tag: "newest"))
        return Read(content: try result.rows.first.flatMap { try Self.message($0) }, receipt: result.receipt)
    }

    func archive(page: Int, fromPrimary: Bool) async throws -> Read<Archive> {
        let result = try await client.query(
            Statements.page, [String(page)], options: Self.options(fromPrimary, tag: "archive"))
        guard let first = result.rows.first else { throw Malformed() }
        let archive = Archive(
            page: try first.decode("page"), total: try first.decode("total"),
            messages: try result.rows.compactMap { try Self.message($0) })
        return Read(content: archive, receipt: result.receipt)
    }

    /// Stores a message under its key, at most once, whatever happens on the way.
    func store(_ text: MessageText, key: String) async throws(PointsmanError) -> Storing {
        do throws(PointsmanError) {
            return .stored(pool: try await insert(text, key))
        } catch {
            switch error.retry {
            // It had no effect; the key makes a second try safe in any case.
            case .now: return .stored(pool: try await insert(text, key))
            case .unknown: return await resolve(text, key)
            case .never, .later, .tx: throw error
            }
        }
    }

    /// Whether the daemon answers.
    func isReachable() async -> Bool {
        (try? await client.ping()) != nil
    }

    private func insert(_ text: MessageText, _ key: String) async throws(PointsmanError) -> String? {
        try await client.query(Statements.insert, [text.text, key], options: QueryOptions(tag: "post")).receipt.pool
    }

    /// The reply was lost. What the primary has under the key says what happened; when it has nothing the statement may
    /// still be on its way, so the message is sent again, which the key allows.
    private func resolve(_ text: MessageText, _ key: String) async -> Storing {
        do throws(PointsmanError) {
            let found = try await client.query(
                Statements.byNonce, [key], options: Self.options(true, tag: "resolve"))
            if !found.rows.isEmpty { return .stored(pool: found.receipt.pool) }
            return .stored(pool: try await insert(text, key))
        } catch {
            return .unconfirmed
        }
    }

    private static func options(_ fromPrimary: Bool, tag: String) -> QueryOptions {
        QueryOptions(readOnly: true, freshness: fromPrimary ? .primary : .any, tag: tag)
    }

    /// nil for the row of a page that has no message.
    private static func message(_ row: Row) throws -> Message? {
        guard let id = try row.decodeIfPresent("id", as: Int.self) else { return nil }
        return Message(
            id: id, text: row["msg_text"] ?? "",
            posted: try row.decodeIfPresent("posted", as: String.self).flatMap(Moment.init))
    }
}
