import Testing

@testable import EventLoop

@Suite struct DeadlineTimerTests {
    /// Sets up a timer by `plan`, runs until it fires, and says when it fired, on the scale of `start`.
    private func firing(_ plan: (DeadlineTimer, _ start: UInt64) -> Void) throws -> (start: UInt64, fired: [UInt64]) {
        let loop = try EventLoop()
        var fired: [UInt64] = []
        let timer = DeadlineTimer(loop: loop) {
            fired.append(EventLoop.monotonicNanoseconds())
            loop.stop()
        }
        let start = loop.now
        plan(timer, start)
        runUntilStopped(loop)
        #expect(!timer.isSet)
        return (start, fired)
    }

    @Test(arguments: [0, 1, 3, 17, 40] as [UInt64])
    func firesOnceAndNeverEarly(milliseconds: UInt64) throws {
        let (start, fired) = try firing { timer, start in timer.set(at: start + milliseconds * millisecond) }
        #expect(fired.count == 1)
        #expect(fired.allSatisfy { $0 >= start + milliseconds * millisecond })
    }

    @Test func aPastMomentIsTheNextTurn() throws {
        let (_, fired) = try firing { timer, _ in timer.set(at: 1) }
        #expect(fired.count == 1)
    }

    @Test func movedLaterItFiresLater() throws {
        let (start, fired) = try firing { timer, start in
            timer.set(at: start + 5 * millisecond)
            timer.set(at: start + 60 * millisecond)
        }
        #expect(fired.count == 1)
        #expect(fired.allSatisfy { $0 >= start + 60 * millisecond })
    }

    @Test func movedEarlierItFiresEarlier() throws {
        // The watchdog of 30 s would end the test, long before 100 s.
        let (start, fired) = try firing { timer, start in
            timer.set(at: start + 100_000 * millisecond)
            timer.set(at: start + 5 * millisecond)
        }
        #expect(fired.count == 1)
        #expect(fired.allSatisfy { $0 >= start + 5 * millisecond })
    }

    @Test func clearedItNeverFiresAndCanBeSetAgain() throws {
        let loop = try EventLoop()
        var log: [String] = []
        let cleared = DeadlineTimer(loop: loop) { log.append("cleared") }
        let again = DeadlineTimer(loop: loop) { log.append("again") }
        let last = DeadlineTimer(loop: loop) { loop.stop() }
        let start = loop.now
        cleared.set(at: start + 5 * millisecond)
        cleared.clear()
        again.set(at: start + 5 * millisecond)
        again.clear()
        again.set(at: start + 20 * millisecond)
        last.set(at: start + 60 * millisecond)
        runUntilStopped(loop)
        #expect(log == ["again"])
        // Its event was given back when it came due in vain; it still works.
        cleared.set(at: loop.now)
        last.set(at: loop.now + 5 * millisecond)
        runUntilStopped(loop)
        #expect(log == ["again", "cleared"])
    }

    @Test func setAgainInItsOwnCallback() throws {
        let loop = try EventLoop()
        var moments: [UInt64] = []
        var timer: DeadlineTimer?
        timer = DeadlineTimer(loop: loop) {
            moments.append(loop.now)
            if moments.count == 3 { loop.stop() } else { timer?.set(at: loop.now + 5 * millisecond) }
        }
        timer?.set(at: loop.now)
        runUntilStopped(loop)
        #expect(moments.count == 3)
        #expect(zip(moments, moments.dropFirst()).allSatisfy { $1 >= $0 + 5 * millisecond })
        timer = nil
    }

    @Test func releasedInItsOwnCallback() throws {
        final class Holder { var timer: DeadlineTimer? }
        let loop = try EventLoop()
        let holder = Holder()
        weak var released: DeadlineTimer?
        holder.timer = DeadlineTimer(loop: loop) {
            holder.timer = nil
            loop.stop()
        }
        released = holder.timer
        holder.timer?.set(at: 0)
        runUntilStopped(loop)
        #expect(released == nil)
    }

    @Test func manyTimersFireInTheOrderOfTheirDeadlines() throws {
        let loop = try EventLoop()
        var order: [UInt64] = []
        let start = loop.now
        // Far enough apart for the kernel's coarse clock.
        let delays: [UInt64] = [90, 10, 50, 130, 70, 30, 110]
        let timers = delays.map { delay in
            let timer = DeadlineTimer(loop: loop) {
                order.append(delay)
                if order.count == delays.count { loop.stop() }
            }
            timer.set(at: start + delay * millisecond)
            return timer
        }
        runUntilStopped(loop)
        #expect(Set(order) == Set(delays))
        #expect(timers.allSatisfy { !$0.isSet })
    }

    @Test func aDeadlineThatIsMovedLaterDoesNotTouchLibevent() throws {
        let loop = try EventLoop()
        let timer = DeadlineTimer(loop: loop) {}
        let first = loop.now + 1000 * millisecond
        timer.set(at: first)
        for step in 0..<1000 as Range<UInt64> {
            timer.clear()
            timer.set(at: first + step * millisecond)
            if step % 3 == 0 { timer.clear() }
        }
        #expect(timer.armedFor == first)
        timer.set(at: first - 500 * millisecond)
        #expect(timer.armedFor == first - 500 * millisecond)
    }
}
