import Machines

/// PoolMachine with two connections and room for two that wait: every event in every state, for connection 0.
///
/// Request 1 arrives first, then 2, 3, 4; the one that an event brings is 9. Time is 1 s, the last failure was at 1 s too,
/// deadlines are 5 s; attempts are not spread (jitter 0).
enum PoolTable: TransitionTable {
    static let sourceFile = "PoolMachine"

    enum State: String, CaseIterable, Codable, Sendable {
        /// Nothing is open and nobody waits.
        case cold
        /// Connection 0 is being made: for nobody, for one that waits; both are, for two that wait.
        case connecting, connectingForOne, connectingForTwo
        /// Connection 0 is open, the other closed: idle; it has a request; and the other is being made for one that waits.
        case idle, assigned, assignedWaiting
        /// Both are open: idle; with a request each; one and two more wait; the queue is full.
        case bothIdle, full, fullOneWaits, fullTwoWait
        /// An attempt failed and the next one must wait: nobody waits, one does.
        case down, downOneWaits
        /// The same when connection 0 serves a request and the attempt for the other one failed.
        case assignedDown
        /// The pool connects elsewhere now. Connection 0 still has its request: nobody waits; one does, for whom the other
        /// is being made; the first attempt there failed.
        case retiring, retiringOneWaits, retiringDown
        /// The pool became smaller, a size of 1, while both connections had a request: nobody waits, one does.
        case surplus, surplusOneWaits
        /// Held while one waits: connection 0 is being made; it has a request and the other one is closed; both are idle.
        case heldConnecting, heldAssigned, heldIdle
        /// The same with one more, which fills the queue.
        case heldFull
    }

    enum Event: String, CaseIterable, Codable, Sendable {
        case requestArrived, firstAbandoned, otherAbandoned, expiredEarly, expired, allTaken
        case serverReady, connectFailed, serverLost, connectDue, connectDueLater
        case grown, shrunk, readdressed
        case held, released, lent, asked
    }

    enum Action: Equatable, Sendable {
        case request(PoolMachine.RequestAction)
        case abandoned(Bool)
        case expired(UInt64?)
        case taken([UInt64])
        case server(PoolMachine.ServerAction)
        case loss(PoolMachine.LossAction)
        case leaving([Int])
        case none
        case lent(Int?)
        case started([PoolMachine.Start])
    }

    /// What is returned and the pool's shape then: a letter for each connection (`.` closed, `c` connecting, `i` idle,
    /// `A` assigned, `R` retiring), how many wait, `!` while the last attempt failed, and `h` while it is held.
    struct Output: Equatable, Sendable {
        let action: Action
        let shape: String
    }

    static let now: UInt64 = 1_000_000_000
    static let retryTime = now + Backoff.first
    static let deadline: UInt64 = 5_000_000_000

    static let rows: [Event: [State: Transition<Output, State>]] = [
        .requestArrived: shapes(
            { .request($0) },
            [
                .cold: (.wait(connect: 0), "c.+1"),
                .connecting: (.wait(connect: nil), "c.+1"),
                .connectingForOne: (.wait(connect: 1), "cc+2"),
                .connectingForTwo: (.shed, "cc+2"),
                .idle: (.start(server: 0), "A."),
                .assigned: (.wait(connect: 1), "Ac+1"),
                .assignedWaiting: (.wait(connect: nil), "Ac+2"),
                // The one that was used last.
                .bothIdle: (.start(server: 0), "Ai"),
                .full: (.wait(connect: nil), "AA+1"),
                .fullOneWaits: (.wait(connect: nil), "AA+2"),
                .fullTwoWait: (.shed, "AA+2"),
                .down: (.wait(connect: nil), "..+1!"),
                .downOneWaits: (.wait(connect: nil), "..+2!"),
                .assignedDown: (.wait(connect: nil), "A.+1!"),
                .retiring: (.wait(connect: 1), "Rc+1"),
                .retiringOneWaits: (.wait(connect: 2), "Rcc+2"),
                .retiringDown: (.wait(connect: nil), "R.+1!"),
                .surplus: (.wait(connect: nil), "AA+1"),
                .surplusOneWaits: (.wait(connect: nil), "AA+2"),
                // Nobody starts, and no connection is opened for it.
                .heldConnecting: (.wait(connect: nil), "c.+2h"),
                .heldAssigned: (.wait(connect: nil), "A.+2h"),
                .heldIdle: (.wait(connect: nil), "ii+2h"),
                .heldFull: (.shed, "ii+2h"),
            ]),
        .firstAbandoned: shapes(
            { .abandoned($0) },
            [
                .cold: (false, ".."), .connecting: (false, "c."), .connectingForOne: (true, "c."),
                .connectingForTwo: (true, "cc+1"), .idle: (false, "i."), .assigned: (false, "A."),
                .assignedWaiting: (true, "Ac"), .bothIdle: (false, "ii"), .full: (false, "AA"),
                .fullOneWaits: (true, "AA"), .fullTwoWait: (true, "AA+1"), .down: (false, "..!"),
                .downOneWaits: (true, "..!"), .assignedDown: (false, "A.!"), .retiring: (false, "R."),
                .retiringOneWaits: (true, "Rc"), .retiringDown: (false, "R.!"), .surplus: (false, "AA"),
                .surplusOneWaits: (true, "AA"), .heldConnecting: (true, "c.h"), .heldAssigned: (true, "A.h"),
                .heldIdle: (true, "iih"), .heldFull: (true, "ii+1h"),
            ]),
        .otherAbandoned: unchanged(.abandoned(false)),
        .expiredEarly: unchanged(.expired(nil)),
        .expired: shapes(
            { .expired($0) },
            [
                .cold: (nil, ".."), .connecting: (nil, "c."), .connectingForOne: (1, "c."),
                .connectingForTwo: (1, "cc+1"), .idle: (nil, "i."), .assigned: (nil, "A."),
                .assignedWaiting: (2, "Ac"), .bothIdle: (nil, "ii"), .full: (nil, "AA"), .fullOneWaits: (3, "AA"),
                .fullTwoWait: (3, "AA+1"), .down: (nil, "..!"), .downOneWaits: (1, "..!"), .assignedDown: (nil, "A.!"),
                .retiring: (nil, "R."), .retiringOneWaits: (2, "Rc"), .retiringDown: (nil, "R.!"),
                .surplus: (nil, "AA"), .surplusOneWaits: (3, "AA"), .heldConnecting: (1, "c.h"),
                .heldAssigned: (2, "A.h"), .heldIdle: (3, "iih"), .heldFull: (3, "ii+1h"),
            ]),
        .allTaken: shapes(
            { .taken($0) },
            [
                .cold: ([], ".."), .connecting: ([], "c."), .connectingForOne: ([1], "c."),
                .connectingForTwo: ([1, 2], "cc"), .idle: ([], "i."), .assigned: ([], "A."),
                .assignedWaiting: ([2], "Ac"), .bothIdle: ([], "ii"), .full: ([], "AA"), .fullOneWaits: ([3], "AA"),
                .fullTwoWait: ([3, 4], "AA"), .down: ([], "..!"), .downOneWaits: ([1], "..!"),
                .assignedDown: ([], "A.!"), .retiring: ([], "R."), .retiringOneWaits: ([2], "Rc"),
                .retiringDown: ([], "R.!"), .surplus: ([], "AA"), .surplusOneWaits: ([3], "AA"),
                .heldConnecting: ([1], "c.h"), .heldAssigned: ([2], "A.h"), .heldIdle: ([3], "iih"),
                .heldFull: ([3, 4], "iih"),
            ]),
    ].merging(connections) { first, _ in first }

    private static let connections: [Event: [State: Transition<Output, State>]] = [
        .serverReady: shapes(
            { .server($0) },
            [
                .connecting: (.park, "i."),
                .connectingForOne: (.start(request: 1), "A."),
                .connectingForTwo: (.start(request: 1), "Ac+1"),
                .assigned: (.park, "i."),
                .assignedWaiting: (.start(request: 2), "Ac"),
                .full: (.park, "iA"),
                .fullOneWaits: (.start(request: 3), "AA"),
                .fullTwoWait: (.start(request: 3), "AA+1"),
                .assignedDown: (.park, "i.!"),
                .retiring: (.close, ".."),
                .retiringOneWaits: (.close, ".c+1"),
                .retiringDown: (.close, "..!"),
                // Also when somebody waits: the connection that stays serves him.
                .surplus: (.close, ".A"),
                .surplusOneWaits: (.close, ".A+1"),
                // Though one waits.
                .heldConnecting: (.park, "i.+1h"),
                .heldAssigned: (.park, "i.+1h"),
            ], traps: [.cold, .idle, .bothIdle, .down, .downOneWaits, .heldIdle, .heldFull]),
        .connectFailed: shapes(
            { .loss($0) },
            [
                .connecting: (.retry(at: retryTime), "..!"),
                .connectingForOne: (.retry(at: retryTime), "..+1!"),
                .connectingForTwo: (.retry(at: retryTime), ".c+2!"),
                .heldConnecting: (.retry(at: retryTime), "..+1!h"),
            ],
            traps: [
                .cold, .idle, .assigned, .assignedWaiting, .bothIdle, .full, .fullOneWaits, .fullTwoWait, .down,
                .downOneWaits, .assignedDown, .retiring, .retiringOneWaits, .retiringDown, .surplus, .surplusOneWaits,
                .heldAssigned, .heldIdle, .heldFull,
            ]),
        .serverLost: shapes(
            { .loss($0) },
            [
                // It never served anybody: no better than a failed attempt.
                .idle: (.retry(at: retryTime), "..!"),
                .assigned: (.connect(server: 0), "c."),
                .assignedWaiting: (.none, ".c+1"),
                .bothIdle: (.none, ".i"),
                .full: (.none, ".A"),
                .fullOneWaits: (.connect(server: 0), "cA+1"),
                .fullTwoWait: (.connect(server: 0), "cA+2"),
                .assignedDown: (.retry(at: retryTime), "..!"),
                // It is no loss where the pool connects now; a first connection there is wanted all the same.
                .retiring: (.connect(server: 0), "c."),
                .retiringOneWaits: (.none, ".c+1"),
                .retiringDown: (.retry(at: retryTime), "..!"),
                .surplus: (.none, ".A"),
                .surplusOneWaits: (.none, ".A+1"),
                .heldAssigned: (.connect(server: 0), "c.+1h"),
                .heldIdle: (.none, ".i+1h"),
                .heldFull: (.none, ".i+2h"),
            ], traps: [.cold, .connecting, .connectingForOne, .connectingForTwo, .down, .downOneWaits, .heldConnecting]),
        .connectDue: unchanged(
            .loss(.none),
            but: [
                .cold: (.loss(.connect(server: 0)), "c."),
                .down: (.loss(.retry(at: retryTime)), "..!"),
                .downOneWaits: (.loss(.retry(at: retryTime)), "..+1!"),
                .retiring: (.loss(.connect(server: 1)), "Rc"),
                .retiringDown: (.loss(.retry(at: retryTime)), "R.!"),
            ]),
        .connectDueLater: unchanged(
            .loss(.none),
            but: [
                .cold: (.loss(.connect(server: 0)), "c."),
                .down: (.loss(.connect(server: 0)), "c.!"),
                .downOneWaits: (.loss(.connect(server: 0)), "c.+1!"),
                .retiring: (.loss(.connect(server: 1)), "Rc"),
                .retiringDown: (.loss(.connect(server: 1)), "Rc!"),
            ]),
    ].merging(reloads) { first, _ in first }

    private static let reloads: [Event: [State: Transition<Output, State>]] = [
        // `connectDue` opens what there is room for now.
        .grown: unchanged(.leaving([])),
        .shrunk: unchanged(
            .leaving([]),
            but: [
                // One attempt is enough for two that wait, when there is room for one.
                .connectingForTwo: (.leaving([1]), "c.+2"),
                .assignedWaiting: (.leaving([1]), "A.+1"),
                // The one that was used last stays.
                .bothIdle: (.leaving([1]), "i."),
                .heldIdle: (.leaving([1]), "i.+1h"),
                .heldFull: (.leaving([1]), "i.+2h"),
            ]),
        .readdressed: shapes(
            { .leaving($0) },
            [
                .cold: ([], ".."), .connecting: ([0], ".."), .connectingForOne: ([0], "..+1"),
                .connectingForTwo: ([0, 1], "..+2"), .idle: ([0], ".."), .assigned: ([], "R."),
                .assignedWaiting: ([1], "R.+1"), .bothIdle: ([0, 1], ".."), .full: ([], "RR"),
                .fullOneWaits: ([], "RR+1"), .fullTwoWait: ([], "RR+2"),
                // What failed there says nothing about the new address.
                .down: ([], ".."), .downOneWaits: ([], "..+1"), .assignedDown: ([], "R."),
                .retiring: ([], "R."), .retiringOneWaits: ([1], "R.+1"), .retiringDown: ([], "R."),
                .surplus: ([], "RR"), .surplusOneWaits: ([], "RR+1"),
                .heldConnecting: ([0], "..+1h"), .heldAssigned: ([], "R.+1h"), .heldIdle: ([0, 1], "..+1h"),
                .heldFull: ([0, 1], "..+2h"),
            ]),
    ].merging(holding) { first, _ in first }

    private static let holding: [Event: [State: Transition<Output, State>]] = [
        .held: Dictionary(
            uniqueKeysWithValues: State.allCases.map { state in
                let shape = shape(of: make(state))
                return (state, .stays(Output(action: .none, shape: shape.hasSuffix("h") ? shape : shape + "h")))
            }),
        .released: unchanged(
            .started([]),
            but: [
                // `connectDue` opens what they wait for.
                .heldConnecting: (.started([]), "c.+1"),
                .heldAssigned: (.started([]), "A.+1"),
                .heldIdle: (.started([.init(request: 3, server: 0)]), "Ai"),
                .heldFull: (.started([.init(request: 3, server: 0), .init(request: 4, server: 1)]), "AA"),
            ]),
        .asked: unchanged(
            .loss(.none),
            but: [
                .cold: (.loss(.connect(server: 0)), "c."),
                // While one is being made it is waited for.
                .assigned: (.loss(.connect(server: 1)), "Ac"), .heldAssigned: (.loss(.connect(server: 1)), "Ac+1h"),
                .retiring: (.loss(.connect(server: 1)), "Rc"),
                .down: (.loss(.retry(at: retryTime)), "..!"), .downOneWaits: (.loss(.retry(at: retryTime)), "..+1!"),
                .assignedDown: (.loss(.retry(at: retryTime)), "A.!"),
                .retiringDown: (.loss(.retry(at: retryTime)), "R.!"),
            ]),
        .lent: unchanged(
            .lent(nil),
            but: [
                .idle: (.lent(0), "A."), .bothIdle: (.lent(0), "Ai"),
                // The owner's question goes before who waits, and although it is held.
                .heldIdle: (.lent(0), "Ai+1h"), .heldFull: (.lent(0), "Ai+2h"),
            ]),
    ]

    private static func shapes<Value>(
        _ action: (Value) -> Action, _ table: [State: (Value, String)], traps: [State] = []
    ) -> [State: Transition<Output, State>] {
        var row = table.mapValues { Transition<Output, State>.stays(Output(action: action($0.0), shape: $0.1)) }
        for state in traps { row[state] = .traps }
        return row
    }

    private static func unchanged(
        _ action: Action, but changes: [State: (Action, String)] = [:]
    ) -> [State: Transition<Output, State>] {
        var row: [State: Transition<Output, State>] = [:]
        for state in State.allCases {
            row[state] = .stays(Output(action: action, shape: shape(of: make(state))))
        }
        for (state, change) in changes { row[state] = .stays(Output(action: change.0, shape: change.1)) }
        return row
    }

    /// Does not compile when a connection has a state that this table does not tell apart.
    static func shape(of machine: PoolMachine) -> String {
        var shape = ""
        for server in machine.servers {
            switch server {
            case .closed: shape += "."
            case .connecting: shape += "c"
            case .idle: shape += "i"
            case .assigned: shape += "A"
            case .retiring: shape += "R"
            }
        }
        if machine.waiting > 0 { shape += "+\(machine.waiting)" }
        if machine.notBefore > 0 { shape += "!" }
        if machine.isHeld { shape += "h" }
        return shape
    }

    static func function(of event: Event) -> String {
        switch event {
        case .requestArrived: "requestArrived"
        case .firstAbandoned, .otherAbandoned: "requestAbandoned"
        case .expiredEarly, .expired: "nextExpired"
        case .allTaken: "takeAllWaiting"
        case .serverReady: "serverReady"
        case .connectFailed: "connectFailed"
        case .serverLost: "serverLost"
        case .connectDue, .connectDueLater: "connectDue"
        case .grown, .shrunk: "resized"
        case .readdressed: "readdressed"
        case .held: "hold"
        case .released: "release"
        case .lent: "lend"
        case .asked: "connectToAsk"
        }
    }

    static func make(_ state: State) -> PoolMachine {
        var machine = PoolMachine(size: 2, queueLimit: 2)
        func arrive(_ requests: ClosedRange<UInt64>) {
            for request in requests { _ = machine.requestArrived(request, deadline: deadline, now: now) }
        }
        func ready(_ servers: Int...) {
            for server in servers { _ = machine.serverReady(server) }
        }
        func fail(_ server: Int) { _ = machine.connectFailed(server, now: now, jitter: 0) }
        switch state {
        case .cold: break
        case .connecting, .idle, .down:
            _ = machine.connectDue(now: now)
            if state == .idle { ready(0) }
            if state == .down { fail(0) }
        case .connectingForOne, .downOneWaits:
            arrive(1...1)
            if state == .downOneWaits { fail(0) }
        case .connectingForTwo: arrive(1...2)
        case .assigned, .assignedWaiting, .assignedDown:
            arrive(1...1)
            ready(0)
            if state != .assigned { arrive(2...2) }
            if state == .assignedDown {
                _ = machine.requestAbandoned(2)
                fail(1)
            }
        case .retiring, .retiringOneWaits, .retiringDown:
            arrive(1...1)
            ready(0)
            _ = machine.readdressed()
            if state == .retiringOneWaits { arrive(2...2) }
            if state == .retiringDown {
                _ = machine.connectDue(now: now)
                fail(1)
            }
        case .surplus, .surplusOneWaits:
            arrive(1...2)
            ready(0, 1)
            if state == .surplusOneWaits { arrive(3...3) }
            _ = machine.resized(to: 1, queueLimit: 2)
        case .heldConnecting:
            machine.hold { _ in deadline }
            arrive(1...1)
        case .heldAssigned:
            arrive(1...1)
            ready(0)
            machine.hold { _ in deadline }
            arrive(2...2)
        case .heldIdle, .heldFull:
            arrive(1...2)
            ready(0, 1, 1, 0)
            machine.hold { _ in deadline }
            arrive(3...(state == .heldFull ? 4 : 3))
        case .bothIdle, .full, .fullOneWaits, .fullTwoWait:
            arrive(1...2)
            ready(0, 1)
            if state == .bothIdle { ready(1, 0) }
            if state == .fullOneWaits { arrive(3...3) }
            if state == .fullTwoWait { arrive(3...4) }
        }
        return machine
    }

    /// What follows is in the output: a pool has too many shapes to name them all.
    static func look(at machine: PoolMachine) -> Bool { true }

    static func apply(_ event: Event, to machine: inout PoolMachine) -> Output {
        let action = act(event, on: &machine)
        return Output(action: action, shape: shape(of: machine))
    }

    private static func act(_ event: Event, on machine: inout PoolMachine) -> Action {
        switch event {
        case .requestArrived: return .request(machine.requestArrived(9, deadline: deadline, now: now))
        case .firstAbandoned:
            var copy = machine
            return .abandoned(machine.requestAbandoned(copy.takeAllWaiting().first ?? 99))
        case .otherAbandoned: return .abandoned(machine.requestAbandoned(99))
        case .expiredEarly: return .expired(machine.nextExpired(now: deadline - 1))
        case .expired: return .expired(machine.nextExpired(now: deadline))
        case .allTaken: return .taken(machine.takeAllWaiting())
        case .serverReady: return .server(machine.serverReady(0))
        case .connectFailed: return .loss(machine.connectFailed(0, now: now, jitter: 0))
        case .serverLost: return .loss(machine.serverLost(0, now: now))
        case .connectDue: return .loss(machine.connectDue(now: now))
        case .connectDueLater: return .loss(machine.connectDue(now: retryTime))
        case .grown: return .leaving(machine.resized(to: 3, queueLimit: 2))
        case .shrunk: return .leaving(machine.resized(to: 1, queueLimit: 2))
        case .readdressed: return .leaving(machine.readdressed())
        case .held:
            machine.hold { _ in deadline }
            return .none
        case .released: return .started(machine.release())
        case .lent: return .lent(machine.lend())
        case .asked: return .loss(machine.connectToAsk(now: now))
        }
    }
}
