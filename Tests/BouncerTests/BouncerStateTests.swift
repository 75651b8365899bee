import Testing

@testable import Bouncer

/// A table as psql prints it without alignment: the columns, then the rows; ∅ is NULL.
func table(_ text: String) -> BouncerTable {
    let lines = text.split(separator: "\n").map {
        $0.split(separator: "|", omittingEmptySubsequences: false).map { String($0) }
    }
    return BouncerTable(columns: lines[0], rows: lines.dropFirst().map { $0.map { $0 == "∅" ? nil : $0 } })
}

struct BouncerVersionTests {
    @Test(arguments: [
        ("PgBouncer 1.18.0", "1.18"), ("PgBouncer 1.25.2", "1.25"), ("PgBouncer 1.26dev", "1.26"),
        ("pgbouncer version 1.9.0/bouncer", "1.9"), ("PgBouncer 2.0", "2.0"),
    ])
    func versions(_ text: String, _ version: String) {
        #expect(BouncerVersion(text)?.description == version)
    }

    @Test(arguments: ["", "PgBouncer", "PgBouncer 1", "Odyssey devel", "1.x"])
    func noVersions(_ text: String) {
        #expect(BouncerVersion(text) == nil)
    }

    @Test func versionsAreOrderedByNumber() {
        #expect(BouncerVersion(1, 9) < BouncerVersion(1, 18))
        #expect(BouncerVersion(1, 25) < BouncerVersion(2, 0))
        #expect(!(BouncerVersion(1, 18) < BouncerVersion(1, 18)))
    }
}

struct BouncerQuestionTests {
    @Test func aRoundAsksWhatTheVersionKnows() {
        #expect(BouncerQuestion.round(nil, withSettings: true) == [.version, .config, .databases, .pools, .stats])
        #expect(BouncerQuestion.round(BouncerVersion(1, 18), withSettings: false) == [.databases, .pools, .stats])
        #expect(
            BouncerQuestion.round(BouncerVersion(1, 19), withSettings: true)
                == [.config, .state, .databases, .pools, .stats])
    }

    @Test func databasesAreQuoted() {
        #expect(BouncerQuestion.reconnectCommand("msgsvr_rw") == #"RECONNECT "msgsvr_rw""#)
        #expect(BouncerQuestion.reconnectCommand(#"a";SHUTDOWN"#) == #"RECONNECT "a"";SHUTDOWN""#)
    }
}

struct BouncerStateTests {
    /// As 1.18 answers, copied from one.
    private func old() -> BouncerState {
        var state = BouncerState()
        state.take(table("version\nPgBouncer 1.18.0"), to: .version)
        state.take(
            table(
                "key|value|default|changeable\nmax_client_conn|2000|100|yes\nserver_login_retry|1|15|yes\nauth_user|∅||yes"
            ), to: .config)
        state.take(
            table(
                """
                name|host|port|database|force_user|pool_size|min_pool_size|reserve_pool|pool_mode|max_connections|current_connections|paused|disabled
                ro|10.0.0.1,10.0.0.2|5432|app|∅|40|4|3|∅|0|1|0|0
                rw|10.0.0.3|5432|app|∅|20|2|0|session|7|1|1|0
                off|10.0.0.3|5432|app|boss|20|0|0|∅|0|1|0|1
                """), to: .databases)
        state.take(
            table(
                """
                database|user|cl_active|cl_waiting|cl_active_cancel_req|cl_waiting_cancel_req|sv_active|sv_active_cancel|sv_being_canceled|sv_idle|sv_used|sv_tested|sv_login|maxwait|maxwait_us|pool_mode
                ro|app|5|2|0|0|3|0|0|1|1|1|1|2|500000|transaction
                off|boss|1|0|0|0|0|0|0|1|0|0|0|0|0|transaction
                """), to: .pools)
        state.take(
            table("database|total_xact_count|total_query_count|total_wait_time|avg_wait_time\nro|10|12|345|6"),
            to: .stats)
        return state
    }

    @Test func answersOf118() {
        let state = old()
        #expect(state.version == BouncerVersion(1, 18))
        #expect(state.setting("max_client_conn") == 2000 && state.setting("auth_user") == nil)
        let standby = state.databases["ro"]
        #expect(standby?.host == "10.0.0.1,10.0.0.2" && standby?.poolSize == 40 && standby?.reservePoolSize == 3)
        #expect(standby?.maximumConnections == nil && standby?.poolMode == nil && standby?.forcedUser == nil)
        #expect(state.databases["rw"]?.maximumConnections == 7 && state.databases["rw"]?.poolMode == "session")
        let pool = state.pool(database: "ro", user: "app")
        #expect(pool?.clientsActive == 5 && pool?.clientsWaiting == 2 && pool?.longestWaitMicroseconds == 2_500_000)
        #expect(pool?.servers == 6 && pool?.serversLoggingIn == 1 && pool?.poolMode == "transaction")
        #expect(state.traffic["ro"] == .init(transactions: 10, queries: 12, waitMicroseconds: 345))
        #expect(state.clients == 8)
        // Whoever logs in, the connections are those of the forced user.
        #expect(state.pool(database: "off", user: "app")?.clientsActive == 1)
        #expect(state.pool(database: "ro", user: "other") == nil && state.pool(database: "ro", user: nil) == nil)
    }

    /// Newer versions have more columns, in other places, and one row for each thread.
    @Test func answersOfNewerVersions() {
        var state = BouncerState()
        state.take(
            table(
                """
                disabled|paused|name|host|reserve_pool_size|server_lifetime|load_balance_hosts|pool_size
                0|0|ro|10.0.0.1|9|3600|round-robin|40
                """), to: .databases)
        state.take(
            table(
                """
                thread_id|database|user|cl_active|cl_waiting|sv_active|sv_idle|maxwait|maxwait_us|pool_mode|load_balance_hosts
                0|ro|app|5|0|3|1|0|0|transaction|round-robin
                1|ro|app|7|1|2|0|0|40|transaction|round-robin
                """), to: .pools)
        state.take(table("key|value\nactive|no\npaused|yes\nsuspended|no"), to: .state)
        #expect(state.databases["ro"]?.reservePoolSize == 9 && state.databases["ro"]?.isPaused == false)
        let pool = state.pool(database: "ro", user: "app")
        #expect(pool?.clientsActive == 12 && pool?.clientsWaiting == 1 && pool?.serversActive == 5)
        #expect(pool?.longestWaitMicroseconds == 40 && state.clients == 13)
        #expect(state.isPaused)
        state.take(table("key|value\nactive|yes\npaused|no\nsuspended|no"), to: .state)
        #expect(!state.isPaused)
    }

    /// An answer replaces the last one; columns that are not there break nothing.
    @Test func oddAnswersBreakNothing() {
        var state = old()
        for question in BouncerQuestion.allCases {
            state.take(table("what\never"), to: question)
            state.take(BouncerTable(columns: ["name", "database", "user", "key"], rows: [["x"], [nil]]), to: question)
            state.take(BouncerTable(columns: [], rows: []), to: question)
        }
        #expect(state == BouncerState())
    }

    // MARK: What it means

    @Test func pausedAndDisabledDatabases() {
        var state = old()
        #expect(state.standing(database: "rw", user: "app").isPaused)
        #expect(!state.standing(database: "ro", user: "app").isPaused)
        #expect(state.standing(database: "off", user: "app").isDisabled)
        #expect(!state.standing(database: "rw", user: "app").isDisabled)
        #expect(state.standing(database: "nowhere", user: "app") == BouncerStanding())
        state.take(table("key|value\nsuspended|yes"), to: .state)
        #expect(state.standing(database: "ro", user: "app").isPaused, "all of them are")
    }

    @Test func waitingClientsAndMissingServers() {
        let state = old()
        #expect(state.standing(database: "ro", user: "app").longestWait == 2_500_000_000)
        #expect(state.standing(database: "ro", user: "other").longestWait == 0)
        #expect(!state.standing(database: "ro", user: "app").hasNoServers)
        #expect(state.standing(database: "rw", user: "app").hasNoServers, "it keeps two and has none")
        #expect(!state.standing(database: "off", user: "app").hasNoServers, "it keeps none")
    }

    @Test func aFullPgBouncer() {
        var state = old()
        #expect(state.standing(database: "ro", user: "app").reachedClientLimit == nil)
        state.take(table("key|value\nmax_client_conn|8"), to: .config)
        #expect(state.standing(database: "ro", user: "app").reachedClientLimit == "max_client_conn = 8")
        state.take(table("key|value\nmax_client_conn|9"), to: .config)
        #expect(state.standing(database: "ro", user: "app").reachedClientLimit == nil)
        // Newer versions limit each database too.
        state.take(
            table("name|max_client_connections|current_client_connections\nro|5|5\nrw|5|4\nfree|0|9"), to: .databases)
        #expect(
            state.standing(database: "ro", user: "app").reachedClientLimit == "max_db_client_connections = 5")
        for database in ["rw", "free"] {
            #expect(state.standing(database: database, user: "app").reachedClientLimit == nil)
        }
    }
}
