import NIOCore

/// Tries again what had no effect, as the daemon's retry word says; made by ``PointsmanClient/retrying(attempts:within:)``.
///
/// There are two things that can be tried again: a statement by itself and a whole transaction. A single statement of a
/// transaction is none of them, so what is lent to a transaction's closure has no such methods.
public struct RetryingClient: Sendable {
    private let client: PointsmanClient
    private let limits: RetryLimits

    fileprivate init(_ client: PointsmanClient, _ limits: RetryLimits) {
        self.client = client
        self.limits = limits
    }

    /// As ``PointsmanClient/query(_:_:freshness:options:)``, and again after `now` and `later`.
    ///
    /// - Throws: what the last attempt met; `unknown` always at once.
    public func query(
        _ sql: String, _ parameters: [String?] = [], freshness: Freshness = .any,
        options: QueryOptions = QueryOptions()
    ) async throws(PointsmanError) -> QueryResult {
        var attempts = RetryAttempts(of: .statement, limits)
        while true {
            do throws(PointsmanError) {
                return try await client.query(sql, parameters, freshness: freshness, options: options)
            } catch {
                guard await attempts.mayGoOn(after: error) else { throw error }
            }
        }
    }

    /// As ``PointsmanClient/withTransaction(readOnly:isolation:freshness:isolatedTo:_:)``, and again from BEGIN after
    /// `tx`, `now` and `later`. Nothing of an attempt before stays in the database; what else `body` does must bear
    /// being done again.
    ///
    /// - Throws: what the last attempt met; `unknown`, and what is no ``PointsmanError``, always at once.
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
        var attempts = RetryAttempts(of: .transaction, limits)
        while true {
            do {
                return try await client.withTransaction(options: options, isolatedTo: actor, body)
            } catch let error as PointsmanError {
                guard await attempts.mayGoOn(after: error) else { throw error }
            }
        }
    }
}

extension PointsmanClient {
    /// This client for a caller who would rather wait than fail.
    ///
    /// ```swift
    /// try await client.retrying(attempts: 5).withTransaction { transaction in … }
    /// ```
    ///
    /// - Parameters:
    ///   - attempts: how often it is run at most; at least once in any case.
    ///   - duration: no attempt begins later than this after the first one began. How long the last one may take is its
    ///     own `@timeout`'s to say.
    /// - Returns: what has this client's methods for a statement and for a transaction.
    public func retrying(attempts: Int = 3, within duration: Duration = .seconds(5)) -> RetryingClient {
        RetryingClient(self, RetryLimits(attempts: attempts, duration: duration))
    }
}

struct RetryLimits: Hashable, Sendable {
    var attempts: Int
    var duration: Duration
}

/// How often something has failed, and when it is tried again.
struct RetryAttempts {
    enum Unit { case statement, transaction }

    private let unit: Unit
    private let limits: RetryLimits
    private let start = ContinuousClock.now
    private var failures = 0

    init(of unit: Unit, _ limits: RetryLimits) {
        self.unit = unit
        self.limits = limits
    }

    /// Waits as long as the error asks for.
    ///
    /// - Returns: whether it may be run once more; false also when the task was cancelled.
    mutating func mayGoOn(after error: PointsmanError) async -> Bool {
        let elapsed = start.duration(to: .now)
        guard let pause = pause(after: error, elapsed: elapsed, random: .random(in: 0..<1)) else { return false }
        // Throws when the task is cancelled, which is asked below in any case.
        if pause > .zero { try? await Task.sleep(for: pause) }
        return !Task.isCancelled
    }

    /// - Parameters:
    ///   - error: what the last attempt met.
    ///   - elapsed: since the first attempt began.
    ///   - random: at least 0 and below 1.
    /// - Returns: how long to wait before the next attempt; nil when there is none.
    mutating func pause(after error: PointsmanError, elapsed: Duration, random: Double) -> Duration? {
        failures += 1
        guard failures < limits.attempts else { return nil }
        let pause: Duration
        switch (error.retry, unit) {
        case (.now, _), (.tx, .transaction): pause = error.afterMilliseconds == nil ? .zero : later(error, random)
        case (.later, _): pause = later(error, random)
        // A statement that stood in somebody's transaction cannot be repaired by itself.
        case (.tx, .statement), (.never, _), (.unknown, _): return nil
        }
        return elapsed + pause <= limits.duration ? pause : nil
    }

    /// The time that the daemon names is the earliest; up to half of it more, so that those whom it sent away together
    /// do not come back together. Where it names none, the pauses grow.
    private func later(_ error: PointsmanError, _ random: Double) -> Duration {
        guard let milliseconds = error.afterMilliseconds else {
            return .nanoseconds(Backoff.delay(failures: failures, random: random).nanoseconds)
        }
        return .milliseconds(max(0, milliseconds)) * (1 + random / 2)
    }
}
