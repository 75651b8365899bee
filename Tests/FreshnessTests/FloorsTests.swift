import Freshness
import Testing

/// What later reads must see of earlier writes.
struct FloorsTests {
    typealias Floor = SessionFloors.Floor

    private func known(_ position: UInt64, era: UInt32 = 1) -> OwnFloors.Floor {
        OwnFloors.Floor(position: LogPosition(position), era: era)
    }

    // MARK: A connection's own

    @Test func eachClusterHasItsOwn() {
        var floors = OwnFloors()
        #expect(floors[0] == nil)
        floors.set(known(10), of: 0)
        floors.set(known(20, era: 2), of: 3)
        #expect(floors[0] == known(10) && floors[3] == known(20, era: 2) && floors[1] == nil)
        floors.set(known(30), of: 3)
        #expect(floors[3] == known(30) && floors[0] == known(10))
        var same = OwnFloors()
        same.set(known(10), of: 0)
        #expect(same != floors)
        same.set(known(30), of: 3)
        #expect(same == floors)
    }

    // MARK: Sessions

    private func floor(_ sessions: SessionFloors, _ key: String, _ cluster: Int = 0) -> Floor {
        withBytes(of: key) { sessions.floor(of: $0, cluster: cluster) }
    }

    private func learn(
        _ sessions: inout SessionFloors, _ known: OwnFloors.Floor, _ key: String, _ cluster: Int = 0, askedAt: UInt64
    ) {
        withBytes(of: key) { sessions.positionKnown(known, of: $0, cluster: cluster, askedAt: askedAt) }
    }

    @Test func aWriteIsPendingUntilAPositionBehindItIsKnown() {
        var sessions = SessionFloors()
        #expect(floor(sessions, "a") == .none)
        learn(&sessions, known(5), "a", askedAt: 1)
        #expect(floor(sessions, "a") == .none, "who wrote nothing has no floor")
        sessions.set(.pending(since: 100, isUnflushed: false), of: Array("a".utf8), cluster: 0)
        #expect(floor(sessions, "a") == .pending(since: 100, isUnflushed: false))
        #expect(floor(sessions, "b") == .none)
        #expect(floor(sessions, "a", 1) == .none, "another cluster")
        // Asked for before the write: it may not cover it.
        learn(&sessions, known(50), "a", askedAt: 99)
        learn(&sessions, known(50), "a", askedAt: 100)
        #expect(floor(sessions, "a") == .pending(since: 100, isUnflushed: false))
        learn(&sessions, known(60), "a", askedAt: 101)
        #expect(floor(sessions, "a") == .known(known(60)))
        // Positions of the same era that are known later ask for more than is needed.
        learn(&sessions, known(70), "a", askedAt: 200)
        #expect(floor(sessions, "a") == .known(known(60)))
        // Of another era the old one means nothing.
        learn(&sessions, known(40, era: 2), "a", askedAt: 300)
        #expect(floor(sessions, "a") == .known(known(40, era: 2)))
        // It writes again.
        sessions.set(.pending(since: 400, isUnflushed: false), of: Array("a".utf8), cluster: 0)
        #expect(floor(sessions, "a") == .pending(since: 400, isUnflushed: false))
    }

    /// When the primary was asked for each position that is known, by era and position.
    private struct Questions {
        private var times: [UInt64: UInt64] = [:]

        mutating func answered(_ floor: OwnFloors.Floor, askedAt: UInt64) {
            times[UInt64(floor.era) << 40 | floor.position.bytes] = askedAt
        }

        /// Whether a reader that gets one floor sees all that another one asks for: a later era's position, or a higher one,
        /// or one that was asked for behind the write.
        func covers(_ given: Floor, _ wanted: Floor) -> Bool {
            switch (given, wanted) {
            case (_, .none), (.pending, .known): true
            case (.none, _): false
            case (.known(let given), .known(let wanted)):
                (given.era, given.position) >= (wanted.era, wanted.position)
            case (.pending(let given, _), .pending(let wanted, _)): given >= wanted
            case (.known(let given), .pending(let since, _)):
                times[UInt64(given.era) << 40 | given.position.bytes].map { $0 > since } ?? false
            }
        }
    }

    /// Far more keys than are remembered, against a dictionary that forgets none: a reader never gets less than its own
    /// floor.
    @Test(arguments: 1...2 as ClosedRange<UInt64>)
    func nothingIsForgottenToTheReadersHarm(_ seed: UInt64) {
        struct Key: Hashable {
            let name: Int
            let cluster: Int
        }
        var random = RandomNumbers(seed: seed)
        var sessions = SessionFloors()
        var truth: [Key: Floor] = [:]
        var questions = Questions()
        var era: UInt32 = 1
        var position: UInt64 = 1_000
        var (wrong, exact, stricter) = (0, 0, 0)
        func name(_ key: Key) -> String { "session-\(key.name)" }
        for now in 1...(3 * UInt64(SessionFloors.capacity)) {
            if now % 20_000 == 0 {
                era += 1
                position -= 500
            }
            position += 1 + UInt64(random.below(3))
            let key = Key(name: random.below(3 * SessionFloors.capacity), cluster: random.below(2))
            if random.chance(70) {
                sessions.set(.pending(since: now, isUnflushed: false), of: Array(name(key).utf8), cluster: key.cluster)
                truth[key] = .pending(since: now, isUnflushed: false)
            }
            // A read on the primary, asked for around that time.
            let reader =
                random.chance(50) ? key : Key(name: random.below(3 * SessionFloors.capacity), cluster: key.cluster)
            let asked = now + 1 - UInt64(random.below(3))
            questions.answered(known(position, era: era), askedAt: asked)
            learn(&sessions, known(position, era: era), name(reader), reader.cluster, askedAt: asked)
            switch truth[reader] ?? .none {
            case .none: break
            case .pending(let since, _): if since < asked { truth[reader] = .known(known(position, era: era)) }
            case .known(let floor): if floor.era != era { truth[reader] = .known(known(position, era: era)) }
            }
            for key in [key, reader] {
                let (given, truly) = (floor(sessions, name(key), key.cluster), truth[key] ?? .none)
                if !questions.covers(given, truly) { wrong += 1 }
                if given == truly { exact += 1 } else { stricter += 1 }
            }
        }
        // And those that were not touched for long.
        for (key, wanted) in truth where !questions.covers(floor(sessions, name(key), key.cluster), wanted) {
            wrong += 1
        }
        #expect(wrong == 0)
        // Some were remembered, some had to go.
        #expect(exact > 10_000 && stricter > 10_000)
    }

    /// Half of the capacity is always exact: whoever wrote lately is not asked for more than its own.
    @Test func whoWroteLatelyIsRemembered() {
        var sessions = SessionFloors()
        let half = SessionFloors.capacity / 2
        for number in 0..<(5 * half) {
            sessions.set(.known(known(UInt64(number))), of: Array("s\(number)".utf8), cluster: 0)
        }
        for number in (4 * half)..<(5 * half) {
            #expect(floor(sessions, "s\(number)") == .known(known(UInt64(number))))
        }
        // The others left the highest of theirs behind, also for those who never wrote.
        let common = floor(sessions, "never")
        guard case .known(let floor) = common else {
            Issue.record("\(common)")
            return
        }
        #expect(floor.position >= LogPosition(UInt64(3 * half) - 1) && floor.position < LogPosition(UInt64(4 * half)))
        #expect(self.floor(sessions, "s0") == common)
        #expect(self.floor(sessions, "never", 1) == .none)
    }
}
