import Synchronization
import Testing

@testable import PointsmanClient

/// Transactions of the client against a daemon that does what the test says.
@Suite(.timeLimit(.minutes(1)))
struct ClientTransactionTests: ScriptedClient {
    private func verbs(_ daemon: ScriptedDaemon) -> [String] {
        daemon.lines.withLock { $0.map { String($0.prefix { $0 != " " }) } }
    }

    @Test func aTransactionCommitsWhenItsBodyReturns() async throws {
        let daemon = try ScriptedDaemon(Self.wellBehaved)
        let client = makeClient(daemon)
        let value = try await client.withTransaction(isolation: .repeatableRead) { transaction in
            _ = try await transaction.query("INSERT INTO t VALUES (1)")
            return 7
        }
        #expect(value == 7)
        #expect(verbs(daemon) == ["HELLO", "BEGIN", "Q", "COMMIT"])
        #expect(daemon.received("BEGIN").first?.hasSuffix("@iso=rr") == true)
    }

    @Test func aTransactionRollsBackWhenItsBodyThrows() async throws {
        struct Mine: Error {}
        let daemon = try ScriptedDaemon(Self.wellBehaved)
        await #expect(throws: Mine.self) {
            try await makeClient(daemon).withTransaction(readOnly: true) { transaction in
                _ = try await transaction.query("SELECT 1")
                throw Mine()
            }
        }
        #expect(verbs(daemon) == ["HELLO", "BEGIN", "Q", "ROLLBACK"])
        #expect(daemon.received("BEGIN").first?.hasSuffix("@ro") == true)
    }

    @Test func aTransactionRollsBackWhenItsTaskIsCancelled() async throws {
        let daemon = try ScriptedDaemon(Self.wellBehaved)
        let client = makeClient(daemon)
        let isAnswered = Mutex(false)
        let task = Task {
            try await client.withTransaction { transaction in
                _ = try await transaction.query("INSERT INTO t VALUES (1)")
                isAnswered.withLock { $0 = true }
                while !Task.isCancelled { await Task.yield() }
            }
        }
        try await eventually { isAnswered.withLock { $0 } }
        task.cancel()
        let error = await #expect(throws: PointsmanError.self) { try await task.value }
        #expect(error?.retry == .tx)
        #expect(verbs(daemon) == ["HELLO", "BEGIN", "Q", "ROLLBACK"])
    }

    @Test func aCommitWhoseReplyIsLostIsUnknown() async throws {
        let daemon = try ScriptedDaemon { peer in
            while let request = peer.next(), request.verb != "COMMIT" { peer.answer(request) }
        }
        let error = await #expect(throws: PointsmanError.self) {
            try await makeClient(daemon).withTransaction { transaction in
                _ = try await transaction.query("INSERT INTO t VALUES (1)")
            }
        }
        #expect(error?.sqlstate == "08007")
        #expect(verbs(daemon) == ["HELLO", "BEGIN", "Q", "COMMIT"])
    }

    @Test func aTransactionIsNotUsableBehindItsEnd() async throws {
        let daemon = try ScriptedDaemon(Self.wellBehaved)
        let escaped = try await makeClient(daemon).withTransaction { $0 }
        let error = await #expect(throws: PointsmanError.self) { try await escaped.query("INSERT INTO t VALUES (1)") }
        #expect(error?.sqlstate == "08003")
        #expect(verbs(daemon) == ["HELLO", "BEGIN", "COMMIT"])
    }

    @Test func aBeginThatFailedIsCleanedUp() async throws {
        let daemon = try ScriptedDaemon { peer in
            while let request = peer.next() {
                if request.verb == "BEGIN" {
                    peer.send("E\t\(request.id)\t57P03\tERROR\tlater\tno primary\tsrc=pool\ttx=E\tafter_ms=100")
                } else {
                    peer.answer(request)
                }
            }
        }
        let error = await #expect(throws: PointsmanError.self) {
            try await makeClient(daemon).withTransaction { _ in Issue.record("the body must not run") }
        }
        #expect(error?.sqlstate == "57P03")
        #expect(error?.afterMilliseconds == 100)
        #expect(verbs(daemon) == ["HELLO", "BEGIN", "ROLLBACK"])
    }

    @Test func transactionsOfOneSessionDoNotNest() async throws {
        let daemon = try ScriptedDaemon(Self.wellBehaved)
        try await makeClient(daemon).withConnection { session in
            try await session.withTransaction { _ in
                let error = await #expect(throws: PointsmanError.self) { try await session.withTransaction { _ in } }
                #expect(error?.sqlstate == "25001")
            }
        }
        #expect(verbs(daemon) == ["HELLO", "BEGIN", "COMMIT"])
    }
}
