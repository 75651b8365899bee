import Freshness
import Machines
import Routing
import Upstream

/// What a read must see, as a position that a standby must have replayed.
struct ReadFloor {
    var position: LogPosition
    /// The era of the cluster's history that the position belongs to.
    var era: UInt32
    /// Why: the reason when the primary has to answer instead.
    var need: PrimaryNeed
    /// It is a pool's or a rule's wish alone, so that a fall-back on the primary counts against the spill budget.
    var isSoft: Bool
    /// A wish in nanoseconds in it, which moves on while the read waits for a connection.
    var age: UInt64?

    /// The stricter of both.
    mutating func raise(to other: ReadFloor) {
        isSoft = isSoft && other.isSoft
        if let theirs = other.age { age = min(age ?? theirs, theirs) }
        if other.position > position {
            position = other.position
            need = other.need
        }
    }
}

// MARK: The batch of an exchange

extension Exchange {
    /// Its statements in order, as it is sent now.
    func plan(for pool: PoolDriver, now: UInt64) -> BatchPlan {
        var plan = BatchPlan()
        switch kind {
        case .sample: plan.append(.report)
        case .probe, .patrol: plan.append(pool.isStandby ? .fence : .report)
        case _ where resolution != nil: return resolvingPlan()
        case .query where effect != .inTransaction:
            // What may write must not have its answer discarded: whoever wants proof has asked for it before.
            if !mayWrite, let question = question(for: pool, now: now) { plan.append(question) }
            if isHeldToReading(on: pool) { plan.append(.readOnly) }
            if hasServerTimeout { plan.append(.timeout) }
            plan.append(.request)
        case .begin:
            plan.append(.request)
            if let question = question(for: pool, now: now) {
                plan.append(question)
                // The transaction that begins again has its snapshot still to take.
                if request.options.isRepeatableRead { plan.append(.chain) }
            }
        case .query where hasServerTimeout:
            plan.append(.localTimeout)
            plan.append(.request)
            plan.append(.restoreTimeout)
        case .query, .commit, .rollback, .cleanup, .reload: plan.append(.request)
        }
        return plan
    }

    private func resolvingPlan() -> BatchPlan {
        var plan = BatchPlan()
        switch resolution?.stage {
        case .identifying:
            if kind.isQuery {
                plan.append(.begin)
                if hasServerTimeout { plan.append(.timeout) }
                plan.append(.request)
            }
            plan.append(.identify)
        case .committing: plan.append(kind.isQuery ? .commit : .request)
        case .asking, nil: plan.append(.status)
        }
        return plan
    }

    /// It must not write, and the server would let it: its client said so, it is being proved, or a primary stands where a
    /// standby should.
    private func isHeldToReading(on pool: PoolDriver) -> Bool {
        pool.isStandby ? pool.hasPrimaryBehind : isProving || request.options.present.contains(.ro)
    }

    private func question(for pool: PoolDriver, now: UInt64) -> BatchPart? {
        if pool.isStandby {
            guard floor != nil else { return nil }
            ripen(pool.clusterDriver.history, now: now)
            return isGuarded || pool.asksForProof(now: now) ? .fence : .check
        }
        return asksReport ? .report : nil
    }

    /// A wish in milliseconds counts from when the read is sent. Without a sample that is young enough no standby will do.
    private func ripen(_ history: ClusterHistory, now: UInt64) {
        guard var ripe = floor, let age = ripe.age, !ripe.isSoft, now > age else { return }
        let known = history.positions.earliest(since: now &- age)?.position ?? LogPosition(.max)
        ripe.position = max(ripe.position, known)
        floor = ripe
    }

    /// What `fence` compares with; nil: nothing, it only proves.
    var fence: LogPosition? { isGuarded ? floor?.position : nil }

    /// Milliseconds that are left, at least 1.
    var serverTimeout: UInt64 { deadline > sentAt ? max(1, (deadline - sentAt) / 1_000_000) : 1 }

    // MARK: What checks and reports say

    /// The row of a check or a report, before the request's own rows.
    func checked(_ row: borrowing QueryResult, _ part: BatchPart) {
        guard let pool else { return }
        if part == .report {
            guard let said = ClusterHistory.Report(row) else { return discard() }
            let cluster = cluster ?? pool.clusterDriver
            guard cluster.reported(said, askedAt: sentAt) else { return discard() }
            report = said
            if cluster.history.timeline < leastTimeline { discard() }
            if let identity = row.value(0, 6) { node = StandbyNodes.name(of: identity) }
            cluster.primaryNode = node
            lag = .milliseconds(0)
            if let aheadPosition, said.inserted < aheadPosition { pool.telemetry.counters.add(.tokensRefused(.future)) }
        } else {
            guard var said = StandbyNodes.Report(row, of: part) else { return discard() }
            // Behind the check its transaction begins again: what the check saw was not its snapshot.
            if kind.isBegin, request.options.isRepeatableRead { said.isReadCommitted = true }
            if !pool.met(said, by: self) { discard() }
        }
    }

    private func discard() {
        isDiscarded = true
    }

    /// An error in the place of a check. 22P02 is the fence's own: the standby is behind. A refusal (42…) says nothing about how
    /// far it is: the read goes where no check is needed. Any other is the request's.
    func checkFailed(_ error: borrowing QueryResult) -> Bool {
        guard let sqlstate = error.sqlstate else { return false }
        if sqlstate.elementsEqual("22P02".utf8) {
            pool?.missed(by: self)
        } else if sqlstate.starts(with: "42".utf8) {
            pool?.checkFailed(error)
        } else {
            return false
        }
        // A server that says no is there: that is all that a question of the daemon's own asks.
        if !isOwnQuestion { discard() }
        return true
    }

    // MARK: Its end, for whoever asked

    /// Its Sync came back.
    func finished(_ status: ClientMachine.ServerTransaction) {
        guard let client else { return endOwn(isAnswered: true) }
        client.exchangeFinished(self, status)
    }

    /// Its connection ended before that.
    func lost(stage: Outcome.Stage, error: String) {
        guard let client else { return endOwn(isAnswered: false) }
        client.exchangeLost(self, stage: stage, error: error)
    }

    /// Its deadline and the cancel's grace are over, and its connection has not answered.
    func givenUp() {
        if let client { return client.exchangeGivenUp(self) }
        // Whoever asked goes on; the connection gives the exchange back when it is done.
        tellOwner(isAnswered: false)
        kind = .cleanup
    }

    /// It was never sent.
    func refused(_ answer: Answer) {
        guard let client else { return endOwn(isAnswered: false) }
        client.exchangeRefused(self, answer)
    }

    var isOwnQuestion: Bool {
        switch kind {
        case .sample, .probe, .patrol: true
        case .query, .begin, .commit, .rollback, .cleanup, .reload: false
        }
    }

    /// The end of a question of the daemon's own, or of one whose client has gone.
    private func endOwn(isAnswered: Bool) {
        tellOwner(isAnswered: isAnswered)
        (pool?.worker ?? cluster?.worker)?.giveBack(self)
    }

    private func tellOwner(isAnswered: Bool) {
        switch kind {
        case .sample: cluster?.sampleEnded(isAnswered ? report : nil, askedAt: sentAt)
        case .probe: pool?.probeEnded(self, isAnswered: isAnswered && (outcome == nil || outcomeIsSuccess))
        case .query, .begin, .commit, .rollback, .cleanup, .reload, .patrol: break
        }
    }
}
