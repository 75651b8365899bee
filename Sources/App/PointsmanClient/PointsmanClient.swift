import NIOCore
import NIOPosix
import Wire

/// A client of the Pointsman daemon: a pool of connections to its Unix socket.
///
/// ```swift
/// let client = PointsmanClient(configuration: .init(socketPath: "/run/pointsman/app.sock", application: "shop"))
/// let result = try await client.query("SELECT id, name FROM item WHERE price < $1", ["10"], options: .read)
/// for row in result.rows { print(try row.decode("id", as: Int.self), row["name"] ?? "no name") }
/// ```
///
/// Connections are opened when they are needed and again when the daemon was restarted, with growing pauses. A request
/// that provably had no effect because its connection was lost is sent once more on another one; anything else is the
/// caller's to decide, by ``PointsmanError/retry``, or left to ``retrying(attempts:within:)``.
///
/// A request may get any of the connections, and sees at least what was written through that one before. Who must see a
/// certain write takes its receipt along, or only the token, to wherever the read is made:
///
/// ```swift
/// let write = try await client.query("UPDATE item SET …", options: QueryOptions(wantsToken: true))
/// let read = try await client.query("SELECT …", freshness: .after(write.receipt), options: .read)
/// ```
public final class PointsmanClient: Sendable {
    private let configuration: Configuration
    private let pool: ConnectionPool

    /// Connects to nothing yet. The event loop group's threads do the work; it is not shut down with the client.
    public init(
        configuration: Configuration,
        eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) {
        self.configuration = configuration
        pool = ConnectionPool(configuration: configuration, group: eventLoopGroup)
    }

    /// Ends all connections. Requests under way fail as if the connection was lost, later ones with 08003.
    public func close() {
        pool.close()
    }

    // MARK: Requests

    /// Runs one statement by itself and waits for its whole result.
    ///
    /// - Parameters:
    ///   - sql: one statement, with `$1`, `$2` … where values go.
    ///   - parameters: the values as text; nil is SQL NULL. Types are inferred; cast in SQL where they cannot be.
    ///   - freshness: how new the data must be, besides what `options` say of it.
    ///   - options: how it is to be run.
    /// - Returns: the whole result, with the daemon's receipt.
    /// - Throws: what the daemon answered; 08001 when it cannot be reached, 53300 when all connections stay busy,
    ///   08006 or 08007 when the connection was lost, 57014 when the task was cancelled.
    public func query(
        _ sql: String, _ parameters: [String?] = [], freshness: Freshness = .any,
        options: QueryOptions = QueryOptions()
    ) async throws(PointsmanError) -> QueryResult {
        try await single(.query(sql, parameters, options.asking(freshness)))
    }

    /// Sends statements in one go on one connection; they run in this order, each by itself.
    ///
    /// - Returns: one result or error a statement. A failed one does not stop those behind it.
    /// - Throws: only when nothing was sent.
    public func pipeline(
        _ statements: [Statement]
    ) async throws(PointsmanError) -> [Result<QueryResult, PointsmanError>] {
        let connection = try await pool.lease()
        defer { pool.giveBack(connection) }
        return try await connection.perform(statements.map(\.draft))
    }

    /// Whether the daemon answers.
    @discardableResult
    public func ping() async throws(PointsmanError) -> Receipt {
        try await single(.ping).receipt
    }

    /// The daemon's counters as rows: `pools`, `rules`, `clients`, `settings` and so on.
    public func stats(_ name: String = "") async throws(PointsmanError) -> QueryResult {
        try await single(.stats(name))
    }

    /// Which way a statement would go, and why. Runs nothing.
    public func route(
        _ sql: String, options: QueryOptions = QueryOptions()
    ) async throws(PointsmanError) -> QueryResult {
        try await single(.route(sql, options))
    }

    // MARK: One connection

    /// Lends one connection to `body`: what it wrote there, it reads there.
    public func withConnection<Value>(
        isolatedTo actor: isolated (any Actor)? = #isolation, _ body: (Session) async throws -> Value
    ) async throws -> Value {
        let connection = try await pool.lease()
        let session = Session(connection)
        defer {
            session.end()
            pool.giveBack(connection)
        }
        return try await body(session)
    }

    /// Runs `body` inside a transaction: COMMIT when it returns, ROLLBACK when it throws or the task is cancelled.
    ///
    /// `body` is never run twice. When the error that comes out says `tx`, calling this again is right.
    ///
    /// It throws what `body` threw; else what BEGIN or COMMIT met. A COMMIT whose reply was lost is `unknown`.
    /// With `readOnly` the transaction is READ ONLY, on the standbys, and sees data that is as new as `freshness` says;
    /// `isolation` is the server's default when nil.
    public func withTransaction<Value>(
        readOnly: Bool = false, isolation: Isolation? = nil, freshness: Freshness = .any,
        isolatedTo actor: isolated (any Actor)? = #isolation, _ body: (Transaction) async throws -> Value
    ) async throws -> Value {
        let options = TransactionOptions(readOnly: readOnly, isolation: isolation, freshness: freshness)
        return try await withTransaction(options: options, isolatedTo: actor, body).value
    }

    /// The same with every option, and with what the daemon said about the COMMIT.
    public func withTransaction<Value>(
        options: TransactionOptions, isolatedTo actor: isolated (any Actor)? = #isolation,
        _ body: (Transaction) async throws -> Value
    ) async throws -> Committed<Value> {
        let (connection, transaction) = try await begin(options)
        defer { pool.giveBack(connection) }
        return try await transaction.run(isolatedTo: actor, body)
    }

    private func begin(_ options: TransactionOptions) async throws(PointsmanError) -> (Connection, Transaction) {
        var mayTryAgain = true
        while true {
            let connection = try await pool.lease()
            do throws(PointsmanError) {
                return (connection, try await Transaction.begin(on: connection, options))
            } catch {
                pool.giveBack(connection)
                guard mayTryAgain, error.hadNoEffectByLoss else { throw error }
                mayTryAgain = false
            }
        }
    }

    private func single(_ draft: Draft) async throws(PointsmanError) -> QueryResult {
        var mayTryAgain = true
        while true {
            let connection = try await pool.lease()
            defer { pool.giveBack(connection) }
            do throws(PointsmanError) {
                return try await connection.performOne(draft)
            } catch {
                guard mayTryAgain, error.hadNoEffectByLoss else { throw error }
                mayTryAgain = false
            }
        }
    }
}

extension PointsmanError {
    /// The connection was lost under a request that provably changed nothing: not sent whole, or a read.
    var hadNoEffectByLoss: Bool { isUnsent || (source == .client && sqlstate == "08006" && retry == .now) }
}

/// One statement of a pipeline.
public struct Statement: Hashable, Sendable, ExpressibleByStringLiteral {
    public var sql: String
    public var parameters: [String?]
    public var options: QueryOptions

    public init(_ sql: String, _ parameters: [String?] = [], options: QueryOptions = QueryOptions()) {
        self.sql = sql
        self.parameters = parameters
        self.options = options
    }

    public init(stringLiteral sql: String) {
        self.init(sql)
    }

    var draft: Draft { .query(sql, parameters, options) }
}

extension PointsmanClient {
    /// Where the daemon is, and how much this client may ask of it.
    public struct Configuration: Sendable {
        /// The daemon's socket.
        public var socketPath: String
        /// `@app`: the name by which rules and counters know this program; 1 to 64 visible ASCII characters.
        public var application: String?
        /// `@using` of every statement that names none.
        public var cluster: String?
        /// `@lag` of every read that names none.
        public var maximumLagMilliseconds: Int?
        /// `@timeout` of every statement that names none.
        public var timeoutMilliseconds: Int?
        /// `@token`: every receipt of what wrote carries its token.
        public var wantsTokens = false
        /// At least 1.
        public var maximumConnections = 16
        /// Requests that may wait for a connection; more are refused with 53300.
        public var maximumWaiting = 1024
        /// Unanswered requests of one connection; more are refused with 53300.
        public var maximumInFlight = 4096
        /// Bytes of one reply. A longer one ends its connection, because this client keeps whole results in memory.
        public var maximumReplyBytes = 64 << 20
        /// How long a request waits for a connection, reconnecting included.
        public var acquireTimeout: Duration = .seconds(3)
        /// How long an attempt to connect may take, and again the daemon's answer to HELLO.
        public var connectTimeout: Duration = .seconds(2)
        /// How long after a statement's `@timeout` its answer may still come. The daemon answers within 100 ms of it; if
        /// it does not, it hangs, and the connection is given up.
        public var replyGrace: Duration = .seconds(2)
        /// How long a cancelled request may take to end before its connection is closed.
        public var cancelGrace: Duration = .seconds(2)
        /// Called, on an event loop, with remarks that belong to no request.
        public var onNotice: (@Sendable (Notice) -> Void)?

        public init(socketPath: String, application: String? = nil) {
            self.socketPath = socketPath
            self.application = application
        }

        func helloOptions(salt: String) -> [RequestLine.Option] {
            var options: [RequestLine.Option] = []
            if let application { options.append(RequestLine.Option(.app, application)) }
            options.append(RequestLine.Option(.salt, salt))
            if let cluster { options.append(RequestLine.Option(.using, cluster)) }
            if let maximumLagMilliseconds { options.append(RequestLine.Option(.lag, String(maximumLagMilliseconds))) }
            if let timeoutMilliseconds { options.append(RequestLine.Option(.timeout, String(timeoutMilliseconds))) }
            if wantsTokens { options.append(RequestLine.Option(.token)) }
            return options
        }
    }
}
