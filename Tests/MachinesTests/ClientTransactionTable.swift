import Machines

/// ClientMachine's transaction: every event in every state. What runs and what is read are the other two tables'.
enum TransactionTable: TransitionTable {
    static let sourceFile = "ClientMachine"

    enum State: String, CaseIterable, Codable, Sendable {
        case none, opening, active, failed, refused, aborted
        /// The same with something in the transaction that may have written.
        case activeWritten, failedWritten, refusedWritten
    }

    enum Event: String, CaseIterable, Codable, Sendable {
        case query, rollbackToSavepoint, begin, commit, rollback
        case batchInTransaction, writeInTransaction, batchFailed, batchEndedTransaction, writeEndedTransaction
        case committed, rolledBack, foundWrite, refused, serverLost, commitLost, written, positionKnown
    }

    enum Action: Equatable, Sendable {
        case nothing
        case query(ClientMachine.QueryAction)
        case begin(ClientMachine.BeginAction)
        case end(ClientMachine.EndAction)
        case pin(ClientMachine.PinAction)
    }

    /// The transaction's cluster, and that of a write outside it.
    static let (ownCluster, otherCluster) = (3, 5)

    /// What is returned, and the clusters in which later reads must see a write: before the event none was made.
    struct Output: Equatable, Sendable {
        var action: Action
        var written: [Int] = []

        static let nothing = Output(action: .nothing)
        static let written = Output(action: .nothing, written: [ownCluster])
        static func query(_ action: ClientMachine.QueryAction) -> Output { Output(action: .query(action)) }
        static func begin(_ action: ClientMachine.BeginAction) -> Output { Output(action: .begin(action)) }
        static func end(_ action: ClientMachine.EndAction) -> Output { Output(action: .end(action)) }
        static func pin(_ action: ClientMachine.PinAction, written: [Int] = []) -> Output {
            Output(action: .pin(action), written: written)
        }
    }

    private static let open: [State] = [.active, .failed, .refused]
    private static let openWritten: [State] = [.activeWritten, .failedWritten, .refusedWritten]
    private static let anyOpen = open + openWritten

    static let rows: [Event: [State: Transition<Output, State>]] = [
        .query: row(
            ([.none], .stays(.query(.route))),
            ([.opening], .traps),
            ([.active, .failed, .activeWritten, .failedWritten], .stays(.query(.sendPinned))),
            ([.refused, .refusedWritten, .aborted], .stays(.query(.refuseAborted)))),
        .rollbackToSavepoint: row(
            ([.none], .stays(.query(.route))),
            ([.opening], .traps),
            (anyOpen, .stays(.query(.sendPinned))),
            ([.aborted], .stays(.query(.refuseAborted)))),
        .begin: row(
            ([.none], .to(.opening, .begin(.open))),
            ([.opening], .traps),
            (anyOpen + [.aborted], .stays(.begin(.refuseNested)))),
        .commit: row(
            ([.none], .stays(.end(.refuseNoTransaction))),
            ([.opening], .traps),
            ([.active, .activeWritten], .stays(.end(.sendCommit))),
            ([.failed, .refused, .failedWritten, .refusedWritten], .stays(.end(.sendRollbackRefuseCommit))),
            ([.aborted], .to(.none, .end(.refuseCommit)))),
        .rollback: row(
            ([.none], .stays(.end(.refuseNoTransaction))),
            ([.opening], .traps),
            (anyOpen, .stays(.end(.sendRollback))),
            ([.aborted], .to(.none, .end(.answerRolledBack)))),
        .batchInTransaction: row(
            (open + [.opening], .to(.active, .pin(.keep))),
            (openWritten, .to(.activeWritten, .pin(.keep))),
            ([.none, .aborted], .traps)),
        .writeInTransaction: row(
            (anyOpen + [.opening], .to(.activeWritten, .pin(.keep))),
            ([.none, .aborted], .traps)),
        .batchFailed: row(
            (open + [.opening], .to(.failed, .pin(.keep))),
            (openWritten, .to(.failedWritten, .pin(.keep))),
            ([.none, .aborted], .traps)),
        .batchEndedTransaction: row(
            (open + [.opening], .to(.aborted, .pin(.release))),
            // What ended it may have committed it.
            (openWritten, .to(.aborted, .pin(.release, written: [ownCluster]))),
            ([.none, .aborted], .traps)),
        .writeEndedTransaction: row(
            (anyOpen + [.opening], .to(.aborted, .pin(.release, written: [ownCluster]))),
            ([.none, .aborted], .traps)),
        .committed: row(
            (open, .to(.none, .nothing)),
            (openWritten, .to(.none, .written)),
            ([.none, .opening, .aborted], .traps)),
        .rolledBack: row(
            (anyOpen, .to(.none, .nothing)),
            ([.none, .opening, .aborted], .traps)),
        .foundWrite: row(
            ([.active, .activeWritten], .to(.activeWritten, .nothing)),
            ([.none, .opening, .failed, .refused, .failedWritten, .refusedWritten, .aborted], .traps)),
        .refused: row(
            ([.active], .to(.refused, .nothing)),
            ([.activeWritten], .to(.refusedWritten, .nothing)),
            ([.opening], .to(.aborted, .nothing)),
            ([.failed, .refused, .failedWritten, .refusedWritten, .none, .aborted], .stays(.nothing))),
        .serverLost: row(
            (anyOpen + [.opening], .to(.aborted, .nothing)),
            ([.none, .aborted], .stays(.nothing))),
        .commitLost: row(
            ([.active], .to(.none, .nothing)),
            // It may have been applied: later reads must see it.
            ([.activeWritten], .to(.none, .written)),
            ([.none, .opening, .failed, .refused, .failedWritten, .refusedWritten, .aborted], .traps)),
        .written: row((State.allCases, .stays(Output(action: .nothing, written: [otherCluster])))),
        // Nothing was written yet: what the open transaction does is not forgotten by it.
        .positionKnown: row((State.allCases, .stays(.nothing))),
    ]

    /// Does not compile when the machine has a state that this table does not tell apart.
    static func states(of transaction: ClientMachine.Transaction) -> [State] {
        switch transaction {
        case .none: [.none]
        case .opening: [.opening]
        case .active: [.active, .activeWritten]
        case .failed: [.failed, .failedWritten]
        case .refused: [.refused, .refusedWritten]
        case .aborted: [.aborted]
        }
    }

    static func function(of event: Event) -> String {
        switch event {
        case .query, .rollbackToSavepoint: "query"
        case .begin: "begin"
        case .commit: "commit"
        case .rollback: "rollback"
        case .batchInTransaction, .writeInTransaction, .batchFailed, .batchEndedTransaction, .writeEndedTransaction:
            "pinnedBatchFinished"
        case .committed, .rolledBack: "transactionEnded"
        case .foundWrite: "transactionWrote"
        case .refused: "requestRefused"
        case .serverLost: "pinnedServerLost"
        case .commitLost: "commitLost"
        case .written: "autocommitWritten"
        case .positionKnown: "positionKnown"
        }
    }

    static func make(_ state: State) -> ClientMachine {
        var machine = ClientMachine(maxInFlight: 4, maxParallelReads: 2)
        for event in path(to: state) { _ = apply(event, to: &machine) }
        return machine
    }

    private static func path(to state: State) -> [Event] {
        switch state {
        case .none: []
        case .opening: [.begin]
        case .active: [.begin, .batchInTransaction]
        case .failed: [.begin, .batchInTransaction, .batchFailed]
        case .refused: [.begin, .batchInTransaction, .refused]
        case .aborted: [.begin, .refused]
        case .activeWritten: [.begin, .batchInTransaction, .writeInTransaction]
        case .failedWritten: path(to: .activeWritten) + [.batchFailed]
        case .refusedWritten: path(to: .activeWritten) + [.refused]
        }
    }

    struct Aspect: Equatable {
        let transaction: ClientMachine.Transaction
        let written: WrittenClusters
    }

    static func look(at machine: ClientMachine) -> Aspect {
        Aspect(transaction: machine.transaction, written: machine.writtenInTransaction)
    }

    static func apply(_ event: Event, to machine: inout ClientMachine) -> Output {
        let action = act(event, on: &machine)
        return Output(action: action, written: (0...63).filter(machine.written.contains))
    }

    private static func act(_ event: Event, on machine: inout ClientMachine) -> Action {
        switch event {
        case .query: return .query(machine.query(rollsBackToSavepoint: false))
        case .rollbackToSavepoint: return .query(machine.query(rollsBackToSavepoint: true))
        case .begin: return .begin(machine.begin())
        case .commit: return .end(machine.commit())
        case .rollback: return .end(machine.rollback())
        case .batchInTransaction: return .pin(machine.pinnedBatchFinished(.inTransaction, wroteTo: nil))
        case .writeInTransaction: return .pin(machine.pinnedBatchFinished(.inTransaction, wroteTo: ownCluster))
        case .batchFailed: return .pin(machine.pinnedBatchFinished(.inFailedTransaction, wroteTo: nil))
        case .batchEndedTransaction: return .pin(machine.pinnedBatchFinished(.idle, wroteTo: nil))
        case .writeEndedTransaction: return .pin(machine.pinnedBatchFinished(.idle, wroteTo: ownCluster))
        case .committed: machine.transactionEnded(committed: true)
        case .rolledBack: machine.transactionEnded(committed: false)
        case .foundWrite: machine.transactionWrote(to: ownCluster)
        case .refused: machine.requestRefused()
        case .serverLost: machine.pinnedServerLost()
        case .commitLost: machine.commitLost()
        case .written: machine.autocommitWritten(to: otherCluster)
        case .positionKnown: machine.positionKnown(of: ownCluster)
        }
        return .nothing
    }
}
