import EventLoop
import Machines
import Routing
import Upstream
import Wire

/// BEGIN, COMMIT and ROLLBACK; and what becomes of every exchange: its end, its loss, its deadline.
extension ClientDriver {
    func startBegin(_ pending: Pending) {
        guard machine.transaction == .none else { return refuse(pending, .nestedTransaction) }
        let line = UnsafeRawPointer(input.pointer(atPosition: pending.position))
        let options = pending.request.options
        let isReadOnly = options.present.contains(.ro)
        let isSerializable = options.present.contains(.iso) && options.isolation == .serializable
        func decide(needing need: PrimaryNeed? = nil) -> Decision {
            withRouteRequest(pending.request, line, needing: need) { asked in
                worker.judge.decideTransaction(
                    readOnly: isReadOnly, serializable: isSerializable, asked, session.origin)
            }
        }
        var decision = decide()
        if let refusal = decision.refusal { return refuse(pending, .refused(refusal)) }
        var wish = ReadWish()
        if decision.access == .read {
            (decision, wish) = freshen(decision, pending.request, line) { decide(needing: $0) }
            if wish.isRefusedSpill {
                wish.spillsFrom?.telemetry.counters.add(.spills(.refused))
                return refuse(pending, .spillExhausted)
            }
        } else if let index = decision.pool {
            // What it reads must be the primary's, too.
            wish = self.wish(of: pending.request, line, decision.effects, on: worker.pools[index])
        }
        guard let index = decision.pool else { preconditionFailure("a decision is a pool or a refusal") }
        _ = machine.begin()
        pinnedIsReadOnly = isReadOnly
        transactionMayBeUnflushed = false
        transactionSetsTimeout = false
        transactionResolves = options.present.contains(.resolve)
        transactionWantsToken = options.present.contains(.token)
        transactionSession =
            options.present.contains(.session) ? Array(options.session.bytes(in: line)) : []
        let routed = worker.pools[index]
        let pool = routed.isStandby && routed.isProving ? routed.clusterDriver.primary : routed
        let exchange = takeExchange(pending, nil, decision, in: pool)
        exchange.kind = .begin
        exchange.effect = .inTransaction
        exchange.command = Self.beginCommand(options)
        machine.aloneStarted()
        active.append(exchange)
        launch(exchange, wish, decision.effects)
    }

    private static func beginCommand(_ options: RequestOptions) -> StaticString {
        let isReadOnly = options.present.contains(.ro)
        guard options.present.contains(.iso) else { return isReadOnly ? "BEGIN READ ONLY" : "BEGIN" }
        switch options.isolation {
        case .readCommitted:
            return isReadOnly
                ? "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY" : "BEGIN ISOLATION LEVEL READ COMMITTED"
        case .repeatableRead:
            return isReadOnly
                ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" : "BEGIN ISOLATION LEVEL REPEATABLE READ"
        case .serializable:
            return isReadOnly ? "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY" : "BEGIN ISOLATION LEVEL SERIALIZABLE"
        }
    }

    /// What a statement inside the transaction wishes: `@token` and `@resolve` are COMMIT's to keep. How fresh the transaction is
    /// was settled by BEGIN, which chose its server; what comes later is refused rather than ignored.
    func takeWishes(of request: Request, _ line: UnsafeRawPointer) -> Answer? {
        let options = request.options
        if options.present.contains(.token) { transactionWantsToken = true }
        if options.present.contains(.resolve) { transactionResolves = true }
        let isOtherSession =
            options.present.contains(.session) && !options.session.bytes(in: line).elementsEqual(transactionSession)
        guard isOtherSession || !options.present.isDisjoint(with: [.after, .lag, .wait]) else { return nil }
        return .freshnessInTransaction
    }

    func startEnd(_ pending: Pending) {
        // A COMMIT that was cancelled before it ran must not leave open what its client takes for undone.
        if pending.isCancelled { machine.requestRefused() }
        let action = pending.request.verb == .commit ? machine.commit() : machine.rollback()
        switch action {
        case .refuseNoTransaction: refuse(pending, .noTransaction)
        case .refuseCommit:
            writeError(.commitOfFailedTransaction, id: idBytes(of: pending), insideTransaction: true, exchange: nil)
            requestAnswered()
        case .answerRolledBack:
            writeCompletion("ROLLBACK", id: idBytes(of: pending))
            requestAnswered()
        case .sendCommit: sendEnd(pending, "COMMIT", .commit, effect: .commit)
        case .sendRollback: sendEnd(pending, "ROLLBACK", .rollback(insteadOfCommit: nil), effect: .inTransaction)
        case .sendRollbackRefuseCommit:
            let answer = pending.isCancelled ? Answer.cancelledBeforeRunning : .commitOfFailedTransaction
            sendEnd(pending, "ROLLBACK", .rollback(insteadOfCommit: answer), effect: .inTransaction)
        }
    }

    private func sendEnd(
        _ pending: Pending, _ command: StaticString, _ kind: Exchange.Kind, effect: Outcome.Effect
    ) {
        guard let pinned else { preconditionFailure("an open transaction without its connection") }
        let exchange = takeExchange(pending, nil, nil, in: pinned.pool)
        exchange.reason = .transaction
        exchange.kind = kind
        exchange.effect = effect
        exchange.command = command
        if kind.isCommit {
            exchange.wantsToken =
                session.wantsTokens || transactionWantsToken || pending.request.options.present.contains(.token)
            exchange.asksAssigned =
                !pinnedIsReadOnly && !pinned.pool.isStandby && machine.writtenInTransaction.isEmpty
            exchange.mayBeUnflushed = transactionMayBeUnflushed || exchange.asksAssigned
            if transactionResolves, !machine.writtenInTransaction.isEmpty || exchange.asksAssigned {
                exchange.resolution = Resolution()
            }
        }
        machine.aloneStarted()
        active.append(exchange)
        stopIdling()
        pinned.start(exchange)
    }

    // MARK: The end of an exchange

    /// Its Sync came back. The server connection is in order, or will be when its cancel returned.
    func exchangeFinished(_ exchange: Exchange, _ status: ClientMachine.ServerTransaction) {
        guard let server = exchange.server else { preconditionFailure("an exchange that ran nowhere") }
        if waitsForWriter(exchange) || ranInVain(exchange) { return }
        if exchange.resolution?.stage == .asking { return resolutionArrived(exchange) }
        if continuesWithCommit(exchange, server) { return }
        releaseResolving()
        let succeeded = exchange.outcomeIsSuccess
        var wrote = false
        var insideTransaction = false
        switch exchange.kind {
        case .query where pinned == nil:
            // What commits on the way may have done so before it failed.
            wrote = exchange.mayWrite && (succeeded || exchange.effect == .commitsOnTheWay)
            if wrote { machine.autocommitWritten(to: server.pool.cluster) }
        case .query, .begin:
            if pinned == nil {
                pinned = server
                server.pin(to: self)
            }
            let action = machine.pinnedBatchFinished(
                status, wroteTo: exchange.mayWrite ? server.pool.cluster : nil)
            insideTransaction = true
            if action == .release { releasePinned() }
        case .commit:
            let isCommitted = succeeded && exchange.commandStatus.elementsEqual("COMMIT".utf8)
            if exchange.foundWrite { machine.transactionWrote(to: server.pool.cluster) }
            wrote = isCommitted && !machine.writtenInTransaction.isEmpty
            machine.transactionEnded(committed: isCommitted)
            releasePinned()
            // COMMIT of a failed transaction is answered ROLLBACK by the server: never success here.
            if succeeded, !isCommitted { return refuseCommit(exchange, .commitOfFailedTransaction) }
        case .rollback(let answer):
            machine.transactionEnded(committed: false)
            releasePinned()
            if let answer, succeeded { return refuseCommit(exchange, answer) }
        case .cleanup, .sample, .probe, .patrol, .reload: preconditionFailure("no client's own")
        }
        if wrote { sessionWritten(by: exchange) }
        complete(exchange, wrote: wrote, insideTransaction: insideTransaction)
    }

    /// Its last answer: now, or when a position of the primary is known.
    private func complete(_ exchange: Exchange, wrote: Bool, insideTransaction: Bool) {
        guard let pool = exchange.pool else { preconditionFailure("an exchange that ran nowhere") }
        if wrote && exchange.wantsToken && exchange.outcomeIsSuccess || roleIsInDoubt(exchange) {
            return pool.clusterDriver.wait(exchange, since: nil)
        }
        positionLearned(from: exchange)
        writeOutcome(of: exchange, insideTransaction: insideTransaction)
        replyCompleted(exchange)
    }

    /// A primary's pool says "read-only" to what was not begun READ ONLY: the server behind it may have lost its role. Only
    /// its own word tells: a role's default_transaction_read_only gives the same error.
    private func roleIsInDoubt(_ exchange: Exchange) -> Bool {
        guard let pool = exchange.pool, !pool.isStandby, exchange.outcomeIsError,
            exchange.errorView.sqlstate.elementsEqual("25006".utf8)
        else { return false }
        if exchange.effect == .inTransaction { return !pinnedIsReadOnly }
        return exchange.effect != .read
    }

    private func refuseCommit(_ exchange: Exchange, _ answer: Answer) {
        writeError(answer, id: idBytes(of: exchange), insideTransaction: true, exchange: exchange)
        replyCompleted(exchange)
    }

    /// True when what a server answered does not count, and the exchange has gone elsewhere or was refused.
    private func ranInVain(_ exchange: Exchange) -> Bool {
        guard let pool = exchange.pool else { return false }
        if exchange.isDiscarded {
            if exchange.isCancelled {
                exchangeRefused(exchange, .cancelledBeforeRunning)
                return true
            }
            if pool.isStandby, runsAgain(exchange, .stale) { return true }
            if exchange.failedProof || exchange.report != nil, exchange.runs < 2 {
                // No primary, a former one, or older than a token: its own word tells, and whose token that is.
                exchange.discardAnswer()
                pool.clusterDriver.wait(exchange, since: nil)
                return true
            }
            if !pool.isStandby, exchange.runs < 2, exchange.mayRunAgain {
                // The server was no primary: it waits until one is proved.
                exchange.discardAnswer()
                pool.submit(exchange)
                return true
            }
            let spills = pool.isStandby && exchange.floor?.isSoft == true
            exchangeRefused(exchange, spills ? .spillExhausted : .freshnessUnavailable)
            return true
        }
        // On a primary, too, the server held it to reading.
        guard exchange.outcomeIsError, exchange.effect == .read || pool.isStandby && exchange.kind.isBegin else {
            return false
        }
        let error = exchange.errorView
        _ = learn(from: exchange, error)
        let severity = String(decoding: error.severity, as: UTF8.self)
        let reason = Rerun.reason(
            sqlstate: String(decoding: error.sqlstate, as: UTF8.self),
            message: String(decoding: error.message, as: UTF8.self), isFatal: severity == "FATAL" || severity == "PANIC"
        )
        return reason.map { runsAgain(exchange, $0) } ?? false
    }

    /// True when a standby refused a statement that was taken for a read: it goes to the primary from now on.
    func learn(from exchange: Exchange, _ error: ErrorView) -> Bool {
        guard let statement = exchange.statement, let pool = exchange.pool, pool.isStandby || exchange.effect == .read,
            statement.access == .read
        else { return false }
        let sqlstate = String(decoding: error.sqlstate, as: UTF8.self)
        guard
            Outcome.isRefusalOfStandby(sqlstate, message: String(decoding: error.message, as: UTF8.self))
        else { return false }
        if worker.judge.learn(statement, sqlstate: sqlstate) {
            worker.learnedChanged()
            pool.log.notice(
                "learned",
                metadata: [
                    "fp": "\(Fingerprint.text(statement.fingerprint))", "sqlstate": "\(sqlstate)",
                    "sql": "\(statement.shown)",
                ])
        }
        return true
    }

    private func releasePinned() {
        let server = pinned
        pinned = nil
        stopIdling()
        server?.unpin()
    }

    /// The pinned connection took a cancel and is in order again.
    func pinnedServerInOrder() {
        orderReached()
        sendCommit()
        schedule()
    }

    /// The pinned connection is gone and nothing ran on it; what ran was told before.
    func pinnedServerLost() {
        resolving = nil
        if let exchange = commitToSend {
            commitToSend = nil
            exchange.resolution?.stage = .identifying
            return exchangeLost(exchange, stage: .notSent, error: "the connection was lost before COMMIT was sent")
        }
        guard pinned != nil else { return }
        pinned = nil
        stopIdling()
        machine.pinnedServerLost()
        schedule()
    }

    /// The connection ended before the Sync: what the server had said last decides, else where the request stood.
    func exchangeLost(_ exchange: Exchange, stage: Outcome.Stage, error: String) {
        if waitsForWriter(exchange) { return }
        if exchange.isDiscarded || exchange.outcomeIsError {
            if ranInVain(exchange) { return }
        } else if runsAgain(exchange, .lost) {
            return
        }
        if exchange.resolution?.stage == .asking {
            return askAgain(exchange, error: error)
        }
        if waitsForServer(exchange) { return }
        let wasInTransaction = machine.transaction != .none
        let said = exchange.outcomeIsError ? exchange.outcomeRetry : nil
        let retry = said ?? Outcome.retryAfterLoss(stage: stage, effect: exchange.effectSoFar)
        settleLoss(of: exchange, isUnknown: retry == .unknown)
        if retry == .unknown, resolves(exchange) { return }
        if exchange.outcomeIsError, exchange.wasNotForwarded {
            writeError(
                .notForwarded(exchange.errorText), id: idBytes(of: exchange), insideTransaction: wasInTransaction,
                exchange: exchange)
        } else if said != nil, retry != .unknown, !exchange.errorView.sqlstate.elementsEqual("08P01".utf8) {
            writeOutcome(of: exchange, insideTransaction: wasInTransaction)
        } else {
            writeError(
                .lost(retry: retry, error: exchange.outcomeIsError ? exchange.errorText : error),
                id: idBytes(of: exchange), insideTransaction: wasInTransaction,
                exchange: exchange)
        }
        replyCompleted(exchange)
    }

    /// The deadline and the cancel's grace are over: the client gets its answer, the connection sorts itself out.
    func exchangeGivenUp(_ exchange: Exchange) {
        let wasInTransaction = machine.transaction != .none
        let isUnknown = Outcome.retryAfterLoss(stage: .sent, effect: exchange.effectSoFar) == .unknown
        settleLoss(of: exchange, isUnknown: isUnknown)
        writeError(
            .timedOut(effect: exchange.effectSoFar), id: idBytes(of: exchange), insideTransaction: wasInTransaction,
            exchange: exchange)
        // A stand-in takes its place in the line of replies: the server keeps the exchange until its Sync.
        let standIn = worker.takeExchange()
        standIn.client = self
        if let index = active.firstIndex(where: { $0 === exchange }) {
            if index > 0 { swap(&standIn.held, &exchange.held) }
            active[index] = standIn
        }
        exchange.client = nil
        replyCompleted(standIn)
    }

    /// What a lost or given-up exchange does to the transaction and to later reads.
    func settleLoss(of exchange: Exchange, isUnknown: Bool) {
        if exchange.kind.isCommit, machine.transaction == .active {
            if exchange.asksAssigned, let pool = exchange.pool { machine.transactionWrote(to: pool.cluster) }
            // Its id was asked for, and COMMIT was not sent.
            if isUnknown { machine.commitLost() } else { machine.transactionEnded(committed: false) }
        } else if exchange.kind.isRollback {
            // The connection ends without COMMIT: rolled back it is, only nobody said so.
            machine.transactionEnded(committed: false)
        } else if machine.transaction != .none {
            machine.pinnedServerLost()
        } else if isUnknown {
            guard let ran = exchange.server else { preconditionFailure("an exchange that ran nowhere") }
            machine.autocommitWritten(to: ran.pool.cluster)
        }
        if isUnknown { sessionWritten(by: exchange) }
        let server = pinned
        pinned = nil
        stopIdling()
        server?.unpin()
        releaseResolving()
    }
}

extension Exchange.Kind {
    var isCommit: Bool {
        if case .commit = self { return true }
        return false
    }

    var isBegin: Bool {
        if case .begin = self { return true }
        return false
    }

    var isRollback: Bool {
        if case .rollback = self { return true }
        return false
    }
}
