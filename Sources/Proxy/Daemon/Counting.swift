import EventLoop
import Logging
import Machines
import Routing
import Telemetry
import Wire

/// Where counters move: once for each answer, when its last line is written.
extension ClientDriver {
    /// Counts one answer; `exchange` is nil for what no pool had to do with, `error` is what the client is told.
    func countAnswer(
        _ exchange: Exchange?, _ result: RequestResult,
        error: (sqlstate: UnsafeRawBufferPointer, retry: Outcome.Retry)? = nil
    ) {
        counters.add(.requests)
        let telemetry = telemetry(of: exchange)
        if let error {
            counters.add(.errors)
            telemetry.counters.add(.retryAdvice(error.retry.counted))
            if error.sqlstate.count == 5 {
                telemetry.counters.add(.errors(SQLStateClass(error.sqlstate[0], error.sqlstate[1])))
            }
        }
        guard let exchange else { return telemetry.counters.add(.requests(.read, result)) }
        telemetry.counters.add(.requests(exchange.countedKind, result))
        telemetry.counters.add(.routes(exchange.reason.counted))
        if let statement = exchange.statement { countStatement(statement, exchange, error?.sqlstate) }
        guard result == .ok || result == .error else { return }
        telemetry.counters.add(.rows, Int(exchange.rowCount))
        counters.add(.rows, Int(exchange.rowCount))
        let total = Int((worker.loop.now &- exchange.receivedAt) / 1000)
        let waited = Int(exchange.waited / 1000)
        telemetry.total.record(microseconds: total)
        telemetry.wait.record(microseconds: waited)
        // From its last sending: what it waited before, for a connection or for a standby to catch up, is none.
        telemetry.execution.record(microseconds: Int((worker.loop.now &- exchange.sentAt) / 1000))
    }

    private func countStatement(_ statement: Statement, _ exchange: Exchange, _ sqlstate: UnsafeRawBufferPointer?) {
        guard let pool = exchange.pool else { return }
        let microseconds = Int((worker.loop.now &- exchange.receivedAt) / 1000)
        statement.took(microseconds: Int((worker.loop.now &- exchange.sentAt) / 1000))
        let isHeldToReading = exchange.isProving || pool.isStandby && exchange.effect == .read
        let counts = StatementCounts(
            isError: sqlstate != nil, isProven: isHeldToReading && sqlstate == nil, rows: Int(exchange.rowCount),
            microseconds: microseconds)
        let pinned = exchange.effect == .inTransaction ? pool : nil
        record(statement, counts, exchange.request, exchange.position, pool, exchange.reason, pinned)
        if exchange.isLogged { logStatement(statement, exchange, microseconds, sqlstate) }
    }

    /// Counts what was refused before it was sent, and logs it when a rule wants that.
    func countRefusal(_ pending: Pending, _ decision: Decision, _ answer: Answer) {
        let microseconds = Int((worker.loop.now &- pending.receivedAt) / 1000)
        record(
            decision.statement, StatementCounts(isError: true, rows: 0, microseconds: microseconds), pending.request,
            pending.position, nil, decision.reason, pinned?.pool)
        if decision.effects.isLogged == true { logRefusal(of: decision.statement, decision, answer) }
    }

    private func record(
        _ statement: Statement, _ counts: StatementCounts, _ request: Request, _ position: UInt64, _ pool: PoolDriver?,
        _ reason: Routing.RouteReason, _ pinned: PoolDriver?
    ) {
        let line = UnsafeRawPointer(input.pointer(atPosition: position))
        withRouteRequest(request, line, transactionPool: pinned?.index) { asked in
            let key = RecentStatements.key(of: statement, session.origin, asked)
            worker.statements.record(key, counts) { call in
                call = StatementCall(
                    statement: statement, origin: session.origin, hints: call?.hints ?? RequestHints(asked), pool: pool,
                    reason: reason, transactionPool: pinned?.name)
            }
        }
    }

    /// For `log = true` of a rule: one line an answer, with the normalised text and never a value.
    private func logStatement(
        _ statement: Statement, _ exchange: Exchange, _ microseconds: Int, _ sqlstate: UnsafeRawBufferPointer?
    ) {
        var metadata: Logger.Metadata = [
            "conn": "\(number)", "dur_us": "\(microseconds)", "wait_us": "\(exchange.waited / 1000)",
            "rows": "\(exchange.rowCount)", "reason": "\(exchange.reason.word)", "sql": "\(statement.shown)",
        ]
        if !session.app.isEmpty { metadata["app"] = "\(session.app)" }
        if let pool = exchange.pool { metadata["pool"] = "\(pool.name)" }
        if let rule = exchange.ruleName { metadata["rule"] = "\(String(decoding: rule, as: UTF8.self))" }
        if let sqlstate { metadata["sqlstate"] = "\(String(decoding: sqlstate, as: UTF8.self))" }
        if !statement.isUnparsed { metadata["fp"] = "\(Fingerprint.text(statement.fingerprint))" }
        worker.log.info("statement", metadata: metadata)
    }

    private func logRefusal(of statement: Statement, _ decision: Decision, _ answer: Answer) {
        var metadata: Logger.Metadata = [
            "conn": "\(number)", "sqlstate": "\(answer.sqlstate)", "sql": "\(statement.shown)",
        ]
        if !session.app.isEmpty { metadata["app"] = "\(session.app)" }
        if let rule = decision.rule { metadata["rule"] = "\(worker.judge.rules.rules[rule].name)" }
        if !statement.isUnparsed { metadata["fp"] = "\(Fingerprint.text(statement.fingerprint))" }
        worker.log.info("statement_refused", metadata: metadata)
    }

    /// What was refused before a pool was chosen has a set of its own.
    private func telemetry(of exchange: Exchange?) -> PoolTelemetry {
        exchange?.pool?.telemetry ?? worker.unrouted
    }

    func countReceived(_ bytes: Int) {
        listener.counters.add(.bytesIn, bytes)
        counters.add(.bytesIn, bytes)
    }

    func countSent(_ bytes: Int) {
        listener.counters.add(.bytesOut, bytes)
        counters.add(.bytesOut, bytes)
    }
}

extension Exchange {
    var countedKind: RequestKind {
        switch effect {
        case .read: .read
        case .write, .commitsOnTheWay: .write
        case .inTransaction, .commit: .transaction
        }
    }
}

extension ErrorView {
    /// - Parameters:
    ///   - retry: the word that the client is told.
    ///   - isOverdue: the daemon had it cancelled because of its deadline.
    /// - Returns: what the request counts as.
    func result(_ retry: Outcome.Retry, isOverdue: Bool) -> RequestResult {
        if retry == .unknown { return .unknown }
        guard sqlstate.elementsEqual("57014".utf8) else { return .error }
        return isOverdue ? .timeout : .cancelled
    }
}

extension Routing.RouteReason {
    /// The counter's word.
    var counted: Telemetry.RouteReason {
        switch self {
        case .classifier: .classifier
        case .rule: .rule
        case .function: .function
        case .ownWrite: .ownWrite
        case .after: .after
        case .lag: .lag
        case .learned: .learned
        case .spill: .spill
        case .unparsed: .unparsed
        case .hint: .hint
        case .transaction: .tx
        }
    }

    /// The receipt's word.
    var staticWord: StaticString {
        switch self {
        case .classifier: "classifier"
        case .rule: "rule"
        case .function: "function"
        case .ownWrite: "own-write"
        case .after: "after"
        case .lag: "lag"
        case .learned: "learned"
        case .spill: "spill"
        case .unparsed: "unparsed"
        case .hint: "hint"
        case .transaction: "tx"
        }
    }
}
