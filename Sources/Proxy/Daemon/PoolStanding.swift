import Bouncer
import Telemetry

extension BouncerStanding {
    /// Whether a request would only die now.
    ///
    /// - Parameters:
    ///   - hasConnections: whether the pool has connections already, which go on when new ones are refused.
    ///   - mayWait: nanoseconds until the request's deadline.
    /// - Returns: why, for its error; nil when it may be served.
    func refusal(hasConnections: Bool, mayWait: UInt64) -> String? {
        if !hasConnections { return connectionRefusal }
        guard longestWait > mayWait else { return nil }
        return "in PgBouncer, clients have waited \(longestWait / 1_000_000) ms for its database already"
    }

    /// Why no connection can be opened now.
    var connectionRefusal: String? {
        if isDisabled { return "its database is disabled in PgBouncer" }
        return reachedClientLimit.map { "PgBouncer has all the clients that it takes (\($0))" }
    }
}

extension ConsoleDriver {
    func statistics() -> [BouncerStatistics] {
        worker.pools.map { pool in
            guard let database = database(of: pool), let state, let entry = state.databases[database] else {
                return BouncerStatistics(
                    pool: pool.name, database: database(of: pool), version: nil, state: nil, poolMode: nil,
                    ageMicroseconds: nil, figures: nil)
            }
            let user = pool.settings.target.user
            let standing = state.standing(database: database, user: user)
            let counts = state.pool(database: database, user: user)
            return BouncerStatistics(
                pool: pool.name, database: database, version: state.version?.description,
                state: standing.isPaused ? "paused" : standing.isDisabled ? "disabled" : "active",
                poolMode: entry.poolMode ?? state.config["pool_mode"],
                ageMicroseconds: Int((worker.loop.now &- knownSince) / 1000),
                figures: BouncerStatistics.Figures(entry, counts, state.traffic[database], state))
        }
    }
}

extension BouncerStatistics.Figures {
    fileprivate init(
        _ entry: BouncerState.Database, _ pool: BouncerState.Pool?, _ traffic: BouncerState.Traffic?,
        _ state: BouncerState
    ) {
        self.init()
        poolSize = entry.poolSize
        if let pool {
            clientsActive = pool.clientsActive
            clientsWaiting = pool.clientsWaiting
            longestWaitMicroseconds = pool.longestWaitMicroseconds
            serversActive = pool.serversActive
            serversIdle = pool.serversIdle
            serversUsed = pool.serversUsed
            serversLoggingIn = pool.serversLoggingIn
        }
        if let traffic {
            transactions = traffic.transactions
            queries = traffic.queries
            waitMicroseconds = traffic.waitMicroseconds
        }
        clients = state.clients
        clientLimit = state.setting("max_client_conn")
    }
}
