import Testing

@testable import PointsmanClient

/// Tokens and freshness on their way through the client, against a daemon that does what the test says.
@Suite(.timeLimit(.minutes(1)))
struct ClientFreshnessTests: ScriptedClient {
    /// Gives a token to whoever asks for one, in the order of the requests: `t1`, `t2` and so on.
    private static var generous: ScriptedDaemon.Script {
        { peer in
            var given = 0
            while let request = peer.next() {
                guard "\(request.verb) \(request.rest)".split(separator: " ").contains("@token") else {
                    peer.answer(request)
                    continue
                }
                given += 1
                peer.send("C\t\(request.id)\t\(request.verb)\t1\tpool=primary\ttx=I\ttoken=t\(given)")
            }
        }
    }

    @Test func aWritesTokenIsWhatALaterReadGivesBack() async throws {
        let daemon = try ScriptedDaemon(Self.generous)
        let writer = makeClient(daemon)
        let write = try await writer.query("INSERT INTO t VALUES (1)", options: QueryOptions(wantsToken: true))
        let token = try #require(write.receipt.token)
        let options = QueryOptions(readOnly: true, waitMilliseconds: 50)
        for freshness in [Freshness.after(token), .after(write.receipt)] {
            let read = try await makeClient(daemon).query("SELECT 1", freshness: freshness, options: options)
            #expect(read.rows.first?["text"] == "@ro @after=t1 @wait=50 SELECT 1")
        }
    }

    @Test func withoutATokenOnlyThePrimaryIsSureToHaveTheWrite() async throws {
        let daemon = try ScriptedDaemon(Self.wellBehaved)
        let client = makeClient(daemon)
        let write = try await client.query("INSERT INTO t VALUES (1)", options: QueryOptions(wantsToken: true))
        #expect(write.receipt.token == nil)
        let read = try await client.query("SELECT 1", freshness: .after(write.receipt), options: .read)
        #expect(read.rows.first?["text"] == "@ro @lag=0 SELECT 1")
    }

    @Test func aTransactionsTokenComesWithItsCommit() async throws {
        let daemon = try ScriptedDaemon(Self.generous)
        let client = makeClient(daemon)
        let committed = try await client.withTransaction(options: TransactionOptions(wantsToken: true)) { transaction in
            try await transaction.query("INSERT INTO t VALUES (1)").tag
        }
        #expect(committed.value == "INSERT")
        let token = try #require(committed.receipt.token)
        try await client.withTransaction(readOnly: true, freshness: .after(token)) { _ in }
        #expect(daemon.received("BEGIN").last?.hasSuffix(" @ro @after=t1") == true)
    }

    @Test func aSessionsRequestsCarryTheirWishes() async throws {
        let daemon = try ScriptedDaemon(Self.generous)
        try await makeClient(daemon).withConnection { session in
            _ = try await session.query("SELECT 1", freshness: .within(milliseconds: 20), options: .readFromPrimary)
            try await session.withTransaction(freshness: .primary) { _ in }
        }
        #expect(daemon.received("Q").last?.hasSuffix(" @ro @lag=0 SELECT 1") == true)
        #expect(daemon.received("BEGIN").last?.hasSuffix(" @lag=0") == true)
    }

    /// Nothing is asked for that nobody wanted: a token costs the write a round trip.
    @Test func tokensAreAskedForOnlyWhenWanted() async throws {
        let daemon = try ScriptedDaemon(Self.generous)
        let write = try await makeClient(daemon).query("INSERT INTO t VALUES (1)")
        #expect(write.receipt.token == nil)
        #expect(daemon.lines.withLock { $0 }.allSatisfy { !$0.contains("@token") })
        let asking = makeClient(daemon) { $0.wantsTokens = true }
        _ = try await asking.query("INSERT INTO t VALUES (1)")
        let hello = try #require(daemon.received("HELLO").last)
        #expect(hello.split(separator: " ").contains("@token"))
        #expect(daemon.received("Q").allSatisfy { !$0.contains("@token") })
    }

    @Test func whatIsNoTokenIsNotHandedOut() async throws {
        let daemon = try ScriptedDaemon { peer in
            while let request = peer.next() {
                peer.send("C\t\(request.id)\tINSERT\t1\ttoken=\(String(repeating: "x", count: 65))")
            }
        }
        let write = try await makeClient(daemon).query("INSERT INTO t VALUES (1)")
        #expect(write.receipt.token == nil)
        #expect(write.count == 1)
    }

    /// The daemon keeps what a connection wrote as a floor for its later reads; it need not be replaced.
    @Test func aConnectionThatWroteServesTheNext() async throws {
        let daemon = try ScriptedDaemon(Self.wellBehaved)
        let client = makeClient(daemon)
        for _ in 0..<3 {
            _ = try await client.query("INSERT INTO t VALUES (1)")
            _ = try await client.query("SELECT 1", options: .read)
        }
        #expect(daemon.connections == 1)
    }
}
