import Freshness
import Machines
import Routing
import Telemetry
import Wire

/// Reads on their way to a server that is fresh enough, and what is learned of positions on the way.
extension ClientDriver {
    /// From here on a read is too dear to run in vain: a standby that is behind is to fail before it.
    private static let dearMicroseconds = 20_000

    /// Where a read goes when its wishes are asked: where the rules say, or to the primary.
    func freshen(
        _ routed: Decision, _ request: Request, _ line: UnsafeRawPointer, decideAgain: (PrimaryNeed) -> Decision
    ) -> (Decision, ReadWish) {
        guard let index = routed.pool else { preconditionFailure("a decision is a pool or a refusal") }
        let pool = worker.pools[index]
        var wish = wish(of: request, line, routed.effects, on: pool)
        guard pool.isStandby, !pool.isProving else { return (routed, wish) }
        if routed.effects.mayRerun == false, let floor = wish.floor, case .asRouted = wish.way, !pool.hasProof {
            // A standby without proof lets it run and is not believed: it would run twice.
            wish.goToPrimary(floor.need)
        }
        wish.spill(pool)
        guard case .primary(let need) = wish.way else { return (routed, wish) }
        return (decideAgain(need), wish)
    }

    /// Sends an exchange to its pool, or lets it wait for a position first.
    func launch(_ exchange: Exchange, _ wish: ReadWish, _ effects: RuleEffects) {
        guard let pool = exchange.pool else { preconditionFailure("an exchange without a pool") }
        let telemetry = pool.clusterDriver.primary.telemetry
        telemetry.counters.add(.tokensRefused(.malformed), wish.refusedTokens.malformed)
        telemetry.counters.add(.tokensRefused(.timeline), wish.refusedTokens.oldTimeline)
        telemetry.counters.add(.tokensRefused(.foreign), wish.refusedTokens.foreign)
        exchange.floor = pool.isStandby ? wish.floor : nil
        exchange.ruleMaxLag = effects.maxLag
        exchange.leastTimeline = wish.leastTimeline
        exchange.aheadPosition = wish.aheadPosition
        exchange.asksReport = wish.asksReport && !pool.isStandby
        exchange.waitUntil = worker.loop.now &+ wish.patience
        exchange.mayRunAgain = effects.mayRerun != false
        let isDear = (exchange.statement?.usualMicroseconds ?? 0) > Self.dearMicroseconds
        exchange.isGuarded = isDear || effects.isExclusive == true || effects.mayRerun == false
        if let standbys = wish.spillsFrom { exchange.isSpilled = standbys.takeSpill() }
        if pool.isStandby, case .whenPositionKnown(let since) = wish.way {
            pool.clusterDriver.wait(exchange, since: since)
        } else if exchange.effect == .commitsOnTheWay, exchange.asksReport {
            // It shares its batch with nothing: the primary is proved before.
            pool.clusterDriver.wait(exchange, since: nil)
        } else {
            pool.submit(exchange)
        }
    }

    // MARK: Positions that were waited for

    /// A position of the primary is known that was asked for when the exchange needed it.
    func positionArrived(_ exchange: Exchange, askedAt: UInt64) {
        guard exchange.outcome != nil else { return relaunch(exchange, canWait: true) }
        if exchange.outcomeIsSuccess { takeToken(exchange) }
        writeOutcome(of: exchange, insideTransaction: machine.transaction != .none)
        replyCompleted(exchange)
    }

    /// No primary could be asked in time.
    func positionUnavailable(_ exchange: Exchange) {
        guard exchange.outcome != nil else { return relaunch(exchange, canWait: false) }
        let inside = machine.transaction != .none
        if exchange.outcomeIsSuccess {
            exchange.pool?.telemetry.counters.add(.tokens(.unavailable))
            writeOutcome(of: exchange, insideTransaction: inside)
        } else if exchange.pool?.holdReasons.contains(.roleLost) != true || exchange.effect == .commitsOnTheWay {
            // Nothing is known against the server's own word.
            writeOutcome(of: exchange, insideTransaction: inside)
        } else if !inside, let pool = exchange.pool, exchange.runs < 2, exchange.mayRunAgain {
            // The server that refused it was no primary, so it changed nothing: it waits for one that is proved.
            exchange.discardAnswer()
            return pool.submit(exchange)
        } else {
            writeError(.roleLost, id: idBytes(of: exchange), insideTransaction: inside, exchange: exchange)
        }
        replyCompleted(exchange)
    }

    private func relaunch(_ exchange: Exchange, canWait: Bool) {
        guard let pool = exchange.pool else { preconditionFailure("a read that was routed nowhere") }
        guard worker.loop.now < exchange.deadline else {
            return exchangeRefused(exchange, .timedOutWaiting(pool: pool.clusterDriver.primary.name))
        }
        // The sample's, not its own.
        exchange.report = nil
        let line = UnsafeRawPointer(input.pointer(atPosition: exchange.position))
        guard pool.isStandby else {
            // A pool that lost its role gives no connection until one is proved.
            if !canWait, pool.holdReasons.contains(.roleLost), exchange.effect != .commitsOnTheWay {
                return pool.submit(exchange)
            }
            guard canWait else { return exchangeRefused(exchange, .freshnessUnavailable) }
            // Before the first report nobody could say whose token it is.
            let leastTimeline = wish(of: exchange.request, line, RuleEffects(), on: pool).leastTimeline
            if leastTimeline < exchange.leastTimeline { pool.telemetry.counters.add(.tokensRefused(.foreign)) }
            exchange.leastTimeline = leastTimeline
            guard pool.clusterDriver.history.timeline >= exchange.leastTimeline else {
                pool.telemetry.counters.add(.tokensRefused(.timeline))
                return exchangeRefused(exchange, .olderTimeline)
            }
            return pool.submit(exchange)
        }
        var effects = RuleEffects()
        effects.maxLag = exchange.ruleMaxLag
        var wish = wish(of: exchange.request, line, effects, on: pool, canWait: canWait)
        if wish.waitsForPosition {
            // The sample took longer than the wish allows, or is of no use. The primary itself is new enough for whoever asked;
            // for a pool's or a rule's wish the last that is known stands.
            if wish.waitsForOwn {
                wish.goToPrimary(wish.floor?.need ?? .lag)
            } else {
                wish = self.wish(of: exchange.request, line, effects, on: pool, canWait: false)
            }
        }
        if wish.lacksPosition { return exchangeRefused(exchange, .freshnessUnavailable) }
        if case .primary(let need) = wish.way {
            if wish.floor?.isSoft == true, need == .lag {
                guard pool.takeSpill() else { return exchangeRefused(exchange, .spillExhausted) }
                exchange.isSpilled = true
            }
            // A promotion, perhaps: what it must see is of another era.
            exchange.leastTimeline = wish.leastTimeline
            exchange.asksReport = true
            exchange.reason = need.reason
            return goToPrimary(exchange)
        }
        exchange.floor = wish.floor
        exchange.aheadPosition = wish.aheadPosition
        // Not worth trying, perhaps; but from here the primary is reached by a miss, in the order of the replies.
        pool.submit(exchange)
    }

    private func takeToken(_ exchange: Exchange) {
        guard let report = exchange.report, let pool = exchange.pool else { return }
        let history = pool.clusterDriver.history
        let position = report.position(coveringUnflushed: exchange.mayBeUnflushed)
        exchange.token = history.token(at: position)
        pool.telemetry.counters.add(.tokens(.given))
        positionKnown(position, of: pool.clusterDriver)
    }

    // MARK: What this connection wrote

    /// A read on the primary said where its log stands: a position behind this connection's last write.
    func positionLearned(from exchange: Exchange) {
        guard let report = exchange.report, let cluster = exchange.pool?.clusterDriver, !exchange.mayWrite else {
            return
        }
        let era = cluster.history.era
        if machine.written.contains(cluster.index) || ownFloors[cluster.index].map({ $0.era != era }) == true {
            positionKnown(report.position(coveringUnflushed: unflushed.contains(cluster.index)), of: cluster)
        }
        guard exchange.request.options.present.contains(.session) else { return }
        let line = UnsafeRawPointer(input.pointer(atPosition: exchange.position))
        let key = exchange.request.options.session.bytes(in: line)
        let isUnflushed = cluster.sessions.floor(of: key, cluster: cluster.index).isUnflushed
        let known = OwnFloors.Floor(position: report.position(coveringUnflushed: isUnflushed), era: era)
        cluster.sessions.positionKnown(known, of: key, cluster: cluster.index, askedAt: exchange.sentAt)
    }

    private func positionKnown(_ position: LogPosition, of cluster: ClusterDriver) {
        ownFloors.set(OwnFloors.Floor(position: position, era: cluster.history.era), of: cluster.index)
        machine.positionKnown(of: cluster.index)
        unflushed.remove(cluster.index)
    }

    /// Something was committed, or may have been, by this exchange: sessions that share its key must see it.
    func sessionWritten(by exchange: Exchange) {
        guard let cluster = exchange.pool?.clusterDriver else { return }
        if exchange.mayBeUnflushed { unflushed.insert(cluster.index) }
        var key = transactionSession
        if case .query = exchange.kind, exchange.request.options.present.contains(.session) {
            let line = UnsafeRawPointer(input.pointer(atPosition: exchange.position))
            key = Array(exchange.request.options.session.bytes(in: line))
        }
        guard !key.isEmpty else { return }
        cluster.sessions.set(
            .pending(since: worker.loop.now, isUnflushed: exchange.mayBeUnflushed), of: key, cluster: cluster.index)
    }
}

extension ReadWish {
    /// Whether the standbys' pool cannot answer, or is too old only for a pool's or a rule's wish: then the primary does, as
    /// far as it may.
    mutating func spill(_ pool: PoolDriver) {
        switch way {
        case .asRouted, .whenPositionKnown:
            guard pool.isUnavailable || pool.isDoubtful && pool.hasSpill else { return }
            goToPrimary(.spill)
            // Proof is for who asked for it: a spilled read is to cost the primary as little as it can.
            asksReport = floor != nil || waitsForOwn
        case .primary(let need):
            guard need == .lag, floor?.isSoft == true else { return }
        }
        spillsFrom = pool
        isRefusedSpill = !pool.hasSpill
    }
}
