import EventLoop
import Freshness
import Logging
import Machines
import Telemetry
import Upstream

/// What a pool knows of the servers behind its PgBouncer: how far standbys are, whether they answer at all, and whether the
/// primary still is one. All of it is proved in band: what PgBouncer reports when a connection is made may be old.
extension PoolDriver {
    /// How long a probe of standbys may take before reads go elsewhere, in nanoseconds.
    private static let probeTimeout: UInt64 = 150_000_000
    /// Between looks at the servers of a pool with traffic.
    private static let patrolInterval: UInt64 = 1_000_000_000
    /// Reads wait so long for a pool whose connections are made again or that says nothing, in nanoseconds.
    private static let shortOutage: UInt64 = 1_500_000_000
    /// Between probes of a pool that does not serve.
    private static let probeInterval: UInt64 = 100_000_000

    var clusterDriver: ClusterDriver { worker.clusters[cluster] }

    // MARK: Standbys

    func asksForProof(now: UInt64) -> Bool {
        nodes.asksForProof(era: clusterDriver.history.era, now: now)
    }

    /// Some standby has proved that it belongs to the cluster's history of now, and none is known that did not.
    var hasProof: Bool { !asksForProof(now: worker.loop.now) }

    /// A standby answered a check. False: it is behind the floor, or nothing is known of its history.
    func met(_ report: StandbyNodes.Report, by exchange: Exchange) -> Bool {
        let now = worker.loop.now
        let history = clusterDriver.history
        let met = nodes.reported(report, history: history, now: now)
        exchange.node = nodes.nodes[met.node].name
        guard let floor = exchange.floor else { return true }
        guard floor.era == history.era, let position = met.position, position >= floor.position else {
            missed(by: exchange)
            return false
        }
        telemetry.counters.add(.fences(.passed))
        nodes.reached(now: now)
        exchange.lag = clusterDriver.lag(of: position)
        return true
    }

    func missed(by exchange: Exchange) {
        telemetry.counters.add(.fences(.failed))
        nodes.missed(now: worker.loop.now)
    }

    /// A check that the server refuses (a revoked function) proves nothing; said once.
    func checkFailed(_ error: borrowing QueryResult) {
        guard !hasSaidCheckFailed else { return }
        hasSaidCheckFailed = true
        log.error("check_failed", metadata: ["error": "\(String(decoding: error.message, as: UTF8.self))"])
    }

    /// Reads that any standby could answer go elsewhere: none is known to be there.
    var isUnavailable: Bool {
        guard isStandby, clusterDriver.primary.isUsable else { return false }
        if isWithoutServer { return true }
        // A PgBouncer that is started again takes its connections one after the other: that is worth a short wait.
        return isDown && !isUsable && worker.loop.now &- downSince > Self.shortOutage
    }

    /// Perhaps no standby is there, perhaps PgBouncer has just much to do: what the primary can spare it serves, and the
    /// others wait.
    var isDoubtful: Bool { isStandby && silentSince != 0 && clusterDriver.primary.isUsable }

    /// A read was lost, or PgBouncer had no server for it: is there one at all?
    func standbyFailed() {
        guard isStandby, !isWithoutServer, silentSince == 0, !isVerifying, !worker.isEnding else { return }
        isVerifying = true
        probe()
    }

    // MARK: Spilling

    /// Whether the primary may serve one more read that only comes because this pool's standbys cannot answer.
    var hasSpill: Bool { clusterDriver.primary.spilled < spillLimit }

    private var spillLimit: Int {
        guard settings.spillPercent > 0 else { return 0 }
        return max(1, clusterDriver.primary.settings.size * settings.spillPercent / 100)
    }

    /// Takes one of the primary's connections for such a read, until the exchange is given back.
    func takeSpill() -> Bool {
        let primary = clusterDriver.primary
        guard hasSpill else {
            telemetry.counters.add(.spills(.refused))
            return false
        }
        telemetry.counters.add(.spills(.served))
        primary.spilled += 1
        return true
    }

    /// A primary was met where standbys should be: what it reads is held to reading.
    var hasPrimaryBehind: Bool { nodes.nodes.contains { !$0.isInRecovery } }

    // MARK: The primary

    /// A server of this pool is not the primary, or not the one that it was: nothing is written until one is proved.
    func roleLost() {
        guard !isStandby, !holdReasons.contains(.roleLost), !worker.isEnding else { return }
        hold(.roleLost)
        worker.console.reconnect(self)
        isWithoutServer = true
        scheduleProbe()
    }

    // MARK: Probes

    /// Where there is traffic the servers are looked at once a second, so that a role that moved is known before a write
    /// fails by it; an idle pool costs nothing.
    func patrol(now: UInt64) {
        if patrolTimer?.isSet == true { return }
        let timer = patrolTimer ?? DeadlineTimer(loop: worker.loop) { [unowned self] in lookAround() }
        patrolTimer = timer
        timer.set(at: now &+ Self.patrolInterval)
    }

    private func lookAround() {
        guard !worker.isEnding, holdReasons.isEmpty, !isWithoutServer, !isVerifying, let server = lendServer() else {
            return
        }
        let exchange = question()
        exchange.kind = .patrol
        exchange.deadline = worker.loop.now &+ Self.patrolInterval
        server.start(exchange)
    }

    private func question() -> Exchange {
        let exchange = worker.takeExchange()
        exchange.kind = .probe
        exchange.pool = self
        exchange.cluster = clusterDriver
        exchange.asksReport = !isStandby
        exchange.receivedAt = worker.loop.now
        exchange.deadline = worker.loop.now &+ Self.probeTimeout
        return exchange
    }

    private func scheduleProbe() {
        let timer = probeTimer ?? DeadlineTimer(loop: worker.loop) { [unowned self] in probe() }
        probeTimer = timer
        timer.set(at: worker.loop.now &+ Self.probeInterval)
    }

    /// Asks over a connection that nobody has; waits for one when there is none.
    private func probe() {
        guard !worker.isEnding else { return }
        guard let server = lendServer() else {
            // None is idle. Those that run will tell by their own end.
            if isWithoutServer || silentSince != 0 {
                scheduleProbe()
                connectToAsk()
            } else {
                isVerifying = false
            }
            return
        }
        server.start(question())
    }

    /// The probe came back, was lost, or is overdue (then its connection still has it, and gives it back).
    func probeEnded(_ exchange: Exchange, isAnswered: Bool) {
        isVerifying = false
        let now = worker.loop.now
        guard isAnswered, !exchange.isDiscarded else {
            if silentSince == 0 { silentSince = now }
            // A starting PgBouncer and a busy machine are slow as well: only a refusal is certain at once.
            if !isWithoutServer, exchange.outcomeIsError || now &- silentSince > Self.shortOutage {
                isWithoutServer = true
                log.warning("standbys_unavailable")
                refuseWaiting(.poolDown(pool: name))
            }
            return scheduleProbe()
        }
        silentSince = 0
        guard isWithoutServer else { return }
        isWithoutServer = false
        if isStandby { log.notice("standbys_available") } else { release(.roleLost) }
    }
}
