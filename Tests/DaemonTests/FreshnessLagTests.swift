import Foundation
import Synchronization
import TestKit
import Testing

/// `@lag`: data at most so old, by the primary's commits and never by a standby's own clock.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct FreshnessLagTests {
    private static let own = Mutex<FreshnessRig?>(nil)

    private static func rig() throws -> FreshnessRig {
        try own.withLock { rig in
            if let rig { return rig }
            let made = try FreshnessRig(daemons: 1)
            rig = made
            return made
        }
    }

    /// Writes numbers 1, 2, 3 … straight to the primary, and knows when each was acknowledged.
    private final class Ticker: Sendable {
        private struct State {
            var acknowledged: [ContinuousClock.Instant] = []
            var running = true
            var failure: DirectSession.Failure?
        }

        let table: String
        private let state = Mutex(State())
        private let ended = DispatchSemaphore(value: 0)

        init(_ cluster: Cluster) throws {
            table = Workplace.uniqueTable()
            try cluster.makeTables("CREATE TABLE \(table)(number int)")
            let conninfo = try cluster.direct(.primary)
            let thread = Thread { [self] in
                write(conninfo)
                ended.signal()
            }
            thread.start()
            try eventually("the first number") { state.withLock { !$0.acknowledged.isEmpty } }
        }

        private func write(_ conninfo: String) {
            guard let session = try? DirectSession(conninfo) else { return }
            var number = 1
            while state.withLock({ $0.running }) {
                let outcome = session.run("INSERT INTO msgsvr.\(table) VALUES (\(number))")
                let now = ContinuousClock.now
                state.withLock {
                    $0.acknowledged.append(now)
                    $0.failure = $0.failure ?? outcome.failure
                }
                number += 1
                usleep(2_000)
            }
        }

        /// How many had been acknowledged at this moment.
        func written(by moment: ContinuousClock.Instant) -> Int {
            state.withLock { state in state.acknowledged.lastIndex { $0 <= moment }.map { $0 + 1 } ?? 0 }
        }

        func stop() throws {
            state.withLock { $0.running = false }
            ended.wait()
            if let failure = state.withLock({ $0.failure }) { throw TestFailure("the ticker: \(failure)") }
        }
    }

    /// What reads saw and who served them.
    private struct Seen {
        var standby = 0
        var primary = 0
        /// Reads that missed a number which was older than they allowed, in words.
        var tooOld: [String] = []
    }

    /// Reads over a new connection every time, for so long.
    private func read(_ ticker: Ticker, _ daemon: DaemonProcess, lag: Int, for duration: Duration) throws -> Seen {
        var seen = Seen()
        let end = Deadline(after: duration)
        while !end.hasPassed {
            let client = try daemon.client()
            let oldest = ContinuousClock.now - .milliseconds(lag)
            let answer = try client.run("SELECT coalesce(max(number), 0) FROM \(ticker.table)", options: "@lag=\(lag)")
            let newest = Int(try answer.value ?? "") ?? -1
            let wanted = ticker.written(by: oldest)
            if newest < wanted { seen.tooOld.append("\(newest) of \(wanted): \(answer.attributes)") }
            if answer["pool"] == "standby" { seen.standby += 1 } else { seen.primary += 1 }
        }
        return seen
    }

    /// However far behind the standbys are, never older than asked for.
    @Test(arguments: [0, 300, 2_000])
    func neverOlderThanAskedFor(_ delay: Int) throws {
        let rig = try Self.rig()
        let ticker = try Ticker(rig.cluster)
        try rig.cluster.delayReplay(by: .milliseconds(delay))
        defer { _ = try? rig.cluster.delayReplay(by: .zero) }
        try eventually("the standbys fall behind") {
            try [Cluster.Node.standby1, .standby2].allSatisfy {
                let newest = Int(try rig.cluster.value("SELECT max(number) FROM msgsvr.\(ticker.table)", on: $0)) ?? 0
                return newest <= ticker.written(by: .now - .milliseconds(delay / 2))
            }
        }
        let seen = try read(ticker, rig.daemons[0], lag: 500, for: .seconds(4))
        try ticker.stop()
        #expect(seen.tooOld.isEmpty, "\(seen.tooOld.prefix(3))")
        #expect(seen.standby + seen.primary > 50)
        if delay == 2_000 { #expect(seen.standby == 0, "\(seen.standby)") }
        if delay == 0 { #expect(seen.standby > seen.primary, "\(seen)") }
    }

    /// A standby one second behind serves who takes three, never who takes 300 milliseconds.
    @Test func theDirectionOfLag() throws {
        let rig = try Self.rig()
        let daemon = rig.daemons[0]
        let ticker = try Ticker(rig.cluster)
        try rig.cluster.delayReplay(by: .seconds(1))
        defer { _ = try? rig.cluster.delayReplay(by: .zero) }
        // The daemon has to have watched the primary for longer than the lag before it can tell.
        try eventually("a standby serves @lag=3000", within: .seconds(15)) {
            try daemon.client().run("SELECT 1", options: "@lag=3000")["pool"] == "standby"
        }
        let patient = try read(ticker, daemon, lag: 3_000, for: .seconds(2))
        let strict = try read(ticker, daemon, lag: 300, for: .seconds(2))
        let again = try read(ticker, daemon, lag: 3_000, for: .seconds(2))
        try ticker.stop()
        #expect(patient.standby > patient.primary, "\(patient)")
        #expect(again.standby > again.primary, "\(again)")
        #expect(strict.standby == 0 && strict.primary > 10, "\(strict)")
        for seen in [patient, strict, again] { #expect(seen.tooOld.isEmpty, "\(seen.tooOld.prefix(3))") }
    }

    /// What a statement itself takes does not make its data too old: it has its snapshot from before.
    @Test func aSlowReadIsServedByAStandby() throws {
        let rig = try Self.rig()
        let client = try rig.daemons[0].client()
        let ticker = try Ticker(rig.cluster)
        try eventually("a standby serves it", within: .seconds(20)) {
            try client.run("SELECT pg_sleep(0.8)", options: "@lag=400")["pool"] == "standby"
        }
        try ticker.stop()
    }

    /// Nothing was written for a while: by their clocks standbys fall behind, by the primary's position they do not.
    @Test func anIdlePrimaryMakesNoStandbyLookBehind() throws {
        let rig = try Self.rig()
        let client = try rig.daemons[0].client()
        try rig.cluster.sql("CHECKPOINT")
        try rig.cluster.waitForReplay()
        // Longer than the lag: the last commit is older than what the reads take.
        let still = Deadline(after: .milliseconds(1_500))
        var primary: [String] = []
        var reads = 0
        while !still.hasPassed { usleep(10_000) }
        let end = Deadline(after: .seconds(3))
        while !end.hasPassed {
            let answer = try client.run("SELECT pg_is_in_recovery()", options: "@lag=200")
            reads += 1
            if try answer.value != "t" { primary.append("\(answer.attributes)") }
            usleep(10_000)
        }
        // A record of running transactions, every 15 seconds at most, may meet one of them on its way.
        #expect(primary.count <= 2 && reads > 50, "\(reads): \(primary)")
    }

    /// What is asked of a whole connection holds for each of its reads; 0 is the primary.
    @Test func theLagOfAConnection() throws {
        let rig = try Self.rig()
        let ticker = try Ticker(rig.cluster)
        try rig.cluster.delayReplay(by: .seconds(2))
        defer { _ = try? rig.cluster.delayReplay(by: .zero) }
        let client = try rig.daemons[0].client()
        try client.succeed("HELLO", "@lag=400", "1")
        for _ in 0..<20 {
            let oldest = ContinuousClock.now - .milliseconds(400)
            let answer = try client.run("SELECT coalesce(max(number), 0) FROM \(ticker.table)")
            #expect(Int(try answer.value ?? "") ?? -1 >= ticker.written(by: oldest), "\(answer.attributes)")
        }
        #expect(try client.run("SELECT pg_is_in_recovery()", options: "@lag=0").value == "f")
        try ticker.stop()
    }

    // MARK: Positions that come late, and reads that wait

    /// A daemon that has asked its primary nothing yet, and what stands between it and the servers.
    private struct Fixture {
        let cluster: Cluster
        let daemon: DaemonProcess
        let client: LineClient
        let toPrimary: Relay
        let toStandbys: Relay
        let table: String

        init(_ adjust: (inout DaemonSettings) -> Void = { _ in }) throws {
            cluster = try FreshnessLagTests.rig().cluster
            table = Workplace.uniqueTable()
            try cluster.makeTables("CREATE TABLE \(table)(id int)")
            var settings = try DaemonSettings(cluster)
            (toPrimary, settings.primaryConninfo) = try Relay.before(settings.primaryConninfo)
            (toStandbys, settings.standbyConninfo) = try Relay.before(settings.standbyConninfo)
            adjust(&settings)
            daemon = try DaemonProcess(settings)
            client = try daemon.client()
            // A connection to each, and no position.
            for pool in ["primary", "standby"] { try client.run("SELECT 1", options: "@route=\(pool)") }
        }

        var count: String { "SELECT count(*) FROM \(table)" }

        func pause() throws {
            for node in [Cluster.Node.standby1, .standby2] { try cluster.pauseReplay(node) }
        }

        /// Stops replay behind all that was written. The primary writes a little by itself: a standby that stands still is soon
        /// too old, and has to catch up before another try.
        func standStill(until what: String, _ condition: () throws -> Bool) throws {
            try eventually(what) {
                for node in [Cluster.Node.standby1, .standby2] { try cluster.resumeReplay(node) }
                try cluster.waitForReplay()
                try pause()
                return try condition()
            }
        }

        /// Both standbys have shown whose they are: only then does either serve a wish.
        func prove() throws {
            let clients = try (0..<4).map { _ in try daemon.client() }
            try eventually("both standbys are known") {
                for client in clients { try client.send("Q r @lag=300 SELECT pg_sleep(0.002)\n") }
                for client in clients { _ = try client.answer(to: "r") }
                return try daemon.stats("nodes").count { $0["pool"] == "standby" && $0["state"] == "current" } == 2
            }
        }

        func insert() throws { try cluster.sql("INSERT INTO msgsvr.\(table) VALUES (1)") }

        /// It was answered by the primary, which said so itself, and has what was written.
        func expectThePrimarys(_ answer: Answer) throws {
            #expect(try answer.value == "1", "\(answer)")
            let address = try cluster.address(.primary)
            #expect(answer["pool"] == "primary" && answer["node"] == address, "\(answer.attributes)")
        }

        func end() {
            for node in [Cluster.Node.standby1, .standby2] { _ = try? cluster.resumeReplay(node) }
            for relay in [toPrimary, toStandbys] {
                relay.thaw()
                relay.cut()
                relay.end()
            }
        }
    }

    /// The sample that a wish waits for takes longer than the wish allows: it says nothing of what came meanwhile.
    @Test func aSampleThatTakesTooLong() throws {
        let test = try Fixture()
        defer { test.end() }
        try test.pause()
        try test.insert()
        let before = test.toPrimary.bytesToTarget
        test.toPrimary.holdReplies()
        try test.client.send("Q r @lag=100 \(test.count)\n")
        try eventually("the sample is on its way") { test.toPrimary.bytesToTarget > before }
        #expect(!test.client.hasInput(within: .milliseconds(300)))
        test.toPrimary.thaw()
        let answer = try test.client.answer(to: "r")
        try test.expectThePrimarys(answer)
        #expect(answer["why"] == "lag", "\(answer.attributes)")
    }

    /// No standby answers, and no position is known yet: the primary proves that it is one.
    @Test func aWishThatSpillsIsProved() throws {
        let test = try Fixture()
        defer { test.end() }
        try test.insert()
        test.toStandbys.refuse(true)
        test.toStandbys.cut()
        try eventually("the standbys are given up") {
            let answer = try test.client.query("SELECT 1", options: "@timeout=1000")
            return answer["why"] == "spill" && answer["rerun"] == nil
        }
        let answer = try test.client.run(test.count, options: "@lag=200")
        try test.expectThePrimarys(answer)
        #expect(answer["why"] == "spill", "\(answer.attributes)")
        // Who asks for nothing costs the primary no more than the read.
        #expect(try test.client.run("SELECT 1")["node"] == nil)
    }

    /// What stands still on its way to a standby grows old on it.
    @Test func itCountsUntilTheAnswer() throws {
        let test = try Fixture()
        defer { test.end() }
        try test.prove()
        try test.standStill(until: "a standby serves it") {
            try test.client.run(test.count, options: "@lag=300")["pool"] == "standby"
        }
        test.toStandbys.freeze()
        try test.client.send("Q r @lag=300 \(test.count)\n")
        #expect(!test.client.hasInput(within: .milliseconds(30)))
        try test.insert()
        #expect(!test.client.hasInput(within: .milliseconds(800)))
        test.toStandbys.thaw()
        #expect(try test.client.answer(to: "r").value == "1")
    }

    /// A pool's own limit counts while the read waits for its connection, too.
    @Test func aPoolsLimitCountsInItsQueue() throws {
        let test = try Fixture {
            $0.standby[0] = "size = 1"
            $0.standby.append("max_lag = \"300ms\"")
        }
        defer { test.end() }
        let holder = try test.daemon.client()
        try test.standStill(until: "a standby has the transaction") {
            if try holder.succeed("BEGIN", "@ro")["pool"] == "standby" { return true }
            try holder.succeed("ROLLBACK")
            return false
        }
        try test.client.send("Q r \(test.count)\n")
        try eventually("the read waits") { try test.daemon.pool("standby", "waiting_requests") == 1 }
        try test.insert()
        #expect(!test.client.hasInput(within: .milliseconds(600)))
        try holder.succeed("ROLLBACK")
        let answer = try test.client.answer(to: "r")
        try test.expectThePrimarys(answer)
        #expect(answer["why"] == "spill" && answer["rerun"] == "stale", "\(answer.attributes)")
    }

    /// A read that waits for a position has no neighbour that keeps its pool's only connection.
    @Test func whoWaitsForAPositionGetsItsConnection() throws {
        let test = try Fixture {
            $0.standby[0] = "size = 1"
            $0.standby[2] = "queue_timeout = \"1s\""
        }
        defer { test.end() }
        test.toPrimary.holdReplies()
        // More than the daemon keeps for a client whose turn it is not.
        let large = "SELECT repeat('z', 1000) FROM generate_series(1, 3000)"
        try test.client.send("Q a @lag=1000 SELECT 7\nQ b \(large)\n")
        #expect(!test.client.hasInput(within: .milliseconds(150)))
        test.toPrimary.thaw()
        #expect(try test.client.answer(to: "a").value == "7")
        #expect(try test.client.answer(to: "b").rows.count == 3_000)
    }
}
