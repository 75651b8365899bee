import Bouncer
import Settings

@testable import Doctor

/// Settings and evidence in which nothing is to be changed; each test spoils a part.
struct Patient {
    var text = """
        version = 1
        [server]
        transaction_idle_timeout = "1m"
        [[listen]]
        name = "app"
        unix = "/run/pm/app.sock"
        [pool.primary]
        conninfo = "host=/run/pgbouncer port=6432 dbname=app_rw user=app"
        role = "primary"
        size = 10
        timeout = "10s"
        [pool.standby]
        conninfo = "host=/run/pgbouncer port=6432 dbname=app_ro user=app"
        role = "standby"
        size = 20
        timeout = "10s"
        [pgbouncer]
        admin = "host=/run/pgbouncer port=6432 dbname=pgbouncer user=stats"
        """
    var version = "PgBouncer 1.18.0"
    var config = [
        "conffile": "/etc/pgbouncer/pgbouncer.ini", "pool_mode": "transaction", "server_round_robin": "1",
        "server_login_retry": "1", "query_wait_timeout": "5", "query_timeout": "0", "idle_transaction_timeout": "0",
        "max_client_conn": "2000", "max_db_connections": "0", "min_pool_size": "0",
    ]
    var databaseColumns = ["name", "host", "pool_size", "pool_mode", "max_connections", "paused", "disabled"]
    var databases: [[String?]] = [
        ["app_rw", "10.0.0.10", "20", nil, "0", "0", "0"], ["app_ro", "10.0.0.11,10.0.0.12", "40", nil, "0", "0", "0"],
    ]
    var ini: String? = """
        [databases]
        app_rw = host=10.0.0.10 password=canary-4711 pool_size=20
        app_ro = host=10.0.0.11,10.0.0.12 pool_size=40

        [pgbouncer]
        ; server_round_robin = 0
        server_round_robin = 1
        pool_mode = transaction
        """
    var primary = [server("10.0.0.10", isInRecovery: false)]
    var standby = [server("10.0.0.11"), server("10.0.0.12")]
    var spoil: (inout Evidence) -> Void = { _ in }

    static func server(_ address: String, isInRecovery: Bool = true) -> Evidence.Server {
        Evidence.Server(
            address: address, port: "5432", isInRecovery: isInRecovery, systemIdentifier: "7000",
            isReadOnlyByDefault: isInRecovery, defaultIsolation: "read committed", hotStandbyFeedback: false,
            conflicts: 0)
    }

    func findings() throws -> [Finding] {
        let parsed = Settings.parse(Array(text.utf8), file: "pointsman.toml")
        guard let settings = parsed.settings else { throw Failure(complaints: parsed.complaints) }
        var state = BouncerState()
        state.take(BouncerTable(columns: ["version"], rows: [[version]]), to: .version)
        state.take(BouncerTable(columns: ["key", "value"], rows: config.map { [$0.key, $0.value] }), to: .config)
        state.take(BouncerTable(columns: databaseColumns, rows: databases), to: .databases)
        var evidence = Evidence(pools: settings.pools.map { Evidence.Pool(settings: $0) })
        if let target = settings.pgbouncer?.target {
            let path = config["conffile"] ?? ""
            evidence.console = Evidence.Console(
                target: target, state: state, path: path, file: ini.map { IniFile(path: path, text: $0) })
        }
        evidence.pools[0].servers = primary
        evidence.pools[1].servers = standby
        spoil(&evidence)
        return Diagnosis.findings(settings, evidence)
    }

    struct Failure: Error {
        let complaints: [Complaint]
    }
}
