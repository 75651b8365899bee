import EventLoop
import Freshness
import Machines
import Upstream

/// One batch on a server connection: sending it, passing rows on as they come, keeping outcomes until its Sync.
extension ServerDriver {
    // MARK: Sending

    /// Sends one request as a batch of its own, with what the daemon asks beside it.
    func start(_ exchange: Exchange) {
        guard let link else { preconditionFailure("a batch on a closed connection") }
        let now = worker.loop.now
        exchange.server = self
        exchange.stage = .running
        exchange.sentAt = now
        exchange.runs += 1
        // An error is told to whom it was about.
        lastError = ""
        running = exchange
        plan = exchange.plan(for: pool, now: now)
        machine.batchSent(statements: plan.count, mayBeCancelled: true)
        // A connection that died while it idled: a write that was not sent may be tried again, one that was may not.
        if exchange.mayWrite, owner == nil, link.connection.hasUnreadInput {
            isUnsent = true
            return close(reason: "the connection was closed while it idled")
        }
        if exchange.submittedAt > 0 { exchange.waited = now &- exchange.submittedAt }
        waiting = .deadline
        timer?.set(at: exchange.deadline &+ (exchange.hasServerTimeout ? Self.serverTimeoutGrace : 0))
        if exchange.command == nil {
            pool.telemetry.counters.add(.bytesToServer, Int(exchange.request.byteCount))
        }
        for index in 0..<plan.count {
            // Each statement is asked for row by row: the first right behind its sending, the next ones when the one before
            // ended (libpq marks the statement at the head of its queue).
            guard send(plan[index], of: exchange, on: link), index > 0 || link.connection.setSingleRowMode() else {
                return close(reason: link.connection.errorMessage)
            }
        }
        guard link.connection.sendSync() else { return close(reason: link.connection.errorMessage) }
        flush()
    }

    private func send(_ part: BatchPart, of exchange: Exchange, on link: ServerLink) -> Bool {
        switch part {
        case .request: link.send(exchange)
        case .fence: link.send(BatchPart.fenceSQL, (exchange.fence ?? LogPosition(0)).description)
        case .proof:
            link.send(
                BatchPart.proofSQL, "\(pool.clusterDriver.history.system ?? 0)", exchange.leastTimelineText,
                exchange.effect == .read ? "on" : "off")
        case .timeout: link.send("\(part.sql)", "\(exchange.serverTimeout)")
        case .localTimeout: link.send("SET LOCAL statement_timeout = \(exchange.serverTimeout)")
        case .status: link.send("\(part.sql)", String(decoding: exchange.resolution?.transaction ?? [], as: UTF8.self))
        case .check, .report, .readOnly, .restoreTimeout, .begin, .identify, .assigned, .commit, .chain, .none:
            link.send(part.sql)
        }
    }

    func flush() {
        guard let link else { return }
        switch link.connection.flush() {
        case .done: link.watch?.wantsWrite = false
        case .pending: link.watch?.wantsWrite = true
        case .failed: close(reason: link.connection.errorMessage)
        }
    }

    // MARK: Results

    func processResults() {
        while let link, !isPaused {
            switch link.connection.nextResult() {
            case .wouldBlock: return
            case .idle: return
            case .connectionLost:
                close(reason: link.connection.errorMessage)
                return
            case .endOfStatement:
                switch machine.statementEnded() {
                case .none: break
                // What follows an error is not run, and libpq has its result ready: it takes no wish for it.
                case .nextStatement where machine.hasFailed: break
                case .nextStatement:
                    guard link.connection.setSingleRowMode() else {
                        close(reason: "row-by-row mode was refused", as: .unexpected)
                        return
                    }
                case .close:
                    close(reason: "a result ended that was not expected", as: .unexpected)
                    return
                }
                if !isBusy { return }
            case .result(let result):
                guard take(result) else { return }
            }
        }
    }

    /// False when the connection was closed or the batch ended.
    private func take(_ result: consuming QueryResult) -> Bool {
        if result.status == .pipelineSync { return finishBatch() }
        // libpq's own word on a lost connection has no SQLSTATE: it is no answer of the server.
        if result.status == .fatalError, result.sqlstate == nil {
            close(reason: String(decoding: result.message, as: UTF8.self))
            return false
        }
        guard let exchange = running else { preconditionFailure("a result without a request") }
        switch machine.resultArrived(result.status.machineKind) {
        case .deliverRow(let statement):
            switch plan[statement] {
            case .request: deliverRow(result, of: exchange)
            case .check, .fence, .report, .proof: exchange.checked(result, plan[statement])
            case .assigned: exchange.mayWrite = result.value(0, 0) != nil
            case .identify, .status: exchange.resolved(result, plan[statement])
            case .readOnly, .timeout, .localTimeout, .restoreTimeout, .begin, .commit, .chain, .none: break
            }
        case .keepSuccess(let statement):
            if plan[statement] == .request { keep(result, for: exchange) }
        case .keepError(let statement):
            if plan[statement].isCheck, exchange.checkFailed(result, plan[statement]) { break }
            // The statement's own result stays: its commit is to be found, or was asked for in vain.
            if plan[statement] == .status || plan[statement] == .commit && result.isFatal {
                lastError = String(decoding: result.message, as: UTF8.self)
                break
            }
            keep(result, for: exchange)
        case .keepAborted:
            // What failed before it is the request's outcome.
            break
        case .keepCommitError:
            keep(result, for: exchange)
        case .close:
            close(reason: "a result that was not expected: \(result.status)", as: .unexpected)
            return false
        }
        return true
    }

    private func keep(_ result: consuming QueryResult, for exchange: Exchange) {
        if exchange.hasServerTimeout, result.sqlstate?.elementsEqual("57014".utf8) == true,
            worker.loop.now &+ Self.serverTimeoutGrace >= exchange.deadline
        {
            exchange.isOverdue = true
        }
        if result.status == .fatalError { lastError = String(decoding: result.message, as: UTF8.self) }
        // A statement of no rows still has columns to tell.
        if result.status == .tuplesOK, !exchange.wroteColumns, !exchange.isMute, let client = exchange.client {
            client.deliverColumns(result, of: exchange)
        }
        exchange.outcome = consume result
    }

    private func deliverRow(_ result: borrowing QueryResult, of exchange: Exchange) {
        guard !exchange.isMute else { return }
        exchange.rowCount &+= 1
        guard let client = exchange.client else { return }
        client.deliverRow(result, of: exchange)
        if client.isOutputFull(for: exchange) {
            isPaused = true
            link?.watch?.wantsRead = false
            client.pausedServer(self, for: exchange)
        }
    }

    func deliverNotice(_ notice: borrowing ServerNotice) {
        guard let exchange = running, !exchange.isMute, let client = exchange.client else { return }
        client.deliverNotice(notice, of: exchange)
    }

    // MARK: The end of a batch

    private func finishBatch() -> Bool {
        guard let link else { return false }
        let status = link.connection.transactionStatus
        let inTransaction = status == .inTransaction || status == .inFailedTransaction
        guard inTransaction || status == .idle else {
            close(reason: "transaction status \(status) behind a Sync", as: .unexpected)
            return false
        }
        let action = machine.syncArrived(inTransaction: inTransaction)
        guard action != .close else {
            close(reason: "a Sync that was not expected", as: .unexpected)
            return false
        }
        isPaused = false
        cancelTimer?.clear()
        waiting = action == .finishAwaitingCancel ? .quiet : .nothing
        if waiting == .quiet {
            timer?.set(at: worker.loop.now &+ Self.cancelPatience)
        } else {
            timer?.clear()
        }
        // The answer may pin or release this connection; it goes on only when it is given.
        running?.finished(status.clientStatus)
        running = nil
        if action == .finish { becameFree() }
        return false
    }
}
