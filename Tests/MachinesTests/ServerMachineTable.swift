import Machines

/// ServerMachine and a batch of two: every event in every state.
enum ServerTable: TransitionTable {
    static let sourceFile = "ServerMachine"

    enum State: String, CaseIterable, Codable, Sendable {
        case closed, connecting, idle, idleInTransaction
        /// Nothing came; the first succeeded; it has ended; the second succeeded.
        case first, firstOver, second, secondOver
        /// The first failed; it has ended; the second was reported aborted.
        case firstFailed, skipping, skipped
        /// The first succeeded, the second failed.
        case secondFailed
        /// Only the Sync is left: in order; behind an error of the first or second; behind the commit's own error.
        case sync, syncAfterFirst, syncAfterSecond, syncAfterCommit
    }

    enum Event: String, CaseIterable, Codable, Sendable {
        case connectStarted, connected, closed, emptyBatchSent, batchSent
        case row, success, error, aborted, unexpected
        case statementEnded, syncIdle, syncInTransaction
    }

    enum Output: Equatable, Sendable {
        case nothing
        case close(ServerMachine.CloseAction)
        case result(ServerMachine.ResultAction)
        case end(ServerMachine.EndAction)
        case sync(ServerMachine.SyncAction)
    }

    typealias Row = [State: Transition<Output, State>]

    static let busy: [State] = [
        .first, .firstOver, .second, .secondOver, .firstFailed, .skipping, .skipped, .secondFailed, .sync,
        .syncAfterFirst, .syncAfterSecond, .syncAfterCommit,
    ]
    static let notBusy: [State] = [.closed, .connecting, .idle, .idleInTransaction]

    static let rows: [Event: Row] = [
        .connectStarted: row(
            ([.closed], .to(.connecting, .nothing)),
            ([.connecting, .idle, .idleInTransaction] + busy, .traps)),
        .connected: row(
            ([.connecting], .to(.idle, .nothing)),
            ([.closed, .idle, .idleInTransaction] + busy, .traps)),
        .closed: row(
            ([.closed], .stays(.close(.none))),
            ([.connecting], .to(.closed, .close(.connectFailed))),
            ([.idle, .idleInTransaction], .to(.closed, .close(.lostIdle))),
            // A success without its Sync is not confirmed either.
            (
                [.first, .firstOver, .second, .secondOver, .sync, .syncAfterCommit],
                .to(.closed, .close(.lostBatch(count: 2, failed: nil)))
            ),
            (
                [.firstFailed, .skipping, .skipped, .syncAfterFirst],
                .to(.closed, .close(.lostBatch(count: 2, failed: 0)))
            ),
            ([.secondFailed, .syncAfterSecond], .to(.closed, .close(.lostBatch(count: 2, failed: 1))))),
        .emptyBatchSent: row((State.allCases, .traps)),
        .batchSent: row(
            ([.idle, .idleInTransaction], .to(.first, .nothing)),
            // A batch behind another makes PgBouncer 1.18 answer with another client's rows.
            ([.closed, .connecting] + busy, .traps)),
        .row: row(
            ([.first], .stays(.result(.deliverRow(statement: 0)))),
            ([.second], .stays(.result(.deliverRow(statement: 1)))),
            (others([.first, .second]), outOfStep)),
        .success: row(
            ([.first], .to(.firstOver, .result(.keepSuccess(statement: 0)))),
            ([.second], .to(.secondOver, .result(.keepSuccess(statement: 1)))),
            (others([.first, .second]), outOfStep)),
        .error: row(
            ([.first], .to(.firstFailed, .result(.keepError(statement: 0)))),
            ([.second], .to(.secondFailed, .result(.keepError(statement: 1)))),
            ([.sync], .to(.syncAfterCommit, .result(.keepCommitError))),
            (others([.first, .second, .sync]), outOfStep)),
        .aborted: row(
            ([.skipping], .to(.skipped, .result(.keepAborted(statement: 1)))),
            (others([.skipping]), outOfStep)),
        .unexpected: row((State.allCases, outOfStep)),
        .statementEnded: row(
            ([.firstOver], .to(.second, .end(.nextStatement(1)))),
            ([.firstFailed], .to(.skipping, .end(.nextStatement(1)))),
            ([.secondOver], .to(.sync, .end(.none))),
            ([.skipped], .to(.syncAfterFirst, .end(.none))),
            ([.secondFailed], .to(.syncAfterSecond, .end(.none))),
            ([.sync, .syncAfterFirst, .syncAfterSecond, .syncAfterCommit], .stays(.end(.none))),
            ([.first, .second, .skipping] + notBusy, .stays(.end(.close)))),
        .syncIdle: row(
            ([.sync, .syncAfterFirst, .syncAfterSecond, .syncAfterCommit], .to(.idle, .sync(.finish))),
            (others([.sync, .syncAfterFirst, .syncAfterSecond, .syncAfterCommit]), .stays(.sync(.close)))),
        .syncInTransaction: row(
            ([.sync, .syncAfterFirst, .syncAfterSecond, .syncAfterCommit], .to(.idleInTransaction, .sync(.finish))),
            (others([.sync, .syncAfterFirst, .syncAfterSecond, .syncAfterCommit]), .stays(.sync(.close)))),
    ]

    private static let outOfStep = Transition<Output, State>.stays(.result(.close))

    private static func others(_ named: [State]) -> [State] {
        State.allCases.filter { !named.contains($0) }
    }

    /// Does not compile when the machine has a state that this table does not tell apart.
    static func states(of state: ServerMachine.State) -> [State] {
        switch state {
        case .closed: [.closed]
        case .connecting: [.connecting]
        case .idle: [.idle, .idleInTransaction]
        case .busy: busy
        // Only behind a cancel: CancelTable.
        case .uncertain: []
        }
    }

    static func function(of event: Event) -> String {
        switch event {
        case .connectStarted: "connectStarted"
        case .connected: "connected"
        case .closed: "closed"
        case .emptyBatchSent, .batchSent: "batchSent"
        case .row, .success, .error, .aborted, .unexpected: "resultArrived"
        case .statementEnded: "statementEnded"
        case .syncIdle, .syncInTransaction: "syncArrived"
        }
    }

    static func make(_ state: State) -> ServerMachine {
        var machine = ServerMachine()
        for event in path(to: state) { _ = apply(event, to: &machine) }
        return machine
    }

    private static func path(to state: State) -> [Event] {
        switch state {
        case .closed: []
        case .connecting: [.connectStarted]
        case .idle: [.connectStarted, .connected]
        case .idleInTransaction: path(to: .sync) + [.syncInTransaction]
        case .first: path(to: .idle) + [.batchSent]
        case .firstOver: path(to: .first) + [.row, .success]
        case .second: path(to: .firstOver) + [.statementEnded]
        case .secondOver: path(to: .second) + [.success]
        case .firstFailed: path(to: .first) + [.error]
        case .skipping: path(to: .firstFailed) + [.statementEnded]
        case .skipped: path(to: .skipping) + [.aborted]
        case .secondFailed: path(to: .second) + [.row, .error]
        case .sync: path(to: .secondOver) + [.statementEnded]
        case .syncAfterFirst: path(to: .skipped) + [.statementEnded]
        case .syncAfterSecond: path(to: .secondFailed) + [.statementEnded]
        case .syncAfterCommit: path(to: .sync) + [.error]
        }
    }

    static func look(at machine: ServerMachine) -> ServerMachine { machine }

    static func apply(_ event: Event, to machine: inout ServerMachine) -> Output {
        switch event {
        case .connectStarted: machine.connectStarted()
        case .connected: machine.connected()
        case .closed: return .close(machine.closed())
        case .emptyBatchSent: machine.batchSent(statements: 0, mayBeCancelled: true)
        case .batchSent: machine.batchSent(statements: 2, mayBeCancelled: false)
        case .row: return .result(machine.resultArrived(.row))
        case .success: return .result(machine.resultArrived(.success))
        case .error: return .result(machine.resultArrived(.error))
        case .aborted: return .result(machine.resultArrived(.aborted))
        case .unexpected: return .result(machine.resultArrived(.unexpected))
        case .statementEnded: return .end(machine.statementEnded())
        case .syncIdle: return .sync(machine.syncArrived(inTransaction: false))
        case .syncInTransaction: return .sync(machine.syncArrived(inTransaction: true))
        }
        return .nothing
    }
}

/// ServerMachine, a batch of one and its cancel: every event in every state. The results themselves are ServerTable's.
enum CancelTable: TransitionTable {
    static let sourceFile = "ServerMachine"

    enum State: String, CaseIterable, Codable, Sendable {
        case closed, connecting, idle, idleInTransaction
        /// A batch of two: never cancelled, because it would hit a neighbour.
        case two
        /// No cancel: the statement runs; only its Sync is left.
        case running, sync
        /// The cancel is under way.
        case cancelling, cancellingSync
        /// The Sync has come, the cancel has not returned.
        case uncertain, uncertainInTransaction
    }

    enum Event: String, CaseIterable, Codable, Sendable {
        case closed, batchSent, statementFailed, syncIdle, syncInTransaction, cancelRequested, cancelReturned
    }

    enum Output: Equatable, Sendable {
        case nothing
        case close(ServerMachine.CloseAction)
        case failed(ServerMachine.ResultAction, ServerMachine.EndAction)
        case sync(ServerMachine.SyncAction)
        case cancel(ServerMachine.CancelAction)
        case cancelReturn(ServerMachine.CancelReturnAction)
    }

    static let rows: [Event: [State: Transition<Output, State>]] = [
        .closed: row(
            ([.closed], .stays(.close(.none))),
            ([.connecting], .to(.closed, .close(.connectFailed))),
            ([.idle, .idleInTransaction, .uncertain, .uncertainInTransaction], .to(.closed, .close(.lostIdle))),
            ([.two], .to(.closed, .close(.lostBatch(count: 2, failed: nil)))),
            ([.running, .cancelling], .to(.closed, .close(.lostBatch(count: 1, failed: nil)))),
            ([.sync, .cancellingSync], .to(.closed, .close(.lostBatch(count: 1, failed: 0))))),
        .batchSent: row(
            ([.idle, .idleInTransaction], .to(.running, .nothing)),
            ([.closed, .connecting, .two, .running, .sync, .cancelling, .cancellingSync], .traps),
            // The next statement on it could be hit by the cancel.
            ([.uncertain, .uncertainInTransaction], .traps)),
        .statementFailed: row(
            ([.running], .to(.sync, .failed(.keepError(statement: 0), .none))),
            ([.cancelling], .to(.cancellingSync, .failed(.keepError(statement: 0), .none))),
            ([.two], .to(.two, .failed(.keepError(statement: 0), .nextStatement(1)))),
            // The error in the Sync's slot behind another error, and one that nobody asked for.
            ([.sync, .cancellingSync], .stays(.failed(.close, .none))),
            ([.closed, .connecting, .idle, .idleInTransaction], .stays(.failed(.close, .close))),
            ([.uncertain, .uncertainInTransaction], .stays(.failed(.close, .close)))),
        .syncIdle: row(
            ([.sync], .to(.idle, .sync(.finish))),
            ([.cancellingSync], .to(.uncertain, .sync(.finishAwaitingCancel))),
            ([.running, .cancelling, .two], .stays(.sync(.close))),
            ([.closed, .connecting, .idle, .idleInTransaction], .stays(.sync(.close))),
            ([.uncertain, .uncertainInTransaction], .stays(.sync(.close)))),
        .syncInTransaction: row(
            ([.sync], .to(.idleInTransaction, .sync(.finish))),
            ([.cancellingSync], .to(.uncertainInTransaction, .sync(.finishAwaitingCancel))),
            ([.running, .cancelling, .two], .stays(.sync(.close))),
            ([.closed, .connecting, .idle, .idleInTransaction], .stays(.sync(.close))),
            ([.uncertain, .uncertainInTransaction], .stays(.sync(.close)))),
        .cancelRequested: row(
            ([.running], .to(.cancelling, .cancel(.send))),
            // The statement may be over on the server too, but its Sync is not: the cancel is harmless, and waited for.
            ([.sync], .to(.cancellingSync, .cancel(.send))),
            ([.closed, .connecting, .idle, .idleInTransaction, .two], .stays(.cancel(.none))),
            ([.cancelling, .cancellingSync], .stays(.cancel(.none))),
            ([.uncertain, .uncertainInTransaction], .stays(.cancel(.none)))),
        .cancelReturned: row(
            // The statement may not have been hit: the cancel can be sent again.
            ([.cancelling], .to(.running, .cancelReturn(.stillBusy))),
            ([.cancellingSync], .to(.sync, .cancelReturn(.stillBusy))),
            ([.uncertain], .to(.idle, .cancelReturn(.ready))),
            ([.uncertainInTransaction], .to(.idleInTransaction, .cancelReturn(.ready))),
            // Of a connection that has ended meanwhile, or a second time.
            ([.closed, .connecting, .idle, .idleInTransaction, .two], .stays(.cancelReturn(.none))),
            ([.running, .sync], .stays(.cancelReturn(.none)))),
    ]

    static func function(of event: Event) -> String {
        switch event {
        case .closed: "closed"
        case .batchSent: "batchSent"
        case .statementFailed: "statementEnded"
        case .syncIdle, .syncInTransaction: "syncArrived"
        case .cancelRequested: "cancelRequested"
        case .cancelReturned: "cancelReturned"
        }
    }

    static func make(_ state: State) -> ServerMachine {
        switch state {
        case .closed, .connecting, .idle, .idleInTransaction:
            return ServerTable.make(ServerTable.State(rawValue: state.rawValue) ?? .closed)
        case .two: return ServerTable.make(.first)
        default: break
        }
        var machine = ServerTable.make(.idle)
        for event in path(to: state) { _ = apply(event, to: &machine) }
        return machine
    }

    private static func path(to state: State) -> [Event] {
        switch state {
        case .closed, .connecting, .idle, .idleInTransaction, .two: []
        case .running: [.batchSent]
        case .sync: [.batchSent, .statementFailed]
        case .cancelling: [.batchSent, .cancelRequested]
        case .cancellingSync: [.batchSent, .cancelRequested, .statementFailed]
        case .uncertain: path(to: .cancellingSync) + [.syncIdle]
        case .uncertainInTransaction: path(to: .cancellingSync) + [.syncInTransaction]
        }
    }

    /// How far a batch of two is does not matter here.
    static func look(at machine: ServerMachine) -> ServerMachine {
        if case .busy(let batch) = machine.state, batch.count == 2 { return ServerTable.make(.first) }
        return machine
    }

    static func apply(_ event: Event, to machine: inout ServerMachine) -> Output {
        switch event {
        case .closed: return .close(machine.closed())
        case .batchSent: machine.batchSent(statements: 1, mayBeCancelled: true)
        case .statementFailed: return .failed(machine.resultArrived(.error), machine.statementEnded())
        case .syncIdle: return .sync(machine.syncArrived(inTransaction: false))
        case .syncInTransaction: return .sync(machine.syncArrived(inTransaction: true))
        case .cancelRequested: return .cancel(machine.cancelRequested())
        case .cancelReturned: return .cancelReturn(machine.cancelReturned())
        }
        return .nothing
    }
}
