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
    /// The shortest wish in nanoseconds in it, which moves on while the read waits; and whether it is a pool's or a rule's alone.
    var age: UInt64?
    var isAgeSoft = true

    /// The stricter of both.
    mutating func raise(to other: ReadFloor) {
        isSoft = isSoft && other.isSoft
        if let theirs = other.age {
            age = min(age ?? theirs, theirs)
            isAgeSoft = isAgeSoft && other.isAgeSoft
        }
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
            let question = question(for: pool, now: now)
            if let question { plan.append(question) }
            if question != .proof, isHeldToReading(on: pool) { plan.append(.readOnly) }
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
        case .commit:
            if asksAssigned { plan.append(.assigned) }
            plan.append(.request)
        case .query, .rollback, .cleanup, .reload: plan.append(.request)
        }
        return plan
    }

    private func resolvingPlan() -> BatchPlan {
        var plan = BatchPlan()
        switch resolution?.stage {
        case .identifying:
            if kind.isQuery {
                if asksReport { plan.append(.proof) }
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

    /// It was taken for a read, and the server would let it write: what views, operators and policies call has no name in its
    /// text. A standby refuses by itself, unless a primary stands where it should be.
    private func isHeldToReading(on pool: PoolDriver) -> Bool {
        effect == .read && (!pool.isStandby || pool.hasPrimaryBehind)
    }

    private func question(for pool: PoolDriver, now: UInt64) -> BatchPart? {
        if pool.isStandby {
            guard floor != nil else { return nil }
            ripen(pool.clusterDriver.history, now: now)
            return isGuarded || pool.asksForProof(now: now) ? .fence : .check
        }
        guard asksReport else { return nil }
        // BEGIN writes nothing: that its server was the wrong one is known before a statement follows.
        return kind.isQuery ? .proof : .report
    }

    /// A wish in milliseconds counts from when the read is sent. Without a sample that is young enough no standby will do; for a
    /// pool's or a rule's wish the last position that is known stands.
    private func ripen(_ history: ClusterHistory, now: UInt64) {
        guard let ripe = floor, let age = ripe.age, now > age else { return }
        let positions = history.positions
        let last = ripe.isAgeSoft ? positions.newest?.position : LogPosition(.max)
        guard let known = positions.earliest(since: now &- age)?.position ?? last else { return }
        floor?.position = max(ripe.position, known)
    }

    /// When it began at the latest, in all likelihood. PgBouncer or the standby may have stood still before they ran it, which
    /// makes it older than it was when it was sent; but the check's row comes with the statement's own end, so what the
    /// statement usually takes does not count.
    private func startedAtLatest(_ now: UInt64) -> UInt64 {
        let usual = UInt64(statement?.usualMicroseconds ?? 0) &* 1_000
        return now > usual ? max(sentAt, now - usual) : sentAt
    }

    /// The least timeline that will do, as names of WAL files write it.
    var leastTimelineText: String {
        let known = pool?.clusterDriver.history.timeline ?? 0
        let digits = String(max(known, leastTimeline), radix: 16, uppercase: true)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// What `fence` compares with; nil: nothing, it only proves.
    var fence: LogPosition? { isGuarded ? floor?.position : nil }

    /// Milliseconds that are left, at least 1.
    var serverTimeout: UInt64 { deadline > sentAt ? max(1, (deadline - sentAt) / 1_000_000) : 1 }

    // MARK: What checks and reports say

    /// The row of a check or a report, before the request's own rows.
    func checked(_ row: borrowing QueryResult, _ part: BatchPart) {
        guard let pool else { return }
        if part == .report || part == .proof {
            // What may have written is not taken back: its proof has let it run.
            let counts = mayWrite && kind.isQuery
            guard let said = ClusterHistory.Report(row) else { return counts ? () : discard() }
            let cluster = cluster ?? pool.clusterDriver
            guard cluster.reported(said, askedAt: sentAt) else { return counts ? () : discard() }
            report = said
            if cluster.history.timeline < leastTimeline, !counts { discard() }
            if let identity = row.value(0, 6) { node = StandbyNodes.name(of: identity) }
            cluster.primaryNode = node
            lag = .milliseconds(0)
            if let aheadPosition, said.inserted < aheadPosition { pool.telemetry.counters.add(.tokensRefused(.future)) }
        } else {
            if floor?.isAgeSoft == false {
                ripen(pool.clusterDriver.history, now: startedAtLatest(pool.worker.loop.now))
            }
            guard var said = StandbyNodes.Report(row, of: part) else { return discard() }
            // Behind the check its transaction begins again: what the check saw was not its snapshot.
            if kind.isBegin, request.options.isRepeatableRead { said.isReadCommitted = true }
            if !pool.met(said, by: self) { discard() }
        }
    }

    private func discard() {
        isDiscarded = true
    }

    /// An error in the place of a check. 22P02 is the fence's own: the standby is behind, or the server is no primary. A refusal
    /// (42…) says nothing about how far a standby is: the read goes where no check is needed. Any other is the request's.
    func checkFailed(_ error: borrowing QueryResult, _ part: BatchPart) -> Bool {
        guard let sqlstate = error.sqlstate else { return false }
        if sqlstate.elementsEqual("22P02".utf8) {
            if part == .proof { failedProof = true } else { pool?.missed(by: self) }
        } else if part != .proof, sqlstate.starts(with: "42".utf8) {
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
