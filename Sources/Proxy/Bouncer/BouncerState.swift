/// What a PgBouncer said of itself last. What it did not say, because its version lacks it or it was not asked yet, is
/// nil, empty or 0.
package struct BouncerState: Sendable, Equatable {
    /// One row of `SHOW DATABASES`.
    package struct Database: Sendable, Equatable {
        /// One host, or several with commas between them.
        package var host = ""
        package var port = ""
        /// The name of the database on the server.
        package var target = ""
        /// All connections to it log in as this user.
        package var forcedUser: String?
        package var poolSize: Int?
        /// Connections that are kept open as long as there is a client.
        package var minPoolSize: Int?
        package var reservePoolSize: Int?
        /// Its own; nil when that of the settings holds.
        package var poolMode: String?
        /// Server connections at most, of all users; nil: no limit.
        package var maximumConnections: Int?
        /// Clients at most, and now (1.24 and newer); nil: no limit.
        package var maximumClients: Int?
        package var clients = 0
        package var isPaused = false
        package var isDisabled = false
    }

    /// The rows of `SHOW POOLS` for one database and user, added up: versions with threads have a row for each.
    package struct Pool: Sendable, Equatable {
        package var clientsActive = 0
        package var clientsWaiting = 0
        package var serversActive = 0
        package var serversIdle = 0
        package var serversUsed = 0
        package var serversLoggingIn = 0
        /// How long the first of the waiting clients has waited.
        package var longestWaitMicroseconds = 0
        package var poolMode = ""

        /// Connections to servers that are logged in.
        package var servers: Int { serversActive + serversIdle + serversUsed }
    }

    /// One row of `SHOW STATS`.
    package struct Traffic: Sendable, Equatable {
        package var transactions = 0
        package var queries = 0
        /// Clients' time spent waiting for a server.
        package var waitMicroseconds = 0
    }

    package struct PoolKey: Sendable, Hashable {
        package let database: String
        package let user: String

        package init(database: String, user: String) {
            self.database = database
            self.user = user
        }
    }

    package private(set) var version: BouncerVersion?
    /// `SHOW CONFIG`, by key.
    package private(set) var config: [String: String] = [:]
    /// PAUSE or SUSPEND without a database's name.
    package private(set) var isPaused = false
    package private(set) var databases: [String: Database] = [:]
    package private(set) var pools: [PoolKey: Pool] = [:]
    package private(set) var traffic: [String: Traffic] = [:]
    /// All clients, also of other databases: what max_client_conn limits.
    package private(set) var clients = 0

    package init() {}

    /// Takes an answer in, in place of the last one to the same question.
    package mutating func take(_ answer: BouncerTable, to question: BouncerQuestion) {
        switch question {
        case .version: version = answer.count > 0 ? answer[0, "version"].flatMap { BouncerVersion($0) } : nil
        case .config:
            config = [:]
            for row in 0..<answer.count {
                if let key = answer[row, "key"] { config[key] = answer[row, "value"] ?? "" }
            }
        case .state:
            isPaused = (0..<answer.count).contains { row in
                ["paused", "suspended"].contains(answer[row, "key"]) && answer.isSet(row, "value")
            }
        case .databases: takeDatabases(answer)
        case .pools: takePools(answer)
        case .stats:
            traffic = [:]
            for row in 0..<answer.count {
                guard let database = answer[row, "database"] else { continue }
                traffic[database] = Traffic(
                    transactions: answer.number(row, "total_xact_count") ?? 0,
                    queries: answer.number(row, "total_query_count") ?? 0,
                    waitMicroseconds: answer.number(row, "total_wait_time") ?? 0)
            }
        }
    }

    private mutating func takeDatabases(_ answer: BouncerTable) {
        databases = [:]
        for row in 0..<answer.count {
            guard let name = answer[row, "name"] else { continue }
            func limit(_ column: String) -> Int? { answer.number(row, column).flatMap { $0 == 0 ? nil : $0 } }
            databases[name] = Database(
                host: answer[row, "host"] ?? "", port: answer[row, "port"] ?? "",
                target: answer[row, "database"] ?? name,
                forcedUser: answer[row, "force_user"].flatMap { $0.isEmpty ? nil : $0 },
                poolSize: answer.number(row, "pool_size"), minPoolSize: answer.number(row, "min_pool_size"),
                // The longer name since 1.19.
                reservePoolSize: answer.number(row, "reserve_pool_size") ?? answer.number(row, "reserve_pool"),
                poolMode: answer[row, "pool_mode"].flatMap { $0.isEmpty ? nil : $0 },
                maximumConnections: limit("max_connections"), maximumClients: limit("max_client_connections"),
                clients: answer.number(row, "current_client_connections") ?? 0,
                isPaused: answer.isSet(row, "paused"), isDisabled: answer.isSet(row, "disabled"))
        }
    }

    private mutating func takePools(_ answer: BouncerTable) {
        pools = [:]
        clients = 0
        for row in 0..<answer.count {
            func number(_ column: String) -> Int { answer.number(row, column) ?? 0 }
            clients += number("cl_active") + number("cl_waiting")
            guard let database = answer[row, "database"], let user = answer[row, "user"] else { continue }
            var pool = pools[PoolKey(database: database, user: user)] ?? Pool()
            pool.clientsActive += number("cl_active")
            pool.clientsWaiting += number("cl_waiting")
            pool.serversActive += number("sv_active")
            pool.serversIdle += number("sv_idle")
            pool.serversUsed += number("sv_used") + number("sv_tested")
            pool.serversLoggingIn += number("sv_login")
            let wait = number("maxwait") * 1_000_000 + number("maxwait_us")
            pool.longestWaitMicroseconds = max(pool.longestWaitMicroseconds, wait)
            pool.poolMode = answer[row, "pool_mode"] ?? ""
            pools[PoolKey(database: database, user: user)] = pool
        }
    }

    /// A number of `SHOW CONFIG`; nil when this version has none of that name.
    package func setting(_ name: String) -> Int? { config[name].flatMap { Int($0) } }

    /// A time of `SHOW CONFIG`; newer versions may write fractions.
    package func seconds(_ name: String) -> Double? { config[name].flatMap { Double($0) } }

    /// The pool that a login leads to; nil while it has had no client.
    package func pool(database: String, user: String?) -> Pool? {
        guard let user = databases[database]?.forcedUser ?? user else { return nil }
        return pools[PoolKey(database: database, user: user)]
    }
}
