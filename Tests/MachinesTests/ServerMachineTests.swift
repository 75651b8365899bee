import Machines
import Testing

@Suite("ServerMachine")
struct ServerMachineTests {
    var machine = ServerMachine()

    init() {
        machine.connectStarted()
        machine.connected()
    }

    @Test mutating func oneStatementWithRows() {
        machine.batchSent(statements: 1, mayBeCancelled: true)
        for _ in 0..<3 { #expect(machine.resultArrived(.row) == .deliverRow(statement: 0)) }
        #expect(machine.resultArrived(.success) == .keepSuccess(statement: 0))
        #expect(machine.statementEnded() == .none)
        #expect(machine.syncArrived(inTransaction: false) == .finish)
        #expect(machine.state == .idle(inTransaction: false))
    }

    @Test mutating func batchOfFour() {
        machine.batchSent(statements: 4, mayBeCancelled: false)
        for statement in 0..<4 {
            #expect(machine.resultArrived(.row) == .deliverRow(statement: statement))
            #expect(machine.resultArrived(.success) == .keepSuccess(statement: statement))
            #expect(machine.statementEnded() == (statement < 3 ? .nextStatement(statement + 1) : .none))
        }
        #expect(machine.syncArrived(inTransaction: false) == .finish)
    }

    /// Those before the error stand, those behind it are reported as aborted, the connection goes on.
    @Test mutating func batchWithAnErrorInTheMiddle() {
        machine.batchSent(statements: 5, mayBeCancelled: false)
        for statement in 0..<2 {
            #expect(machine.resultArrived(.success) == .keepSuccess(statement: statement))
            #expect(machine.statementEnded() == .nextStatement(statement + 1))
        }
        #expect(machine.resultArrived(.row) == .deliverRow(statement: 2))
        #expect(machine.resultArrived(.error) == .keepError(statement: 2))
        #expect(machine.statementEnded() == .nextStatement(3))
        #expect(machine.resultArrived(.aborted) == .keepAborted(statement: 3))
        #expect(machine.statementEnded() == .nextStatement(4))
        #expect(machine.resultArrived(.aborted) == .keepAborted(statement: 4))
        #expect(machine.statementEnded() == .none)
        #expect(machine.syncArrived(inTransaction: false) == .finish)
        machine.batchSent(statements: 1, mayBeCancelled: true)
        #expect(machine.resultArrived(.success) == .keepSuccess(statement: 0))
    }

    /// A deferred constraint fails at the implicit commit: behind success, in the Sync's slot.
    @Test(arguments: [1, 3]) mutating func commitErrorInTheSlotOfTheSync(statements: Int) {
        machine.batchSent(statements: statements, mayBeCancelled: statements == 1)
        for statement in 0..<statements {
            #expect(machine.resultArrived(.success) == .keepSuccess(statement: statement))
            _ = machine.statementEnded()
        }
        #expect(machine.resultArrived(.error) == .keepCommitError)
        #expect(machine.statementEnded() == .none, "libpq ends that slot with a NULL too")
        #expect(machine.syncArrived(inTransaction: false) == .finish)
    }

    @Test mutating func secondErrorInTheSlotOfTheSync() {
        machine.batchSent(statements: 1, mayBeCancelled: true)
        #expect(machine.resultArrived(.success) == .keepSuccess(statement: 0))
        #expect(machine.statementEnded() == .none)
        #expect(machine.resultArrived(.error) == .keepCommitError)
        #expect(machine.resultArrived(.error) == .close)
        #expect(machine.closed() == .lostBatch(count: 1, failed: nil))
    }

    /// pg_terminate_backend: 57P01 in the statement's slot, then PgBouncer's 08P01 in the Sync's.
    @Test mutating func serverThatDiesBehindItsError() {
        machine.batchSent(statements: 2, mayBeCancelled: false)
        #expect(machine.resultArrived(.error) == .keepError(statement: 0))
        #expect(machine.statementEnded() == .nextStatement(1))
        #expect(machine.resultArrived(.aborted) == .keepAborted(statement: 1))
        #expect(machine.statementEnded() == .none)
        #expect(machine.resultArrived(.error) == .close)
        #expect(machine.closed() == .lostBatch(count: 2, failed: 0))
    }

    @Test mutating func lossAtEachPoint() {
        #expect(machine.closed() == .lostIdle)
        machine.connectStarted()
        #expect(machine.closed() == .connectFailed)
        machine.connectStarted()
        machine.connected()
        machine.batchSent(statements: 2, mayBeCancelled: false)
        #expect(machine.closed() == .lostBatch(count: 2, failed: nil))
        #expect(machine.closed() == .none)
    }

    @Test mutating func lossBehindEachStep() {
        let steps: [@Sendable (inout ServerMachine) -> Void] = [
            { _ = $0.resultArrived(.row) }, { _ = $0.resultArrived(.success) }, { _ = $0.statementEnded() },
            { _ = $0.resultArrived(.success) }, { _ = $0.statementEnded() },
        ]
        for count in 0...steps.count {
            var machine = machine
            machine.batchSent(statements: 2, mayBeCancelled: false)
            for step in steps.prefix(count) { step(&machine) }
            #expect(machine.closed() == .lostBatch(count: 2, failed: nil), "behind step \(count)")
            #expect(machine.state == .closed && !machine.isCancelUnderWay)
        }
    }

    @Test mutating func transactionOverSeveralBatches() {
        for isOpen in [true, true, false] {
            machine.batchSent(statements: 1, mayBeCancelled: true)
            #expect(machine.resultArrived(.success) == .keepSuccess(statement: 0))
            #expect(machine.statementEnded() == .none)
            #expect(machine.syncArrived(inTransaction: isOpen) == .finish)
            #expect(machine.state == .idle(inTransaction: isOpen))
        }
    }

    // MARK: Cancel

    private mutating func answerCancelled() {
        #expect(machine.resultArrived(.error) == .keepError(statement: 0))
        #expect(machine.statementEnded() == .none)
    }

    @Test mutating func cancelThatReturnsBeforeTheSync() {
        machine.batchSent(statements: 1, mayBeCancelled: true)
        #expect(machine.cancelRequested() == .send)
        #expect(machine.cancelRequested() == .none, "one at a time")
        #expect(machine.cancelReturned() == .stillBusy)
        #expect(machine.cancelRequested() == .send, "PgBouncer may have sent it to another host")
        #expect(machine.cancelReturned() == .stillBusy)
        answerCancelled()
        #expect(machine.syncArrived(inTransaction: false) == .finish)
        machine.batchSent(statements: 1, mayBeCancelled: true)
        #expect(machine.cancelRequested() == .send, "the next statement can be cancelled again")
    }

    /// Used before the cancel has returned, the connection could have its next statement cancelled.
    @Test mutating func cancelThatReturnsAfterTheSync() {
        machine.batchSent(statements: 1, mayBeCancelled: true)
        #expect(machine.cancelRequested() == .send)
        answerCancelled()
        #expect(machine.syncArrived(inTransaction: true) == .finishAwaitingCancel)
        #expect(machine.state == .uncertain(inTransaction: true))
        #expect(machine.cancelReturned() == .ready)
        #expect(machine.state == .idle(inTransaction: true))
        #expect(machine.cancelReturned() == .none)
    }

    @Test mutating func cancelThatCameTooLate() {
        machine.batchSent(statements: 1, mayBeCancelled: true)
        #expect(machine.cancelRequested() == .send)
        #expect(machine.resultArrived(.success) == .keepSuccess(statement: 0))
        #expect(machine.statementEnded() == .none)
        #expect(machine.syncArrived(inTransaction: false) == .finishAwaitingCancel)
        #expect(machine.cancelReturned() == .ready)
    }

    @Test mutating func neighboursAreNeverCancelled() {
        machine.batchSent(statements: 2, mayBeCancelled: false)
        #expect(machine.cancelRequested() == .none)
        #expect(!machine.isCancelUnderWay)
    }

    @Test mutating func lossWhileACancelIsUnderWay() {
        machine.batchSent(statements: 1, mayBeCancelled: true)
        #expect(machine.cancelRequested() == .send)
        #expect(machine.closed() == .lostBatch(count: 1, failed: nil))
        #expect(machine.cancelReturned() == .none)
        machine.connectStarted()
        machine.connected()
        machine.batchSent(statements: 1, mayBeCancelled: true)
        #expect(machine.cancelRequested() == .send)
    }

    /// Everything that nobody asked for closes the connection, wherever it comes.
    @Test mutating func unexpectedResults() {
        #expect(machine.resultArrived(.success) == .close)
        #expect(machine.statementEnded() == .close)
        #expect(machine.syncArrived(inTransaction: false) == .close)
        machine.batchSent(statements: 1, mayBeCancelled: true)
        #expect(machine.resultArrived(.unexpected) == .close)
        #expect(machine.resultArrived(.aborted) == .close, "nothing failed before it")
        #expect(machine.syncArrived(inTransaction: false) == .close, "the statement has no result yet")
        #expect(machine.closed() == .lostBatch(count: 1, failed: nil))
    }
}
