import Freshness
import Machines
import Routing
import Wire

/// How fresh a read must be, and who can answer it: every wish (`@after`, `@session`, the connection's own writes, `@lag`,
/// `max_lag`) becomes one floor, a position that a standby must have replayed.
struct ReadWish {
    enum Way {
        /// Whoever the rules name; with a floor a standby has to have it.
        case asRouted
        /// No standby is known, or likely, to be fresh enough.
        case primary(PrimaryNeed)
        /// A position is needed that was asked for at this time or later; nanoseconds.
        case whenPositionKnown(since: UInt64)
    }

    var way = Way.asRouted
    var floor: ReadFloor?
    var leastTimeline: UInt32 = 0
    var aheadPosition: LogPosition?
    /// On a primary it must prove that it is one.
    var asksReport = false
    /// How long a standby may take to catch up, in nanoseconds.
    var patience: UInt64 = 0
    /// The pool whose standbys cannot answer, so that the primary does; and whether it has no connection for that.
    var spillsFrom: PoolDriver?
    var isRefusedSpill = false
    /// A wish in milliseconds for which no position is known.
    var lacksPosition = false
    /// What waits for a position is a wish of the client's own.
    var waitsForOwn = false
    /// Tokens that say nothing here, counted when the request goes on its way: one that waits is judged again.
    var refusedTokens = RefusedTokens()

    struct RefusedTokens {
        var malformed = 0
        var oldTimeline = 0
        var foreign = 0
    }

    var waitsForPosition: Bool {
        if case .whenPositionKnown = way { return true }
        return false
    }

    fileprivate mutating func raise(to other: ReadFloor) {
        if floor == nil { floor = other } else { floor?.raise(to: other) }
    }

    mutating func goToPrimary(_ need: PrimaryNeed) {
        if case .primary = way { return }
        way = .primary(need)
        asksReport = true
    }
}

extension ClientDriver {
    /// What a read wants that the rules sent to `pool`. `canWait` is false for one that was refused a position before.
    func wish(
        of request: Request, _ line: UnsafeRawPointer, _ effects: RuleEffects, on pool: PoolDriver, canWait: Bool = true
    ) -> ReadWish {
        var wish = ReadWish()
        let options = request.options
        let cluster = pool.clusterDriver
        if options.present.contains(.wait) {
            wish.patience = UInt64(options.waitMilliseconds) * 1_000_000
        } else if let wait = effects.wait {
            wish.patience = UInt64(wait) * 1_000_000
        }
        addOwnWrites(&wish, cluster)
        if options.present.contains(.session) { addSession(&wish, options.session.bytes(in: line), cluster) }
        if options.present.contains(.after) {
            options.forEachAfter(in: line) { addToken(&wish, $0, cluster, canWait) }
        }
        if options.present.contains(.lag) {
            addLag(&wish, options.lagMilliseconds, cluster, isSoft: false, canWait)
        } else if let lag = session.lagMilliseconds {
            addLag(&wish, lag, cluster, isSoft: false, canWait)
        }
        guard pool.isStandby, !pool.isProving else {
            // On the primary nothing else is wanted; what the client asked for is proved there.
            if case .whenPositionKnown = wish.way { wish.way = .asRouted }
            let asksLag = options.present.contains(.lag) || session.lagMilliseconds != nil
            wish.asksReport = wish.asksReport || wish.floor != nil || asksLag
            return wish
        }
        var limit = effects.maxLag
        if let ofPool = pool.settings.maxLagMilliseconds { limit = min(limit ?? Int32(ofPool), Int32(ofPool)) }
        if let limit {
            addLag(&wish, limit, cluster, isSoft: true, canWait)
        }
        if case .asRouted = wish.way, let floor = wish.floor, wish.patience == 0,
            !pool.nodes.isWorthTrying(floor.position, era: floor.era, now: worker.loop.now)
        {
            wish.goToPrimary(floor.need)
        }
        return wish
    }

    // MARK: Own writes

    private func addOwnWrites(_ wish: inout ReadWish, _ cluster: ClusterDriver) {
        if machine.written.contains(cluster.index) {
            // The read behind a write goes to the primary and brings the position with it: one round trip, where asking first
            // and then trying a standby that most likely lacks it would take three.
            return wish.goToPrimary(.ownWrite)
        }
        if let floor = ownFloors[cluster.index] { add(&wish, .known(floor), .ownWrite, cluster) }
    }

    private func addSession(_ wish: inout ReadWish, _ key: UnsafeRawBufferPointer, _ cluster: ClusterDriver) {
        add(&wish, cluster.sessions.floor(of: key, cluster: cluster.index), .ownWrite, cluster)
    }

    private func add(
        _ wish: inout ReadWish, _ floor: SessionFloors.Floor, _ need: PrimaryNeed, _ cluster: ClusterDriver
    ) {
        switch floor {
        case .none: break
        case .pending: wish.goToPrimary(need)
        case .known(let floor):
            // A position of another era is of another history.
            guard floor.era == cluster.history.era else { return wish.goToPrimary(need) }
            wish.raise(to: ReadFloor(position: floor.position, era: floor.era, need: need, isSoft: false))
        }
    }

    // MARK: Tokens

    private func addToken(
        _ wish: inout ReadWish, _ text: UnsafeRawBufferPointer, _ cluster: ClusterDriver, _ canWait: Bool
    ) {
        guard let token = CommitToken(text) else {
            wish.refusedTokens.malformed += 1
            return wish.goToPrimary(.after)
        }
        switch cluster.history.verdict(on: token) {
        case .floor(let position, let isAhead):
            if isAhead {
                wish.aheadPosition = max(position, wish.aheadPosition ?? position)
                // News of another daemon, or forged: who would wait for a standby first asks the primary which.
                if wish.patience > 0, canWait, case .asRouted = wish.way {
                    wish.waitsForOwn = true
                    wish.way = .whenPositionKnown(since: worker.loop.now)
                }
            }
            wish.raise(to: ReadFloor(position: position, era: cluster.history.era, need: .after, isSoft: false))
        case .unknown:
            wish.leastTimeline = max(wish.leastTimeline, token.timeline)
            wish.goToPrimary(.after)
        case .oldTimeline:
            wish.refusedTokens.oldTimeline += 1
            wish.goToPrimary(.after)
        case .otherSystem:
            // A token of another known cluster says nothing about this one.
            if worker.clusters.contains(where: { $0 !== cluster && $0.knows(token) }) { return }
            wish.refusedTokens.foreign += 1
            wish.goToPrimary(.after)
        }
    }

    // MARK: Milliseconds

    private func addLag(
        _ wish: inout ReadWish, _ milliseconds: Int32, _ cluster: ClusterDriver, isSoft: Bool, _ canWait: Bool
    ) {
        guard milliseconds > 0 else { return wish.goToPrimary(.lag) }
        let age = UInt64(milliseconds) * 1_000_000
        let now = worker.loop.now
        let since = now > age ? now - age : 0
        cluster.lagWanted(age)
        let era = cluster.history.era
        if let sample = cluster.history.positions.earliest(since: since) {
            wish.raise(
                to: ReadFloor(
                    position: sample.position, era: era, need: .lag, isSoft: isSoft, age: age, isAgeSoft: isSoft))
        } else if canWait {
            if !isSoft { wish.waitsForOwn = true }
            if case .asRouted = wish.way { wish.way = .whenPositionKnown(since: since) }
        } else if !isSoft {
            wish.lacksPosition = true
        } else if let newest = cluster.history.positions.newest {
            // No primary can be asked: the last that is known of it stands.
            wish.raise(to: ReadFloor(position: newest.position, era: era, need: .lag, isSoft: true))
        }
    }
}

extension Request {
    /// Whether something that is no read asks for freshness: rows that it returns are to be the primary's own.
    func wantsFreshness(of statement: Statement) -> Bool {
        options.present.contains(.after) || options.present.contains(.lag)
            || options.present.contains(.session) && statement.kind == .select
    }
}

extension RequestOptions {
    var isRepeatableRead: Bool { present.contains(.iso) && isolation == .repeatableRead }
}

extension ClusterDriver {
    /// Whether a token is of this cluster's system.
    func knows(_ token: CommitToken) -> Bool {
        history.system.map { UInt32(truncatingIfNeeded: $0) == token.system } ?? false
    }
}
