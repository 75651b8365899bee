import TestKit
import Testing

/// Positions of two timelines cannot be compared: what was known before a promotion holds no more.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(6)))
struct FreshnessPromotionTests {
    /// Pairs before, the change, pairs after it over the same daemons.
    private func pairs(_ scenario: FreshnessRig.Scenario, _ rig: FreshnessRig) throws -> PairTally {
        let before = try rig.load(pairs: 1_000, within: .seconds(30)) { $0.lateness = 50...200 }.run()
        #expect(before.stale == 0 && before.served(by: "standby") > 0, "\(before.staleExamples) \(before.pools)")
        try rig.bring(about: scenario, forPairs: 4_000)
        // While roles are found out, later is an answer.
        try eventually("writes work again", within: .seconds(10)) {
            try rig.daemons.allSatisfy {
                try $0.client().query("UPDATE \(rig.table) SET value = 0 WHERE slot = -1").problem == nil
            }
        }
        let load = rig.load(pairs: 4_000, within: .seconds(60)) { $0.lateness = 100...500 }
        let tally = try load.run()
        #expect(tally.stale == 0, "\(tally.staleExamples.joined(separator: "\n"))")
        #expect(tally.total > 3_500, "\(tally.pairs) \(tally.failures)")
        #expect(Set(tally.pairs.keys) == Set(PairKind.told), "\(tally.pairs)")
        for problem in tally.failures.keys { #expect(problem.contains("57P03"), "\(tally.failures)") }
        return tally
    }

    @Test func afterAPromotion() throws {
        let rig = try FreshnessRig()
        let client = try rig.daemons[0].client()
        let write = try client.run("UPDATE \(rig.table) SET value = 77 WHERE slot = 0", options: "@token")
        let old = try #require(write["token"])
        let tally = try pairs(.promoted, rig)
        // The standby that is left serves again, by the new timeline's positions.
        #expect(tally.served(by: "standby") > 0, "\(tally.pools)")
        // The token is of another timeline: the primary, at once, on either daemon.
        for daemon in rig.daemons {
            let refused = try daemon.counted("tokens_refused_total", "reason=timeline")
            let took = try elapsed {
                let answer = try daemon.client().run(
                    "SELECT pg_is_in_recovery()", options: "@after=\(old) @wait=10000")
                #expect(try answer.value == "f", "\(answer.attributes)")
            }
            #expect(took < .seconds(5), "\(took)")
            #expect(try daemon.counted("tokens_refused_total", "reason=timeline") == refused + 1)
        }
    }

    /// By the number the standby that is left is ahead of everything that is written now, and has none of it.
    @Test func aStandbyAheadOnTheOldTimeline() throws {
        let rig = try FreshnessRig()
        let tally = try pairs(.branched, rig)
        #expect(tally.served(by: "standby") == 0, "\(tally.pools)")
        let ahead = try rig.cluster.value(
            "SELECT pg_current_wal_insert_lsn() < '\(rig.cluster.replayed(.standby1))'", on: .standby2)
        #expect(ahead == "t")
        // Who asks for nothing is still served there.
        #expect(try rig.daemons[0].client().run("SELECT host(inet_server_addr())").value == "127.0.0.11")
    }
}
