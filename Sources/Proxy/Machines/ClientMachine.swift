/// Decides, for one client connection, which request may start, what a request means in the transaction's state, and
/// when reading stops and the connection ends.
///
/// The rules are those of the protocol's "Connection rules": requests of one connection execute in order; only
/// neighbouring reads outside a transaction, on one pool, run side by side; replies leave in request order; an error
/// inside a transaction ends what the transaction may still do, so a pipelined statement never slips into autocommit.
///
/// Why one pool: a read that finished early may have to keep its server connection until it is its turn to answer. In
/// one pool's first-come queue the read before it already has a connection then; across two pools, two clients could
/// wait for each other.
package struct ClientMachine: Equatable {
    /// What runs now.
    package enum Running: Equatable {
        /// Nothing. Can go to: reads, alone.
        case nothing
        /// Neighbouring reads on one pool. Can go to: reads (one more, one less), nothing.
        case reads(pool: Int, count: Int)
        /// One request that nothing runs beside. Can go to: nothing.
        case alone
    }

    package enum Transaction: Equatable {
        /// Autocommit. Can go to: opening, aborted (a BEGIN that was refused before it was sent).
        case none
        /// BEGIN is under way. Can go to: active, aborted.
        case opening
        /// A server connection is pinned and its transaction is in order. Can go to: failed, refused, aborted, none.
        case active
        /// The server said that the transaction failed. Can go to: active (ROLLBACK TO), aborted, none.
        case failed
        /// The daemon refused a statement, the server's side is still in order: only ROLLBACK TO may go there.
        /// Can go to: active, failed, aborted, none.
        case refused
        /// No server connection any more, and COMMIT or ROLLBACK did not come yet. Can go to: none.
        case aborted
    }

    package enum Input: Equatable {
        /// Can go to: paused, ended.
        case reading
        /// As many requests wait as may wait. Can go to: reading, ended.
        case paused
        /// No more requests: the client closed its half, a framing error voided the rest, or the daemon drains.
        case ended
    }

    package let maxInFlight: Int
    package let maxParallelReads: Int
    package private(set) var running = Running.nothing
    package private(set) var transaction = Transaction.none
    package private(set) var input = Input.reading
    /// Requests that were framed and not answered, at most `maxInFlight`.
    package private(set) var unanswered = 0
    /// Where a write of this connection was committed, or may have been: later reads there must see it.
    package private(set) var written = WrittenClusters()
    /// One of the reads that run turned out to write: nothing starts beside them.
    package private(set) var isWriting = false
    /// Where the open transaction ran something that may have written: in its own cluster, or nowhere yet.
    package private(set) var writtenInTransaction = WrittenClusters()

    /// - Parameters:
    ///   - maxInFlight: unanswered requests until reading stops, 1 or more.
    ///   - maxParallelReads: neighbouring reads that may run side by side, 1 or more.
    package init(maxInFlight: Int, maxParallelReads: Int) {
        precondition(maxInFlight >= 1 && maxParallelReads >= 1)
        self.maxInFlight = maxInFlight
        self.maxParallelReads = maxParallelReads
    }

    // MARK: Requests in, answers out

    package enum ArrivalAction: Equatable {
        case readOn
        case pauseReading
    }

    package mutating func requestArrived() -> ArrivalAction {
        precondition(input == .reading, "a request was framed after reading had stopped")
        unanswered += 1
        guard unanswered >= maxInFlight else { return .readOn }
        input = .paused
        return .pauseReading
    }

    package enum AnswerAction: Equatable {
        case none
        case resumeReading
        /// The last answer left and no request can follow: flush and close.
        case close
    }

    package mutating func requestAnswered() -> AnswerAction {
        precondition(unanswered > 0, "an answer without a request")
        unanswered -= 1
        switch input {
        case .reading: return .none
        case .paused:
            guard unanswered < maxInFlight else { return .none }
            input = .reading
            return .resumeReading
        case .ended: return unanswered == 0 ? .close : .none
        }
    }

    package enum InputEndAction: Equatable {
        case finishThenClose
        case close
    }

    /// The client closed its half, a framing error voided what follows, or the daemon drains.
    package mutating func inputEnded() -> InputEndAction {
        input = .ended
        return unanswered == 0 ? .close : .finishThenClose
    }

    // MARK: Starting

    /// Whether a request that nothing may run beside can start now.
    package var mayStartAlone: Bool { running == .nothing }

    /// Whether a read on `pool` can start now beside what runs. Inside a transaction nothing runs beside anything.
    package func mayStartRead(onPool pool: Int) -> Bool {
        guard transaction == .none, !isWriting else { return false }
        switch running {
        case .nothing: return true
        case .reads(let current, let count): return current == pool && count < maxParallelReads
        case .alone: return false
        }
    }

    /// Whether any request could start: spares judging the next one in vain.
    package var mayStartAny: Bool {
        switch running {
        case .nothing: return true
        case .reads(_, let count): return count < maxParallelReads && !isWriting
        case .alone: return false
        }
    }

    package mutating func readStarted(onPool pool: Int) {
        precondition(mayStartRead(onPool: pool))
        if case .reads(_, let count) = running {
            running = .reads(pool: pool, count: count + 1)
        } else {
            running = .reads(pool: pool, count: 1)
        }
    }

    package mutating func aloneStarted() {
        precondition(mayStartAlone)
        running = .alone
    }

    package mutating func finished() {
        switch running {
        case .nothing: preconditionFailure("nothing ran")
        case .reads(let pool, let count): running = count > 1 ? .reads(pool: pool, count: count - 1) : .nothing
        case .alone: running = .nothing
        }
        if running == .nothing { isWriting = false }
    }

    /// A read that a standby refused runs on the primary, where it may write: reads behind it wait for its end.
    package mutating func readTurnedOutToWrite() {
        guard case .reads = running else { return }
        isWriting = true
    }

    /// A read beside it had ended; nobody has seen its answer, and it runs again.
    package mutating func readResumed() {
        guard case .reads(let pool, let count) = running else { preconditionFailure("no read is under way") }
        running = .reads(pool: pool, count: count + 1)
    }

    // MARK: What a request means now

    package enum QueryAction: Equatable {
        /// Judge it and send it to a pool.
        case route
        /// Send it to the pinned server connection.
        case sendPinned
        /// E 25P02: the transaction is aborted.
        case refuseAborted
    }

    /// Where a statement goes; `ROLLBACK TO` is the only one that mends a failed transaction.
    package func query(rollsBackToSavepoint: Bool) -> QueryAction {
        switch transaction {
        case .none: return .route
        // In a failed transaction the server itself refuses what it must and obeys ROLLBACK TO.
        case .active, .failed: return .sendPinned
        case .refused: return rollsBackToSavepoint ? .sendPinned : .refuseAborted
        case .aborted: return .refuseAborted
        case .opening: preconditionFailure("nothing starts while BEGIN is under way")
        }
    }

    package enum BeginAction: Equatable {
        case open
        /// E 25001: there is a transaction already.
        case refuseNested
    }

    package mutating func begin() -> BeginAction {
        switch transaction {
        case .none:
            transaction = .opening
            return .open
        case .active, .failed, .refused, .aborted: return .refuseNested
        case .opening: preconditionFailure("nothing starts while BEGIN is under way")
        }
    }

    package enum EndAction: Equatable {
        /// Send COMMIT and say what the server said.
        case sendCommit
        /// Send ROLLBACK; the answer is C.
        case sendRollback
        /// Send ROLLBACK; the answer is E 25P02, because COMMIT was asked for.
        case sendRollbackRefuseCommit
        /// Nothing to send: C ROLLBACK.
        case answerRolledBack
        /// Nothing to send: E 25P02.
        case refuseCommit
        /// E 25P01: there is no transaction.
        case refuseNoTransaction
    }

    package mutating func commit() -> EndAction {
        switch transaction {
        case .none: return .refuseNoTransaction
        case .active: return .sendCommit
        case .failed, .refused: return .sendRollbackRefuseCommit
        case .aborted:
            transaction = .none
            return .refuseCommit
        case .opening: preconditionFailure("nothing starts while BEGIN is under way")
        }
    }

    package mutating func rollback() -> EndAction {
        switch transaction {
        case .none: return .refuseNoTransaction
        case .active, .failed, .refused: return .sendRollback
        case .aborted:
            transaction = .none
            return .answerRolledBack
        case .opening: preconditionFailure("nothing starts while BEGIN is under way")
        }
    }

    // MARK: What became of it

    /// The transaction status that the server reported with its last ReadyForQuery.
    package enum ServerTransaction: Equatable {
        case idle
        case inTransaction
        case inFailedTransaction
    }

    package enum PinAction: Equatable {
        case keep
        /// The transaction is over: the server connection goes back to its pool.
        case release
    }

    /// A batch on the pinned connection, BEGIN included, came back with its Sync. `cluster` is where it may have written,
    /// nil when it could not.
    package mutating func pinnedBatchFinished(_ status: ServerTransaction, wroteTo cluster: Int?) -> PinAction {
        switch (transaction, status) {
        case (.none, _), (.aborted, _): preconditionFailure("no transaction is pinned")
        case (_, .inTransaction): transaction = .active
        case (_, .inFailedTransaction): transaction = .failed
        // It ended without our COMMIT or ROLLBACK: what follows must not run in autocommit.
        case (_, .idle):
            // How it ended is not known: later reads must see what it may have committed.
            if let cluster { written.insert(cluster) }
            written.formUnion(writtenInTransaction)
            endTransaction(.aborted)
            return .release
        }
        if let cluster { writtenInTransaction.insert(cluster) }
        return .keep
    }

    /// What was taken for reads has written, or may have: its COMMIT found that out.
    package mutating func transactionWrote(to cluster: Int) {
        precondition(transaction == .active)
        writtenInTransaction.insert(cluster)
    }

    /// COMMIT or ROLLBACK came back with its Sync, and the server's transaction is over.
    package mutating func transactionEnded(committed: Bool) {
        precondition(transaction == .active || transaction == .failed || transaction == .refused)
        if committed { written.formUnion(writtenInTransaction) }
        endTransaction(.none)
    }

    /// The daemon answered E to a request inside a transaction without sending it.
    package mutating func requestRefused() {
        switch transaction {
        case .active: transaction = .refused
        // BEGIN itself was refused or found no server: an aborted transaction until COMMIT or ROLLBACK.
        case .opening: transaction = .aborted
        case .none, .failed, .refused, .aborted: break
        }
    }

    /// The pinned server connection is gone, or was given up after a deadline.
    package mutating func pinnedServerLost() {
        switch transaction {
        case .none, .aborted: break
        case .opening, .active, .failed, .refused: endTransaction(.aborted)
        }
    }

    /// COMMIT was lost on the way: the transaction is over, its outcome unknown.
    package mutating func commitLost() {
        precondition(transaction == .active)
        written.formUnion(writtenInTransaction)
        endTransaction(.none)
    }

    /// A position behind the connection's last write there is known: standbys that have it may answer.
    package mutating func positionKnown(of cluster: Int) {
        written.remove(cluster)
    }

    /// An autocommit statement that may write to this cluster succeeded, or its outcome is unknown.
    package mutating func autocommitWritten(to cluster: Int) {
        written.insert(cluster)
    }

    private mutating func endTransaction(_ state: Transaction) {
        transaction = state
        writtenInTransaction = WrittenClusters()
    }

    /// The letter of the receipt's `tx` attribute.
    package var transactionLetter: UInt8 {
        switch transaction {
        case .none: return UInt8(ascii: "I")
        case .opening, .active: return UInt8(ascii: "T")
        case .failed, .refused, .aborted: return UInt8(ascii: "E")
        }
    }
}
