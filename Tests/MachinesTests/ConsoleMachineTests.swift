import Machines
import Testing

@Suite("ConsoleMachine")
struct ConsoleMachineTests {
    private var machine = ConsoleMachine(interval: 7)

    /// Brings it through a round of one question.
    private mutating func round(now: UInt64) {
        #expect(machine.roundBegins(questions: 1, now: now) == .ask(giveUpAt: now + ConsoleMachine.patience))
        #expect(machine.answered(now: now) == .rest(until: now + 7))
    }

    @Test mutating func roundsFollowEachOther() {
        #expect(machine.started(now: 0) == .connect(giveUpAt: ConsoleMachine.patience))
        #expect(machine.connected() == .beginRound)
        round(now: 1)
        #expect(machine.timePassed(now: 8, jitter: 0) == .beginRound)
        machine.interval = 1
        #expect(machine.roundBegins(questions: 2, now: 8) == .ask(giveUpAt: 8 + ConsoleMachine.patience))
        #expect(machine.answered(now: 9) == .ask(giveUpAt: 9 + ConsoleMachine.patience))
        #expect(machine.answered(now: 9) == .rest(until: 10))
    }

    /// A console that takes logins and then says nothing is no better than one that refuses them.
    @Test mutating func attemptsComeSlowerUntilARoundIsOver() {
        var now: UInt64 = 0
        _ = machine.started(now: now)
        for milliseconds in [10, 20, 40] as [UInt64] {
            _ = machine.connected()
            _ = machine.roundBegins(questions: 1, now: now)
            let next = now + milliseconds * 1_000_000
            #expect(machine.timePassed(now: now, jitter: 0) == .retry(at: next), "no answer in time")
            #expect(machine.timePassed(now: next, jitter: 0) == .connect(giveUpAt: next + ConsoleMachine.patience))
            now = next
        }
        _ = machine.connected()
        round(now: now)
        #expect(machine.lost(now: now, jitter: 0) == .retry(at: now + Backoff.first))
    }

    @Test mutating func commandsGoBetweenQuestionsEachOnce() {
        _ = machine.started(now: 0)
        #expect(machine.commandWanted("A", now: 0) == .none)
        #expect(machine.commandWanted("B", now: 0) == .none)
        #expect(machine.commandWanted("A", now: 0) == .none)
        _ = machine.connected()
        #expect(machine.roundBegins(questions: 2, now: 0) == .ask(giveUpAt: ConsoleMachine.patience))
        #expect(machine.answered(now: 1) == .command("A", giveUpAt: 1 + ConsoleMachine.patience))
        #expect(machine.commandWanted("A", now: 1) == .none, "that one is under way: this is another")
        #expect(machine.answered(now: 2) == .command("B", giveUpAt: 2 + ConsoleMachine.patience))
        #expect(machine.answered(now: 3) == .command("A", giveUpAt: 3 + ConsoleMachine.patience))
        #expect(machine.answered(now: 4) == .ask(giveUpAt: 4 + ConsoleMachine.patience), "the round goes on")
        #expect(machine.answered(now: 5) == .rest(until: 12))
        #expect(machine.commandWanted("B", now: 6) == .command("B", giveUpAt: 6 + ConsoleMachine.patience))
        #expect(machine.answered(now: 7) == .rest(until: 14))
    }

    /// What waits is sent by the next connection; what was under way is not sent twice.
    @Test mutating func commandsOutliveALostConnection() {
        _ = machine.started(now: 0)
        _ = machine.connected()
        round(now: 0)
        _ = machine.commandWanted("A", now: 0)
        _ = machine.commandWanted("B", now: 0)
        _ = machine.lost(now: 0, jitter: 0)
        _ = machine.timePassed(now: Backoff.first, jitter: 0)
        _ = machine.connected()
        _ = machine.roundBegins(questions: 1, now: 1)
        #expect(machine.answered(now: 1) == .command("B", giveUpAt: 1 + ConsoleMachine.patience))
        #expect(machine.answered(now: 1) == .rest(until: 8))
    }
}
