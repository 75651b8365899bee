import Foundation
import Synchronization
import TestKit
import Testing

/// A read sees the write that it was told of, whichever daemon and whichever standby it meets. `deploy/freshness` runs
/// the same with as many pairs as wanted.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(5)))
struct FreshnessTests {
    private static let own = Mutex<FreshnessRig?>(nil)

    /// For what can be mended again.
    private static func rig() throws -> FreshnessRig {
        try own.withLock { rig in
            if let rig { return rig }
            let made = try FreshnessRig()
            rig = made
            return made
        }
    }

    /// Nothing stale, nothing failed, no token missing, every kind of pair tried.
    private func expectFresh(_ tally: PairTally, _ load: PairLoad) {
        #expect(tally.stale == 0, "\(tally.staleExamples.joined(separator: "\n"))")
        // A read that meets a conflict with replay wherever it runs is told so at last; standbys that are always behind are out
        // of patience after max_standby_streaming_delay, and end at once what is in their way.
        let conflicts = tally.failures["read 40001 now"] ?? 0
        #expect(tally.failures.values.reduce(0, +) == conflicts && conflicts < 10, "\(tally.failures)")
        #expect(tally.withoutToken == 0)
        #expect(tally.total + conflicts >= load.plan.pairs, "\(tally.pairs)")
        #expect(Set(tally.pairs.keys) == Set(load.plan.kinds), "\(tally.pairs)")
    }

    @Test func bothStandbysAreTwoSecondsBehind() throws {
        let rig = try Self.rig()
        try rig.bring(about: .delayed, forPairs: 0)
        defer { _ = try? rig.cluster.delayReplay(by: .zero) }
        let load = rig.load(PairKind.told + [.careless], pairs: 20_000, within: .seconds(120))
        let tally = try load.run()
        expectFresh(tally, load)
        #expect(tally.carelessStale > 0, "the load would not notice")
        // Late reads that a standby could serve, it did.
        #expect(tally.served(by: "standby") > 0, "\(tally.pools)")
    }

    @Test func replayIsPausedOnBothStandbys() throws {
        let rig = try Self.rig()
        try rig.bring(about: .paused, forPairs: 0)
        defer {
            for node in [Cluster.Node.standby1, .standby2] { _ = try? rig.cluster.resumeReplay(node) }
        }
        let load = rig.load(pairs: 2_000, within: .seconds(60)) { $0.lateness = 100...500 }
        let tally = try load.run()
        expectFresh(tally, load)
        #expect(tally.served(by: "standby") == 0, "\(tally.pools)")
        // Who asks for nothing still reads there.
        #expect(try rig.daemons[0].client().run("SELECT pg_is_in_recovery()").value == "t")
    }

    @Test func oneStandbyIsOrphaned() throws {
        let rig = try Self.rig()
        try rig.bring(about: .orphaned, forPairs: 0)
        defer { _ = try? rig.cluster.follow(.standby2, .primary) }
        let load = rig.load(pairs: 4_000, within: .seconds(60)) { $0.lateness = 100...500 }
        let tally = try load.run()
        expectFresh(tally, load)
        // The other one does its work.
        #expect(tally.served(by: "standby") > 0, "\(tally.pools)")
        #expect(try tally.served(by: .standby2, of: rig.cluster) == 0, "\(tally.nodes)")
    }

    /// A guard inside a repeatable read's own snapshot would let some through: what it saw, the statement does not see.
    @Test func transactionsInATightRace() throws {
        let rig = try Self.rig()
        let tally = try CommitRace(
            rig, [.readOnly, .repeatableRead, .repeatableRead, .careless], reads: 20_000, within: .seconds(20)
        ).run()
        #expect(tally.stale == 0, "\(tally.staleExamples.joined(separator: "\n"))")
        #expect(tally.failures.isEmpty && tally.total > 500, "\(tally.failures) \(tally.pairs)")
        #expect(tally.carelessStale > 0, "this is no race")
        #expect(tally.served(by: "standby") > 0, "\(tally.pools)")
        // The race was one: standbys were met before they had got there.
        #expect(try rig.counted("fences_total", "result=failed") > 0)
        #expect(try rig.counted("fences_total", "result=passed") > 0)
    }

    /// A standby that has not got there is given the time that the read allows, no more.
    @Test func aReadWaitsForAStandby() throws {
        let rig = try Self.rig()
        try rig.cluster.delayReplay(by: .milliseconds(300))
        defer { _ = try? rig.cluster.delayReplay(by: .zero) }
        // One daemon: what another one's token asks for may be ahead of all that this one knows, and is not waited for.
        let patient = rig.load([.token], pairs: 400, within: .seconds(60)) {
            $0.wait = 5_000
            $0.sockets.removeLast()
        }
        let waited = try patient.run()
        expectFresh(waited, patient)
        #expect(waited.served(by: "standby") > 200, "\(waited.pools)")
        let hasty = rig.load([.token], pairs: 400, within: .seconds(60)) { $0.wait = 0 }
        let went = try hasty.run()
        expectFresh(went, hasty)
        #expect(went.served(by: "primary") > 200 && went.latency(at: 0.5) < 250, "\(went.pools)")
    }
}
