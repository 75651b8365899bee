/// What PgBouncer says of one pool's database at one moment.
package struct BouncerStatistics: Sendable {
    /// Numbers that the console gave, by column.
    package struct Figures: Sendable {
        package var poolSize: Int?
        package var clientsActive = 0
        package var clientsWaiting = 0
        package var longestWaitMicroseconds = 0
        package var serversActive = 0
        package var serversIdle = 0
        package var serversUsed = 0
        package var serversLoggingIn = 0
        package var transactions = 0
        package var queries = 0
        package var waitMicroseconds = 0
        /// Of the whole PgBouncer.
        package var clients = 0
        package var clientLimit: Int?

        package init() {}
    }

    package let pool: String
    /// Nil: another PgBouncer's than the one that is asked.
    package let database: String?
    package let version: String?
    /// `active`, `paused` or `disabled`; nil while the console does not answer.
    package let state: String?
    package let poolMode: String?
    package let ageMicroseconds: Int?
    package let figures: Figures?

    package init(
        pool: String, database: String?, version: String?, state: String?, poolMode: String?, ageMicroseconds: Int?,
        figures: Figures?
    ) {
        self.pool = pool
        self.database = database
        self.version = version
        self.state = state
        self.poolMode = poolMode
        self.ageMicroseconds = ageMicroseconds
        self.figures = figures
    }
}

extension StatisticsTable {
    /// `STATS pgbouncer`: a row a pool. Names are those of the console where it has one.
    package static func pgbouncer(_ pools: [BouncerStatistics]) -> StatisticsTable {
        let figures: [(name: String, value: (BouncerStatistics.Figures) -> Int?)] = [
            ("pool_size", { $0.poolSize }), ("cl_active", { $0.clientsActive }), ("cl_waiting", { $0.clientsWaiting }),
            ("maxwait_us", { $0.longestWaitMicroseconds }), ("sv_active", { $0.serversActive }),
            ("sv_idle", { $0.serversIdle }), ("sv_used", { $0.serversUsed }), ("sv_login", { $0.serversLoggingIn }),
            ("transactions", { $0.transactions }), ("queries", { $0.queries }), ("wait_us", { $0.waitMicroseconds }),
            ("clients", { $0.clients }), ("max_client_conn", { $0.clientLimit }),
        ]
        var table = StatisticsTable(
            columns: [
                Column("pool", .text), Column("database", .text), Column("state", .text), Column("version", .text),
                Column("pool_mode", .text), Column("age_us", .integer),
            ] + figures.map { Column($0.name, .integer) })
        for pool in pools {
            table.append(
                [
                    pool.pool, pool.database, pool.state, pool.version, pool.poolMode,
                    pool.ageMicroseconds.map { String($0) },
                ] + figures.map { figure in pool.figures.flatMap(figure.value).map { String($0) } })
        }
        return table
    }
}
