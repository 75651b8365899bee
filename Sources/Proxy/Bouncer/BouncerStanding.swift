/// What a request for one database has to expect of its PgBouncer.
package struct BouncerStanding: Sendable, Equatable {
    /// Nothing is served before RESUME: a request would wait in PgBouncer until query_wait_timeout.
    package var isPaused = false
    /// It keeps connections to servers, and has none: it opens them now, or cannot.
    package var hasNoServers = false
    /// New connections are refused; those that are there go on.
    package var isDisabled = false
    /// The limit, by its setting, when so many clients are connected: new connections are refused.
    package var reachedClientLimit: String?
    /// How long the first of those that wait in PgBouncer has waited, in nanoseconds. Whoever comes now stands behind
    /// them. 0: nobody waits.
    package var longestWait: UInt64 = 0

    package init() {}
}

extension BouncerState {
    /// What the last answers mean for one database.
    ///
    /// - Parameters:
    ///   - database: its name in PgBouncer.
    ///   - user: the user who logs in.
    /// - Returns: nothing bad when the console does not know the database.
    package func standing(database: String, user: String?) -> BouncerStanding {
        var standing = BouncerStanding()
        let entry = databases[database]
        standing.isPaused = isPaused || entry?.isPaused == true
        standing.isDisabled = entry?.isDisabled == true
        let servers = pool(database: database, user: user)?.servers ?? 0
        standing.hasNoServers = servers == 0 && (entry?.minPoolSize ?? setting("min_pool_size") ?? 0) > 0
        if let limit = setting("max_client_conn"), clients >= limit {
            standing.reachedClientLimit = "max_client_conn = \(limit)"
        } else if let entry, let limit = entry.maximumClients, entry.clients >= limit {
            standing.reachedClientLimit = "max_db_client_connections = \(limit)"
        }
        if let pool = pool(database: database, user: user), pool.clientsWaiting > 0 {
            standing.longestWait = UInt64(max(0, pool.longestWaitMicroseconds)) * 1000
        }
        return standing
    }
}
