// The order in which a request's hints, the rules, the classifier and a connection's promises decide. A hint is the more
// particular wish and goes before a rule's route, as an explicit `.using()` goes before Django's routers; a rule's reject
// always counts; what writes goes to the primary whatever either says.

struct Placement {
    private let rules: RuleSet
    private let statement: Statement
    private let learned: Learning
    private var decidingRule: Int?
    private var effects = RuleEffects()
    private(set) var rejection: Refusal?

    init(rules: RuleSet, statement: Statement, learned: Learning) {
        self.rules = rules
        self.learned = learned
        self.statement = statement
    }

    /// Why it is refused before any rule is asked.
    func refusalByNature(_ request: borrowing RouteRequest) -> Refusal? {
        if let refusal = statement.refusal { return refusal }
        if request.transactionPool == nil, let refusal = statement.refusalOutsideTransaction { return refusal }
        if request.mustNotWrite, statement.access == .write || learned == .writes {
            return Refusal("25006", "it writes, or may write, and @ro promised that it does not")
        }
        return nil
    }

    /// Takes what a matching rule says; true when the chain ends with it.
    mutating func add(rule index: Int) -> Bool {
        let outcome = rules.outcomes[index]
        effects.add(outcome.effects)
        guard outcome.decides else { return false }
        decidingRule = index
        if outcome.rejects { rejection = rules.rejections[index] }
        return true
    }

    func refuse(_ refusal: Refusal, _ request: borrowing RouteRequest) -> Decision {
        let cluster =
            if let pinned = request.transactionPool { rules.pools[pinned].cluster } else { rules.defaultCluster }
        return decision(
            .refused(refusal), rejection != nil ? .rule : statement.reason, cluster: cluster, isPoolNamed: false)
    }

    func place(_ request: borrowing RouteRequest) -> Decision {
        let outcome = decidingRule.map { rules.outcomes[$0] }
        var cluster = outcome?.cluster
        var hintedPool: Int?
        if let name = request.using {
            guard let hinted = rules.cluster(named: name) else {
                return refuse(unknown("cluster", name, "@using"), request)
            }
            cluster = hinted
        }
        if let name = request.pool {
            guard let hinted = rules.pool(named: name) else { return refuse(unknown("pool", name, "@pool"), request) }
            if request.using != nil, rules.pools[hinted].cluster != cluster {
                return refuse(Refusal("08P01", "@pool names a pool of another cluster than @using"), request)
            }
            hintedPool = hinted
            cluster = rules.pools[hinted].cluster
        }
        if let pinned = request.transactionPool { return stay(pinned, wanted: cluster, request) }
        if cluster == nil, statement.isUnparsed, rules.placesTables {
            return refuse(
                Refusal(
                    "0A000",
                    "the text was not parsed, so its tables are unknown, and rules place tables in clusters; name the cluster "
                        + "with @using, or send a shorter text"), request)
        }
        let chosen = cluster ?? rules.defaultCluster
        // A rule's pool counts only in its own cluster: @using may have chosen another.
        let rulePool = outcome?.pool.flatMap { rules.pools[$0].cluster == chosen ? $0 : nil }
        if statement.access == .write || learned != .nothing { return write(chosen, hintedPool, outcome, request) }
        return read(chosen, hintedPool, rulePool, outcome, request)
    }

    private func stay(_ pinned: Int, wanted: Int?, _ request: borrowing RouteRequest) -> Decision {
        let own = rules.pools[pinned].cluster
        if let wanted, wanted != own {
            return refuse(
                Refusal(
                    "0A000",
                    "it belongs to cluster \"\(rules.clusters[wanted].name)\", but the transaction is in "
                        + "\"\(rules.clusters[own].name)\"; a transaction stays in its cluster"), request)
        }
        if statement.access == .write, rules.pools[pinned].role == .standby {
            return refuse(
                Refusal(
                    "25006",
                    statement.isUnparsed
                        ? "it was not parsed, so it may write, and its transaction is on a standby; send it in a BEGIN without @ro"
                        : "it writes, or means something only on the primary, and its transaction is on a standby; send it in "
                            + "a BEGIN without @ro"), request)
        }
        return decision(.run(pool: pinned), .transaction, cluster: own, isPoolNamed: true)
    }

    private func write(
        _ cluster: Int, _ hintedPool: Int?, _ outcome: RuleOutcome?, _ request: borrowing RouteRequest
    ) -> Decision {
        let pool = rules.clusters[cluster].primary
        var reason = learned == .nothing ? statement.reason : .learned
        var hintedRole = request.role
        if let hintedPool { hintedRole = rules.pools[hintedPool].role }
        if let hintedRole {
            if hintedRole == .primary { reason = .hint }
        } else if let outcome {
            let ruleRole = outcome.pool.map { rules.pools[$0].role } ?? outcome.role
            if ruleRole != .standby { reason = .rule }
        }
        return decision(.run(pool: pool), reason, cluster: cluster, isPoolNamed: false)
    }

    private func read(
        _ cluster: Int, _ hintedPool: Int?, _ rulePool: Int?, _ outcome: RuleOutcome?, _ request: borrowing RouteRequest
    ) -> Decision {
        var pool: Int
        var reason: RouteReason
        var isPoolNamed = false
        if let hintedPool {
            (pool, reason, isPoolNamed) = (hintedPool, .hint, true)
        } else if let role = request.role {
            (pool, reason) = (rules.pool(of: cluster, for: role), .hint)
        } else if let rulePool {
            (pool, reason, isPoolNamed) = (rulePool, .rule, true)
        } else if let outcome {
            (pool, reason) = (rules.pool(of: cluster, for: outcome.role ?? rules.defaultReadRole), .rule)
        } else {
            (pool, reason) = (rules.pool(of: cluster, for: rules.defaultReadRole), .classifier)
        }
        if rules.pools[pool].role == .standby, let need = request.needsPrimary, request.needsPrimaryIn.contains(cluster)
        {
            pool = rules.clusters[cluster].primary
            reason = need.reason
            isPoolNamed = false
        }
        return decision(.run(pool: pool), reason, cluster: cluster, isPoolNamed: isPoolNamed)
    }

    private func decision(_ verdict: Verdict, _ reason: RouteReason, cluster: Int, isPoolNamed: Bool) -> Decision {
        Decision(
            verdict: verdict, access: statement.access, reason: reason, cluster: cluster, isPoolNamed: isPoolNamed,
            rule: decidingRule, effects: effects, statement: statement)
    }

    private func unknown(_ what: String, _ name: UnsafeRawBufferPointer, _ option: String) -> Refusal {
        let word = String(decoding: name.prefix(64), as: UTF8.self)
        let known = what == "pool" ? rules.pools.map(\.name) : rules.clusters.map(\.name)
        return Refusal("08P01", "\(option): no \(what) \"\(word)\"\(Suggestion.text(for: word, among: known))")
    }
}

extension PrimaryNeed {
    package var reason: RouteReason {
        switch self {
        case .ownWrite: .ownWrite
        case .after: .after
        case .lag: .lag
        case .spill: .spill
        }
    }
}
