import EventLoop
import Machines
import Telemetry
import Upstream

/// Performs what a ServerMachine decides, for one server connection: connects, sends batches, passes rows on as they
/// come, keeps outcomes until the Sync, cancels, and cleans up behind clients that left.
final class ServerDriver {
    /// From the deadline to the reply: the time that a cancel has to bring the server's own answer. Every request ends
    /// within its deadline and 100 ms.
    private static let cancelGrace: UInt64 = 80_000_000
    /// Between a cancel that had no effect and the next one.
    private static let cancelInterval: UInt64 = 15_000_000
    /// From there to the end of the connection, when neither cancel nor Sync comes back.
    private static let cancelPatience: UInt64 = 5_000_000_000

    /// What the timer waits for.
    private enum Waiting {
        case nothing
        case connection
        case deadline
        /// A cancel was sent because the deadline passed.
        case answerToCancel
        /// The client has its answer; the connection is still out of order.
        case quiet
    }

    let index: Int
    unowned let pool: PoolDriver
    private let worker: Worker
    private var link: ServerLink?
    private(set) var machine = ServerMachine()
    private var batch: [Exchange] = []
    /// The client whose transaction is pinned here.
    private(set) var owner: ClientDriver?
    private var timer: DeadlineTimer?
    /// Sends the cancel again; only while the batch lasts that it is about.
    private var cancelTimer: DeadlineTimer?
    private var waiting = Waiting.nothing
    private var connectStartedAt: UInt64 = 0
    /// Results wait in libpq because the client's output is full.
    private var isPaused = false
    /// The error of a connection that is about to end, for those who lose their answer by it.
    private var lastError = ""
    /// The worker's number of the last cancel: a report of an older one is not about this batch.
    var cancelNumber = UInt64.max
    /// Nothing of the batch was handed to libpq.
    private var isUnsent = false

    init(index: Int, pool: PoolDriver) {
        self.index = index
        self.pool = pool
        worker = pool.worker
        batch.reserveCapacity(1)
        timer = DeadlineTimer(loop: worker.loop) { [unowned self] in deadlinePassed() }
    }

    /// Nothing in flight and no cancel under way: the pinned client may send.
    var isInOrder: Bool {
        if case .idle = machine.state { return true }
        return false
    }

    // MARK: Connecting

    func connect() {
        machine.connectStarted()
        lastError = ""
        waiting = .connection
        connectStartedAt = worker.loop.now
        watchConnecting()
        let link = ServerLink(
            conninfo: pool.settings.conninfo.value, loop: worker.loop,
            onReadable: { [unowned self] in readable() }, onWritable: { [unowned self] in writable() },
            onNotice: { [unowned self] notice in deliverNotice(notice) })
        guard let link else { return close(reason: "out of memory") }
        self.link = link
        continueConnecting()
    }

    /// Sets the limit of an attempt that is under way: at its start, and when a reload changed it.
    func watchConnecting() {
        guard waiting == .connection else { return }
        timer?.set(at: connectStartedAt &+ UInt64(pool.settings.connectTimeoutMilliseconds) &* 1_000_000)
    }

    private func continueConnecting() {
        guard let link else { return }
        switch link.continueConnecting() {
        case .underWay: break
        case .failed(let error): close(reason: error)
        case .connected:
            machine.connected()
            waiting = .nothing
            timer?.clear()
            pool.serverConnected(self)
        }
    }

    // MARK: Sending

    /// Sends one statement as a batch of its own.
    func start(_ exchange: Exchange) {
        guard let link else { preconditionFailure("a batch on a closed connection") }
        let now = worker.loop.now
        exchange.server = self
        exchange.stage = .running
        batch.append(exchange)
        machine.batchSent(statements: 1)
        // A connection that died while it idled: a write that was not sent may be tried again, one that was may not.
        if exchange.mayWrite, owner == nil, link.connection.hasUnreadInput {
            isUnsent = true
            return close(reason: "the connection was closed while it idled")
        }
        if exchange.submittedAt > 0 { exchange.waited = now &- exchange.submittedAt }
        waiting = .deadline
        timer?.set(at: exchange.deadline)
        if exchange.command == nil {
            pool.telemetry.counters.add(.bytesToServer, Int(exchange.request.byteCount))
        }
        // Each statement is asked for row by row: the first right behind its sending, the next ones when the one
        // before ended (libpq marks the statement at the head of its queue).
        guard link.send(exchange), link.connection.sendSync(), link.connection.setSingleRowMode() else {
            close(reason: link.connection.errorMessage)
            return
        }
        flush()
    }

    private func flush() {
        guard let link else { return }
        switch link.connection.flush() {
        case .done: link.watch?.wantsWrite = false
        case .pending: link.watch?.wantsWrite = true
        case .failed: close(reason: link.connection.errorMessage)
        }
    }

    // MARK: Events of the socket

    private func readable() {
        guard let link else { return }
        if machine.state == .connecting {
            continueConnecting()
            return
        }
        // libpq has closed a lost connection's socket: its number may be used again from here on.
        if !link.connection.consumeInput() { link.stopWatching() }
        processResults()
        closeIfLost()
    }

    private func writable() {
        if machine.state == .connecting {
            continueConnecting()
        } else {
            // Read while writing: both sides could wait for each other otherwise.
            flush()
        }
    }

    /// The client's output has room again.
    func resume() {
        guard isPaused else { return }
        isPaused = false
        link?.watch?.wantsRead = true
        processResults()
        closeIfLost()
    }

    /// Results that came before a connection's end are taken first, also when the client has to make room for them.
    private func closeIfLost() {
        guard let link, !isPaused, link.connection.isLost else { return }
        close(reason: link.connection.errorMessage)
    }

    private func processResults() {
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

    private var isBusy: Bool {
        if case .busy = machine.state { return true }
        return false
    }

    // MARK: Results

    /// False when the connection was closed or the batch ended.
    private func take(_ result: consuming QueryResult) -> Bool {
        if result.status == .pipelineSync { return finishBatch() }
        // libpq's own word on a lost connection has no SQLSTATE: it is no answer of the server.
        if result.status == .fatalError, result.sqlstate == nil {
            close(reason: String(decoding: result.message, as: UTF8.self))
            return false
        }
        switch machine.resultArrived(result.status.machineKind) {
        case .deliverRow(let statement):
            deliverRow(result, of: batch[statement])
        case .keepSuccess(let statement), .keepError(let statement), .keepAborted(let statement):
            keep(result, for: batch[statement])
        case .keepCommitError:
            keep(result, for: batch[0])
        case .close:
            close(reason: "a result that was not expected: \(result.status)", as: .unexpected)
            return false
        }
        return true
    }

    private func keep(_ result: consuming QueryResult, for exchange: Exchange) {
        if result.status == .fatalError { lastError = String(decoding: result.message, as: UTF8.self) }
        // A statement of no rows still has columns to tell.
        if result.status == .tuplesOK, !exchange.wroteColumns, let client = exchange.client {
            client.deliverColumns(result, of: exchange)
        }
        exchange.outcome = consume result
    }

    private func deliverRow(_ result: borrowing QueryResult, of exchange: Exchange) {
        exchange.rowCount &+= 1
        guard let client = exchange.client else { return }
        client.deliverRow(result, of: exchange)
        if client.isOutputFull(for: exchange) {
            isPaused = true
            link?.watch?.wantsRead = false
            client.pausedServer(self, for: exchange)
        }
    }

    private func deliverNotice(_ notice: borrowing ServerNotice) {
        guard let exchange = batch.first, let client = exchange.client else { return }
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
        // The answers may pin or release this connection; it goes on only when they are given.
        for exchange in batch {
            if let client = exchange.client {
                client.exchangeFinished(exchange, status.clientStatus)
            } else {
                worker.giveBack(exchange)
            }
        }
        batch.removeAll(keepingCapacity: true)
        if action == .finish { becameFree() }
        return false
    }

    /// In order, nothing in flight: back to the pool unless a transaction is pinned here.
    private func becameFree() {
        guard case .idle(let inTransaction) = machine.state else { return }
        if let owner {
            owner.pinnedServerInOrder()
        } else if inTransaction {
            cleanUp()
        } else {
            pool.serverReady(self)
        }
    }

    /// Ends the transaction of a client that left.
    private func cleanUp() {
        let exchange = worker.takeExchange()
        exchange.kind = .cleanup
        exchange.command = "ROLLBACK"
        exchange.effect = .inTransaction
        exchange.receivedAt = worker.loop.now
        exchange.deadline = worker.loop.now &+ Self.cancelPatience
        exchange.pool = pool
        start(exchange)
    }

    // MARK: Transactions

    func pin(to client: ClientDriver) {
        owner = client
    }

    /// The pinned transaction is over, or its client is: called while answering (the batch is not over yet) or between
    /// batches.
    func unpin() {
        owner = nil
        if batch.isEmpty { becameFree() }
    }

    // MARK: Cancel and deadlines

    /// Asks the server to stop what runs for this exchange. The reply comes as always, most likely 57014.
    func cancel(_ exchange: Exchange) {
        guard batch.contains(where: { $0 === exchange }) else { return }
        cancelBatch()
    }

    private func cancelBatch() {
        guard let link else { return }
        guard machine.cancelRequested() == .send else { return }
        pool.telemetry.counters.add(.cancelsSent)
        if !worker.startCancel(of: link, for: self) { close(reason: "too many cancels are under way", as: .stuck) }
    }

    func cancelReturned(isDelivered: Bool) {
        if !isDelivered { pool.telemetry.counters.add(.cancelsFailed) }
        switch machine.cancelReturned() {
        case .none: break
        case .stillBusy:
            // Its answer may be on the way. If not, the next one may reach the host that runs the statement.
            let timer = cancelTimer ?? DeadlineTimer(loop: worker.loop) { [unowned self] in cancelBatch() }
            cancelTimer = timer
            timer.set(at: worker.loop.now &+ Self.cancelInterval)
        case .ready:
            waiting = .nothing
            timer?.clear()
            becameFree()
        }
    }

    /// The client is gone: what runs is cancelled, its results are discarded, its transaction ends.
    func clientLeft(_ exchange: Exchange) {
        if exchange.mayWrite { pool.telemetry.counters.add(.orphanedWrites) }
        exchange.client = nil
        if isPaused { resume() }
        cancel(exchange)
        if isBusy {
            waiting = .quiet
            timer?.set(at: worker.loop.now &+ Self.cancelPatience)
        }
    }

    private func deadlinePassed() {
        switch waiting {
        case .nothing: break
        case .connection: close(reason: "no connection within \(pool.settings.connectTimeoutMilliseconds) ms")
        case .deadline:
            guard let exchange = batch.first else { return }
            exchange.isOverdue = true
            waiting = .answerToCancel
            timer?.set(at: worker.loop.now &+ Self.cancelGrace)
            cancel(exchange)
        case .answerToCancel:
            waiting = .quiet
            timer?.set(at: worker.loop.now &+ Self.cancelPatience)
            for exchange in batch {
                guard let client = exchange.client else { continue }
                client.exchangeGivenUp(exchange)
            }
            if isPaused { resume() }
        case .quiet: close(reason: "no answer to a cancel", as: .stuck)
        }
    }

    // MARK: The end of the connection

    /// The pool has no use for it any more, and nobody has it.
    func retire() {
        precondition(owner == nil && batch.isEmpty, "a connection in use was retired")
        unlink()
        if machine.closed() == .lostIdle { pool.telemetry.counters.add(.connectionsClosed(.retired)) }
    }

    /// Whoever has not got an outcome gets one here; the pool may open another connection.
    func close(reason: String, as kind: CloseReason = .lost) {
        // Without memory an attempt has no link.
        guard link != nil || machine.state == .connecting else { return }
        unlink()
        finishClosing(reason: lastError.isEmpty ? reason : lastError, kind)
    }

    private func unlink() {
        link?.stopWatching()
        link = nil
        timer?.clear()
        waiting = .nothing
    }

    private func finishClosing(reason: String, _ kind: CloseReason) {
        isPaused = false
        cancelNumber = UInt64.max
        cancelTimer?.clear()
        let stage: Outcome.Stage = isUnsent ? .notSent : .sent
        isUnsent = false
        let action = machine.closed()
        let pinned = owner
        owner = nil
        let lost = batch
        batch.removeAll(keepingCapacity: true)
        switch action {
        case .none: return
        case .connectFailed:
            pool.connectFailed(self, error: reason)
            return
        case .lostIdle, .lostBatch: break
        }
        for exchange in lost {
            if let client = exchange.client {
                client.exchangeLost(exchange, stage: stage, error: reason)
            } else {
                worker.giveBack(exchange)
            }
        }
        pinned?.pinnedServerLost()
        pool.serverLost(self, error: reason, kind)
    }
}
