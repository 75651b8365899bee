import Machines

/// ConsoleMachine: every event in every state, with an interval of 7 s and at time 100 s.
enum ConsoleTable: TransitionTable {
    static let sourceFile = "ConsoleMachine"

    enum State: String, CaseIterable, Codable, Sendable {
        /// Before the first attempt; behind one that failed.
        case new, closed
        case connecting
        /// A round has begun and its questions are not known yet.
        case beginning
        /// The last question of a round is under way; one more is left; the same while a command waits.
        case asking, askingFirst, askingCommandWaits
        /// A command is under way: between rounds, and with one question left.
        case commanding, commandingOneLeft
        case resting
    }

    enum Event: String, CaseIterable, Codable, Sendable {
        case started, connected, roundOfOne, roundOfTwo, answered, commandWanted, timePassed, lost
    }

    private static let second: UInt64 = 1_000_000_000
    private static let now = 100 * second
    private static let limit = now + ConsoleMachine.patience
    private static let retry = ConsoleMachine.Action.retry(at: now + Backoff.first)
    private static let all = State.allCases

    static let rows: [Event: [State: Transition<ConsoleMachine.Action, State>]] = [
        .started: row(
            (all, .to(.connecting, .connect(giveUpAt: limit)))),
        .connected: row(
            ([.connecting], .to(.beginning, .beginRound)), (all.filter { $0 != .connecting }, .traps)),
        .roundOfOne: row(
            ([.beginning], .to(.asking, .ask(giveUpAt: limit))), (all.filter { $0 != .beginning }, .traps)),
        .roundOfTwo: row(
            ([.beginning], .to(.askingFirst, .ask(giveUpAt: limit))), (all.filter { $0 != .beginning }, .traps)),
        .answered: row(
            ([.asking, .commanding], .to(.resting, .rest(until: now + 7 * second))),
            ([.askingFirst, .commandingOneLeft], .to(.asking, .ask(giveUpAt: limit))),
            ([.askingCommandWaits], .to(.commanding, .command("X", giveUpAt: limit))),
            ([.new, .closed, .connecting, .beginning, .resting], .traps)),
        .commandWanted: row(
            ([.resting], .to(.commanding, .command("X", giveUpAt: limit))),
            (all.filter { $0 != .resting }, .stays(.none))),
        .timePassed: row(
            ([.new, .closed], .to(.connecting, .connect(giveUpAt: limit))),
            ([.resting], .to(.beginning, .beginRound)),
            (
                [.connecting, .beginning, .asking, .askingFirst, .askingCommandWaits, .commanding, .commandingOneLeft],
                .to(.closed, retry)
            )),
        .lost: row(
            (
                [
                    .connecting, .beginning, .asking, .askingFirst, .askingCommandWaits, .commanding,
                    .commandingOneLeft,
                    .resting,
                ], .to(.closed, retry)
            ),
            ([.new, .closed], .traps)),
    ]

    static func function(of event: Event) -> String {
        switch event {
        case .started: "started"
        case .connected: "connected"
        case .roundOfOne, .roundOfTwo: "roundBegins"
        case .answered: "answered"
        case .commandWanted: "commandWanted"
        case .timePassed: "timePassed"
        case .lost: "lost"
        }
    }

    static func make(_ state: State) -> ConsoleMachine {
        var machine = ConsoleMachine(interval: 7 * second)
        guard state != .new else { return machine }
        _ = machine.started(now: now)
        if state == .closed { _ = machine.lost(now: now, jitter: 0) }
        guard state != .closed, state != .connecting else { return machine }
        _ = machine.connected()
        guard state != .beginning else { return machine }
        let hasMore = state == .askingFirst || state == .commandingOneLeft
        _ = machine.roundBegins(questions: hasMore ? 2 : 1, now: now)
        switch state {
        case .askingCommandWaits: _ = machine.commandWanted("X", now: now)
        case .commanding, .commandingOneLeft:
            _ = machine.commandWanted("X", now: now)
            _ = machine.answered(now: now)
        case .resting: _ = machine.answered(now: now)
        default: break
        }
        return machine
    }

    /// Not at the commands that wait, nor at how long the next attempt would: the tests of the machine look at these.
    static func look(at machine: ConsoleMachine) -> ConsoleMachine.State { machine.state }

    static func apply(_ event: Event, to machine: inout ConsoleMachine) -> ConsoleMachine.Action {
        switch event {
        case .started: machine.started(now: now)
        case .connected: machine.connected()
        case .roundOfOne: machine.roundBegins(questions: 1, now: now)
        case .roundOfTwo: machine.roundBegins(questions: 2, now: now)
        case .answered: machine.answered(now: now)
        case .commandWanted: machine.commandWanted("X", now: now)
        case .timePassed: machine.timePassed(now: now, jitter: 0)
        case .lost: machine.lost(now: now, jitter: 0)
        }
    }
}
