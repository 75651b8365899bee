import EventLoop
import Freshness
import Logging
import Machines
import Routing
import Telemetry
import Upstream

/// One cluster as the daemon knows it: where its primary's log stands, for tokens, for floors in milliseconds and for whoever
/// asks after an own write.
///
/// Positions are asked for by samples, queries of the daemon's own on the primary's pool. One is under way at a time and
/// serves all that came before it was sent, because positions only grow: a busy daemon pays one for many, an idle one none.
final class ClusterDriver {
    /// Reads in milliseconds keep samples coming for this long behind the last of them, so that the next one finds one of the
    /// right age; in nanoseconds.
    private static let samplingMemory: UInt64 = 2_000_000_000
    /// Between two of those: an eighth of the shortest wish, but neither more nor less often than this.
    private static let samplingIntervals: ClosedRange<UInt64> = 20_000_000...500_000_000
    /// How long a sample may take, from its start to its answer.
    private static let sampleTimeout: UInt64 = 1_000_000_000

    /// An index in RuleSet.clusters.
    let index: Int
    let name: String
    unowned let worker: Worker
    private(set) var history = ClusterHistory()
    var sessions = SessionFloors()
    /// The primary that answered last, as receipts write it.
    var primaryNode: [UInt8]?

    private var waiting: [(exchange: UInt64, since: UInt64)] = []
    private var waitingTimer: DeadlineTimer?
    private var isSampling = false
    private var samplingTimer: DeadlineTimer?
    /// The last read in milliseconds, and the shortest wish of late.
    private var lagAskedAt: UInt64 = 0
    private var shortestLag: UInt64 = .max

    init(index: Int, name: String, worker: Worker) {
        self.index = index
        self.name = name
        self.worker = worker
        waitingTimer = DeadlineTimer(loop: worker.loop) { [unowned self] in endWaiting() }
        samplingTimer = DeadlineTimer(loop: worker.loop) { [unowned self] in sampleAgain() }
    }

    var primary: PoolDriver { worker.pools[worker.snapshot.rules.clusters[index].primary] }

    // MARK: Reports

    /// A server behind the primary's pool said where it stands. False: it is not the primary.
    func reported(_ report: ClusterHistory.Report, askedAt: UInt64) -> Bool {
        switch history.reported(report, askedAt: askedAt) {
        case .notPrimary:
            primary.roleLost()
            return false
        case .primary(let isNewEra):
            if isNewEra {
                worker.log.notice(
                    history.era == 1 ? "primary_found" : "primary_changed",
                    metadata: ["cluster": "\(name)", "timeline": "\(history.timeline)", "system": "\(report.system)"])
            }
            return true
        }
    }

    // MARK: Waiting for a position

    /// The exchange goes on when a position is known that was asked for at `since` or later: `positionArrived`.
    func wait(_ exchange: Exchange, since: UInt64) {
        exchange.stage = .waitingForPosition
        exchange.cluster = self
        waiting.append((exchange.number, since))
        watchWaiting()
        if primary.holdReasons.contains(.roleLost) { failWaiting() } else { sample() }
    }

    /// Its client left, or cancelled it.
    func abandon(_ exchange: Exchange) {
        waiting.removeAll { $0.exchange == exchange.number }
    }

    private func watchWaiting() {
        let next = waiting.lazy.map { self.worker.exchanges[$0.exchange].deadline }.min()
        if let next { waitingTimer?.set(at: next) } else { waitingTimer?.clear() }
    }

    private func endWaiting() {
        let now = worker.loop.now
        for entry in waiting where worker.exchanges[entry.exchange].deadline <= now {
            let exchange = worker.exchanges[entry.exchange]
            abandon(exchange)
            exchange.client?.positionUnavailable(exchange)
        }
        watchWaiting()
    }

    /// No primary can be asked.
    private func failWaiting() {
        let failed = waiting
        waiting.removeAll(keepingCapacity: true)
        for entry in failed {
            let exchange = worker.exchanges[entry.exchange]
            exchange.client?.positionUnavailable(exchange)
        }
        watchWaiting()
    }

    // MARK: Samples

    /// Reads that accept data of this age come now: samples are kept coming, so that the next one finds one of that age.
    func lagWanted(_ nanoseconds: UInt64) {
        let now = worker.loop.now
        if now &- lagAskedAt > Self.samplingMemory { shortestLag = .max }
        lagAskedAt = now
        shortestLag = min(shortestLag, nanoseconds)
        if !isSampling, samplingTimer?.isSet == false { scheduleSample() }
    }

    private func scheduleSample() {
        let interval = min(
            max(shortestLag / 8, Self.samplingIntervals.lowerBound), Self.samplingIntervals.upperBound)
        samplingTimer?.set(at: (history.positions.newest?.askedAt ?? worker.loop.now) &+ interval)
    }

    private func sampleAgain() {
        if worker.loop.now &- lagAskedAt <= Self.samplingMemory { sample() }
    }

    private func sample() {
        guard !isSampling, !worker.isEnding else { return }
        isSampling = true
        samplingTimer?.clear()
        let exchange = worker.takeExchange()
        exchange.kind = .sample
        exchange.cluster = self
        exchange.asksReport = true
        exchange.receivedAt = worker.loop.now
        exchange.deadline = worker.loop.now &+ Self.sampleTimeout
        primary.telemetry.counters.add(.samples)
        primary.submit(exchange)
    }

    /// The sample came back, or nothing did.
    func sampleEnded(_ report: ClusterHistory.Report?, askedAt: UInt64) {
        isSampling = false
        guard let report else { return failWaiting() }
        let served = waiting.filter { $0.since <= askedAt }
        waiting.removeAll { $0.since <= askedAt }
        for entry in served {
            let exchange = worker.exchanges[entry.exchange]
            exchange.report = report
            exchange.client?.positionArrived(exchange, askedAt: askedAt)
        }
        watchWaiting()
        if !waiting.isEmpty {
            sample()
        } else if worker.loop.now &- lagAskedAt <= Self.samplingMemory {
            scheduleSample()
        }
    }
}
