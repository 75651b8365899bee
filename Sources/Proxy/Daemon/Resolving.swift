import Freshness
import Machines
import Upstream

/// What became of a commit whose reply was lost: with `@resolve` the transaction's id is fetched before COMMIT is sent, one
/// round trip more, and the server is asked for it afterwards.
///
/// The answer is trusted only from the same system on the same timeline that did not go through crash recovery since: an id
/// whose WAL was never flushed is given again. PostgreSQL discards its statistics then, and says when it last did
/// (`pg_stat_bgwriter.stats_reset`); the start of the server process does not change when one backend dies.
struct Resolution: Equatable {
    enum Stage: Equatable {
        /// Its id comes with the batch that is under way.
        case identifying
        /// COMMIT is to be sent, or under way.
        case committing
        /// The reply was lost, and the server is asked.
        case asking
    }

    var stage = Stage.identifying
    /// nil: it wrote nothing.
    var transaction: [UInt8]?
    /// System, timeline and crashes of the server, compared as a whole.
    var server: [UInt8] = []
    /// The server's word on the id: `committed`, `aborted`, `in progress`; nil when it has none, or is another one.
    var verdict: [UInt8]?
}

extension Exchange {
    /// The row of `identify` or `status`.
    func resolved(_ row: borrowing QueryResult, _ part: BatchPart) {
        guard var resolution, row.columnCount == 2, let server = row.value(0, 1) else { return }
        let word = row.value(0, 0).map { Array($0) }
        if part == .identify {
            resolution.transaction = word
            resolution.server = Array(server)
        } else {
            resolution.verdict = server.elementsEqual(resolution.server) ? word : nil
        }
        self.resolution = resolution
    }

    /// It ends with a COMMIT of the daemon's own.
    var commitsItself: Bool { resolution != nil && kind.isQuery }
}

extension ClientDriver {
    /// Between questions about one transaction, in nanoseconds.
    private static let questionPause: UInt64 = 20_000_000

    // MARK: Before the commit

    /// The batch before the COMMIT came back. True: the COMMIT goes out as soon as the connection is in order.
    func continuesWithCommit(_ exchange: Exchange, _ server: ServerDriver) -> Bool {
        guard exchange.resolution?.stage == .identifying, exchange.outcomeIsSuccess || exchange.kind.isCommit,
            !exchange.outcomeIsError
        else { return false }
        exchange.resolution?.stage = .committing
        if exchange.kind.isQuery {
            resolving = server
            server.pin(to: self)
        }
        commitToSend = exchange
        awaitOrder(until: exchange.deadline)
        return true
    }

    /// The connection is in order: what waits for that goes out.
    func sendCommit() {
        guard let exchange = commitToSend, let server = pinned ?? resolving else { return }
        commitToSend = nil
        guard worker.loop.now < exchange.deadline else {
            // A cancel was long in coming back: the transaction is rolled back, and nothing of it applied.
            exchange.resolution?.stage = .identifying
            let inside = machine.transaction != .none
            settleLoss(of: exchange, isUnknown: false)
            writeError(
                .timedOut(effect: exchange.effectSoFar), id: idBytes(of: exchange), insideTransaction: inside,
                exchange: exchange)
            return replyCompleted(exchange)
        }
        server.start(exchange)
    }

    /// The COMMIT of an autocommit statement came back, or its connection is gone.
    func releaseResolving() {
        guard let server = resolving else { return }
        resolving = nil
        server.unpin()
    }

    // MARK: After the loss

    /// The reply to a COMMIT was lost. True: the server is asked what became of it.
    func resolves(_ exchange: Exchange) -> Bool {
        guard let resolution = exchange.resolution, resolution.stage != .identifying, resolution.transaction != nil,
            worker.loop.now < exchange.deadline, let pool = exchange.pool
        else { return false }
        exchange.resolution?.stage = .asking
        exchange.resolution?.verdict = nil
        pool.submit(exchange)
        return true
    }

    /// The server's word on the transaction came, or did not.
    func resolutionArrived(_ exchange: Exchange) {
        switch exchange.resolution?.verdict.map({ String(decoding: $0, as: UTF8.self) }) {
        case "committed":
            exchange.resolution?.stage = .committing
            writeResolved(exchange)
        case "aborted":
            let inside = exchange.kind.isCommit
            writeError(.resolvedAborted, id: idBytes(of: exchange), insideTransaction: inside, exchange: exchange)
            replyCompleted(exchange)
        // The server has not noticed yet that its client is gone, or waits for a synchronous standby.
        case "in progress": askAgain(exchange, error: "its transaction is still in progress")
        default: unresolved(exchange, error: "the server could not say what became of its transaction")
        }
    }

    /// A little later, so that a server that is down is not asked without a pause; not beyond the deadline.
    func askAgain(_ exchange: Exchange, error: String) {
        let at = worker.loop.now &+ Self.questionPause
        guard at < exchange.deadline else { return unresolved(exchange, error: error) }
        exchange.resolution?.verdict = nil
        exchange.stage = .waitingToRunAgain
        exchange.runsInSamePool = true
        goOn(at: at)
    }

    func unresolved(_ exchange: Exchange, error: String) {
        writeError(
            .lost(retry: .unknown, error: error), id: idBytes(of: exchange), insideTransaction: false,
            exchange: exchange)
        replyCompleted(exchange)
    }
}
