import Synchronization
import Testing

@testable import PointsmanClient

/// What is tried again, how often, and when.
@Suite(.timeLimit(.minutes(1)))
struct RetryTests: ScriptedClient {
    // MARK: The decision

    private static func error(_ retry: PointsmanError.Retry, after milliseconds: Int? = nil) -> PointsmanError {
        var error = PointsmanError(sqlstate: "57P03", retry: retry, message: "no")
        error.afterMilliseconds = milliseconds
        return error
    }

    private static func attempts(
        of unit: RetryAttempts.Unit, _ attempts: Int = 3, within duration: Duration = .seconds(1)
    ) -> RetryAttempts {
        RetryAttempts(of: unit, RetryLimits(attempts: attempts, duration: duration))
    }

    @Test(
        arguments: [
            (.now, .statement, .zero), (.now, .transaction, .zero), (.tx, .transaction, .zero), (.tx, .statement, nil),
            (.never, .statement, nil), (.never, .transaction, nil), (.unknown, .statement, nil),
            (.unknown, .transaction, nil), (.later, .statement, .milliseconds(5)),
            (.later, .transaction, .milliseconds(5)),
        ] as [(PointsmanError.Retry, RetryAttempts.Unit, Duration?)])
    func theRetryWordIsObeyed(word: PointsmanError.Retry, unit: RetryAttempts.Unit, pause: Duration?) {
        var attempts = Self.attempts(of: unit)
        #expect(attempts.pause(after: Self.error(word), elapsed: .zero, random: 0) == pause)
    }

    /// The daemon's time is the earliest, and up to half of it more.
    @Test(arguments: [PointsmanError.Retry.later, .now, .tx])
    func theDaemonsTimeIsWaitedFor(word: PointsmanError.Retry) {
        for (random, pause) in [(0.0, 200), (0.5, 250), (1.0, 300)] {
            var attempts = Self.attempts(of: .transaction)
            let error = Self.error(word, after: 200)
            #expect(attempts.pause(after: error, elapsed: .zero, random: random) == .milliseconds(pause))
        }
        var attempts = Self.attempts(of: .transaction)
        #expect(attempts.pause(after: Self.error(word, after: -9), elapsed: .zero, random: 0.9) == .zero)
    }

    @Test func withoutATimeThePausesGrow() {
        var attempts = Self.attempts(of: .statement, 5)
        let pauses = (0..<5).map { _ in attempts.pause(after: Self.error(.later), elapsed: .zero, random: 0) }
        #expect(pauses == [5, 10, 20, 40].map { .milliseconds($0) } + [nil])
    }

    @Test(arguments: [(0, 0), (1, 0), (2, 1), (3, 2)])
    func thereAreSoManyAttemptsAndNoMore(limit: Int, again: Int) {
        var attempts = Self.attempts(of: .statement, limit)
        let pauses = (0..<5).map { _ in attempts.pause(after: Self.error(.now), elapsed: .zero, random: 0) }
        #expect(pauses.count { $0 != nil } == again)
        #expect(pauses.prefix(again).allSatisfy { $0 != nil })
    }

    @Test(arguments: [
        (900, nil, true), (1000, nil, true), (1001, nil, false), (900, 100, true), (900, 101, false),
        (0, Int.max, false),
    ])
    func noAttemptBeginsWhenTheTimeIsOver(elapsed: Int, after: Int?, goesOn: Bool) {
        var attempts = Self.attempts(of: .statement)
        let error = Self.error(.now, after: after)
        #expect((attempts.pause(after: error, elapsed: .milliseconds(elapsed), random: 0) != nil) == goesOn)
    }

    // MARK: Statements

    /// Refuses what stands in the list, one request each, and answers all that follow.
    private static func refusing(_ refusals: [String]) -> ScriptedDaemon.Script {
        let answered = Mutex(0)
        return { peer in
            while let request = peer.next() {
                guard request.verb == "Q" || request.verb == "BEGIN" else {
                    peer.answer(request)
                    continue
                }
                let number = answered.withLock { number in
                    defer { number += 1 }
                    return number
                }
                guard number < refusals.count else {
                    peer.answer(request)
                    continue
                }
                peer.send("E\t\(request.id)\t57P03\tERROR\t\(refusals[number])")
            }
        }
    }

    @Test func aStatementIsSentAgainUntilItSucceeds() async throws {
        let daemon = try ScriptedDaemon(Self.refusing(["now\tfirst", "later\tsecond\tafter_ms=1"]))
        let result = try await makeClient(daemon).retrying().query("INSERT INTO t VALUES ($1)", ["7"])
        #expect(result.tag == "INSERT")
        #expect(daemon.received("Q").count == 3)
        let texts = daemon.received("Q").map { $0.split(separator: " ").dropFirst(2).joined(separator: " ") }
        #expect(Set(texts) == ["INSERT INTO t VALUES ($1)\t7"])
    }

    @Test func theLastErrorIsThrown() async throws {
        let daemon = try ScriptedDaemon(Self.refusing(["now\tfirst", "now\tsecond", "now\tthird"]))
        let error = await #expect(throws: PointsmanError.self) {
            try await makeClient(daemon).retrying(attempts: 2).query("SELECT 1")
        }
        #expect(error?.message == "second")
        #expect(daemon.received("Q").count == 2)
    }

    @Test(arguments: ["never", "unknown", "tx"])
    func aStatementIsNotSentAgainAfter(word: String) async throws {
        let daemon = try ScriptedDaemon(Self.refusing(["\(word)\tno"]))
        let error = await #expect(throws: PointsmanError.self) {
            try await makeClient(daemon).retrying(attempts: 9).query("INSERT INTO t VALUES (1)")
        }
        #expect(error?.retry.rawValue == word)
        #expect(daemon.received("Q").count == 1)
    }

    @Test func aWriteWhoseReplyIsLostIsNotSentAgain() async throws {
        let daemon = try ScriptedDaemon { peer in _ = peer.next() }
        let error = await #expect(throws: PointsmanError.self) {
            try await makeClient(daemon).retrying(attempts: 9).query("INSERT INTO t VALUES (1)")
        }
        #expect(error?.retry == .unknown)
        #expect(daemon.received("Q").count == 1)
    }

    @Test func theDaemonsTimeIsReallyWaited() async throws {
        let daemon = try ScriptedDaemon(Self.refusing(["later\tbusy\tafter_ms=50"]))
        let start = ContinuousClock.now
        _ = try await makeClient(daemon).retrying().query("SELECT 1", options: .read)
        #expect(start.duration(to: .now) >= .milliseconds(50))
    }

    @Test func whoIsCancelledWaitsNoLonger() async throws {
        let daemon = try ScriptedDaemon(Self.refusing(["later\tgone for long\tafter_ms=3000000"]))
        let client = makeClient(daemon)
        let task = Task { try await client.retrying(within: .seconds(36_000)).query("SELECT 1", options: .read) }
        try await eventually { daemon.received("Q").count == 1 }
        task.cancel()
        let error = await #expect(throws: PointsmanError.self) { try await task.value }
        #expect(error != nil)
        #expect(daemon.received("Q").count == 1)
    }

    // MARK: Transactions

    private func verbs(_ daemon: ScriptedDaemon) -> [String] {
        daemon.lines.withLock { $0.map { String($0.prefix { $0 != " " }) } }
    }

    @Test func aTransactionBeginsAgain() async throws {
        let isFirst = Atomic(true)
        let daemon = try ScriptedDaemon { peer in
            while let request = peer.next() {
                if request.verb == "Q", isFirst.exchange(false, ordering: .acquiringAndReleasing) {
                    peer.send("E\t\(request.id)\t40001\tERROR\ttx\tcould not serialize access\ttx=E")
                } else {
                    peer.answer(request)
                }
            }
        }
        var runs = 0
        let tag = try await makeClient(daemon).retrying().withTransaction(isolation: .serializable) { transaction in
            runs += 1
            return try await transaction.query("INSERT INTO t VALUES (1)").tag
        }
        #expect(tag == "INSERT")
        #expect(runs == 2)
        #expect(verbs(daemon) == ["HELLO", "BEGIN", "Q", "ROLLBACK", "BEGIN", "Q", "COMMIT"])
    }

    @Test func aBeginThatIsRefusedIsTriedAgain() async throws {
        let daemon = try ScriptedDaemon(Self.refusing(["later\tno primary\tafter_ms=1"]))
        try await makeClient(daemon).retrying().withTransaction { _ in }
        #expect(verbs(daemon) == ["HELLO", "BEGIN", "ROLLBACK", "BEGIN", "COMMIT"])
    }

    @Test func aCommitWhoseReplyIsLostIsNotTriedAgain() async throws {
        let daemon = try ScriptedDaemon { peer in
            while let request = peer.next(), request.verb != "COMMIT" { peer.answer(request) }
        }
        var runs = 0
        let error = await #expect(throws: PointsmanError.self) {
            try await makeClient(daemon).retrying(attempts: 9).withTransaction { transaction in
                runs += 1
                _ = try await transaction.query("INSERT INTO t VALUES (1)")
            }
        }
        #expect(error?.retry == .unknown)
        #expect(runs == 1)
    }

    @Test func theBodysOwnErrorIsNotTriedAgain() async throws {
        struct Mine: Error {}
        let daemon = try ScriptedDaemon(Self.wellBehaved)
        var runs = 0
        await #expect(throws: Mine.self) {
            try await makeClient(daemon).retrying(attempts: 9).withTransaction { _ in
                runs += 1
                throw Mine()
            }
        }
        #expect(runs == 1)
    }

    @Test func aCancelledTransactionIsNotTriedAgain() async throws {
        let daemon = try ScriptedDaemon(Self.wellBehaved)
        let client = makeClient(daemon)
        let isAnswered = Atomic(false)
        let task = Task {
            try await client.retrying(attempts: 9).withTransaction { transaction in
                _ = try await transaction.query("INSERT INTO t VALUES (1)")
                isAnswered.store(true, ordering: .releasing)
                while !Task.isCancelled { await Task.yield() }
            }
        }
        try await eventually { isAnswered.load(ordering: .acquiring) }
        task.cancel()
        let error = await #expect(throws: PointsmanError.self) { try await task.value }
        #expect(error?.retry == .tx)
        #expect(verbs(daemon) == ["HELLO", "BEGIN", "Q", "ROLLBACK"])
    }
}
