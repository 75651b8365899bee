import Freshness
import Testing

/// Which standbys may be trusted with a position, and whether a try is worth it.
struct StandbyNodesTests {
    static let system = ClusterHistoryTests.system
    static let first = "127.0.0.11 5433 1763836800.5"
    static let second = "127.0.0.12 5433 1763836801.25"
    /// The first one after a restart.
    static let again = "127.0.0.11 5433 1763836900.75"

    private let history = ClusterHistory(.primary(1_000))
    private let proof = StandbyNodes.Proof(system: Self.system, timeline: 1)

    /// A standby's answer to a check.
    private func met(
        _ nodes: inout StandbyNodes, _ identity: String = first, _ replayed: UInt64? = 500,
        _ proof: StandbyNodes.Proof? = nil, isInRecovery: Bool = true, isReadCommitted: Bool = true,
        history: ClusterHistory? = nil, now: UInt64 = .ms(10_000)
    ) -> StandbyNodes.Met {
        withBytes(of: identity) {
            let report = StandbyNodes.Report(
                identity: $0, isInRecovery: isInRecovery, replayed: replayed.map { LogPosition($0) },
                isReadCommitted: isReadCommitted, proof: proof)
            return nodes.reported(report, history: history ?? self.history, now: now)
        }
    }

    // MARK: Proof

    @Test func aPositionCountsOnlyWithProof() {
        var nodes = StandbyNodes()
        #expect(met(&nodes).position == nil)
        #expect(met(&nodes, Self.first, 500, proof).position == LogPosition(500))
        // From then on without one, as long as the process runs; the other server still has to.
        #expect(met(&nodes, Self.first, 510).position == LogPosition(510))
        #expect(met(&nodes, Self.second, 510).position == nil)
        #expect(nodes.nodes.map(\.provenEra) == [1, nil])
    }

    /// A standby of the right system may have replayed further than the new primary wrote, and lack all of it.
    @Test func anotherHistoryIsNeverCompared() {
        for wrong in [
            StandbyNodes.Proof(system: Self.system, timeline: 2), .init(system: Self.system, timeline: 0),
            .init(system: ClusterHistoryTests.otherSystem, timeline: 1),
        ] {
            var nodes = StandbyNodes()
            #expect(met(&nodes, Self.first, 900, wrong).position == nil, "\(wrong)")
            #expect(met(&nodes, Self.first, 900).position == nil, "\(wrong)")
            // What it proved before is void too.
            #expect(met(&nodes, Self.first, 900, proof).position != nil)
            #expect(met(&nodes, Self.first, 900, wrong).position == nil, "\(wrong)")
            #expect(met(&nodes, Self.first, 900).position == nil, "\(wrong)")
        }
        // Before the first report of a primary nothing can be proved.
        var nodes = StandbyNodes()
        let nothing = ClusterHistory()
        for wrong in [proof, .init(system: 0, timeline: 0)] {
            #expect(met(&nodes, Self.first, 900, wrong, history: nothing).position == nil)
        }
        #expect(met(&nodes, Self.first, 900).position == nil, "the era that begins now is not that one")
    }

    @Test func aNewEraNeedsNewProof() {
        var nodes = StandbyNodes()
        var history = self.history
        #expect(met(&nodes, Self.first, 900, proof).position != nil)
        _ = history.reported(.primary(800, timeline: 2), askedAt: .ms(20_000))
        #expect(met(&nodes, Self.first, 900, history: history).position == nil)
        #expect(met(&nodes, Self.first, 900, proof, history: history).position == nil)
        let next = StandbyNodes.Proof(system: Self.system, timeline: 2)
        #expect(met(&nodes, Self.first, 900, next, history: history).position == LogPosition(900))
    }

    @Test func whatElseIsNoPosition() {
        var nodes = StandbyNodes()
        // The statement sees the snapshot of the check's transaction, or an older one.
        #expect(met(&nodes, Self.first, 500, proof, isReadCommitted: false).position == nil)
        #expect(met(&nodes, Self.first, 500).position == LogPosition(500), "the proof was one all the same")
        // A primary that was a standby once says where it had replayed to. It is no standby of this history.
        #expect(met(&nodes, Self.first, 500, proof, isInRecovery: false).position == nil)
        #expect(nodes.nodes[0].isInRecovery == false && nodes.nodes[0].provenEra == nil)
        #expect(met(&nodes, Self.first, 500, isInRecovery: true).position == nil)
        #expect(met(&nodes, Self.second, nil, proof).position == nil)
    }

    @Test func whenProofIsAskedFor() {
        var nodes = StandbyNodes()
        let now: UInt64 = .ms(10_000)
        #expect(nodes.asksForProof(era: 1, now: now), "nobody is proven")
        _ = met(&nodes, Self.first, 500, proof, now: now)
        #expect(!nodes.asksForProof(era: 1, now: now))
        #expect(nodes.asksForProof(era: 2, now: now), "nobody is of this era")
        // A server without proof was met: PgBouncer may choose it again.
        _ = met(&nodes, Self.second, 500, now: now)
        #expect(nodes.asksForProof(era: 1, now: now + .ms(9_000)))
        // It cannot prove anything: that is not asked for ever.
        #expect(!nodes.asksForProof(era: 1, now: now + .ms(10_001)))
        _ = met(&nodes, Self.second, 500, now: now + .ms(20_000))
        #expect(nodes.asksForProof(era: 1, now: now + .ms(20_001)))
        _ = met(&nodes, Self.second, 500, proof, now: now + .ms(20_002))
        #expect(!nodes.asksForProof(era: 1, now: now + .ms(20_003)))
    }

    // MARK: Names and identities

    @Test(arguments: [
        ("127.0.0.11 5433 1763836800.5", "127.0.0.11:5433"), ("::1 5433 1763836800.5", "[::1]:5433"),
        ("fd00::12:7 6000 1.0", "[fd00::12:7]:6000"), ("1763836800.5", "local"), ("", "local"),
    ])
    func names(_ identity: String, _ name: String) {
        #expect(withBytes(of: identity) { StandbyNodes.name(of: $0) } == Array(name.utf8))
    }

    /// The process of before is no more, and the new one may run on other files.
    @Test func aRestartLosesTheProof() {
        var nodes = StandbyNodes()
        _ = met(&nodes, Self.first, 900, proof)
        let after = met(&nodes, Self.again, 400)
        #expect(after.position == nil)
        #expect(nodes.nodes.count == 1 && after.node == 0)
        #expect(nodes.nodes[0].identity == Array(Self.again.utf8) && nodes.nodes[0].replayed == LogPosition(400))
        #expect(met(&nodes, Self.again, 410, proof).position == LogPosition(410))
    }

    /// By a Unix socket two servers have the same name: only the start tells them apart.
    @Test func localServersAreKeptApart() {
        var nodes = StandbyNodes()
        _ = met(&nodes, "1763836800.5", 900, proof)
        #expect(met(&nodes, "1763836801.5", 100).position == nil)
        #expect(nodes.nodes.count == 2 && nodes.nodes.allSatisfy { $0.name == StandbyNodes.local })
        #expect(met(&nodes, "1763836800.5", 910).position == LogPosition(910))
    }

    @Test func theOneSeenLongestAgoGoes() {
        var nodes = StandbyNodes()
        func identity(_ number: Int) -> String { "10.0.0.\(number) 5432 1.5" }
        for number in 0..<StandbyNodes.capacity {
            _ = met(&nodes, identity(number), 500, proof, now: .ms(UInt64(10_000 + number)))
        }
        // The oldest but one shows itself again.
        _ = met(&nodes, identity(0), 500, now: .ms(20_000))
        let newcomer = met(&nodes, identity(200), 500, now: .ms(20_001))
        #expect(nodes.nodes.count == StandbyNodes.capacity)
        #expect(newcomer.node == 1 && newcomer.position == nil)
        #expect(met(&nodes, identity(0), 500, now: .ms(20_002)).position != nil)
        #expect(met(&nodes, identity(1), 500, now: .ms(20_003)).position == nil, "forgotten, with its proof")
    }

    /// Answers of two connections may overtake each other: what is known of a server does not fall; what one read met counts
    /// for that read.
    @Test func positionsDoNotFall() {
        var nodes = StandbyNodes()
        _ = met(&nodes, Self.first, 600, proof, now: .ms(10_000))
        #expect(met(&nodes, Self.first, 550, now: .ms(10_010)).position == LogPosition(550))
        #expect(nodes.nodes[0].replayed == LogPosition(600) && nodes.nodes[0].seenAt == .ms(10_010))
        #expect(nodes.nodes[0].movedAt == .ms(10_000))
    }

    // MARK: Is a try worth it?

    /// Misses in a row pause from 2 ms to half a second; meanwhile only a standby that should have the floor is tried.
    @Test func thePauseBehindMisses() {
        var nodes = StandbyNodes()
        let floor = LogPosition(600)
        var now: UInt64 = .ms(10_000)
        _ = met(&nodes, Self.first, 500, proof, now: now)
        #expect(nodes.isWorthTrying(floor, era: 1, now: now), "nobody was missed yet")
        for pause in [2, 4, 8, 16, 32, 64, 128, 256, 500, 500, 500] as [UInt64] {
            nodes.missed(now: now)
            #expect(!nodes.isWorthTrying(floor, era: 1, now: now))
            #expect(!nodes.isWorthTrying(floor, era: 1, now: now + .ms(pause) - 1), "\(pause)")
            // Reads that were under way miss too: that is the same miss.
            nodes.missed(now: now + .ms(pause) - 1)
            // What it is known to have is always worth it.
            #expect(nodes.isWorthTrying(LogPosition(500), era: 1, now: now))
            // But not in another era.
            #expect(!nodes.isWorthTrying(LogPosition(500), era: 2, now: now))
            now += .ms(pause)
            #expect(nodes.isWorthTrying(floor, era: 1, now: now), "\(pause)")
        }
        // One that got there while a pause lasted proves nothing about the others.
        nodes.missed(now: now)
        nodes.reached(now: now + .ms(1))
        now += .ms(500)
        nodes.missed(now: now)
        #expect(!nodes.isWorthTrying(floor, era: 1, now: now + .ms(499)))
        now += .ms(500)
        nodes.reached(now: now)
        nodes.missed(now: now)
        #expect(!nodes.isWorthTrying(floor, era: 1, now: now + .ms(2) - 1))
        #expect(nodes.isWorthTrying(floor, era: 1, now: now + .ms(2)))
    }

    /// A server that moves is expected to go on, carefully, and not for longer than two seconds.
    @Test func whatAStandbyShouldHaveByNow() {
        var nodes = StandbyNodes()
        // 1000 bytes in a second.
        _ = met(&nodes, Self.first, 1_000, proof, now: .ms(10_000))
        _ = met(&nodes, Self.first, 2_000, now: .ms(11_000))
        nodes.missed(now: .ms(11_000))
        var paused = nodes
        paused.missed(now: .ms(12_000))
        #expect(paused.isWorthTrying(LogPosition(2_890), era: 1, now: .ms(12_000)))
        #expect(!paused.isWorthTrying(LogPosition(2_910), era: 1, now: .ms(12_000)))
        paused = nodes
        paused.missed(now: .ms(60_000))
        #expect(paused.isWorthTrying(LogPosition(3_790), era: 1, now: .ms(60_000)))
        #expect(!paused.isWorthTrying(LogPosition(3_810), era: 1, now: .ms(60_000)))
        // One without proof is not expected to have anything.
        var unproven = StandbyNodes()
        _ = met(&unproven, Self.first, 5_000)
        unproven.missed(now: .ms(10_000))
        #expect(!unproven.isWorthTrying(LogPosition(1), era: 1, now: .ms(10_000)))
    }

    @Test func howLongAStandbyNeeds() {
        var nodes = StandbyNodes()
        _ = met(&nodes, Self.first, 1_000, proof, now: .ms(10_000))
        #expect(nodes.timeToReach(LogPosition(9_000), from: 0) == .ms(2), "its rate is not known")
        _ = met(&nodes, Self.first, 2_000, now: .ms(11_000))
        #expect(nodes.timeToReach(LogPosition(2_100), from: 0) == .ms(100))
        #expect(nodes.timeToReach(LogPosition(2_499), from: 0) == .ms(499))
        #expect(nodes.timeToReach(LogPosition(2_500), from: 0) == .ms(500))
        #expect(nodes.timeToReach(LogPosition(.max), from: 0) == .ms(500))
        #expect(nodes.timeToReach(LogPosition(2_000), from: 0) == .ms(2), "it has it")
        // Never less than a millisecond, however fast it is.
        _ = met(&nodes, Self.second, 1_000, proof, now: .ms(10_000))
        _ = met(&nodes, Self.second, 1 << 40, now: .ms(10_001))
        #expect(nodes.timeToReach(LogPosition(1 << 40 + 1), from: 1) == .ms(1))
    }

    /// Reports of any kind: a position is compared only of a proven standby in recovery, of its own words, and whatever the
    /// rates come to, the answers stay within their bounds.
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func reportsInAnyOrder(_ seed: UInt64) {
        var random = RandomNumbers(seed: seed)
        var nodes = StandbyNodes()
        var history = ClusterHistory()
        var proven: [String: UInt32] = [:]
        var counted = 0
        for round in 1...4_000 {
            let now = UInt64.ms(UInt64(round)) + random.next() % 1_000_000
            if random.chance(2) {
                let report = ClusterHistory.Report.primary(
                    1, timeline: max(1, history.timeline) + UInt32(random.below(2)))
                _ = history.reported(report, askedAt: now)
            }
            let address = "10.0.0.\(random.below(5))"
            let identity = "\(address) 5432 \(random.below(3))"
            let timeline = UInt32(random.below(2)) + history.timeline
            let proof = random.chance(30) ? StandbyNodes.Proof(system: Self.system, timeline: timeline) : nil
            let isInRecovery = random.chance(90)
            let isReadCommitted = random.chance(90)
            let replayed = random.chance(95) ? random.next() >> (random.next() % 64) : nil
            let met = met(
                &nodes, identity, replayed, proof, isInRecovery: isInRecovery, isReadCommitted: isReadCommitted,
                history: history, now: now)
            // Of one address only the process of the last answer is there.
            for other in proven.keys where other.hasPrefix("\(address) ") && other != identity { proven[other] = nil }
            if let proof {
                let belongs = history.era > 0 && proof.timeline == history.timeline && isInRecovery
                proven[identity] = belongs ? history.era : nil
            }
            let counts = proven[identity] == history.era && isInRecovery && isReadCommitted
            #expect(met.position == (counts ? replayed.map { LogPosition($0) } : nil), "round \(round)")
            if met.position != nil { counted += 1 }
            let floor = LogPosition(random.next() >> (random.next() % 64))
            #expect((.ms(1) ... .ms(500)).contains(nodes.timeToReach(floor, from: met.node)))
            _ = nodes.isWorthTrying(floor, era: history.era, now: now + .ms(10_000))
        }
        #expect(counted > 100)
    }
}
