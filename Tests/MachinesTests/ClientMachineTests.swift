import Machines
import Testing

@Suite("ClientMachine")
struct ClientMachineTests {
    var machine = ClientMachine(maxInFlight: 8, maxParallelReads: 4)

    /// BEGIN, and its batch came back in order.
    private mutating func open() {
        #expect(machine.begin() == .open)
        machine.aloneStarted()
        #expect(machine.pinnedBatchFinished(.inTransaction, wroteTo: nil) == .keep)
        machine.finished()
    }

    /// One statement on the pinned connection.
    private mutating func run(_ status: ClientMachine.ServerTransaction, writes: Bool = false) {
        #expect(machine.query(rollsBackToSavepoint: false) == .sendPinned)
        machine.aloneStarted()
        #expect(machine.pinnedBatchFinished(status, wroteTo: writes ? 7 : nil) == .keep)
        machine.finished()
    }

    @Test mutating func readsRunBesideReadsOfTheirPoolOnly() {
        for _ in 0..<4 {
            let mayStart = machine.mayStartRead(onPool: 1)
            #expect(mayStart)
            machine.readStarted(onPool: 1)
        }
        #expect(!machine.mayStartRead(onPool: 1), "four run side by side")
        machine.finished()
        #expect(machine.mayStartRead(onPool: 1))
        #expect(!machine.mayStartRead(onPool: 2))
        #expect(!machine.mayStartAlone, "a write waits for all of them")
        for _ in 0..<3 { machine.finished() }
        #expect(machine.mayStartAlone)
    }

    @Test mutating func nothingStartsBesideAWrite() {
        machine.aloneStarted()
        #expect(!machine.mayStartRead(onPool: 1) && !machine.mayStartAlone && !machine.mayStartAny)
        machine.autocommitWritten(to: 7)
        machine.finished()
        #expect(machine.mayStartAny && machine.written.contains(7))
    }

    @Test mutating func aKnownPositionEndsWhatAWriteAsksFor() {
        machine.autocommitWritten(to: 7)
        machine.autocommitWritten(to: 8)
        machine.positionKnown(of: 7)
        #expect(!machine.written.contains(7) && machine.written.contains(8))
    }

    @Test mutating func transactionThatCommits() {
        #expect(machine.transactionLetter == UInt8(ascii: "I"))
        open()
        #expect(machine.transactionLetter == UInt8(ascii: "T"))
        run(.inTransaction, writes: true)
        #expect(machine.written.isEmpty, "not before the COMMIT")
        #expect(machine.commit() == .sendCommit)
        machine.aloneStarted()
        machine.transactionEnded(committed: true)
        machine.finished()
        #expect(machine.written.contains(7) && machine.transactionLetter == UInt8(ascii: "I"))
        #expect(machine.query(rollsBackToSavepoint: false) == .route)
    }

    @Test mutating func writesAreKnownByTheirCluster() {
        machine.autocommitWritten(to: 63)
        open()
        run(.inTransaction, writes: true)
        machine.transactionEnded(committed: true)
        machine.autocommitWritten(to: 0)
        #expect((0...63).filter { machine.written.contains($0) } == [0, 7, 63])
        #expect(machine.written.bits == UInt64(1) << 63 | 1 << 7 | 1)
    }

    @Test mutating func transactionThatOnlyReadLeavesReadsFree() {
        open()
        run(.inTransaction)
        #expect(machine.commit() == .sendCommit)
        machine.transactionEnded(committed: true)
        #expect(machine.written.isEmpty)
    }

    @Test mutating func rolledBackWriteIsNoWrite() {
        open()
        run(.inTransaction, writes: true)
        #expect(machine.rollback() == .sendRollback)
        machine.transactionEnded(committed: false)
        #expect(machine.written.isEmpty)
        open()
        #expect(machine.commit() == .sendCommit)
        machine.transactionEnded(committed: true)
        #expect(machine.written.isEmpty, "what the transaction before wrote is not this one's")
    }

    /// The server refuses what follows by itself (25P02) and obeys ROLLBACK TO.
    @Test mutating func failedTransactionMendedBySavepoint() {
        open()
        run(.inTransaction)
        run(.inFailedTransaction)
        #expect(machine.transactionLetter == UInt8(ascii: "E"))
        run(.inFailedTransaction)
        #expect(machine.query(rollsBackToSavepoint: true) == .sendPinned)
        #expect(machine.pinnedBatchFinished(.inTransaction, wroteTo: nil) == .keep)
        #expect(machine.commit() == .sendCommit)
    }

    /// `BEGIN; bad; INSERT; COMMIT` sent in one write: the INSERT reaches the failed transaction, never autocommit.
    @Test mutating func pipelinedTransactionThatFails() {
        open()
        run(.inFailedTransaction)
        run(.inFailedTransaction, writes: true)
        #expect(machine.commit() == .sendRollbackRefuseCommit)
        machine.transactionEnded(committed: false)
        #expect(machine.transaction == .none && machine.written.isEmpty)
    }

    /// The daemon refused a statement: the server's side is in order, but nothing of it may be committed.
    @Test mutating func pipelinedTransactionWithARefusedStatement() {
        open()
        run(.inTransaction, writes: true)
        machine.requestRefused()
        #expect(machine.transactionLetter == UInt8(ascii: "E"))
        #expect(machine.query(rollsBackToSavepoint: false) == .refuseAborted)
        machine.requestRefused()
        #expect(machine.begin() == .refuseNested)
        #expect(machine.commit() == .sendRollbackRefuseCommit)
        machine.transactionEnded(committed: false)
        #expect(machine.written.isEmpty)
    }

    @Test mutating func refusedStatementMendedBySavepoint() {
        open()
        machine.requestRefused()
        #expect(machine.query(rollsBackToSavepoint: true) == .sendPinned)
        #expect(machine.pinnedBatchFinished(.inTransaction, wroteTo: nil) == .keep)
        #expect(machine.query(rollsBackToSavepoint: false) == .sendPinned)
    }

    /// Its savepoint does not exist: the server's transaction has failed then.
    @Test mutating func refusedStatementAndAWrongSavepoint() {
        open()
        machine.requestRefused()
        #expect(machine.query(rollsBackToSavepoint: true) == .sendPinned)
        #expect(machine.pinnedBatchFinished(.inFailedTransaction, wroteTo: nil) == .keep)
        #expect(machine.commit() == .sendRollbackRefuseCommit)
    }

    @Test mutating func pipelinedTransactionThatLosesItsServer() {
        open()
        run(.inTransaction, writes: true)
        machine.aloneStarted()
        machine.pinnedServerLost()
        machine.finished()
        #expect(machine.query(rollsBackToSavepoint: false) == .refuseAborted)
        #expect(machine.query(rollsBackToSavepoint: true) == .refuseAborted, "there is no savepoint any more")
        #expect(machine.begin() == .refuseNested)
        #expect(machine.commit() == .refuseCommit)
        #expect(machine.transaction == .none && machine.written.isEmpty)
        #expect(machine.commit() == .refuseNoTransaction)
    }

    @Test mutating func rollbackAfterTheServerWasLost() {
        open()
        machine.pinnedServerLost()
        #expect(machine.rollback() == .answerRolledBack)
        #expect(machine.query(rollsBackToSavepoint: false) == .route)
    }

    @Test mutating func commitThatWasLostMayHaveWritten() {
        open()
        run(.inTransaction, writes: true)
        #expect(machine.commit() == .sendCommit)
        machine.commitLost()
        #expect(machine.written.contains(7) && machine.transaction == .none)
        #expect(machine.begin() == .open)
    }

    /// BEGIN found no server: what is pipelined behind it must not run by itself.
    @Test mutating func beginThatIsRefused() {
        #expect(machine.begin() == .open)
        machine.requestRefused()
        #expect(machine.transactionLetter == UInt8(ascii: "E"))
        #expect(machine.query(rollsBackToSavepoint: false) == .refuseAborted)
        #expect(machine.begin() == .refuseNested)
        #expect(machine.commit() == .refuseCommit)
        #expect(machine.begin() == .open)
    }

    /// BEGIN was sent and the server answered with an error.
    @Test mutating func beginThatFails() {
        #expect(machine.begin() == .open)
        #expect(machine.pinnedBatchFinished(.idle, wroteTo: nil) == .release)
        #expect(machine.query(rollsBackToSavepoint: false) == .refuseAborted)
        #expect(machine.rollback() == .answerRolledBack)
        #expect(machine.written.isEmpty)
    }

    /// The server says that the transaction is over though nobody ended it.
    @Test mutating func transactionThatEndsByItself() {
        open()
        run(.inTransaction, writes: true)
        #expect(machine.query(rollsBackToSavepoint: false) == .sendPinned)
        #expect(machine.pinnedBatchFinished(.idle, wroteTo: nil) == .release)
        #expect(machine.query(rollsBackToSavepoint: false) == .refuseAborted)
        #expect(machine.written.contains(7), "it may have been committed")
    }

    @Test mutating func errorsOutsideOfTransactionsStopNothing() {
        machine.requestRefused()
        machine.pinnedServerLost()
        #expect(machine.query(rollsBackToSavepoint: false) == .route)
    }

    @Test mutating func readingStopsAndGoesOn() {
        for _ in 0..<7 { #expect(machine.requestArrived() == .readOn) }
        #expect(machine.requestArrived() == .pauseReading)
        #expect(machine.input == .paused)
        #expect(machine.requestAnswered() == .resumeReading)
        #expect(machine.requestAnswered() == .none)
        #expect(machine.unanswered == 6)
    }

    @Test mutating func halfCloseAnswersWhatWasRead() {
        for _ in 0..<3 { #expect(machine.requestArrived() == .readOn) }
        #expect(machine.inputEnded() == .finishThenClose)
        #expect(machine.requestAnswered() == .none)
        #expect(machine.requestAnswered() == .none)
        #expect(machine.requestAnswered() == .close)
    }

    @Test mutating func halfCloseWhilePausedDoesNotReadOn() {
        for _ in 0..<8 { _ = machine.requestArrived() }
        #expect(machine.inputEnded() == .finishThenClose)
        for _ in 0..<7 { #expect(machine.requestAnswered() == .none) }
        #expect(machine.requestAnswered() == .close)
    }

    @Test mutating func halfCloseOfAnIdleClientCloses() {
        #expect(machine.inputEnded() == .close)
        #expect(machine.inputEnded() == .close)
    }

    /// The over-long line is a request too: its E is the last answer.
    @Test mutating func framingErrorBehindOtherRequests() {
        #expect(machine.requestArrived() == .readOn)
        #expect(machine.requestArrived() == .readOn)
        #expect(machine.inputEnded() == .finishThenClose)
        #expect(machine.inputEnded() == .finishThenClose, "the drain that comes meanwhile changes nothing")
        #expect(machine.requestAnswered() == .none)
        #expect(machine.requestAnswered() == .close)
    }
}
