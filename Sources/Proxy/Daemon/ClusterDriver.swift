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
    /// Between samples for receipts, and how old the newest may be for one; in nanoseconds.
    private static let newsInterval: UInt64 = 1_000_000_000
    private static let oldNews: UInt64 = 2_000_000_000
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

    /// Numbers of exchanges: those that wait for the next sample, and those that the one under way serves.
    private var waiting: [UInt64] = []
    private var served: [UInt64] = []
    private var waitingTimer: DeadlineTimer?
    private var waitingDeadline = UInt64.max
    private var isSampling = false
    /// When the sample under way was handed to its pool: its query leaves then or later.
    private var sampleSentAt: UInt64?
    /// The one before was lost on its way.
    private var isSamplingAgain = false
    private var isSamplingSoon = false
    private lazy var endOfTurn: () -> Void = { [unowned self] in
        isSamplingSoon = false
        if !waiting.isEmpty { sample() }
    }
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

    /// How old what a standby has is at most, for a receipt. Nothing is said by samples that are old themselves; while
    /// standbys are compared with them, the next one is at most a second away.
    func lag(of position: LogPosition) -> Exchange.Lag {
        let now = worker.loop.now
        guard let newest = history.positions.newest else { return .unknown }
        let age = now &- newest.askedAt
        if age > Self.newsInterval { sample() }
        guard age <= Self.oldNews else { return .unknown }
        return history.positions.age(of: position, now: now).map { .milliseconds($0 / 1_000_000) } ?? .unknown
    }

    // MARK: Waiting for a position

    /// The exchange goes on when a position is known that was asked for at `since` or later, or, when that is nil, from now on:
    /// `positionArrived`.
    func wait(_ exchange: Exchange, since: UInt64?) {
        exchange.stage = .waitingForPosition
        exchange.cluster = self
        if primary.holdReasons.contains(.roleLost) {
            exchange.client?.positionUnavailable(exchange)
            return
        }
        // What was sent before this moment may have been answered before it: times of one turn of the loop are the same.
        if let since, let sampleSentAt, sampleSentAt >= since {
            served.append(exchange.number)
        } else {
            waiting.append(exchange.number)
            sampleSoon()
        }
        if exchange.deadline < waitingDeadline {
            waitingDeadline = exchange.deadline
            waitingTimer?.set(at: waitingDeadline)
        }
    }

    /// Its client left, or cancelled it.
    func abandon(_ exchange: Exchange) {
        waiting.removeAll { $0 == exchange.number }
        served.removeAll { $0 == exchange.number }
    }

    private func endWaiting() {
        let now = worker.loop.now
        for number in waiting + served where worker.exchanges[number].deadline <= now {
            let exchange = worker.exchanges[number]
            abandon(exchange)
            exchange.client?.positionUnavailable(exchange)
        }
        waitingDeadline = (waiting + served).map { worker.exchanges[$0].deadline }.min() ?? .max
        if waitingDeadline < .max { waitingTimer?.set(at: waitingDeadline) }
    }

    /// No primary can be asked.
    private func failWaiting() {
        for number in takeAllWaiting() {
            let exchange = worker.exchanges[number]
            exchange.client?.positionUnavailable(exchange)
        }
    }

    private func takeAllWaiting() -> [UInt64] {
        defer {
            waiting.removeAll(keepingCapacity: true)
            served.removeAll(keepingCapacity: true)
        }
        return served + waiting
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

    /// At the end of the turn: all that waits by then shares one, and the connection of whoever waits is free again.
    private func sampleSoon() {
        guard !isSamplingSoon, !isSampling else { return }
        isSamplingSoon = true
        worker.loop.atEndOfTurn(endOfTurn)
    }

    private func sample() {
        guard !isSampling, !worker.isEnding else { return }
        isSampling = true
        sampleSentAt = worker.loop.now
        samplingTimer?.clear()
        served += waiting
        waiting.removeAll(keepingCapacity: true)
        let exchange = worker.takeExchange()
        exchange.kind = .sample
        exchange.pool = primary
        exchange.cluster = self
        exchange.asksReport = true
        exchange.receivedAt = worker.loop.now
        exchange.deadline = worker.loop.now &+ Self.sampleTimeout
        primary.telemetry.counters.add(.samples)
        // A connection that is idle serves it at once, whoever else waits: many wait for its answer.
        if let server = primary.lendServer() { server.start(exchange) } else { primary.submit(exchange) }
    }

    /// The sample came back, or nothing did.
    func sampleEnded(_ report: ClusterHistory.Report?, askedAt: UInt64) {
        isSampling = false
        sampleSentAt = nil
        guard let report else {
            // A connection that died while it idled says nothing about the primary: whoever waits gets a second try.
            let wasLost = worker.loop.now &- askedAt < Self.sampleTimeout / 2
            guard wasLost, !isSamplingAgain, !worker.isEnding, !primary.holdReasons.contains(.roleLost) else {
                isSamplingAgain = false
                return failWaiting()
            }
            isSamplingAgain = true
            return sample()
        }
        isSamplingAgain = false
        let numbers = served
        served.removeAll(keepingCapacity: true)
        for number in numbers {
            let exchange = worker.exchanges[number]
            exchange.report = report
            exchange.client?.positionArrived(exchange, askedAt: askedAt)
        }
        if !waiting.isEmpty {
            sample()
        } else if worker.loop.now &- lagAskedAt <= Self.samplingMemory {
            scheduleSample()
        }
    }
}
