import Machines

/// DrainMachine: every event in every state, with a timeout of 5 and at time 100.
enum DrainTable: TransitionTable {
    static let sourceFile = "DrainMachine"

    enum State: String, CaseIterable, Codable, Sendable {
        case serving, draining, ended
    }

    enum Event: String, CaseIterable, Codable, Sendable {
        case drainRequestedWithoutClients, drainRequestedWithClients, exitRequested
        case lastClientGone, clientGone, tooEarly, deadlinePassed
    }

    static let rows: [Event: [State: Transition<DrainMachine.Action, State>]] = [
        .drainRequestedWithoutClients: row(
            ([.serving], .to(.ended, .exitDrained)),
            ([.draining], .to(.ended, .exitNow)),
            ([.ended], .stays(.none))),
        .drainRequestedWithClients: row(
            ([.serving], .to(.draining, .drain(until: 105))),
            ([.draining], .to(.ended, .exitNow)),
            ([.ended], .stays(.none))),
        .exitRequested: row(
            ([.serving, .draining], .to(.ended, .exitNow)),
            ([.ended], .stays(.none))),
        .lastClientGone: row(
            ([.serving, .ended], .stays(.none)),
            ([.draining], .to(.ended, .exitDrained))),
        .clientGone: row((State.allCases, .stays(.none))),
        .tooEarly: row((State.allCases, .stays(.none))),
        .deadlinePassed: row(
            ([.serving, .ended], .stays(.none)),
            ([.draining], .to(.ended, .exitNow))),
    ]

    /// Does not compile when the machine has a state that this table lacks.
    static func state(of state: DrainMachine.State) -> State {
        switch state {
        case .serving: .serving
        case .draining: .draining
        case .ended: .ended
        }
    }

    static func function(of event: Event) -> String {
        switch event {
        case .drainRequestedWithoutClients, .drainRequestedWithClients: "drainRequested"
        case .exitRequested: "exitRequested"
        case .lastClientGone, .clientGone: "clientGone"
        case .tooEarly, .deadlinePassed: "deadlinePassed"
        }
    }

    static func make(_ state: State) -> DrainMachine {
        var machine = DrainMachine(timeout: 5)
        switch state {
        case .serving: break
        case .draining: _ = machine.drainRequested(clients: 1, now: 100)
        case .ended: _ = machine.exitRequested()
        }
        return machine
    }

    static func look(at machine: DrainMachine) -> DrainMachine { machine }

    static func apply(_ event: Event, to machine: inout DrainMachine) -> DrainMachine.Action {
        switch event {
        case .drainRequestedWithoutClients: machine.drainRequested(clients: 0, now: 100)
        case .drainRequestedWithClients: machine.drainRequested(clients: 3, now: 100)
        case .exitRequested: machine.exitRequested()
        case .lastClientGone: machine.clientGone(clients: 0)
        case .clientGone: machine.clientGone(clients: 2)
        case .tooEarly: machine.deadlinePassed(now: 104)
        case .deadlinePassed: machine.deadlinePassed(now: 105)
        }
    }
}
