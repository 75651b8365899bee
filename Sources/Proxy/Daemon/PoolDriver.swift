import Bouncer
import EventLoop
import Freshness
import Logging
import Machines
import Settings
import Telemetry
import Upstream

/// Performs what a PoolMachine decides: hands server connections to exchanges, opens them, lets waiting end in time.
final class PoolDriver {
    let index: Int
    let name: String
    /// The name as receipts write it.
    let nameBytes: [UInt8]
    /// An index in RuleSet.clusters: a reload changes neither the order of pools nor their clusters.
    let cluster: Int
    unowned let worker: Worker
    private(set) var settings: PoolSettings
    private(set) var machine: PoolMachine
    private(set) var servers: [ServerDriver] = []
    let telemetry: PoolTelemetry
    /// While there is any, requests wait within their own deadlines.
    private(set) var holdReasons: Set<HoldReason> = []
    /// What its PgBouncer's console says of its database.
    private var standing = BouncerStanding()
    /// Ends waiting at the earliest deadline of those that wait.
    private var queueTimer: DeadlineTimer?
    /// When that timer fires: not later than the earliest deadline in the queue.
    private var queueDeadline = UInt64.max
    /// Looks again after a failed connection attempt.
    private var retryTimer: DeadlineTimer?
    private(set) var log: Logger
    /// The last connection error that was logged: a pool that stays down says so once.
    private var lastConnectError = ""
    /// An attempt failed and none has succeeded since.
    private(set) var isDown = false
    /// Since when.
    private(set) var downSince: UInt64 = 0
    /// The standbys behind it, as their answers showed them.
    var nodes = StandbyNodes()
    var hasSaidCheckFailed = false
    /// It does not serve, and probes ask until it does.
    var isWithoutServer = false
    /// A probe asks whether that is so.
    var isVerifying = false
    /// When a probe first ended without an answer, be it yes or no; 0 when the last one had one.
    var silentSince: UInt64 = 0
    var probeTimer: DeadlineTimer?
    /// Looks after the servers' roles while there is traffic.
    var patrolTimer: DeadlineTimer?
    /// Reads that only came here because standbys could not answer: at most `spill` of a primary's connections.
    var spilled = 0

    init(index: Int, settings: PoolSettings, worker: Worker) {
        self.index = index
        self.settings = settings
        self.worker = worker
        name = settings.name.value
        nameBytes = Array(settings.name.value.utf8)
        cluster = worker.snapshot.rules.pools[index].cluster
        machine = PoolMachine(size: settings.size, queueLimit: settings.queue)
        telemetry = PoolTelemetry(
            name: settings.name.value, cluster: settings.cluster.value, role: settings.role.value.rawValue)
        log = worker.log
        log[metadataKey: "pool"] = "\(settings.name.value)"
        servers = (0..<settings.size).map { ServerDriver(index: $0, pool: self) }
        queueTimer = DeadlineTimer(loop: worker.loop) { [unowned self] in endWaiting() }
        retryTimer = DeadlineTimer(loop: worker.loop) { [unowned self] in openWanted() }
    }

    var isStandby: Bool { settings.role.value == .standby }
    /// Its reads run on the primary, to prove that they do not write.
    var isProving: Bool { settings.mode == .prove }
    var isUsable: Bool { machine.openCount > 0 }

    /// A reload: all but the pool's name, role and cluster may have changed.
    ///
    /// Requests are not touched by it. Who waits is served by the connections that stay or by new ones; what runs ends
    /// where it began.
    func adopt(_ settings: PoolSettings) {
        let old = self.settings
        self.settings = settings
        var leaving: [Int] = []
        if settings.conninfo.value != old.conninfo.value {
            leaving += machine.readdressed()
            // The new address's error is news, also in the same words.
            lastConnectError = ""
            downSince = worker.loop.now
        }
        leaving += machine.resized(to: settings.size, queueLimit: settings.queue)
        for server in leaving { servers[server].retire() }
        if settings.conninfo.value != old.conninfo.value || settings.size != old.size || settings.queue != old.queue {
            log.notice(
                "pool_changed",
                metadata: [
                    "size": "\(settings.size)", "queue": "\(settings.queue)", "closed": "\(leaving.count)",
                    "retiring": "\(machine.retiringCount)",
                ])
        }
        if settings.connectTimeoutMilliseconds != old.connectTimeoutMilliseconds {
            for server in servers { server.watchConnecting() }
        }
        openWanted()
    }

    /// Opens the first connection, so that a pool that does not answer is seen before it is needed.
    func warmUp() {
        openWanted()
    }

    // MARK: Exchanges

    func submit(_ exchange: Exchange) {
        let now = worker.loop.now
        var waitUntil = exchange.deadline
        if !machine.isHeld { waitUntil = min(waitUntil, now &+ UInt64(settings.queueTimeoutMilliseconds) &* 1_000_000) }
        exchange.pool = self
        exchange.submittedAt = now
        patrol(now: now)
        exchange.stage = .waiting
        // In a pool that is held it waits here.
        let mayWait = machine.isHeld ? UInt64.max : exchange.deadline - min(now, exchange.deadline)
        if let words = standing.refusal(hasConnections: isUsable, mayWait: mayWait) {
            exchange.refused(.refusedByPgBouncer(pool: name, words))
            return
        }
        switch machine.requestArrived(exchange.number, deadline: waitUntil, now: now) {
        case .start(let server):
            servers[server].start(exchange)
        case .wait(let connect):
            telemetry.counters.add(.queued)
            watchQueue(until: waitUntil)
            if let connect { open(connect) }
        case .shed:
            telemetry.counters.add(.queueFull)
            exchange.refused(.queueFull(pool: name, limit: settings.queue))
        }
    }

    /// Its client left, or cancelled it before it ran. False when it does not wait here.
    func abandon(_ exchange: Exchange) -> Bool {
        machine.requestAbandoned(exchange.number)
    }

    /// What was not sent is not sent any more.
    func refuseWaiting(_ answer: Answer) {
        for number in machine.takeAllWaiting() {
            let exchange = worker.exchanges[number]
            exchange.refused(answer)
        }
    }

    /// Opens a connection for such a question when all are in use.
    func connectToAsk() {
        perform(machine.connectToAsk(now: worker.loop.now))
    }

    /// An idle connection for a question of the daemon's own, also while the pool is held.
    func lendServer() -> ServerDriver? {
        machine.lend().map { servers[$0] }
    }

    private func endWaiting() {
        let now = worker.loop.now
        while let number = machine.nextExpired(now: now) {
            let exchange = worker.exchanges[number]
            let answer: Answer
            if now >= exchange.deadline, let reason = HoldReason.allCases.first(where: holdReasons.contains) {
                answer = .timedOutHeld(pool: name, reason)
            } else if now >= exchange.deadline {
                answer = .timedOutWaiting(pool: name)
            } else if isUsable {
                telemetry.counters.add(.queueTimeouts)
                answer = .waitedTooLong(pool: name, wait: "\(settings.queueTimeoutMilliseconds) ms")
            } else {
                answer = .poolDown(pool: name)
            }
            exchange.refused(answer)
        }
        queueDeadline = UInt64.max
        if let next = machine.earliestDeadline { watchQueue(until: next) }
    }

    private func watchQueue(until deadline: UInt64) {
        guard deadline < queueDeadline else { return }
        queueDeadline = deadline
        queueTimer?.set(at: deadline)
    }

    // MARK: Holding

    /// Hands out no connection until no reason for it is left: whoever asks waits, as `PoolMachine.hold` says.
    func hold(_ reason: HoldReason) {
        guard holdReasons.insert(reason).inserted else { return }
        log.warning("pool_held", metadata: ["reason": "\(reason.rawValue)", "waiting": "\(machine.waiting)"])
        machine.hold { worker.exchanges[$0].deadline }
    }

    func release(_ reason: HoldReason) {
        guard holdReasons.remove(reason) != nil else { return }
        log.notice("pool_released", metadata: ["reason": "\(reason.rawValue)", "held": "\(heldWords)"])
        guard holdReasons.isEmpty else { return }
        for start in machine.release() { servers[start.server].start(worker.exchanges[start.request]) }
        openWanted()
    }

    /// PgBouncer's console was asked, or does not answer any more.
    func adopt(_ standing: BouncerStanding) {
        self.standing = standing
        if standing.isPaused { hold(.paused) } else { release(.paused) }
        if !isUsable, let words = standing.connectionRefusal {
            refuseWaiting(.refusedByPgBouncer(pool: name, words))
        }
    }

    /// The reasons that hold it, in one word; empty when none does.
    var heldWords: String { holdReasons.map(\.rawValue).sorted().joined(separator: ",") }

    // MARK: Server connections

    func serverConnected(_ server: ServerDriver) {
        telemetry.counters.add(.connects)
        if isDown { log.notice("pool_up") }
        isDown = false
        lastConnectError = ""
        serverReady(server)
        openWanted()
    }

    /// The connection is in order and nobody has it.
    func serverReady(_ server: ServerDriver) {
        switch machine.serverReady(server.index) {
        case .start(let number): server.start(worker.exchanges[number])
        case .park: break
        case .close: server.retire()
        }
    }

    func connectFailed(_ server: ServerDriver, error: String) {
        telemetry.counters.add(.connectFailures)
        if !isDown { downSince = worker.loop.now }
        isDown = true
        if error != lastConnectError {
            log.warning("connect_failed", metadata: ["error": "\(error)"])
            lastConnectError = error
        }
        perform(machine.connectFailed(server.index, now: worker.loop.now, jitter: worker.random()))
    }

    func serverLost(_ server: ServerDriver, error: String, _ reason: CloseReason) {
        telemetry.counters.add(.connectionsClosed(reason))
        if !worker.isEnding { log.info("connection_lost", metadata: ["error": "\(error)"]) }
        perform(machine.serverLost(server.index, now: worker.loop.now, jitter: worker.random()))
    }

    /// Opens as many connections as are wanted now.
    private func openWanted() {
        guard !worker.isEnding else { return }
        while true {
            switch machine.connectDue(now: worker.loop.now) {
            case .none: return
            case .connect(let server): open(server)
            case .retry(let time):
                retryTimer?.set(at: time)
                return
            }
        }
    }

    private func open(_ server: Int) {
        while servers.count <= server { servers.append(ServerDriver(index: servers.count, pool: self)) }
        servers[server].connect()
    }

    private func perform(_ action: PoolMachine.LossAction) {
        guard !worker.isEnding else { return }
        switch action {
        case .none: break
        case .connect(let server): open(server)
        case .retry(let time): retryTimer?.set(at: time)
        }
    }

    /// Closes everything; for the daemon's end.
    func close() {
        queueTimer?.clear()
        retryTimer?.clear()
        for server in servers { server.close(reason: "the daemon ends", as: .retired) }
    }
}
