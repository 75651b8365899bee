import EventLoop
import Machines
import Routing
import Wire

/// Starting requests: what may start now, where a statement goes, and what is refused before it is sent.
extension ClientDriver {
    func startRequests() {
        while !isClosed, active.count < requests.count, machine.mayStartAny {
            guard output.count < Self.fullOutput else {
                isStarved = true
                return
            }
            guard startNext() else { return }
        }
    }

    /// False when the next request must wait.
    private func startNext() -> Bool {
        let pending = requests[active.count]
        if pending.request.verb == .query, pending.fault == nil, pending.request.error == nil, !isDraining,
            !pending.isCancelled
        {
            return startStatement(pending)
        }
        // Everything but a statement is answered alone, in its turn.
        guard machine.mayStartAlone else { return false }
        // A pinned connection that still waits for its cancel takes nothing.
        if pending.request.verb == .commit || pending.request.verb == .rollback, let pinned, !pinned.isInOrder {
            return waitForOrder(pending, of: pinned)
        }
        if let answer = reasonToRefuse(pending) {
            refuse(pending, answer)
        } else {
            startVerb(pending)
        }
        return true
    }

    /// False: it does not start now.
    private func waitForOrder(_ pending: Pending, of server: ServerDriver) -> Bool {
        let timeout = timeout(of: pending.request.options, RuleEffects(), in: server.pool)
        awaitOrder(until: pending.receivedAt &+ UInt64(timeout) &* 1_000_000)
        return false
    }

    private func reasonToRefuse(_ pending: Pending) -> Answer? {
        switch pending.fault {
        case .saltMissing: return .wire(.saltMissing)
        case .saltRequired: return .saltRequired
        case .lineUnfinished: return .lineUnfinished
        case nil: break
        }
        if let error = pending.request.error { return .wire(error) }
        if pending.isCancelled, pending.request.verb != .commit { return .cancelledBeforeRunning }
        // COMMIT of what was sent is let through: refusing it would throw work away that a moment could save.
        if isDraining, pending.request.verb != .commit, pending.request.verb != .rollback { return .draining }
        if pending.request.verb.isForOperators, !listener.isForOperators { return .operatorsOnly(pending.request.verb) }
        return nil
    }

    // MARK: Q

    private func startStatement(_ pending: Pending) -> Bool {
        let line = UnsafeRawPointer(input.pointer(atPosition: pending.position))
        let request = pending.request
        let statement = worker.judge.statement(for: request.text.bytes(in: line))
        switch machine.query(rollsBackToSavepoint: statement.savepointCommand == .rollbackTo) {
        case .refuseAborted:
            guard machine.mayStartAlone else { return false }
            refuse(pending, .abortedTransaction)
        case .route:
            let decision = decide(statement, request, line)
            return dispatch(pending, statement, decision)
        case .sendPinned:
            guard machine.mayStartAlone else { return false }
            guard let pinned else { return false }
            guard pinned.isInOrder else { return waitForOrder(pending, of: pinned) }
            let decision = decide(statement, request, line, transactionPool: pinned.pool.index)
            let wishes = takeWishes(of: request, line)
            countRules(of: decision, pending, transactionPool: pinned.pool.index)
            guard let answer = reasonNotToSend(statement, decision, request) ?? wishes else {
                if statement.maySetTransactionMode { pinnedIsReadOnly = false }
                let exchange = takeExchange(pending, statement, decision, in: pinned.pool)
                exchange.effect = .inTransaction
                let mayWrite =
                    statement.access == .write || !statement.namesOnlyKnownFunctions || statement.isLearnedToWrite
                exchange.mayWrite = !pinnedIsReadOnly && mayWrite
                if statement.mayCommitUnflushed { transactionMayBeUnflushed = true }
                if statement.maySetTimeout { transactionSetsTimeout = true }
                // What the transaction set itself stays.
                if transactionSetsTimeout { exchange.hasServerTimeout = false }
                machine.aloneStarted()
                active.append(exchange)
                stopIdling()
                pinned.start(exchange)
                return true
            }
            countRefusal(pending, decision, answer)
            refuse(pending, answer)
        }
        return true
    }

    /// Sends an autocommit statement to its pool, or refuses it. False when it must wait.
    private func dispatch(_ pending: Pending, _ statement: Statement, _ judged: Decision) -> Bool {
        var answer = reasonNotToSend(statement, judged, pending.request)
        var decision = judged
        var wish = ReadWish()
        let line = UnsafeRawPointer(input.pointer(atPosition: pending.position))
        if answer == nil, judged.access == .read {
            (decision, wish) = freshen(judged, pending.request, line) { need in
                decide(statement, pending.request, line, needing: need)
            }
            if wish.isRefusedSpill { answer = .spillExhausted }
        } else if answer == nil, let index = judged.pool, pending.request.wantsFreshness(of: statement) {
            // It may return rows as well, and what they show is to be the primary's.
            wish = self.wish(of: pending.request, line, judged.effects, on: worker.pools[index])
        }
        if let answer {
            guard machine.mayStartAlone else { return false }
            if wish.isRefusedSpill { wish.spillsFrom?.telemetry.counters.add(.spills(.refused)) }
            countRules(of: decision, pending)
            countRefusal(pending, decision, answer)
            refuse(pending, answer)
            return true
        }
        guard let routed = decision.pool else { preconditionFailure("a decision is a pool or a refusal") }
        // Who is to be proved runs on the primary, held to reading.
        let isProving = worker.pools[routed].isStandby && worker.pools[routed].isProving
        let pool = isProving ? worker.pools[routed].clusterDriver.primary : worker.pools[routed]
        let index = pool.index
        let isHeld = pool.isStandby || isProving || pending.request.options.present.contains(.ro)
        let isRead =
            decision.access == .read && !statement.isLearnedToWrite
            && (isHeld || statement.namesOnlyKnownFunctions)
        // Beside others one may run again for their sake, and one that waits for a position could wait for the connection of a
        // neighbour that waits for its reply.
        let isAlone = !isRead || decision.effects.mayRerun == false || wish.waitsForPosition
        guard isAlone ? machine.mayStartAlone : machine.mayStartRead(onPool: index) else { return false }
        countRules(of: decision, pending)
        let exchange = takeExchange(pending, statement, decision, in: pool)
        exchange.isProving = isProving
        if isRead {
            exchange.effect = .read
        } else {
            // On a primary a function that is not known to be harmless may write: its loss is a write's loss.
            becomesWrite(exchange)
        }
        if isAlone { machine.aloneStarted() } else { machine.readStarted(onPool: index) }
        active.append(exchange)
        launch(exchange, wish, decision.effects)
        return true
    }

    /// Its end is a write's end.
    func becomesWrite(_ exchange: Exchange) {
        exchange.effect = exchange.statement?.commitsOnTheWay == true ? .commitsOnTheWay : .write
        exchange.mayWrite = true
        exchange.wantsToken = session.wantsTokens || exchange.request.options.present.contains(.token)
        // What was learned calls what its text does not show.
        exchange.mayBeUnflushed =
            exchange.statement?.mayCommitUnflushed != false || exchange.statement?.isLearnedToWrite == true
            || exchange.rerun == .writes
        if exchange.request.options.present.contains(.resolve), exchange.effect == .write {
            exchange.resolution = Resolution()
        }
    }

    private func reasonNotToSend(_ statement: Statement, _ decision: Decision, _ request: Request) -> Answer? {
        if let refusal = decision.refusal { return .refused(refusal) }
        if let expected = statement.parameterCount, expected != Int(request.parameterCount) {
            return .wrongParameterCount(expected: expected, given: Int(request.parameterCount))
        }
        return nil
    }

    /// A request that waits is judged again; it counts when it starts or is refused.
    private func countRules(of decision: Decision, _ pending: Pending, transactionPool: Int? = nil) {
        guard decision.statement.mayMatchRules else { return }
        let line = UnsafeRawPointer(input.pointer(atPosition: pending.position))
        withRouteRequest(pending.request, line, transactionPool: transactionPool) { asked in
            worker.judge.countRules(of: decision.statement, asked, session.origin)
        }
    }

    /// Asks the judge, with what the request and the connection say.
    func decide(
        _ statement: Statement, _ request: Request, _ line: UnsafeRawPointer, transactionPool: Int? = nil,
        needing need: PrimaryNeed? = nil
    ) -> Decision {
        withRouteRequest(request, line, transactionPool: transactionPool, needing: need) { asked in
            worker.judge.consider(statement, asked, session.origin)
        }
    }

    /// The options of a request in the judge's words; the bytes are those of the line.
    func withRouteRequest<Result>(
        _ request: Request, _ line: UnsafeRawPointer, transactionPool: Int? = nil, needing need: PrimaryNeed? = nil,
        _ body: (RouteRequest) -> Result
    ) -> Result {
        let options = request.options
        var asked = RouteRequest()
        asked.transactionPool = transactionPool
        // On BEGIN it is the transaction's own mode, not a promise of the statement.
        asked.mustNotWrite = options.present.contains(.ro) && request.verb != .begin
        if options.present.contains(.route) { asked.role = options.role == .primary ? .primary : .standby }
        if options.present.contains(.pool) { asked.pool = options.pool.bytes(in: line) }
        if options.present.contains(.tag) { asked.tag = options.tag.bytes(in: line) }
        asked.needsPrimary = need
        if options.present.contains(.using) {
            asked.using = options.using.bytes(in: line)
            return body(asked)
        }
        return session.using.withUnsafeBytes { using in
            if !using.isEmpty { asked.using = using }
            return body(asked)
        }
    }

    func takeExchange(
        _ pending: Pending, _ statement: Statement?, _ decision: Decision?, in pool: PoolDriver
    ) -> Exchange {
        let exchange = worker.takeExchange()
        exchange.client = self
        exchange.request = pending.request
        exchange.position = pending.position
        exchange.receivedAt = pending.receivedAt
        exchange.statement = statement
        exchange.pool = pool
        exchange.reason = decision?.reason ?? .transaction
        exchange.isLogged = decision?.effects.isLogged == true
        if let rule = decision?.rule { exchange.ruleName = worker.snapshot.ruleNames[rule] }
        let timeout = timeout(of: pending.request.options, decision?.effects ?? RuleEffects(), in: pool)
        // A pool's own limit is the daemon's alone: it would cost every request a part of its batch.
        exchange.hasServerTimeout =
            timeout != pool.settings.timeoutMilliseconds && statement?.takesServerTimeout == true
        exchange.deadline = worker.loop.now &+ UInt64(timeout) &* 1_000_000
        return exchange
    }

    /// In milliseconds.
    private func timeout(of options: RequestOptions, _ effects: RuleEffects, in pool: PoolDriver) -> Int {
        if options.present.contains(.timeout) { return Int(options.timeoutMilliseconds) }
        if let ofRule = effects.timeout { return Int(ofRule) }
        return session.timeoutMilliseconds.map { Int($0) } ?? pool.settings.timeoutMilliseconds
    }

    /// Hands SQL and parameters to libpq, straight from the client's input.
    func withStatement(
        of exchange: Exchange,
        _ body: (UnsafePointer<CChar>, Int, UnsafePointer<UnsafePointer<CChar>?>?) -> Bool
    ) -> Bool {
        let line = UnsafeRawPointer(input.pointer(atPosition: exchange.position))
        let sql = (line + Int(exchange.request.text.offset)).assumingMemoryBound(to: CChar.self)
        let count = Int(exchange.request.parameterCount)
        guard count > 0 else { return body(sql, 0, nil) }
        exchange.request.fillParameters(in: line, into: worker.parameterValues)
        return body(sql, count, worker.parameterValues)
    }

    // MARK: Refusing

    /// Answers E to the request whose turn it is; nothing runs.
    func refuse(_ pending: Pending, _ answer: Answer) {
        let wasInTransaction = machine.transaction != .none
        switch pending.request.verb {
        case .query: machine.requestRefused()
        case .begin where machine.transaction == .none && !answer.closesConnection:
            // What is pipelined behind a BEGIN that failed must not run in autocommit.
            _ = machine.begin()
            machine.requestRefused()
        default: break
        }
        writeError(answer, id: idBytes(of: pending), insideTransaction: wasInTransaction, exchange: nil)
        requestAnswered()
    }

    /// Answers E to an exchange that was never sent.
    func exchangeRefused(_ exchange: Exchange, _ answer: Answer) {
        if exchange.resolution?.stage == .asking { return unresolved(exchange, error: answer.message) }
        if answer.meansNoStandby, runsAgain(exchange, .lost, wasSent: false) { return }
        let wasInTransaction = machine.transaction != .none
        machine.requestRefused()
        writeError(answer, id: idBytes(of: exchange), insideTransaction: wasInTransaction, exchange: exchange)
        replyCompleted(exchange)
    }

    func idBytes(of pending: Pending) -> UnsafeRawBufferPointer {
        pending.request.id.bytes(in: UnsafeRawPointer(input.pointer(atPosition: pending.position)))
    }

    func idBytes(of exchange: Exchange) -> UnsafeRawBufferPointer {
        exchange.request.id.bytes(in: UnsafeRawPointer(input.pointer(atPosition: exchange.position)))
    }
}

extension Statement {
    /// Reads and DML may share their batch with a set_config; what PostgreSQL refuses in a transaction block may not.
    fileprivate var takesServerTimeout: Bool {
        switch kind {
        case .select, .insert, .update, .delete, .merge: !commitsOnTheWay
        case .copy, .ddl, .utility, .transaction, .session, .unknown: false
        }
    }
}
