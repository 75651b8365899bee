import Synchronization

/// One connection, lent to a closure. Its requests run in the order in which they are made.
public final class Session: Sendable {
    private let connection: Connection
    private let isOver = Atomic(false)
    private let isInTransaction = Atomic(false)

    init(_ connection: Connection) {
        self.connection = connection
    }

    func end() {
        isOver.store(true, ordering: .releasing)
    }

    /// As ``PointsmanClient/query(_:_:freshness:options:)``, on this connection and never tried again.
    public func query(
        _ sql: String, _ parameters: [String?] = [], freshness: Freshness = .any,
        options: QueryOptions = QueryOptions()
    ) async throws(PointsmanError) -> QueryResult {
        try await usable().performOne(.query(sql, parameters, options.asking(freshness)))
    }

    /// As ``PointsmanClient/pipeline(_:)``, on this connection.
    public func pipeline(
        _ statements: [Statement]
    ) async throws(PointsmanError) -> [Result<QueryResult, PointsmanError>] {
        try await usable().perform(statements.map(\.draft))
    }

    @discardableResult
    public func ping() async throws(PointsmanError) -> Receipt {
        try await usable().performOne(.ping).receipt
    }

    /// As ``PointsmanClient/withTransaction(readOnly:isolation:freshness:isolatedTo:_:)``, on this connection.
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
        // Asked here, because a BEGIN that the daemon refuses is cleaned up by a ROLLBACK: that of the outer one.
        guard !isInTransaction.exchange(true, ordering: .acquiringAndReleasing) else {
            throw PointsmanError.malformed("25001", "this connection is already in a transaction")
        }
        defer { isInTransaction.store(false, ordering: .releasing) }
        let transaction = try await Transaction.begin(on: usable(), options)
        return try await transaction.run(isolatedTo: actor, body)
    }

    private func usable() throws(PointsmanError) -> Connection {
        if isOver.load(ordering: .acquiring) { throw .leaseOver }
        return connection
    }
}

/// What a transaction returned, and what the daemon said about its COMMIT.
public struct Committed<Value> {
    public var value: Value
    public var receipt: Receipt
}

extension Committed: Sendable where Value: Sendable {}

/// An open transaction, lent to a closure.
public final class Transaction: Sendable {
    private let connection: Connection
    private let options: TransactionOptions
    private let isOver = Atomic(false)

    private init(_ connection: Connection, _ options: TransactionOptions) {
        self.connection = connection
        self.options = options
    }

    /// Runs one statement inside the transaction. After an error only ROLLBACK TO a savepoint goes on.
    public func query(
        _ sql: String, _ parameters: [String?] = [], options: QueryOptions = QueryOptions()
    ) async throws(PointsmanError) -> QueryResult {
        try await usable().performOne(.query(sql, parameters, options))
    }

    /// Sends statements in one go; they run in this order.
    public func pipeline(
        _ statements: [Statement]
    ) async throws(PointsmanError) -> [Result<QueryResult, PointsmanError>] {
        try await usable().perform(statements.map(\.draft))
    }

    private func usable() throws(PointsmanError) -> Connection {
        if isOver.load(ordering: .acquiring) { throw .leaseOver }
        return connection
    }

    // MARK: From BEGIN to its end

    static func begin(
        on connection: Connection, _ options: TransactionOptions
    ) async throws(PointsmanError) -> Transaction {
        do throws(PointsmanError) {
            _ = try await connection.performOne(.begin(options))
            return Transaction(connection, options)
        } catch {
            // A BEGIN that failed leaves an aborted transaction, so that statements behind it cannot run by themselves.
            if error.source != .client { await connection.rollback() }
            // One that was lost cannot have done anything: nothing was run inside it.
            var error = error
            if error.sqlstate == "08006", error.retry == .tx { error.retry = .now }
            throw error
        }
    }

    func run<Value>(
        isolatedTo actor: isolated (any Actor)? = #isolation, _ body: (Transaction) async throws -> Value
    ) async throws -> Committed<Value> {
        let value: Value
        do {
            value = try await body(self)
            if Task.isCancelled { throw PointsmanError.cancelledBeforeCommit }
        } catch {
            isOver.store(true, ordering: .releasing)
            await connection.rollback()
            throw error
        }
        isOver.store(true, ordering: .releasing)
        // Not cancellable: a COMMIT that is interrupted leaves nobody knowing what became of it.
        var commit = Draft.commit(wantsToken: options.wantsToken)
        commit.timeoutMilliseconds = options.timeoutMilliseconds
        let receipt = try await connection.performOne(commit, isCancellable: false).receipt
        return Committed(value: value, receipt: receipt)
    }
}
