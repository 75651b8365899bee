import Freshness
import Testing

/// Which servers count as the primary, and what tokens prove in its history.
struct ClusterHistoryTests {
    typealias Report = ClusterHistory.Report

    static let system: UInt64 = 0x77AA_5F2C_91AA
    static let otherSystem: UInt64 = 0x77AA_0000_0001

    @Test func theFirstReportBeginsTheFirstEra() {
        var history = ClusterHistory()
        #expect(history.system == nil && history.timeline == 0 && history.era == 0)
        #expect(history.reported(.primary(100, timeline: 3), askedAt: 5) == .primary(isNewEra: true))
        #expect(history.system == Self.system && history.timeline == 3 && history.era == 1)
        #expect(history.positions.newest == PositionHistory(samples: [(100, 5)]).newest)
        #expect(history.reported(.primary(110, timeline: 3), askedAt: 6) == .primary(isNewEra: false))
        #expect(history.era == 1 && history.positions.samples.count == 2)
    }

    @Test func aServerInRecoveryChangesNothing() {
        var history = ClusterHistory()
        #expect(history.reported(.standby(), askedAt: 1) == .notPrimary)
        #expect(history == ClusterHistory())
        history = ClusterHistory(.primary(100))
        let before = history
        #expect(history.reported(.standby(), askedAt: 9_000_000_000) == .notPrimary)
        #expect(history.reported(.standby(system: Self.otherSystem), askedAt: 9_000_000_000) == .notPrimary)
        #expect(history == before)
    }

    /// A promotion: positions of before mean nothing any more, and the old primary is one of the past, however far its log
    /// went on.
    @Test func aNewerTimelineIsANewEraAndTheOldOneIsOver() {
        var history = ClusterHistory(.primary(100), .primary(500))
        #expect(history.reported(.primary(400, timeline: 2), askedAt: .ms(3000)) == .primary(isNewEra: true))
        #expect(history.era == 2 && history.timeline == 2)
        #expect(history.positions.samples.map(\.position) == [LogPosition(400)])
        let before = history
        #expect(history.reported(.primary(9_000, timeline: 1), askedAt: .ms(4000)) == .notPrimary)
        #expect(history == before)
        // Timelines may be skipped.
        #expect(history.reported(.primary(450, timeline: 7), askedAt: .ms(5000)) == .primary(isNewEra: true))
        #expect(history.era == 3)
    }

    /// Another system has another history, whatever its timelines are; also the way back is a new era.
    @Test func anotherSystemIsANewEra() {
        var history = ClusterHistory(.primary(100, timeline: 5))
        let other = Report.primary(900, timeline: 1, system: Self.otherSystem)
        #expect(history.reported(other, askedAt: .ms(2000)) == .primary(isNewEra: true))
        #expect(history.system == Self.otherSystem && history.timeline == 1 && history.era == 2)
        #expect(history.positions.samples.map(\.position) == [LogPosition(900)])
        #expect(history.reported(.primary(90, timeline: 5), askedAt: .ms(3000)) == .primary(isNewEra: true))
        #expect(history.era == 3)
    }

    /// Reports of any kind in any order: the era only grows, in one system the timeline does, and samples are of this era
    /// alone.
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func reportsInAnyOrder(_ seed: UInt64) {
        var random = RandomNumbers(seed: seed)
        var history = ClusterHistory()
        var ofThisEra: Set<UInt64> = []
        for round in 1...3_000 {
            let report =
                random.chance(20)
                ? Report.standby()
                : .primary(
                    UInt64(random.below(1000) + round), timeline: UInt32(1 + random.below(1 + round / 200)),
                    system: random.chance(1) ? Self.otherSystem : Self.system)
            let before = history
            let verdict = history.reported(report, askedAt: UInt64(round))
            switch verdict {
            case .notPrimary:
                #expect(history == before)
                #expect(report.isInRecovery || report.timeline < before.timeline)
            case .primary(let isNewEra):
                #expect(history.timeline == report.timeline && history.system == report.system)
                #expect(history.era == before.era + (isNewEra ? 1 : 0))
                if isNewEra { ofThisEra = [] }
                ofThisEra.insert(report.flushed.bytes)
                let isSame = before.system == history.system && before.timeline == history.timeline
                #expect(isNewEra != isSame && (before.system != history.system || history.timeline >= before.timeline))
            }
            #expect(history.positions.samples.allSatisfy { ofThisEra.contains($0.position.bytes) })
        }
        #expect(history.era > 10)
    }

    // MARK: Which position covers a commit

    /// Commits that wait for their flush lie below the flush position. The insert position is only asked of commits that
    /// did not: it may lie far ahead, in another session's unfinished work.
    @Test func whatCoversACommit() {
        let report = Report.primary(1_000, inserted: 5_000)
        #expect(report.position(coveringUnflushed: false) == LogPosition(1_000))
        #expect(report.position(coveringUnflushed: true) == LogPosition(5_000))
        let unflushed = Report.primary(1_000, inserted: 5_000, commitsUnflushed: true)
        #expect(unflushed.position(coveringUnflushed: false) == LogPosition(5_000))
        #expect(unflushed.position(coveringUnflushed: true) == LogPosition(5_000))
        // A standby never reports the header of a page without a record.
        let atPage = Report.primary(1_000, inserted: 8192 + 24)
        #expect(atPage.position(coveringUnflushed: true) == LogPosition(8192))
        #expect(ClusterHistory(unflushed).positions.newest?.position == LogPosition(5_000))
        #expect(ClusterHistory(report).positions.newest?.position == LogPosition(1_000))
    }

    // MARK: Tokens

    @Test func aTokenIsOfThisHistory() throws {
        #expect(ClusterHistory().token(at: LogPosition(1)) == nil)
        let token = try #require(ClusterHistory(.primary(100, timeline: 3)).token(at: LogPosition(0x36B_0FA0)))
        #expect(token.description == "3.0/36B0FA0.5f2c91aa")
    }

    private func verdict(
        _ history: ClusterHistory, timeline: UInt32 = 2, position: UInt64 = 100, system: UInt64 = system
    ) -> ClusterHistory.TokenVerdict {
        history.verdict(
            on: CommitToken(
                timeline: timeline, position: LogPosition(position), system: UInt32(truncatingIfNeeded: system)))
    }

    @Test func verdicts() {
        // Nothing is known: not even whose token it is.
        #expect(verdict(ClusterHistory()) == .unknown)
        #expect(verdict(ClusterHistory(), system: Self.otherSystem) == .unknown)
        let history = ClusterHistory(.primary(100, timeline: 2), .primary(200, timeline: 2))
        #expect(verdict(history, position: 0) == .floor(LogPosition(0), isAhead: false))
        #expect(verdict(history, position: 200) == .floor(LogPosition(200), isAhead: false))
        #expect(verdict(history, position: 201) == .floor(LogPosition(201), isAhead: true))
        #expect(verdict(history, timeline: 1) == .oldTimeline)
        #expect(verdict(history, timeline: 3) == .unknown)
        #expect(verdict(history, timeline: 2, system: Self.otherSystem) == .otherSystem)
        // The system is asked first: timelines of another one mean nothing.
        #expect(verdict(history, timeline: 1, system: Self.otherSystem) == .otherSystem)
        #expect(verdict(history, timeline: 9, system: Self.otherSystem) == .otherSystem)
        // What the era's first report says counts, what another era's last one said does not.
        let promoted = ClusterHistory(.primary(9_000), .primary(150, timeline: 2))
        #expect(verdict(promoted, position: 200) == .floor(LogPosition(200), isAhead: true))
    }

    /// Its own tokens are floors as long as the era lasts, and none of them is one in the next.
    @Test func tokensEndWithTheirEra() throws {
        var history = ClusterHistory(.primary(100), .primary(300))
        let token = try #require(history.token(at: LogPosition(300)))
        #expect(history.verdict(on: token) == .floor(LogPosition(300), isAhead: false))
        _ = history.reported(.primary(400, timeline: 2), askedAt: .ms(9000))
        #expect(history.verdict(on: token) == .oldTimeline)
        _ = history.reported(.primary(400, timeline: 1, system: Self.otherSystem), askedAt: .ms(9001))
        #expect(history.verdict(on: token) == .otherSystem)
    }
}

extension PositionHistory {
    fileprivate init(samples: [(position: UInt64, askedAt: UInt64)]) {
        self.init()
        for sample in samples { record(LogPosition(sample.position), askedAt: sample.askedAt) }
    }
}
