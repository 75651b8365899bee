import Bouncer
import Testing

@testable import Doctor

struct DiagnosisTests {
    /// The one finding that a spoilt part brings.
    private func finding(_ check: Finding.Check, _ spoil: (inout Patient) -> Void) throws -> Finding {
        var patient = Patient()
        spoil(&patient)
        let findings = try patient.findings()
        #expect(findings.map(\.check) == [check], "\(findings.map(\.text))")
        return try #require(findings.first)
    }

    @Test func nothingIsWrong() throws {
        #expect(try Patient().findings().isEmpty)
    }

    // MARK: Servers

    @Test func aPrimaryAmongTheStandbys() throws {
        let found = try finding(.role) { $0.standby[1].isInRecovery = false }
        #expect(found.level == .wrong && found.pool == "standby")
        #expect(found.evidence == "10.0.0.12:5432: pg_is_in_recovery() = f")
        #expect(found.change == .init("/etc/pgbouncer/pgbouncer.ini", line: 3, "app_ro = … host=10.0.0.11"))
    }

    @Test func aStandbyInThePrimarysPlace() throws {
        let found = try finding(.role) { $0.primary[0].isInRecovery = true }
        #expect(found.level == .wrong && found.pool == "primary" && found.message.contains("writes fail"))
        // No host would be left: who the primary is, is not known here.
        #expect(found.change.text == "app_rw = … host=(the primary)" && found.change.line == 2)
    }

    @Test func aForeignSystem() throws {
        let found = try finding(.system) { $0.standby[0].systemIdentifier = "8000" }
        #expect(found.level == .wrong && found.pool == "standby")
        #expect(found.evidence == "10.0.0.11:5432: system 8000; the primary's is 7000")
        #expect(found.change.text == "app_ro = … host=10.0.0.12")
    }

    /// Behind another PgBouncer than the one that is asked, only our own line is known.
    @Test func aForeignSystemElsewhere() throws {
        let found = try finding(.system) {
            $0.text = $0.text.replacing(
                "host=/run/pgbouncer port=6432 dbname=app_ro", with: "host=/run/b port=6432 dbname=app_ro")
            $0.standby[0].systemIdentifier = "8000"
        }
        #expect(
            found.change
                == .init(
                    "pointsman.toml", line: 12,
                    "[pool.standby] conninfo = … dbname= names a database over servers of the primary's system"))
    }

    @Test func aHostThatStaysAway() throws {
        let found = try finding(.hosts) { $0.standby.removeLast() }
        #expect(found.level == .advice && found.evidence == "met 10.0.0.11 of 10.0.0.11, 10.0.0.12")
    }

    @Test func aConnectQueryWithoutEffect() throws {
        let found = try finding(.readOnly) { $0.standby[0].isReadOnlyByDefault = false }
        #expect(found.level == .wrong && found.pool == "standby" && found.change.line == 3)
        #expect(found.change.text == "app_ro = … connect_query='SET default_transaction_read_only = on'")
    }

    @Test func anIsolationThatMakesReadsStale() throws {
        let found = try finding(.isolation) { $0.standby[1].defaultIsolation = "repeatable read" }
        #expect(found.level == .wrong && found.evidence.contains("10.0.0.12:5432"))
        #expect(found.change.text.hasPrefix("ALTER ROLE app SET default_transaction_isolation = 'read committed'"))
    }

    @Test func conflictsOfReplay() throws {
        let found = try finding(.conflicts) { $0.standby[1].conflicts = 3 }
        #expect(found.level == .advice && found.change.text == "hot_standby_feedback = on")
        var fed = Patient()
        fed.standby[1].conflicts = 3
        fed.standby[1].hotStandbyFeedback = true
        #expect(try fed.findings().isEmpty)
    }

    // MARK: Connections

    @Test func aPoolThatCannotBeUsed() throws {
        let found = try finding(.connection) {
            $0.standby = []
            $0.spoil = { $0.pools[1].error = "no such database: app_ro" }
        }
        #expect(found.level == .wrong && found.evidence == "no such database: app_ro" && found.change.line == 12)
    }

    @Test func pausedAndDisabled() throws {
        let paused = try finding(.paused) {
            $0.databases[1][5] = "1"
            $0.standby = []
        }
        #expect(paused.change == .init("PgBouncer's console", "RESUME app_ro"))
        let disabled = try finding(.disabled) { $0.databases[0][6] = "1" }
        #expect(disabled.change.text == "ENABLE app_rw" && disabled.level == .wrong)
    }

    @Test func theConsole() throws {
        let missing = try finding(.console) { $0.text = $0.text.components(upTo: "[pgbouncer]") }
        #expect(missing.level == .advice && missing.change.text.hasPrefix("[pgbouncer] admin ="))
        let silent = try finding(.console) {
            $0.spoil = {
                $0.console = nil
                $0.consoleError = "timeout"
            }
        }
        #expect(silent.level == .wrong && silent.evidence == "timeout" && silent.change.line == 18)
    }

    /// One finding for a file, however many use it, and none for what follows from it.
    @Test func aPasswordFileThatOthersMayRead() throws {
        let found = try finding(.passfile) {
            $0.text = $0.text.replacing("user=app", with: "user=app passfile=/etc/pass")
            $0.spoil = { evidence in
                for index in evidence.pools.indices {
                    evidence.pools[index].passfileProblem = "its mode is 0644"
                    evidence.pools[index].error = "no password supplied"
                    evidence.pools[index].servers = []
                }
            }
        }
        #expect(found.level == .wrong && found.evidence == "/etc/pass: its mode is 0644")
        #expect(found.change.text == "chmod 0600 /etc/pass")
    }

    // MARK: PgBouncer's settings

    @Test func roundRobin() throws {
        let found = try finding(.roundRobin) { $0.config["server_round_robin"] = "0" }
        #expect(found.level == .wrong && found.evidence.contains("app_ro: host=10.0.0.11,10.0.0.12"))
        // The line in force, not the one in the comment.
        #expect(found.change == .init("/etc/pgbouncer/pgbouncer.ini", line: 7, "server_round_robin = 1"))
        var single = Patient()
        single.config["server_round_robin"] = "0"
        single.databases[1][1] = "10.0.0.11"
        single.standby.removeLast()
        #expect(try single.findings().isEmpty, "one host has nobody to share with")
    }

    @Test func loginRetry() throws {
        let found = try finding(.loginRetry) { $0.config["server_login_retry"] = "15" }
        #expect(found.evidence == "server_login_retry = 15 s" && found.level == .wrong)
        // Where no line sets it, the file is named without one.
        #expect(found.change == .init("/etc/pgbouncer/pgbouncer.ini", "server_login_retry = 1"))
    }

    @Test(arguments: [("120", "5"), ("10", "5"), ("0", "5")])
    func waitTimeout(_ seconds: String, _ better: String) throws {
        let found = try finding(.waitTimeout) { $0.config["query_wait_timeout"] = seconds }
        #expect(found.level == .wrong && found.evidence.contains("[pool.primary] timeout = 10 s"))
        #expect(found.change.text == "query_wait_timeout = \(better)")
        let short = try finding(.waitTimeout) {
            $0.text = $0.text.replacing("timeout = \"10s\"", with: "timeout = \"4s\"")
        }
        #expect(short.change.text == "query_wait_timeout = 2")
    }

    @Test(arguments: [("query_timeout", "10"), ("transaction_timeout", "1.5"), ("idle_transaction_timeout", "60")])
    func timeouts(_ name: String, _ seconds: String) throws {
        let found = try finding(.timeouts) { $0.config[name] = seconds }
        #expect(found.level == .wrong && found.evidence.hasPrefix("\(name) = \(seconds) s"))
        #expect(found.change.text == "\(name) = 0")
        var longer = Patient()
        longer.config[name] = "61"
        #expect(try longer.findings().isEmpty)
    }

    @Test func poolMode() throws {
        let all = try Patient(config: ["pool_mode": "session"]).findings()
        #expect(all.map(\.check) == [.poolMode, .poolMode] && all[0].change.text == "pool_mode = transaction")
        #expect(all[0].change.line == 8)
        let one = try finding(.poolMode) { $0.databases[0][3] = "statement" }
        #expect(one.pool == "primary" && one.change.text == "app_rw = … pool_mode=transaction")
    }

    @Test func poolSize() throws {
        let found = try finding(.poolSize) { $0.databases[0][2] = "9" }
        #expect(found.level == .wrong && found.evidence == "[pool.primary] size = 10; pool_size = 9")
        #expect(found.change == .init("/etc/pgbouncer/pgbouncer.ini", line: 2, "app_rw = … pool_size=10"))
        // What else stands in that line is nobody's business.
        #expect(!found.text.contains("canary"))
        // Two pools of one database and user share its servers.
        let shared = try finding(.poolSize) {
            $0.text +=
                "\n[pool.far]\nconninfo = \"host=127.0.0.1 port=6432 dbname=app_ro user=app\"\nrole = \"standby\"\nsize = 30"
        }
        #expect(shared.evidence == "[pool.standby] size = 20; [pool.far] size = 30; pool_size = 40")
    }

    @Test func limitsOfClientsAndConnections() throws {
        let clients = try finding(.clientLimit) { $0.config["max_client_conn"] = "30" }
        #expect(clients.evidence.hasSuffix("max_client_conn = 30") && clients.change.text == "max_client_conn = 100")
        let exact = Patient(config: ["max_client_conn": "31"])
        #expect(try exact.findings().isEmpty)
        let own = try finding(.connectionLimit) { $0.databases[1][4] = "19" }
        #expect(own.pool == "standby" && own.change.text == "app_ro = … max_db_connections=20")
        let general = try finding(.connectionLimit) { $0.config["max_db_connections"] = "15" }
        #expect(general.pool == "standby" && general.change.text == "max_db_connections = 20")
        // 1.24 and newer limit the clients of a database too.
        let newer = try finding(.clientLimit) { patient in
            patient.databaseColumns.append("max_client_connections")
            patient.databases = patient.databases.map { $0 + ["15"] }
        }
        #expect(newer.pool == "standby" && newer.change.text == "app_ro = … max_db_client_connections=20")
    }

    /// The versions that have it, and only when it is off.
    @Test func preparedStatements() throws {
        let found = try finding(.preparedStatements) {
            $0.version = "PgBouncer 1.21.0"
            $0.config["max_prepared_statements"] = "0"
        }
        #expect(found.level == .advice && found.change.text == "max_prepared_statements = 200")
        for (version, value) in [("PgBouncer 1.25.2", "200"), ("PgBouncer 1.20.1", "0")] {
            #expect(try Patient(version: version, config: ["max_prepared_statements": value]).findings().isEmpty)
        }
    }

    // MARK: The whole

    @Test func whatIsWrongComesFirst() throws {
        var patient = Patient(version: "PgBouncer 1.24.1", config: ["max_prepared_statements": "0"])
        patient.standby.removeLast()
        patient.config["server_login_retry"] = "15"
        #expect(try patient.findings().map(\.check) == [.loginRetry, .hosts, .preparedStatements])
    }

    /// Without the console's answers, and with settings that nobody could read, nothing is made up.
    @Test func missingAnswersAreNoFindings() throws {
        var patient = Patient(config: [:])
        patient.config = [:]
        patient.ini = nil
        patient.databases = [["app_rw", nil, nil, nil, nil, nil, nil], ["app_ro", nil, nil, nil, nil, nil, nil]]
        #expect(try patient.findings().isEmpty)
    }

    @Test func everyFieldIsThere() throws {
        let found = try finding(.loginRetry) { $0.config["server_login_retry"] = "15" }
        #expect(found.fields.count == Finding.columns.count)
        #expect(
            Array(found.fields.prefix(3)) == ["wrong", "login-retry", nil]
                && found.text.hasSuffix("change  /etc/pgbouncer/pgbouncer.ini: server_login_retry = 1"))
    }
}

extension Patient {
    init(version: String = "PgBouncer 1.18.0", config: [String: String]) {
        self.init()
        self.version = version
        self.config.merge(config) { _, new in new }
    }
}

extension String {
    fileprivate func components(upTo marker: String) -> String {
        String(self[..<(firstRange(of: marker)?.lowerBound ?? endIndex)])
    }
}
