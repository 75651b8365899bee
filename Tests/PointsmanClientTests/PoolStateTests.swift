import NIOCore
import Testing

@testable import PointsmanClient

@Suite struct PoolStateTests {
    private var state = PoolState(maximumConnections: 2, maximumWaiting: 3)

    @Test mutating func aWaiterGetsTheConnectionThatWasMadeForIt() {
        #expect(state.wanted(by: 1) == [.connect(1)])
        #expect(state.connected(1) == [.lease(connection: 1, waiter: 1)])
        #expect(state.givenBack(1, isReusable: true) == [])
        #expect(state.wanted(by: 2) == [.lease(connection: 1, waiter: 2)])
    }

    @Test mutating func waitersAreServedInTurnAndUpToTheBounds() {
        #expect(state.wanted(by: 1) == [.connect(1)])
        #expect(state.wanted(by: 2) == [.connect(2)])
        #expect(state.wanted(by: 3) == [])
        #expect(state.wanted(by: 4) == [.refuse(waiter: 4, .tooManyWaiting)])
        #expect(state.connected(2) == [.lease(connection: 2, waiter: 1)])
        #expect(state.givenBack(2, isReusable: true) == [.lease(connection: 2, waiter: 2)])
        #expect(state.connected(1) == [.lease(connection: 1, waiter: 3)])
    }

    @Test mutating func aConnectionThatIsNotReusableIsReplacedForTheNextWaiter() {
        _ = state.wanted(by: 1)
        _ = state.connected(1)
        #expect(state.givenBack(1, isReusable: false) == [.close(1)])
        #expect(state.connectionCount == 0)
        #expect(state.wanted(by: 2) == [.connect(2)])
    }

    @Test mutating func anIdleConnectionThatEndedIsForgotten() {
        _ = state.wanted(by: 1)
        _ = state.connected(1)
        _ = state.givenBack(1, isReusable: true)
        #expect(state.ended(1) == [.close(1)])
        #expect(state.wanted(by: 2) == [.connect(2)])
    }

    @Test mutating func aLentConnectionThatEndedLeavesWhenItIsGivenBack() {
        _ = state.wanted(by: 1)
        _ = state.connected(1)
        #expect(state.ended(1) == [])
        #expect(state.connectionCount == 1)
        #expect(state.givenBack(1, isReusable: false) == [.close(1)])
        #expect(state.connectionCount == 0)
    }

    @Test mutating func afterAFailureOneAttemptAtATime() {
        _ = state.wanted(by: 1)
        _ = state.wanted(by: 2)
        #expect(state.connectFailed(1) == [.backOff(failures: 1)])
        #expect(state.connectFailed(2) == [])
        #expect(state.wanted(by: 3) == [])
        #expect(state.backoffOver() == [.connect(3)])
        #expect(state.connectFailed(3) == [.backOff(failures: 3)])
        #expect(state.backoffOver() == [.connect(4)])
        #expect(state.connected(4) == [.lease(connection: 4, waiter: 1), .connect(5)])
    }

    @Test mutating func nobodyWaitsNobodyConnects() {
        _ = state.wanted(by: 1)
        #expect(state.connectFailed(1) == [.backOff(failures: 1)])
        let wasWaiting = state.gaveUp(1)
        let stillWaits = state.gaveUp(1)
        #expect(wasWaiting)
        #expect(!stillWaits)
        #expect(state.backoffOver() == [])
    }

    @Test mutating func aConnectionWhoseWaiterLeftStaysIdle() {
        _ = state.wanted(by: 1)
        _ = state.gaveUp(1)
        #expect(state.connected(1) == [])
        #expect(state.idleCount == 1)
    }

    @Test mutating func closingRefusesThoseWhoWaitAndThoseWhoCome() {
        _ = state.wanted(by: 1)
        _ = state.connected(1)
        _ = state.wanted(by: 2)
        #expect(state.closed() == [.refuse(waiter: 2, .closed), .close(1), .close(2)])
        #expect(state.wanted(by: 3) == [.refuse(waiter: 3, .closed)])
        #expect(state.connected(2) == [.close(2)], "it was under way")
        #expect(state.givenBack(1, isReusable: true) == [])
    }

    @Test func backoffGrowsFromTenMillisecondsToASecond() {
        #expect(Backoff.delay(failures: 1, random: 0) == .milliseconds(5))
        #expect(Backoff.delay(failures: 3, random: 0) == .milliseconds(20))
        #expect(Backoff.delay(failures: 8, random: 0) == .milliseconds(500))
        #expect(Backoff.delay(failures: 1_000_000, random: 0) == .milliseconds(500))
        #expect(Backoff.delay(failures: 1_000_000, random: 0.999) < .seconds(1))
    }
}
