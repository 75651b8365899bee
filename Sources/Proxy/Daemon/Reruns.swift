import EventLoop
import Machines
import Routing
import Telemetry
import Upstream
import Wire

/// Reads that run once more: a standby was behind, could not serve them, or went away. Nothing of them was delivered, and
/// the server itself held them to read-only.
///
/// Across pools they run again one at a time, each when its reply is the next one: a read that waits behind another and keeps
/// a connection while it does could otherwise wait for a connection that the other one's neighbour keeps.
extension ClientDriver {
    /// More would only repeat what failed.
    private static let maximumRuns = 3
    /// Between tries of what PgBouncer has no server for, in nanoseconds.
    private static let serverPause: UInt64 = 50_000_000
    /// Before the second look at a standby that is behind, in nanoseconds.
    private static let firstPauseBehind: UInt64 = 1_000_000

    // MARK: May it?

    /// What just ended in vain: true when it runs again. `wasSent` is false for one that its pool refused, which would only do
    /// so again.
    func runsAgain(_ exchange: Exchange, _ reason: Rerun.Reason, wasSent: Bool = true) -> Bool {
        guard mayRunAgain(exchange, reason), let pool = exchange.pool else { return false }
        guard pool.isStandby else {
            note(exchange, reason)
            exchange.discardAnswer()
            if reason == .writes { exchange.reason = .learned }
            goToPrimary(exchange)
            return true
        }
        if reason == .lost || reason == .shutdown { pool.standbyFailed() }
        if reason == .stale, let at = catchUpTime(of: exchange) {
            note(exchange, reason)
            exchange.discardAnswer()
            exchange.stage = .waitingToRunAgain
            exchange.runsInSamePool = true
            goOn(at: at)
            return true
        }
        // Behind others of this client it could wait for a connection that one of them keeps.
        if !reason.needsPrimary, wasSent, exchange.runs == 1, active.count == 1, !pool.isUnavailable {
            note(exchange, reason)
            exchange.discardAnswer()
            pool.submit(exchange)
            return true
        }
        // Only because the standbys cannot: what the primary may spend on that is bounded.
        let spills = !reason.needsPrimary || reason == .stale && exchange.floor?.isSoft == true
        if spills {
            guard exchange.isSpilled || pool.takeSpill() else {
                // The primary can spare nothing. A conflict with replay passes: the standbys are asked once more.
                guard reason == .conflict, active.count == 1 else { return false }
                note(exchange, reason)
                exchange.discardAnswer()
                exchange.stage = .waitingToRunAgain
                exchange.runsInSamePool = true
                goOn(at: worker.loop.now &+ Self.serverPause)
                return true
            }
            exchange.isSpilled = true
        }
        note(exchange, reason)
        exchange.discardAnswer()
        exchange.reason = self.reason(of: exchange, reason)
        goToPrimary(exchange)
        return true
    }

    private func note(_ exchange: Exchange, _ reason: Rerun.Reason) {
        exchange.rerun = reason
        exchange.pool?.telemetry.counters.add(.reruns(reason.counted))
    }

    private func mayRunAgain(_ exchange: Exchange, _ reason: Rerun.Reason) -> Bool {
        guard let pool = exchange.pool, pool.isStandby || mayRunAgainOnPrimary(exchange, reason),
            exchange.runs < Self.maximumRuns, !exchange.isOverdue, !exchange.isCancelled,
            worker.loop.now < exchange.deadline, !isDraining || reason == .stale
        else { return false }
        // What was written to the client cannot be taken back; what is held for it can.
        guard !exchange.wroteColumns || exchange.isDiscarded || !isFirst(exchange) else { return false }
        switch exchange.kind {
        case .begin: return true
        case .query where exchange.effect == .read:
            // A rule's `rerun = false` is about effects that no server sees; a read whose answer was discarded must get one.
            if reason != .stale, !exchange.mayRunAgain { return false }
            // The client's own word that it does not write: then it does not run where it could.
            return !(reason.teaches && exchange.request.options.present.contains(.ro))
        default: return false
        }
    }

    /// On the primary a read was held to reading as well: it may turn out to write, and it may be lost.
    private func mayRunAgainOnPrimary(_ exchange: Exchange, _ reason: Rerun.Reason) -> Bool {
        switch reason {
        case .writes: true
        case .lost, .shutdown: exchange.runs == 1 && !exchange.wasNotForwarded
        case .stale, .recovery, .schema, .conflict: false
        }
    }

    /// When a standby should have caught up, if the read may wait that long.
    private func catchUpTime(of exchange: Exchange) -> UInt64? {
        let now = worker.loop.now
        guard let pool = exchange.pool, let floor = exchange.floor, exchange.aheadPosition == nil,
            // A neighbour that keeps a connection until it may answer could keep the one that this one waits for.
            active.count == 1
        else { return nil }
        // A fence that failed does not say whose it was.
        let node = pool.nodes.nodes.firstIndex { $0.name == exchange.node }
        // What stands still tells no rate: each look is twice as far from the last one.
        exchange.pauseBehind = min(max(exchange.pauseBehind &* 2, Self.firstPauseBehind), Self.serverPause)
        let toReach = node.map { pool.nodes.timeToReach(floor.position, from: $0) } ?? Self.serverPause
        let at = now &+ max(toReach, exchange.pauseBehind)
        guard at < exchange.waitUntil, at < exchange.deadline else { return nil }
        // Waiting is no run in vain.
        exchange.runs -= 1
        return at
    }

    private func reason(of exchange: Exchange, _ reason: Rerun.Reason) -> Routing.RouteReason {
        switch reason {
        case .stale: exchange.isSpilled ? .spill : (exchange.floor?.need.reason ?? .after)
        case .writes, .recovery: .learned
        case .schema: exchange.reason
        case .conflict, .shutdown, .lost: .spill
        }
    }

    /// PgBouncer had no server for it just then (RECONNECT, a restart) and did not forward it: it goes on waiting, as long as
    /// it may wait for a connection.
    func waitsForServer(_ exchange: Exchange) -> Bool {
        guard let pool = exchange.pool, active.count == 1,
            exchange.kind.isBegin || exchange.effect != .inTransaction && exchange.effect != .commit,
            exchange.outcomeIsError, exchange.wasNotForwarded,
            exchange.errorView.message.starts(with: "server login has been failing".utf8)
        else { return false }
        let at = worker.loop.now &+ Self.serverPause
        let limit = exchange.receivedAt &+ UInt64(pool.settings.queueTimeoutMilliseconds) &* 1_000_000
        guard at < min(exchange.deadline, limit) else { return false }
        exchange.runs -= 1
        exchange.discardAnswer()
        exchange.stage = .waitingToRunAgain
        exchange.runsInSamePool = true
        goOn(at: at)
        return true
    }

    // MARK: Doing it

    /// The reply is due of one that waits to run again, or its standby had time to catch up.
    func goOn(_ exchange: Exchange) {
        guard exchange.stage == .waitingToRunAgain else { return }
        if exchange.isOvertaken {
            exchange.reason = .ownWrite
        } else if exchange.runsInSamePool, let pool = exchange.pool {
            exchange.runsInSamePool = false
            // Neighbours that came meanwhile may keep the connections of this pool until this one has answered.
            guard pool.isStandby, active.count > 1, let need = exchange.floor?.need else {
                return pool.submit(exchange)
            }
            exchange.reason = need.reason
        }
        sendToPrimary(exchange)
    }

    /// To the primary, when it is its turn.
    func goToPrimary(_ exchange: Exchange) {
        if isFirst(exchange) { sendToPrimary(exchange) } else { exchange.stage = .waitingToRunAgain }
    }

    private func sendToPrimary(_ exchange: Exchange) {
        guard let from = exchange.pool else { preconditionFailure("a read that ran nowhere") }
        exchange.isOvertaken = false
        exchange.runsInSamePool = false
        exchange.asksReport = exchange.asksReport || exchange.floor != nil || machine.written.contains(from.cluster)
        exchange.floor = nil
        exchange.isGuarded = false
        exchange.isProving = false
        // What its client promised not to write is held to that.
        let mayWrite = exchange.rerun == .writes || exchange.statement?.namesOnlyKnownFunctions == false
        if exchange.kind.isQuery, mayWrite, !exchange.request.options.present.contains(.ro) {
            becomesWrite(exchange)
            overtake(exchange)
        }
        from.clusterDriver.primary.submit(exchange)
    }

    /// A read turned out to write: what was read beside it, and is still unsaid, is read again behind it.
    private func overtake(_ writer: Exchange) {
        machine.readTurnedOutToWrite()
        for exchange in active where exchange !== writer {
            if exchange.stage == .answered {
                // A refusal, a cancel, a deadline and an error stand: only rows may be too old.
                guard exchange.pool != nil, exchange.outcomeIsSuccess else { continue }
                machine.readResumed()
                exchange.stage = .waitingToRunAgain
            }
            exchange.isOvertaken = true
            // Nothing of it has left, because the writer is first. What still comes is not taken any more.
            exchange.discardAnswer()
            if exchange.stage == .running { exchange.server?.resume() }
        }
    }

    /// It ended, but a statement before it has written meanwhile. True: it waits for its turn.
    func waitsForWriter(_ exchange: Exchange) -> Bool {
        guard exchange.isOvertaken else { return false }
        exchange.discardAnswer()
        exchange.stage = .waitingToRunAgain
        if isFirst(exchange) { goOn(exchange) }
        return true
    }
}

extension Exchange.Kind {
    var isQuery: Bool {
        if case .query = self { return true }
        return false
    }
}

extension Rerun.Reason {
    /// The counter's word.
    var counted: RerunReason {
        switch self {
        case .stale: .stale
        case .writes: .writes
        case .recovery: .recovery
        case .schema: .schema
        case .conflict: .conflict
        case .shutdown: .shutdown
        case .lost: .lost
        }
    }

    /// The receipt's word.
    var staticWord: StaticString {
        switch self {
        case .stale: "stale"
        case .writes: "writes"
        case .recovery: "recovery"
        case .schema: "schema"
        case .conflict: "conflict"
        case .shutdown: "shutdown"
        case .lost: "lost"
        }
    }
}
