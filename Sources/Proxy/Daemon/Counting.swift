import EventLoop
import Machines
import Routing
import Telemetry

/// Where counters move: once for each answer, when its last line is written.
extension ClientDriver {
    /// Counts one answer; `exchange` is nil for what no pool had to do with.
    func countAnswer(_ exchange: Exchange?, _ result: RequestResult) {
        counters.add(.requests)
        let telemetry = telemetry(of: exchange)
        guard let exchange else { return telemetry.counters.add(.requests(.read, result)) }
        telemetry.counters.add(.requests(exchange.countedKind, result))
        telemetry.counters.add(.routes(exchange.reason.counted))
        guard result == .ok || result == .error else { return }
        telemetry.counters.add(.rows, Int(exchange.rowCount))
        counters.add(.rows, Int(exchange.rowCount))
        let total = Int((worker.loop.now &- exchange.receivedAt) / 1000)
        let waited = Int(exchange.waited / 1000)
        telemetry.total.record(microseconds: total)
        telemetry.wait.record(microseconds: waited)
        telemetry.execution.record(microseconds: total - waited)
    }

    func countError(_ exchange: Exchange?, _ sqlstate: UnsafeRawBufferPointer, _ retry: Outcome.Retry) {
        counters.add(.errors)
        let telemetry = telemetry(of: exchange)
        telemetry.counters.add(.retryAdvice(retry.counted))
        if sqlstate.count == 5 { telemetry.counters.add(.errors(SQLStateClass(sqlstate[0], sqlstate[1]))) }
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
