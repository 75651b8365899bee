import Bouncer
import Settings

/// PgBouncer's settings, against what the daemon needs of it.
extension Diagnosis {
    /// PgBouncer's times are seconds; 0 is off.
    private static let longestLoginRetry = 3

    /// The pools that this PgBouncer serves.
    private var served: [(pool: Evidence.Pool, entry: BouncerState.Database)] {
        evidence.pools.compactMap { pool in evidence.database(of: pool).map { (pool, $0) } }
    }

    mutating func judgePgBouncer() {
        guard let state = evidence.console?.state, !served.isEmpty else { return }
        for (pool, entry) in served { judgeMode(pool, entry, state) }
        judgeRoundRobin(state)
        judgeFaultTimes(state)
        judgeLimitsOfStatements(state)
        judgeSizes(state)
        judgePreparedStatements(state)
    }

    private mutating func judgeMode(
        _ pool: Evidence.Pool, _ entry: BouncerState.Database, _ state: BouncerState
    ) {
        guard let mode = entry.poolMode ?? state.config["pool_mode"], mode != "transaction" else { return }
        find(
            .wrong, .poolMode, pool: pool,
            mode == "session"
                ? "each connection of the daemon keeps a server for itself" : "transactions are refused",
            seen: "pool_mode = \(mode)",
            entry.poolMode == nil ? pgbouncer("pool_mode", "transaction") : databases(pool, "pool_mode=transaction"))
    }

    private mutating func judgeRoundRobin(_ state: BouncerState) {
        let lists = served.filter { $0.entry.hosts.count > 1 }
        guard state.setting("server_round_robin") == 0, !lists.isEmpty else { return }
        find(
            .wrong, .roundRobin, "PgBouncer takes the connection used last: one host of a list serves nearly all reads",
            seen: "server_round_robin = 0; "
                + lists.map { "\($0.pool.settings.target.database ?? ""): host=\($0.entry.host)" }.joined(
                    separator: "; "),
            pgbouncer("server_round_robin", "1"))
    }

    // MARK: Times

    private mutating func judgeFaultTimes(_ state: BouncerState) {
        if let retry = state.seconds("server_login_retry"), retry > Double(Self.longestLoginRetry) {
            find(
                .wrong, .loginRetry,
                "after one failed login nothing is served for that long, the server being back or not",
                seen: "server_login_retry = \(text(retry)) s", pgbouncer("server_login_retry", "1"))
        }
        guard let wait = state.seconds("query_wait_timeout") else { return }
        let late = served.filter { wait == 0 || wait * 1000 >= Double($0.pool.settings.timeoutMilliseconds) }
        guard let shortest = late.map(\.pool.settings.timeoutMilliseconds).min() else { return }
        find(
            .wrong, .waitTimeout,
            "a request that waits in PgBouncer meets its deadline first: nobody can tell then that a write did not run",
            seen: "query_wait_timeout = \(text(wait)) s; " + deadlines(late.map(\.pool)),
            pgbouncer("query_wait_timeout", "\(max(1, min(5, shortest / 2000)))"))
    }

    /// PgBouncer ends what takes longer by closing the connection, and whether it ran is not known.
    private mutating func judgeLimitsOfStatements(_ state: BouncerState) {
        for name in ["query_timeout", "transaction_timeout"] {
            guard let limit = state.seconds(name), limit > 0 else { continue }
            let cut = served.map(\.pool).filter { limit * 1000 <= Double($0.settings.timeoutMilliseconds) }
            guard !cut.isEmpty else { continue }
            find(
                .wrong, .timeouts,
                "PgBouncer cuts the connection before a request's deadline, and the outcome is not known",
                seen: "\(name) = \(text(limit)) s; " + deadlines(cut), pgbouncer(name, "0"))
        }
        let idle = settings.server.transactionIdleTimeoutMilliseconds
        if let limit = state.seconds("idle_transaction_timeout"), limit > 0, limit * 1000 <= Double(idle) {
            find(
                .wrong, .timeouts, "PgBouncer cuts an idle transaction before the daemon ends it in order",
                seen: "idle_transaction_timeout = \(text(limit)) s; transaction_idle_timeout = \(idle / 1000) s",
                pgbouncer("idle_transaction_timeout", "0"))
        }
    }

    private func deadlines(_ pools: [Evidence.Pool]) -> String {
        pools.map {
            "[pool.\($0.settings.name.value)] timeout = \(text(Double($0.settings.timeoutMilliseconds) / 1000)) s"
        }
        .joined(separator: "; ")
    }

    private func text(_ seconds: Double) -> String {
        seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)"
    }

    // MARK: Sizes

    private mutating func judgeSizes(_ state: BouncerState) {
        // Pools of one database and user share its servers.
        for (pool, entry) in served {
            let target = pool.settings.target
            let sharing = served.map(\.pool.settings).filter {
                $0.target.database == target.database && $0.target.user == target.user
            }
            let wanted = sharing.reduce(0) { $0 + $1.size }
            guard sharing.first?.name == pool.settings.name, let size = entry.poolSize, wanted > size else { continue }
            find(
                .wrong, .poolSize, pool: pool, "connections beyond PgBouncer's pool_size wait there, and die",
                seen: "\(sizes(sharing)); pool_size = \(size)", databases(pool, "pool_size=\(wanted)"))
        }
        let all = served.map(\.pool.settings)
        // The console's connection is one more.
        let wanted = all.reduce(1) { $0 + $1.size }
        if let limit = state.setting("max_client_conn"), wanted > limit {
            find(
                .wrong, .clientLimit, "PgBouncer takes fewer clients than the pools may open",
                seen: "\(sizes(all)), and one to the console; max_client_conn = \(limit)",
                pgbouncer("max_client_conn", "\(max(100, wanted * 2))"))
        }
        for (name, sharing) in sharingDatabases { judgeLimits(name, sharing, state) }
    }

    /// The pools of each database.
    private var sharingDatabases: [(name: String, pools: [(pool: Evidence.Pool, entry: BouncerState.Database)])] {
        let names = served.compactMap(\.pool.settings.target.database)
        return Set(names).sorted().map { name in
            (name, served.filter { $0.pool.settings.target.database == name })
        }
    }

    private mutating func judgeLimits(
        _ name: String, _ sharing: [(pool: Evidence.Pool, entry: BouncerState.Database)], _ state: BouncerState
    ) {
        guard let (pool, entry) = sharing.first else { return }
        let pools = sharing.map(\.pool.settings)
        let wanted = pools.reduce(0) { $0 + $1.size }
        // SHOW DATABASES has the general limit where the database has none of its own.
        func change(_ setting: String, _ limit: Int?) -> Finding.Change {
            let isOwn = limit != nil && limit != state.setting(setting)
            return isOwn ? databases(pool, "\(setting)=\(wanted)") : pgbouncer(setting, "\(wanted)")
        }
        if let limit = entry.maximumClients, wanted > limit {
            find(
                .wrong, .clientLimit, pool: pool, "PgBouncer takes fewer clients than the pools may open",
                seen: "\(sizes(pools)); max_db_client_connections = \(limit)",
                change("max_db_client_connections", entry.maximumClients))
        }
        let general = state.setting("max_db_connections").flatMap { $0 == 0 ? nil : $0 }
        if let limit = entry.maximumConnections ?? general, wanted > limit {
            find(
                .wrong, .connectionLimit, pool: pool, "PgBouncer opens fewer server connections than the pools may use",
                seen: "\(sizes(pools)); max_db_connections = \(limit)",
                change("max_db_connections", entry.maximumConnections))
        }
    }

    private func sizes(_ pools: [PoolSettings]) -> String {
        pools.map { "[pool.\($0.name.value)] size = \($0.size)" }.joined(separator: "; ")
    }

    // MARK: Statements

    private mutating func judgePreparedStatements(_ state: BouncerState) {
        guard let version = state.version, version >= BouncerVersion(1, 21),
            state.setting("max_prepared_statements") == 0
        else { return }
        find(
            .advice, .preparedStatements, "servers parse and plan each statement anew",
            seen: "PgBouncer \(version): max_prepared_statements = 0", pgbouncer("max_prepared_statements", "200"))
    }
}
