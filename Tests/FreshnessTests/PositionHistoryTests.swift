import Freshness
import Testing

/// Floors in milliseconds, and ages: against a list that forgets nothing and is searched from its beginning.
struct PositionHistoryTests {
    private struct Model {
        private(set) var samples: [(askedAt: UInt64, position: LogPosition)] = []

        mutating func record(_ position: LogPosition, _ askedAt: UInt64) {
            if let last = samples.last, askedAt <= last.askedAt || position < last.position { return }
            samples.append((askedAt, position))
        }

        func earliest(since time: UInt64) -> LogPosition? { samples.first { $0.askedAt >= time }?.position }

        func age(of position: LogPosition, now: UInt64) -> UInt64? {
            guard let newest = samples.last else { return nil }
            if position >= newest.position { return 0 }
            return samples.last { $0.position <= position }.map { now - $0.askedAt }
        }
    }

    @Test func nothingIsKnownAtFirst() {
        let history = PositionHistory(spacing: 0)
        #expect(history.newest == nil)
        #expect(history.earliest(since: 0) == nil)
        #expect(history.age(of: LogPosition(.max), now: 5) == nil)
    }

    /// As long as nothing was thinned out the answers are the model's own.
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func asTheModelSays(_ seed: UInt64) {
        var random = RandomNumbers(seed: seed)
        var history = PositionHistory(spacing: 0)
        var model = Model()
        var now: UInt64 = 1_000
        var position: UInt64 = 1_000
        var refused = 0
        while model.samples.count < PositionHistory.capacity {
            // Some stand still, some come out of order.
            now += UInt64(random.below(4))
            position += UInt64(random.below(3))
            let late = random.chance(10)
            let (asked, at) =
                late ? (now - UInt64(random.below(50)), position - UInt64(random.below(50))) : (now, position)
            let before = model.samples.count
            model.record(LogPosition(at), asked)
            history.record(LogPosition(at), askedAt: asked)
            if model.samples.count == before { refused += 1 }
            #expect(history.samples.count == model.samples.count)
            for _ in 0..<3 {
                let time = now + 3 - UInt64(random.below(300))
                #expect(history.earliest(since: time)?.position == model.earliest(since: time))
                let standby = LogPosition(position + 2 - UInt64(random.below(300)))
                #expect(history.age(of: standby, now: now) == model.age(of: standby, now: now))
            }
        }
        #expect(refused > 10)
    }

    /// Full, it forgets; but a floor is never lower than the truth, an age never younger, and neither is far off.
    @Test(arguments: 11...12 as ClosedRange<UInt64>)
    func thinningOnlyMakesStricter(_ seed: UInt64) throws {
        var random = RandomNumbers(seed: seed)
        var history = PositionHistory(spacing: 0)
        var model = Model()
        var now: UInt64 = 0
        var position: UInt64 = 0
        for round in 0..<5_000 {
            now += 1 + UInt64(random.below(5))
            position += UInt64(random.below(40))
            history.record(LogPosition(position), askedAt: now)
            model.record(LogPosition(position), now)
            try #require(history.samples.count <= PositionHistory.capacity)
            guard round % 7 == 0 else { continue }
            let time = now - min(now, UInt64(random.below(Int(now) + 1)))
            let floor = try #require(history.earliest(since: time), "what is kept includes the newest")
            #expect(floor.askedAt >= time)
            let truth = try #require(model.earliest(since: time))
            #expect(floor.position >= truth, "round \(round)")
            let standby = LogPosition(UInt64(random.below(Int(position) + 1)))
            let age = history.age(of: standby, now: now)
            let trueAge = model.age(of: standby, now: now)
            // nil is "unknown", older than everything.
            if let trueAge { #expect(age.map { $0 >= trueAge } ?? true, "round \(round)") } else { #expect(age == nil) }
        }
        // The newest half is whole: there wishes of late are exact.
        let whole = history.samples.suffix(PositionHistory.capacity / 4).map(\.askedAt)
        #expect(Array(whole) == model.samples.suffix(PositionHistory.capacity / 4).map(\.askedAt))
        #expect(history.newest?.position == LogPosition(position))
    }

    @Test func samplesOutOfOrderAreNoNews() {
        var history = PositionHistory(spacing: 0)
        history.record(LogPosition(100), askedAt: 10)
        history.record(LogPosition(200), askedAt: 10)
        history.record(LogPosition(200), askedAt: 9)
        history.record(LogPosition(99), askedAt: 11)
        #expect(history.samples.map(\.position) == [LogPosition(100)])
        // It stands still: that is news, for it makes it younger.
        history.record(LogPosition(100), askedAt: 11)
        #expect(history.samples.map(\.askedAt) == [10, 11])
        #expect(history.earliest(since: 11)?.position == LogPosition(100))
        #expect(history.earliest(since: 12) == nil)
    }

    /// On a primary that stands still a standby that has everything lacks nothing, however old the last commit is; one that
    /// lacks a byte is as old as the last sample that it has.
    @Test func ages() {
        var history = PositionHistory(spacing: 0)
        for (position, askedAt) in [(100, 10), (100, 20), (150, 30), (200, 40)] as [(UInt64, UInt64)] {
            history.record(LogPosition(position), askedAt: askedAt)
        }
        #expect(history.age(of: LogPosition(99), now: 50) == nil)
        #expect(history.age(of: LogPosition(100), now: 50) == 30)
        #expect(history.age(of: LogPosition(149), now: 50) == 30)
        #expect(history.age(of: LogPosition(150), now: 50) == 20)
        #expect(history.age(of: LogPosition(199), now: 50) == 20)
        #expect(history.age(of: LogPosition(200), now: 50) == 0)
        #expect(history.age(of: LogPosition(900), now: 50) == 0)
    }

    /// Each read on a busy primary brings a sample, and those of seconds ago are kept all the same: they are what wishes of
    /// seconds ask for.
    @Test(arguments: [1_000, 5_000, 100] as [UInt64])
    func aBusyPrimary(_ perSecond: UInt64) throws {
        var history = PositionHistory()
        let second: UInt64 = 1_000_000_000
        for number in 1...5 * perSecond {
            let now = number * second / perSecond
            history.record(LogPosition(number), askedAt: now)
            try #require(history.samples.count <= PositionHistory.capacity)
            #expect(history.newest?.askedAt == now && history.newest?.position == LogPosition(number))
            guard now > 3 * second, number % 10 == 0 else { continue }
            let floor = try #require(history.earliest(since: now - 3 * second))
            #expect(floor.askedAt >= now - 3 * second && floor.askedAt < now - 2 * second, "\(now - floor.askedAt)")
            // What is wanted is known to within the distance that is kept.
            let recent = try #require(history.earliest(since: now - second / 4))
            #expect(recent.askedAt < now - second / 4 + 25_000_000, "\(now - recent.askedAt)")
        }
    }
}
