import EventLoop
import Machines
import Telemetry
import Upstream

/// Performs what a ServerMachine decides, for one server connection: its life, from connecting to its end. What it sends and
/// gets is in ServerBatches.swift, what happens when that takes too long in ServerDeadlines.swift.
final class ServerDriver {
    /// What the timer waits for.
    enum Waiting {
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
    let worker: Worker
    var link: ServerLink?
    var machine = ServerMachine()
    /// The request whose batch is in flight.
    var running: Exchange?
    /// The statements of that batch.
    var plan = BatchPlan()
    /// The client whose transaction is pinned here.
    private(set) var owner: ClientDriver?
    private(set) var timer: DeadlineTimer?
    /// Sends the cancel again; only while the batch lasts that it is about.
    var cancelTimer: DeadlineTimer?
    var waiting = Waiting.nothing
    private var connectStartedAt: UInt64 = 0
    /// Results wait in libpq because the client's output is full.
    var isPaused = false
    /// The error of a connection that is about to end, for those who lose their answer by it.
    var lastError = ""
    /// The worker's number of the last cancel: a report of an older one is not about this batch.
    var cancelNumber = UInt64.max
    /// Nothing of the batch was handed to libpq.
    var isUnsent = false

    init(index: Int, pool: PoolDriver) {
        self.index = index
        self.pool = pool
        worker = pool.worker
        timer = DeadlineTimer(loop: worker.loop) { [unowned self] in deadlinePassed() }
    }

    /// Nothing in flight and no cancel under way: the pinned client may send.
    var isInOrder: Bool {
        if case .idle = machine.state { return true }
        return false
    }

    var isBusy: Bool {
        if case .busy = machine.state { return true }
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

    // MARK: Transactions

    func pin(to client: ClientDriver) {
        owner = client
    }

    /// The pinned transaction is over, or its client is: called while answering (the batch is not over yet) or between
    /// batches.
    func unpin() {
        owner = nil
        if running == nil { becameFree() }
    }

    /// In order, nothing in flight: back to the pool unless a transaction is pinned here.
    func becameFree() {
        guard case .idle(let inTransaction) = machine.state else { return }
        if let owner {
            owner.pinnedServerInOrder()
        } else if inTransaction {
            cleanUp()
        } else {
            pool.serverReady(self)
        }
    }

    /// Ends the transaction of a client that left, or that goes on elsewhere.
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

    // MARK: The end of the connection

    /// The pool has no use for it any more, and nobody has it.
    func retire() {
        precondition(owner == nil && running == nil, "a connection in use was retired")
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
        let lost = running
        running = nil
        switch action {
        case .none: return
        case .connectFailed:
            pool.connectFailed(self, error: reason)
            return
        case .lostIdle, .lostBatch: break
        }
        lost?.lost(stage: stage, error: reason)
        pinned?.pinnedServerLost()
        pool.serverLost(self, error: reason, kind)
    }
}
