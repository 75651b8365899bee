import Machines
import Testing

@Suite("DrainMachine")
struct DrainMachineTests {
    var machine = DrainMachine(timeout: 30)

    @Test mutating func clientsFinishInTime() {
        #expect(machine.drainRequested(clients: 2, now: 7) == .drain(until: 37))
        #expect(machine.clientGone(clients: 1) == .none)
        #expect(machine.deadlinePassed(now: 36) == .none)
        #expect(machine.clientGone(clients: 0) == .exitDrained)
        #expect(machine.deadlinePassed(now: 37) == .none, "the exit is under way")
    }

    @Test mutating func timeIsOver() {
        #expect(machine.drainRequested(clients: 1, now: 7) == .drain(until: 37))
        #expect(machine.deadlinePassed(now: 37) == .exitNow)
        #expect(machine.clientGone(clients: 0) == .none)
    }

    @Test mutating func secondRequestEndsNow() {
        #expect(machine.drainRequested(clients: 1, now: 7) == .drain(until: 37))
        #expect(machine.drainRequested(clients: 1, now: 8) == .exitNow)
        #expect(machine.drainRequested(clients: 1, now: 9) == .none)
        #expect(machine.exitRequested() == .none)
    }

    @Test mutating func idleDaemonEndsAtOnce() {
        #expect(machine.drainRequested(clients: 0, now: 7) == .exitDrained)
    }

    @Test mutating func interruptEndsNow() {
        #expect(machine.clientGone(clients: 0) == .none, "serving goes on without clients")
        #expect(machine.exitRequested() == .exitNow)
        #expect(machine.state == .ended)
    }

    @Test mutating func timeoutMayBeChangedByAReload() {
        machine.timeout = 5
        #expect(machine.drainRequested(clients: 1, now: 10) == .drain(until: 15))
    }
}
