/// Follows one server connection: connecting, idle, and the batch in flight: its statements, their results in order,
/// its one Sync, and a cancel that may be under way.
///
/// One batch is in flight at a time. Behind another batch PgBouncer 1.18 can answer with another client's rows.
///
/// A result is provisional until the Sync came back: a deferred constraint fails there, and a connection that dies
/// between the two leaves a write's outcome unknown.
package struct ServerMachine: Equatable {
    package enum State: Equatable {
        /// Can go to: connecting.
        case closed
        /// Can go to: idle, closed.
        case connecting
        /// In order, nothing in flight; `inTransaction` when a transaction is open. Can go to: busy, closed.
        case idle(inTransaction: Bool)
        /// A batch is in flight. Can go to: idle, uncertain, closed.
        case busy(Batch)
        /// The Sync came back, a cancel did not yet: used now, the connection could have the next statement cancelled.
        /// Can go to: idle, closed.
        case uncertain(inTransaction: Bool)
    }

    package struct Batch: Equatable {
        /// Statements in the batch.
        package let count: Int
        /// All of them belong to one request, so that a cancel hits no other one's.
        package let mayBeCancelled: Bool
        /// The statement whose results come next; `count` when only the Sync is left.
        package var current = 0
        /// The current statement's last result (success or error) came.
        package var currentIsOver = false
        /// A statement failed: those behind it are reported as aborted.
        package var failed: Int?
        /// Every statement succeeded and the commit at the Sync failed.
        package var commitFailed = false
    }

    package private(set) var state = State.closed
    /// A cancel was sent and has not returned.
    package private(set) var isCancelUnderWay = false

    package init() {}

    // MARK: Connecting

    package mutating func connectStarted() {
        precondition(state == .closed)
        state = .connecting
    }

    package mutating func connected() {
        precondition(state == .connecting)
        state = .idle(inTransaction: false)
    }

    package enum CloseAction: Equatable {
        case none
        case connectFailed
        /// Nothing was in flight.
        case lostIdle
        /// No statement of the batch has a confirmed result, those that succeeded neither: their Sync did not come.
        /// `failed` is the one that had an error of its own. Behind a FATAL, "aborted" does not mean "never ran".
        case lostBatch(count: Int, failed: Int?)
    }

    /// The connection is gone, or is given up.
    package mutating func closed() -> CloseAction {
        defer {
            state = .closed
            isCancelUnderWay = false
        }
        switch state {
        case .closed: return .none
        case .connecting: return .connectFailed
        case .idle, .uncertain: return .lostIdle
        case .busy(let batch): return .lostBatch(count: batch.count, failed: batch.failed)
        }
    }

    /// A statement of the batch in flight has failed: those behind it do not run.
    package var hasFailed: Bool {
        if case .busy(let batch) = state { return batch.failed != nil }
        return false
    }

    // MARK: A batch

    /// - Parameters:
    ///   - count: statements before the Sync, 1 or more.
    ///   - mayBeCancelled: they all belong to one request.
    package mutating func batchSent(statements count: Int, mayBeCancelled: Bool) {
        precondition(count >= 1)
        guard case .idle = state else { preconditionFailure("a batch behind another, or on a connection not in order") }
        state = .busy(Batch(count: count, mayBeCancelled: mayBeCancelled))
    }

    /// What a result is to the machine.
    package enum ResultKind: Equatable {
        /// One row of the current statement.
        case row
        /// The current statement succeeded.
        case success
        case error
        /// The statement was skipped because one before it failed.
        case aborted
        /// Anything that was not asked for: COPY, a result after the last one.
        case unexpected
    }

    package enum ResultAction: Equatable {
        case deliverRow(statement: Int)
        /// Keep the result: it counts when the Sync came back.
        case keepSuccess(statement: Int)
        case keepError(statement: Int)
        /// Everything succeeded, then the commit at the Sync failed: the error is every statement's.
        case keepCommitError
        case keepAborted(statement: Int)
        /// The connection is out of step: close it, never pool it.
        case close
    }

    package mutating func resultArrived(_ kind: ResultKind) -> ResultAction {
        guard case .busy(var batch) = state else { return .close }
        defer { state = .busy(batch) }
        if batch.current == batch.count {
            // In the Sync's slot only an error can come: the commit's own, or the connection's end.
            guard kind == .error, batch.failed == nil, !batch.commitFailed else { return .close }
            batch.commitFailed = true
            return .keepCommitError
        }
        guard !batch.currentIsOver else { return .close }
        let statement = batch.current
        switch kind {
        case .row:
            return batch.failed == nil ? .deliverRow(statement: statement) : .close
        case .success:
            guard batch.failed == nil else { return .close }
            batch.currentIsOver = true
            return .keepSuccess(statement: statement)
        case .error:
            guard batch.failed == nil else { return .close }
            batch.currentIsOver = true
            batch.failed = statement
            return .keepError(statement: statement)
        case .aborted:
            guard batch.failed != nil else { return .close }
            batch.currentIsOver = true
            return .keepAborted(statement: statement)
        case .unexpected:
            return .close
        }
    }

    package enum EndAction: Equatable {
        case none
        /// The next statement's results follow: this is the moment to ask for them row by row.
        case nextStatement(Int)
        case close
    }

    /// libpq's NULL: the current statement has no more results.
    package mutating func statementEnded() -> EndAction {
        guard case .busy(var batch) = state else { return .close }
        // libpq may end the Sync's slot with a NULL of its own after an error in it.
        if batch.current == batch.count { return .none }
        guard batch.currentIsOver else { return .close }
        batch.current += 1
        batch.currentIsOver = false
        state = .busy(batch)
        return batch.current < batch.count ? .nextStatement(batch.current) : .none
    }

    package enum SyncAction: Equatable {
        /// Every kept result counts now; the connection is in order.
        case finish
        /// Every kept result counts now; the connection is out of use until the cancel has returned.
        case finishAwaitingCancel
        case close
    }

    /// The batch's Sync came back; the server reported whether a transaction is open, in order or failed.
    package mutating func syncArrived(inTransaction: Bool) -> SyncAction {
        guard case .busy(let batch) = state, batch.current == batch.count else { return .close }
        if isCancelUnderWay {
            state = .uncertain(inTransaction: inTransaction)
            return .finishAwaitingCancel
        }
        state = .idle(inTransaction: inTransaction)
        return .finish
    }

    // MARK: Cancel

    package enum CancelAction: Equatable {
        case send
        /// Nothing is in flight, or a cancel is under way.
        case none
    }

    /// A cancel is sent only for a batch of one request: it would hit a neighbour otherwise. One that returned may be sent again
    /// while the batch lasts: PgBouncer sends the cancel of a database with a host list to its next host, not to the one
    /// where the statement runs (seen with 1.18: every second one of two hosts had no effect).
    package mutating func cancelRequested() -> CancelAction {
        guard case .busy(let batch) = state, batch.mayBeCancelled, !isCancelUnderWay else { return .none }
        isCancelUnderWay = true
        return .send
    }

    package enum CancelReturnAction: Equatable {
        case none
        /// The statement has not ended: it may not have been hit.
        case stillBusy
        /// The Sync had come before: the connection is in order again.
        case ready
    }

    package mutating func cancelReturned() -> CancelReturnAction {
        guard isCancelUnderWay else { return .none }
        isCancelUnderWay = false
        switch state {
        case .busy: return .stillBusy
        case .uncertain(let inTransaction):
            state = .idle(inTransaction: inTransaction)
            return .ready
        case .closed, .connecting, .idle:
            preconditionFailure("a cancel is under way only for a batch")
        }
    }
}
