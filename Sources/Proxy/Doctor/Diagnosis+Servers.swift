import Bouncer
import Settings

/// The servers behind each pool.
extension Diagnosis {
    mutating func judgeServers() {
        for pool in evidence.pools {
            judgeRoles(pool)
            judgeSystems(pool)
            judgeHosts(pool)
            guard pool.settings.role.value == .standby else { continue }
            judgeSession(pool)
            judgeConflicts(pool)
        }
    }

    private mutating func judgeRoles(_ pool: Evidence.Pool) {
        let isStandby = pool.settings.role.value == .standby
        let wrong = pool.servers.filter { $0.isInRecovery != isStandby }
        guard !wrong.isEmpty else { return }
        find(
            .wrong, .role, pool: pool,
            isStandby
                ? "a primary is behind it: it takes reads that standbys should serve"
                : "a standby is behind it: writes fail",
            seen: wrong.map { "\($0.name): pg_is_in_recovery() = \($0.isInRecovery ? "t" : "f")" }.joined(
                separator: "; "),
            without(wrong, in: pool, isStandby ? "its standbys" : "the primary"))
    }

    /// Only what the cluster's primary sends out is its data.
    private mutating func judgeSystems(_ pool: Evidence.Pool) {
        let primaries = evidence.pools.filter {
            $0.settings.role.value == .primary && $0.settings.cluster.value == pool.settings.cluster.value
        }
        guard let own = primaries.flatMap(\.servers).first?.systemIdentifier else { return }
        let foreign = pool.servers.filter { $0.systemIdentifier != own }
        guard !foreign.isEmpty else { return }
        find(
            .wrong, .system, pool: pool, "a server of another system is behind it: it has other data",
            seen: foreign.map { "\($0.name): system \($0.systemIdentifier)" }.joined(separator: "; ")
                + "; the primary's is \(own)",
            without(foreign, in: pool, "servers of the primary's system"))
    }

    /// The pool's hosts less some servers.
    private func without(
        _ servers: [Evidence.Server], in pool: Evidence.Pool, _ words: String
    ) -> Finding.Change {
        guard let entry = evidence.database(of: pool) else {
            return ours(pool, "conninfo = … dbname= names a database over \(words)")
        }
        let left = entry.hosts.filter { host in !servers.contains { $0.address == host } }
        let isKnown = !left.isEmpty && left.count < entry.hosts.count
        return databases(pool, "host=\(isKnown ? left.joined(separator: ",") : "(\(words))")")
    }

    private mutating func judgeHosts(_ pool: Evidence.Pool) {
        guard !pool.servers.isEmpty, let hosts = evidence.database(of: pool)?.hosts, hosts.count > 1 else { return }
        let met = Set(pool.servers.map(\.address))
        guard met.count < hosts.count else { return }
        let silent = hosts.filter { !met.contains($0) }
        find(
            .advice, .hosts, pool: pool, "not every host of its list answered, in up to 16 connections at once",
            seen: "met \(met.sorted().joined(separator: ", ")) of \(hosts.joined(separator: ", "))",
            databases(
                pool,
                "host=\(hosts.filter { met.contains($0) }.joined(separator: ",")) while "
                    + "\(silent.joined(separator: ", ")) stays away"))
    }

    private mutating func judgeSession(_ pool: Evidence.Pool) {
        let writable = pool.servers.filter { !$0.isReadOnlyByDefault }
        if !writable.isEmpty {
            find(
                .wrong, .readOnly, pool: pool,
                "its connections are not read-only by default: a promoted standby would take writes through it",
                seen: writable.map { "\($0.name): default_transaction_read_only = off" }.joined(separator: "; "),
                databases(pool, "connect_query='SET default_transaction_read_only = on'"))
        }
        let isolated = pool.servers.filter { $0.defaultIsolation != "read committed" }
        if let first = isolated.first {
            find(
                .wrong, .isolation, pool: pool,
                "its snapshots are older than their statements: reads that ask for freshness all go to the primary",
                seen: isolated.map { "\($0.name): default_transaction_isolation = \($0.defaultIsolation)" }
                    .joined(separator: "; "),
                Finding.Change(
                    "psql on the primary",
                    "ALTER ROLE \(pool.settings.target.user ?? "…") SET default_transaction_isolation = 'read committed'"
                        + "; -- or where else \(first.defaultIsolation) is set"))
        }
    }

    private mutating func judgeConflicts(_ pool: Evidence.Pool) {
        let cancelling = pool.servers.filter { $0.conflicts > 0 && !$0.hotStandbyFeedback }
        guard !cancelling.isEmpty else { return }
        find(
            .advice, .conflicts, pool: pool, "replay cancels reads",
            seen: cancelling.map {
                "\($0.name): \($0.conflicts) in pg_stat_database_conflicts, hot_standby_feedback = off"
            }
            .joined(separator: "; "),
            Finding.Change("postgresql.conf of the standbys", "hot_standby_feedback = on"))
    }
}
