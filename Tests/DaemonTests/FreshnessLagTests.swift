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
}
