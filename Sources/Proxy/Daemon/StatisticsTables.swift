import EventLoop
import Machines
import Routing
import Settings
import Telemetry

/// What STATS answers, from the live values.
extension Worker {
    enum TableAnswer {
        case rows([String], [[String?]])
        case notInThisVersion
        case unknown(String)
    }

    func table(named name: String) -> TableAnswer {
        switch name {
        case "pools": return answer(.pools(pools.map { $0.statistics() } + [unrouted.snapshot()]))
        case "rules": return answer(.rules(ruleStatistics()))
        case "clients": return answer(.clients(allClients.map { $0.statistics() }))
        case "settings": return answer(.settings(snapshot.settings.entries.map(SettingStatistics.init)))
        case "counters":
            return answer(
                .counters(
                    process: processCounters(),
                    listeners: contexts.map { ListenerStatistics(name: $0.name, counters: $0.counters.snapshot()) },
                    pools: pools.map { $0.statistics() } + [unrouted.snapshot()], rules: ruleStatistics()))
        case "statements": return answer(.statements(statements.statistics()))
        case "learned": return answer(.learned(judge.learned.entries.map(LearnedStatistics.init)))
        case "pgbouncer":
            return answer(.pgbouncer(snapshot.settings.pgbouncer == nil ? [] : console.statistics()))
        case "nodes": return answer(.nodes(nodeStatistics()))
        default:
            return .unknown(
                "STATS takes pools, rules, statements, learned, clients, nodes, pgbouncer, settings or counters")
        }
    }

    private func answer(_ table: StatisticsTable) -> TableAnswer {
        .rows(table.columns.map(\.name), table.rows)
    }

    private func processCounters() -> CounterValues<ProcessCounter> {
        let cache = judge.cacheCounters
        var values = counters.snapshot()
        values[.statementCacheHits] = Int(cache.hits)
        values[.statementCacheMisses] = Int(cache.misses)
        values[.statementCacheEvictions] = Int(cache.evictions)
        values[.statementCacheEntries] = cache.statements
        values[.statementCacheBytes] = cache.bytes
        values[.logLinesDropped] = LineLogHandler.dropped.load(ordering: .relaxed)
        return values
    }

    private func ruleStatistics() -> [RuleStatistics] {
        zip(snapshot.settings.rules, judge.hits).map { rule, hits in
            var values = CounterValues<RuleCounter>()
            values[.hits] = Int(hits)
            if rule.reject != nil { values[.rejections] = Int(hits) }
            return RuleStatistics(
                name: rule.name.value, line: rule.position.line, action: rule.action, counters: values)
        }
    }
}

extension Worker {
    private func nodeStatistics() -> [NodeStatistics] {
        pools.flatMap { $0.isStandby ? $0.standbyStatistics() : $0.primaryStatistics() }
    }
}

extension PoolDriver {
    /// A standby that has not moved for so long while the primary did is cut off, in nanoseconds.
    private static let orphanTime: UInt64 = 5_000_000_000

    fileprivate func standbyStatistics() -> [NodeStatistics] {
        let history = clusterDriver.history
        let now = worker.loop.now
        return nodes.nodes.map { node in
            let isBehind = history.positions.newest.map { node.replayed < $0.position } ?? false
            let state: NodeStatistics.State =
                if !node.isInRecovery {
                    .misplaced
                } else if node.provenEra != history.era || history.era == 0 {
                    .unproven
                } else if isBehind {
                    node.seenAt &- node.movedAt > Self.orphanTime ? .orphaned : .behind
                } else {
                    .current
                }
            let age = history.positions.age(of: node.replayed, now: now)
            return NodeStatistics(
                pool: name, node: String(decoding: node.name, as: UTF8.self), state: state,
                position: node.replayed.description, lagMilliseconds: age.map { Int($0 / 1_000_000) },
                seenMillisecondsAgo: Int((now &- node.seenAt) / 1_000_000))
        }
    }

    fileprivate func primaryStatistics() -> [NodeStatistics] {
        let cluster = clusterDriver
        guard let newest = cluster.history.positions.newest, let node = cluster.primaryNode else { return [] }
        return [
            NodeStatistics(
                pool: name, node: String(decoding: node, as: UTF8.self), state: .primary,
                position: newest.position.description, lagMilliseconds: 0,
                seenMillisecondsAgo: Int((worker.loop.now &- newest.askedAt) / 1_000_000))
        ]
    }
}

extension RuleSettings {
    /// What the rule does, as the file says it.
    fileprivate var action: String {
        var parts: [String] = []
        if let reject { parts.append("reject=\(reject.sqlstate)") }
        if let using { parts.append("using=\(using.value)") }
        if let route { parts.append("route=\(route.value.rawValue)") }
        if let pool { parts.append("pool=\(pool.value)") }
        if let timeoutMilliseconds { parts.append("timeout=\(timeoutMilliseconds.value)ms") }
        if let maxLagMilliseconds { parts.append("max_lag=\(maxLagMilliseconds.value)ms") }
        if let waitMilliseconds { parts.append("wait=\(waitMilliseconds.value)ms") }
        if let exclusive { parts.append("exclusive=\(exclusive.value)") }
        if let rerun { parts.append("rerun=\(rerun.value)") }
        if let log { parts.append("log=\(log.value)") }
        return parts.joined(separator: " ")
    }
}

extension LearnedStatistics {
    fileprivate init(_ entry: LearnedStatements.Entry) {
        self.init(
            fingerprint: Fingerprint.text(entry.fingerprint), sqlstate: entry.sqlstate, statement: entry.statement.shown
        )
    }
}

extension SettingStatistics {
    fileprivate init(_ entry: SettingEntry) {
        self.init(
            name: entry.name, value: entry.value, defaultValue: entry.defaultValue, line: entry.position?.line,
            needsRestart: entry.needsRestart)
    }
}

extension PoolDriver {
    /// The counters, with the gauges as they are now.
    func statistics() -> PoolStatistics {
        let cancelling = servers.count { server in
            if case .uncertain = server.machine.state { return true }
            return false
        }
        telemetry.counters.set(.connections(.active), to: machine.assignedCount + machine.retiringCount - cancelling)
        telemetry.counters.set(.connections(.idle), to: machine.idleCount)
        telemetry.counters.set(.connections(.connecting), to: machine.connectingCount)
        telemetry.counters.set(.connections(.cancelling), to: cancelling)
        telemetry.counters.set(.connectionsMaximum, to: machine.size)
        telemetry.counters.set(.waiting, to: machine.waiting)
        telemetry.counters.set(.longestWait, to: longestWaitMicroseconds)
        return telemetry.snapshot(held: heldWords.isEmpty ? nil : heldWords)
    }

    private var longestWaitMicroseconds: Int {
        guard let first = machine.firstWaiting else { return 0 }
        return Int((worker.loop.now &- worker.exchanges[first].receivedAt) / 1000)
    }
}

extension ClientDriver {
    func statistics() -> ClientStatistics {
        counters.set(.inflight, to: machine.unanswered)
        let now = worker.loop.now
        return ClientStatistics(
            connection: Int(number), listener: listener.name, app: session.app.isEmpty ? nil : session.app,
            user: peer.map { Int($0.user) }, process: nil,
            transaction: String(UnicodeScalar(machine.transactionLetter)), pool: pinned?.pool.name,
            ageMicroseconds: Int((now &- connectedAt) / 1000), idleMicroseconds: Int((now &- lastRequestAt) / 1000),
            counters: counters.snapshot())
    }
}
