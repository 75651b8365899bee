import Machines
import Testing

@Suite("PoolMachine")
struct PoolMachineTests {
    private static let second: UInt64 = 1_000_000_000
    private let far = 100 * second

    /// A pool whose first `open` connections are idle.
    private func pool(size: Int, queueLimit: Int = 100, open: Int) -> PoolMachine {
        var pool = PoolMachine(size: size, queueLimit: queueLimit)
        for request in 0..<UInt64(open) {
            #expect(pool.requestArrived(request, deadline: far, now: 0) == .wait(connect: Int(request)))
        }
        for server in 0..<open { #expect(pool.serverReady(server) == .start(request: UInt64(server))) }
        for server in 0..<open { #expect(pool.serverReady(server) == .park) }
        return pool
    }

    @Test func firstComeFirstServed() {
        var pool = pool(size: 1, open: 1)
        #expect(pool.requestArrived(10, deadline: far, now: 0) == .start(server: 0))
        for request in UInt64(11)...500 {
            #expect(
                pool.requestArrived(request, deadline: far, now: 0) == (request < 111 ? .wait(connect: nil) : .shed))
        }
        for request in UInt64(11)..<111 { #expect(pool.serverReady(0) == .start(request: request)) }
        #expect(pool.serverReady(0) == .park)
    }

    @Test func coldPoolServesABurstOfItsSize() {
        var pool = PoolMachine(size: 5, queueLimit: 2)
        for request in 0..<5 {
            #expect(pool.requestArrived(UInt64(request), deadline: far, now: 0) == .wait(connect: request))
        }
        #expect(pool.requestArrived(5, deadline: far, now: 0) == .shed)
    }

    @Test func poolWithoutAQueueStillGrows() {
        var pool = PoolMachine(size: 2, queueLimit: 0)
        #expect(pool.requestArrived(1, deadline: far, now: 0) == .wait(connect: 0))
        #expect(pool.requestArrived(2, deadline: far, now: 0) == .wait(connect: 1))
        #expect(pool.requestArrived(3, deadline: far, now: 0) == .shed)
        #expect(pool.serverReady(0) == .start(request: 1))
        #expect(pool.requestArrived(4, deadline: far, now: 0) == .shed)
    }

    @Test func warmestConnectionServesFirst() {
        var pool = pool(size: 3, open: 3)
        #expect(pool.requestArrived(10, deadline: far, now: 0) == .start(server: 2))
        #expect(pool.requestArrived(11, deadline: far, now: 0) == .start(server: 1))
        #expect(pool.serverReady(2) == .park)
        #expect(pool.requestArrived(12, deadline: far, now: 0) == .start(server: 2))
        #expect(pool.assignedCount == 2 && pool.idleCount == 1)
    }

    @Test func abandonedRequestsLeaveTheQueueInOrder() {
        var pool = pool(size: 1, open: 1)
        for request in UInt64(1)...5 { _ = pool.requestArrived(request, deadline: far, now: 0) }
        #expect(pool.requestAbandoned(3) == true)
        #expect(pool.requestAbandoned(3) == false)
        #expect(pool.requestAbandoned(1) == false, "it runs")
        #expect(pool.serverReady(0) == .start(request: 2))
        #expect(pool.serverReady(0) == .start(request: 4))
        #expect(pool.requestAbandoned(2) == false, "it was served")
        #expect(pool.takeAllWaiting() == [5])
        #expect(pool.waiting == 0 && pool.earliestDeadline == nil)
    }

    /// Nothing is left of what was served: the queue does not grow with the daemon's age.
    @Test func servedRequestsLeaveNothingBehind() {
        var pool = pool(size: 1, open: 1)
        let before = pool
        for round in UInt64(0)..<20 {
            for request in 0..<UInt64(50) { _ = pool.requestArrived(round * 50 + request, deadline: far, now: 0) }
            for _ in 0..<50 { _ = pool.serverReady(0) }
            #expect(pool == before)
        }
    }

    @Test func waitingEndsAtEachDeadline() {
        var pool = pool(size: 1, open: 1)
        _ = pool.requestArrived(0, deadline: far, now: 0)
        for (request, deadline) in [(1, 30), (2, 10), (3, 20), (4, 10)] as [(UInt64, UInt64)] {
            _ = pool.requestArrived(request, deadline: deadline, now: 0)
        }
        #expect(pool.earliestDeadline == 10)
        #expect(pool.nextExpired(now: 9) == nil)
        #expect(pool.nextExpired(now: 10) == 2)
        #expect(pool.nextExpired(now: 10) == 4)
        #expect(pool.nextExpired(now: 10) == nil)
        #expect(pool.earliestDeadline == 20)
        #expect(pool.serverReady(0) == .start(request: 1))
        #expect(pool.nextExpired(now: 40) == 3)
        #expect(pool.nextExpired(now: 40) == nil)
    }

    // MARK: Loss and backoff

    @Test func backoffDoublesUpToItsLongest() {
        var pool = PoolMachine(size: 1, queueLimit: 10)
        var now: UInt64 = 5
        _ = pool.requestArrived(1, deadline: far, now: now)
        for milliseconds in [10, 20, 40, 80, 160, 320, 640, 1000, 1000] as [UInt64] {
            let next = now + milliseconds * 1_000_000
            #expect(pool.connectFailed(0, now: now, jitter: 0) == .retry(at: next))
            #expect(pool.connectDue(now: next - 1) == .retry(at: next))
            #expect(pool.connectDue(now: next) == .connect(server: 0))
            now = next
        }
        #expect(pool.serverReady(0) == .start(request: 1))
        #expect(pool.serverLost(0, now: now) == .connect(server: 0), "it had served: knock at once")
        #expect(pool.connectFailed(0, now: now, jitter: 0) == .retry(at: now + Backoff.first), "from the first step")
    }

    @Test func jitterShortensAWaitByAtMostAHalf() {
        for jitter in [0, 1, 4_999_999, 5_000_000, 123_456_789, UInt64.max] {
            var backoff = Backoff()
            var longest = Backoff.first
            for _ in 0..<10 {
                let wait = backoff.next(jitter: jitter)
                #expect(wait <= longest && wait > longest / 2)
                longest = min(longest * 2, Backoff.longest)
            }
        }
    }

    /// Twenty connections lose their PgBouncer at once: the next attempt is 10 ms away, not 1 s.
    @Test func failuresSideBySideAreOne() {
        var pool = PoolMachine(size: 20, queueLimit: 100)
        for request in UInt64(0)..<20 { _ = pool.requestArrived(request, deadline: far, now: 0) }
        for server in 0..<20 {
            #expect(pool.connectFailed(server, now: UInt64(server), jitter: 0) == .retry(at: Backoff.first))
        }
        #expect(pool.connectDue(now: Backoff.first) == .connect(server: 0))
        #expect(pool.connectDue(now: Backoff.first) == .none, "one knocks for all")
        #expect(pool.serverReady(0) == .start(request: 0))
        for server in 1..<20 { #expect(pool.connectDue(now: Backoff.first) == .connect(server: server)) }
        #expect(pool.connectDue(now: Backoff.first) == .none)
    }

    /// A PgBouncer that accepts and drops must not be knocked at without end.
    @Test func connectionsThatNeverServeBackOff() {
        var pool = PoolMachine(size: 2, queueLimit: 10)
        var now: UInt64 = 0
        #expect(pool.connectDue(now: now) == .connect(server: 0))
        for milliseconds in [10, 20, 40, 80] as [UInt64] {
            #expect(pool.serverReady(0) == .park)
            let next = now + milliseconds * 1_000_000
            #expect(pool.serverLost(0, now: now) == .retry(at: next))
            #expect(pool.connectDue(now: next) == .connect(server: 0))
            now = next
        }
    }

    /// Who arrives while the pool is down needs the retry that the failure asked for, though nobody waited then.
    @Test func retryIsAskedForThoughNobodyWaits() {
        var pool = pool(size: 2, open: 1)
        #expect(pool.requestArrived(7, deadline: far, now: 0) == .start(server: 0))
        #expect(pool.requestArrived(8, deadline: far, now: 0) == .wait(connect: 1))
        #expect(pool.requestAbandoned(8) == true)
        #expect(pool.connectFailed(1, now: 0, jitter: 0) == .retry(at: Backoff.first))
        #expect(pool.requestArrived(9, deadline: far, now: 1) == .wait(connect: nil))
        #expect(pool.connectDue(now: Backoff.first) == .connect(server: 1))
        #expect(pool.serverReady(1) == .start(request: 9))
    }

    @Test func lastLostConnectionIsReplacedThoughNobodyWaits() {
        var pool = pool(size: 3, open: 2)
        #expect(pool.serverLost(0, now: 1) == .none)
        #expect(pool.serverLost(1, now: 1) == .connect(server: 0))
        #expect(pool.openCount == 0 && pool.connectingCount == 1)
    }

    @Test func lostConnectionOfARunningRequestFreesItsPlace() {
        var pool = pool(size: 1, open: 1)
        #expect(pool.requestArrived(1, deadline: far, now: 0) == .start(server: 0))
        #expect(pool.requestArrived(2, deadline: far, now: 0) == .wait(connect: nil))
        #expect(pool.serverLost(0, now: 5) == .connect(server: 0))
        #expect(pool.serverReady(0) == .start(request: 2))
    }

    // MARK: Holding

    @Test func whileHeldEverybodyWaitsAndConnectionsPark() {
        var pool = pool(size: 3, queueLimit: 5, open: 2)
        #expect(pool.requestArrived(1, deadline: far, now: 0) == .start(server: 1))
        pool.hold { _ in far }
        for request in UInt64(2)...6 {
            #expect(pool.requestArrived(request, deadline: far, now: 0) == .wait(connect: nil), "though one is idle")
        }
        #expect(pool.requestArrived(7, deadline: far, now: 0) == .shed, "though one is idle and one may be opened")
        #expect(pool.connectDue(now: 0) == .none, "whoever has a connection could not use it")
        #expect(pool.serverReady(1) == .park)
        #expect(pool.release() == [.init(request: 2, server: 1), .init(request: 3, server: 0)])
        #expect(pool.connectDue(now: 0) == .connect(server: 2))
        #expect(pool.serverReady(2) == .start(request: 4))
        #expect(pool.serverReady(1) == .start(request: 5))
        #expect(pool.release() == [], "it is not held any more")
    }

    /// Held or not, nobody waits longer than he said, and who waited for less is given the longer time.
    @Test func whoWaitsIsGivenTheDeadlineOfTheHold() {
        var pool = pool(size: 1, open: 1)
        _ = pool.requestArrived(1, deadline: 10, now: 0)
        for request in UInt64(2)...4 { _ = pool.requestArrived(request, deadline: 10, now: 0) }
        #expect(pool.requestAbandoned(2) == true)
        pool.hold { $0 * 10 }
        #expect(pool.earliestDeadline == 30)
        #expect(pool.nextExpired(now: 29) == nil)
        #expect(pool.nextExpired(now: 39) == 3)
        #expect(pool.nextExpired(now: 39) == nil)
        #expect(pool.serverReady(0) == .park)
        #expect(pool.release() == [.init(request: 4, server: 0)])
    }

    /// A pool that came back must be seen also while it is held.
    @Test func heldPoolKeepsOneConnection() {
        var pool = pool(size: 3, open: 1)
        pool.hold { _ in far }
        for request in UInt64(1)...3 { _ = pool.requestArrived(request, deadline: far, now: 0) }
        #expect(pool.serverLost(0, now: 0) == .connect(server: 0))
        #expect(pool.connectDue(now: 0) == .none)
        #expect(pool.connectFailed(0, now: 0, jitter: 0) == .retry(at: Backoff.first))
        #expect(pool.connectDue(now: Backoff.first) == .connect(server: 0))
        #expect(pool.serverReady(0) == .park)
        #expect(pool.release() == [.init(request: 1, server: 0)])
    }

    // MARK: Reloads

    @Test func largerPoolConnectsForAllThatWait() {
        var pool = pool(size: 1, open: 1)
        for request in UInt64(1)...4 { _ = pool.requestArrived(request, deadline: far, now: 0) }
        #expect(pool.resized(to: 3, queueLimit: 100) == [])
        #expect(pool.connectDue(now: 0) == .connect(server: 1))
        #expect(pool.connectDue(now: 0) == .connect(server: 2))
        #expect(pool.connectDue(now: 0) == .none, "three are as many as it may have")
        #expect(pool.serverReady(2) == .start(request: 2))
    }

    @Test func smallerPoolClosesTheColdestAtOnceAndTheBusyWhenTheyAreDone() {
        var pool = pool(size: 6, open: 6)
        for request in UInt64(1)...3 { _ = pool.requestArrived(request, deadline: far, now: 0) }  // 5, 4, 3
        #expect(pool.resized(to: 4, queueLimit: 100) == [0, 1])
        #expect(pool.resized(to: 2, queueLimit: 100) == [2])
        #expect(pool.requestArrived(4, deadline: far, now: 0) == .wait(connect: nil))
        #expect(pool.serverReady(4) == .close)
        #expect(pool.serverReady(5) == .start(request: 4), "two are left")
        #expect(pool.resized(to: 4, queueLimit: 100) == [])
        #expect(pool.serverReady(5) == .park && pool.serverReady(3) == .park)
        #expect(pool.openCount == 2)
    }

    @Test func whoWaitsGoesOnWaitingInASmallerQueue() {
        var pool = pool(size: 1, open: 1)
        for request in UInt64(1)...5 { _ = pool.requestArrived(request, deadline: far, now: 0) }
        #expect(pool.resized(to: 1, queueLimit: 1) == [])
        #expect(pool.requestArrived(6, deadline: far, now: 0) == .shed)
        for request in UInt64(2)...5 { #expect(pool.serverReady(0) == .start(request: request)) }
        #expect(pool.requestArrived(7, deadline: far, now: 0) == .wait(connect: nil))
    }

    /// Connections of two addresses that were left still work while a third one is used.
    @Test func secondReloadComesBeforeTheFirstIsOver() {
        var pool = pool(size: 2, open: 1)
        _ = pool.requestArrived(1, deadline: far, now: 0)
        #expect(pool.readdressed() == [])
        #expect(pool.connectDue(now: 0) == .connect(server: 1))
        #expect(pool.serverReady(1) == .park)
        _ = pool.requestArrived(2, deadline: far, now: 0)
        #expect(pool.readdressed() == [])
        #expect(pool.retiringCount == 2 && pool.openCount == 0)
        #expect(pool.requestArrived(3, deadline: far, now: 0) == .wait(connect: 2))
        #expect(pool.serverReady(2) == .start(request: 3))
        #expect(pool.serverReady(0) == .close)
        #expect(pool.serverLost(1, now: 0) == .none)
        #expect(pool.requestArrived(4, deadline: far, now: 0) == .wait(connect: 0), "places are used again")
        #expect(pool.retiringCount == 0)
    }

    @Test func newAddressIsTriedAtOnceThoughTheOldOneFailed() {
        var pool = PoolMachine(size: 1, queueLimit: 10)
        _ = pool.requestArrived(1, deadline: far, now: 0)
        var now: UInt64 = 0
        for _ in 0..<5 {
            guard case .retry(let next) = pool.connectFailed(0, now: now, jitter: 0) else { break }
            now = next
            #expect(pool.connectDue(now: now) == .connect(server: 0))
        }
        _ = pool.connectFailed(0, now: now, jitter: 0)
        #expect(pool.readdressed() == [])
        #expect(pool.connectDue(now: now) == .connect(server: 0))
        #expect(pool.connectFailed(0, now: now, jitter: 0) == .retry(at: now + Backoff.first), "from the first step")
    }
}
