import Synchronization
import Testing

@testable import PointsmanClient

/// The client against a daemon that does what the test says.
@Suite(.timeLimit(.minutes(1)))
struct ClientTests: ScriptedClient {
    // MARK: Requests and answers

    @Test func aQueryIsAnswered() async throws {
        let daemon = try ScriptedDaemon(Self.wellBehaved)
        let result = try await makeClient(daemon).query("SELECT $1", ["a\tb\n"], options: .read)
        #expect(result.rows.first?["text"] == "@ro SELECT $1\ta\\tb\\n")
        #expect(result.receipt.pool == "standby")
    }

    @Test func everyIDStartsWithTheSaltOfItsConnection() async throws {
        let daemon = try ScriptedDaemon(Self.wellBehaved)
        let client = makeClient(daemon)
        for _ in 0..<3 { _ = try await client.query("SELECT 1") }
        try await client.ping()
        let lines = daemon.lines.withLock { $0 }
        let hello = try #require(lines.first)
        #expect(hello.hasPrefix("HELLO "))
        #expect(hello.contains(" @app=test "))
        #expect(hello.hasSuffix(" 1"))
        let salt = try #require(hello.split(separator: " ").first { $0.hasPrefix("@salt=") }).dropFirst(6)
        #expect(lines.count == 5)
        #expect(lines.dropFirst().allSatisfy { $0.split(separator: " ")[1].hasPrefix(salt) })
        #expect(Set(lines.map { $0.split(separator: " ")[1] }).count == 5, "no id is used twice")
    }

    @Test func anErrorOfTheDaemonIsThrown() async throws {
        let daemon = try ScriptedDaemon { peer in
            while let request = peer.next() {
                peer.send("E\t\(request.id)\t42P01\tERROR\tnever\tno relation\tP=15\tsrc=server")
            }
        }
        let error = await #expect(throws: PointsmanError.self) {
            try await makeClient(daemon).query("SELECT * FROM nope")
        }
        #expect(error?.sqlstate == "42P01")
        #expect(error?.position == 15)
        #expect(error?.source == .server)
    }

    @Test func aPipelineTravelsTogetherAndIsAnsweredInOrder() async throws {
        // Answers only once all three are there: a client that waits for each would wait for ever.
        let daemon = try ScriptedDaemon { peer in
            let requests = (0..<3).compactMap { _ in peer.next() }
            peer.answer(requests[0])
            peer.send("E\t\(requests[1].id)\t22012\tERROR\tnever\tdivision by zero")
            peer.answer(requests[2])
        }
        let results = try await makeClient(daemon).pipeline(["SELECT 1", "SELECT 1/0", Statement("SELECT $1", [nil])])
        #expect(try results[0].get().rows[0][0] == "SELECT 1")
        #expect(throws: PointsmanError.self) { try results[1].get() }
        #expect(try results[2].get().rows[0][0] == "SELECT $1\t\\N")
    }

    @Test func manyAtOnceShareFewConnectionsAndGetTheirOwnAnswers() async throws {
        let daemon = try ScriptedDaemon(Self.wellBehaved)
        let client = makeClient(daemon) { $0.maximumConnections = 4 }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<400 {
                group.addTask {
                    let result = try await client.query("SELECT \(number)", options: .read)
                    return result.rows[0][0] == "@ro SELECT \(number)"
                }
            }
            for try await isOwn in group { #expect(isOwn) }
        }
        #expect(daemon.connections <= 4)
    }

    // MARK: Losses

    @Test func aWriteWhoseConnectionDiesIsUnknownAndNeverSentAgain() async throws {
        let daemon = try ScriptedDaemon { peer in _ = peer.next() }
        let client = makeClient(daemon)
        let error = await #expect(throws: PointsmanError.self) { try await client.query("INSERT INTO t VALUES (1)") }
        #expect(error?.sqlstate == "08007")
        #expect(error?.retry == .unknown)
        #expect(daemon.received("Q").count == 1)
    }

    @Test func aReadWhoseConnectionDiesIsSentOnceMore() async throws {
        let isFirst = Atomic(true)
        let daemon = try ScriptedDaemon { peer in
            guard let request = peer.next() else { return }
            if !isFirst.exchange(false, ordering: .acquiringAndReleasing) { peer.answer(request) }
        }
        let result = try await makeClient(daemon).query("SELECT 1", options: .read)
        #expect(result.rows.count == 1)
        #expect(daemon.received("Q").count == 2)
    }

    @Test func aReadThatIsLostTwiceFails() async throws {
        let daemon = try ScriptedDaemon { peer in _ = peer.next() }
        let error = await #expect(throws: PointsmanError.self) {
            try await makeClient(daemon).query("SELECT 1", options: .read)
        }
        #expect(error?.sqlstate == "08006")
        #expect(error?.retry == .now)
        #expect(daemon.received("Q").count == 2)
    }

    @Test(
        arguments: [
            "C\t%\tINSERT\t1", "C\t%\tINSERT\t1\tpool=primary\tus=402", "T\t%\t25\tx\nD\t1\nC\t%\tINS", "", "C",
        ])
    func halfALineIsNoAnswer(text: String) async throws {
        let daemon = try ScriptedDaemon { peer in
            guard let request = peer.next() else { return }
            peer.sendBytes(text.replacing("%", with: request.id))
        }
        let error = await #expect(throws: PointsmanError.self) {
            try await makeClient(daemon).query("INSERT INTO t VALUES (1)")
        }
        #expect(error?.sqlstate == "08007")
    }

    @Test(
        arguments: [
            "C\twrong\tINSERT\t1\n", "C\t%\tINSERT\t1\nC\t%\tINSERT\t1\n", "nonsense\n", "C\t%\tINSERT\t\\x\n",
        ])
    func anAnswerThatMakesNoSenseIsNotBelieved(text: String) async throws {
        let daemon = try ScriptedDaemon { peer in
            guard let request = peer.next() else { return }
            peer.sendBytes(text.replacing("%", with: request.id))
            while peer.next() != nil {}
        }
        let client = makeClient(daemon)
        _ = try? await client.query("INSERT INTO t VALUES (1)")
        // Whatever the first answer was taken for, its connection is not used again.
        _ = try? await client.query("INSERT INTO t VALUES (2)")
        #expect(daemon.connections == 2)
    }

    @Test func anAnswerInSmallPiecesIsReadWhole() async throws {
        let daemon = try ScriptedDaemon { peer in
            while let request = peer.next() {
                for byte in "T\t\(request.id)\t25\tx\nD\tä\\n🎉\nC\t\(request.id)\tSELECT\t1\n".utf8 {
                    peer.sendBytes([byte])
                }
            }
        }
        let result = try await makeClient(daemon).query("SELECT 1")
        #expect(result.rows.map { $0[0] } == ["ä\n🎉"])
    }

    @Test func aDaemonThatWasRestartedIsFoundAgain() async throws {
        let path = ScriptedDaemon.temporaryPath()
        let first = try ScriptedDaemon(path: path, Self.wellBehaved)
        let client = makeClient(first)
        _ = try await client.query("SELECT 1", options: .read)
        first.kill()
        async let later = client.query("SELECT 2", options: .read)
        try await Task.sleep(for: .milliseconds(50))
        let second = try ScriptedDaemon(path: path, Self.wellBehaved)
        #expect(try await later.rows.count == 1)
        #expect(second.received("Q").count == 1)
    }

    @Test func aDaemonThatIsNotThereIsSaidSo() async throws {
        let client = PointsmanClient(
            configuration: {
                var configuration = PointsmanClient.Configuration(socketPath: ScriptedDaemon.temporaryPath())
                configuration.acquireTimeout = .milliseconds(50)
                return configuration
            }())
        let error = await #expect(throws: PointsmanError.self) { try await client.query("SELECT 1") }
        #expect(error?.sqlstate == "08001")
        #expect(error?.retry == .later)
    }

    @Test func aDaemonThatRefusesIsSaidSo() async throws {
        let daemon = try ScriptedDaemon(greets: false) { peer in
            peer.send("E\t-\t53300\tFATAL\tlater\ttoo many clients\tafter_ms=20")
        }
        let client = makeClient(daemon) { $0.acquireTimeout = .milliseconds(50) }
        var error: PointsmanError?
        try await eventually {
            error = await #expect(throws: PointsmanError.self) { try await client.query("SELECT 1") }
            return error?.message.contains("too many clients") == true
        }
        #expect(error?.sqlstate == "08001")
        #expect(error?.afterMilliseconds == 20)
    }

    @Test func aDaemonThatSaysNothingIsGivenUp() async throws {
        let daemon = try ScriptedDaemon { peer in while peer.next() != nil {} }
        let client = makeClient(daemon) { $0.replyGrace = .milliseconds(20) }
        let read = await #expect(throws: PointsmanError.self) {
            try await client.query("SELECT 1", options: QueryOptions(readOnly: true, timeoutMilliseconds: 10))
        }
        #expect(read?.sqlstate == "57014")
        let write = await #expect(throws: PointsmanError.self) {
            try await client.query("INSERT INTO t VALUES (1)", options: QueryOptions(timeoutMilliseconds: 10))
        }
        #expect(write?.sqlstate == "08007")
    }

    // MARK: The pool

    @Test func aBusyPoolRefusesInTime() async throws {
        let daemon = try ScriptedDaemon { peer in while peer.next() != nil {} }
        let client = makeClient(daemon) {
            $0.maximumConnections = 1
            $0.maximumWaiting = 1
            $0.acquireTimeout = .milliseconds(50)
        }
        // On a slow machine the first attempt may time out before it has its connection.
        let busy = Task { while !Task.isCancelled { _ = try? await client.query("SELECT 1") } }
        try await eventually { daemon.received("Q").count == 1 }
        let waiting = Task { await #expect(throws: PointsmanError.self) { try await client.query("SELECT 2") } }
        let error = await waiting.value
        #expect(error?.sqlstate == "53300")
        #expect(error?.retry == .later)
        busy.cancel()
        client.close()
        _ = await busy.value
        let closed = await #expect(throws: PointsmanError.self) { try await client.query("SELECT 3") }
        #expect(closed?.sqlstate == "08003")
    }

    @Test func aSessionStaysOnItsConnection() async throws {
        let daemon = try ScriptedDaemon(Self.wellBehaved)
        let client = makeClient(daemon)
        let escaped = try await client.withConnection { session in
            _ = try await session.query("INSERT INTO t VALUES (1)")
            _ = try await session.query("SELECT 1", options: .read)
            return session
        }
        #expect(daemon.connections == 1)
        let error = await #expect(throws: PointsmanError.self) { try await escaped.query("SELECT 2") }
        #expect(error?.sqlstate == "08003")
        #expect(daemon.received("Q").count == 2)
    }

    // MARK: Cancellation

    @Test func aCancelledRequestIsCancelledInTheDaemon() async throws {
        let daemon = try ScriptedDaemon { peer in
            guard let request = peer.next(), let cancel = peer.next(), cancel.verb == "CANCEL" else { return }
            guard cancel.rest == request.id else { return }
            peer.send("E\t\(request.id)\t57014\tERROR\tlater\tcanceling statement due to user request\tsrc=server")
            peer.send("C\t\(cancel.id)\tCANCEL\t\\N")
            while let request = peer.next() { peer.answer(request) }
        }
        let client = makeClient(daemon)
        let task = Task { try await client.query("SELECT pg_sleep(60)", options: .read) }
        try await eventually { daemon.received("Q").count == 1 }
        task.cancel()
        let error = await #expect(throws: PointsmanError.self) { try await task.value }
        #expect(error?.sqlstate == "57014")
        #expect(error?.source == .server)
    }

    @Test func aStatementQuickerThanItsCancelSucceeds() async throws {
        let daemon = try ScriptedDaemon { peer in
            guard let request = peer.next(), let cancel = peer.next() else { return }
            peer.answer(request)
            peer.send("C\t\(cancel.id)\tCANCEL\t\\N")
        }
        let client = makeClient(daemon)
        let task = Task { try await client.query("INSERT INTO t VALUES (1)") }
        try await eventually { daemon.received("Q").count == 1 }
        task.cancel()
        #expect(try await task.value.tag == "INSERT")
    }

    @Test func aLateReplyReachesNobodyElse() async throws {
        let late = Mutex<ScriptedDaemon.Peer.Request?>(nil)
        let isFirst = Atomic(true)
        let daemon = try ScriptedDaemon { peer in
            if isFirst.exchange(false, ordering: .acquiringAndReleasing) {
                guard let request = peer.next() else { return }
                late.withLock { $0 = request }
                // Says nothing to CANCEL; the answer comes when the client has given up.
                while peer.next() != nil {}
                peer.answer(request)
                return
            }
            while let request = peer.next() { peer.answer(request) }
        }
        let client = makeClient(daemon) { $0.cancelGrace = .milliseconds(20) }
        let task = Task { try await client.query("SELECT 'late'", options: .read) }
        try await eventually { late.withLock { $0 != nil } }
        task.cancel()
        let error = await #expect(throws: PointsmanError.self) { try await task.value }
        #expect(error?.sqlstate == "57014")
        let next = try await client.query("SELECT 'next'", options: .read)
        #expect(next.rows[0][0] == "@ro SELECT 'next'")
        #expect(daemon.connections == 2)
    }

    @Test func aTaskThatIsAlreadyCancelledSendsNothing() async throws {
        let daemon = try ScriptedDaemon(Self.wellBehaved)
        let client = makeClient(daemon)
        let task = Task {
            try await eventually { Task.isCancelled }
            return try await client.query("SELECT 1")
        }
        task.cancel()
        await #expect(throws: (any Error).self) { try await task.value }
        #expect(daemon.received("Q").isEmpty)
    }

    @Test func aCancelledTaskSendsNothingMoreOnItsConnection() async throws {
        let daemon = try ScriptedDaemon { peer in while peer.next() != nil {} }
        let client = makeClient(daemon)
        let isLent = Mutex(false)
        let task = Task {
            try await client.withConnection { session in
                isLent.withLock { $0 = true }
                while !Task.isCancelled { await Task.yield() }
                _ = try await session.query("INSERT INTO t VALUES (1)")
            }
        }
        try await eventually { isLent.withLock { $0 } }
        task.cancel()
        let error = await #expect(throws: PointsmanError.self) { try await task.value }
        #expect(error?.sqlstate == "57014")
        #expect(error?.retry == .now)
        #expect(daemon.received("Q").isEmpty)
    }

    /// The cancellation meets the request on its way to the event loop, before it, and behind it.
    @Test func aTaskCancelledAtAnyMomentEnds() async throws {
        let daemon = try ScriptedDaemon { peer in while peer.next() != nil {} }
        let client = makeClient(daemon) { $0.cancelGrace = .milliseconds(1) }
        for number in 0..<300 {
            let isRunning = Atomic(false)
            let task = Task {
                isRunning.store(true, ordering: .releasing)
                return try await client.query("SELECT 1", options: .read)
            }
            while !isRunning.load(ordering: .acquiring) { await Task.yield() }
            for _ in 0..<(number % 10) * 200 where !Task.isCancelled {}
            task.cancel()
            await #expect(throws: PointsmanError.self) { try await task.value }
        }
    }
}
