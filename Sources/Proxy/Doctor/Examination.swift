import Bouncer
import Glibc
import Settings
import Upstream

/// Collects the evidence: asks the console, and through each pool every server that it leads to. Blocks for as long as
/// that takes; changes nothing.
package struct Examination {
    /// For connecting, and for each answer.
    private static let limitMilliseconds = 5000
    /// Connections that are held open in one pool at most, to meet every host of its list.
    private static let mostConnections = 16

    private let settings: Settings

    package init(_ settings: Settings) {
        self.settings = settings
    }

    /// Asks everybody.
    package func evidence() -> Evidence {
        var evidence = Evidence(pools: settings.pools.map { Evidence.Pool(settings: $0) })
        if let pgbouncer = settings.pgbouncer {
            evidence.consolePassfileProblem = Self.problem(withPassfile: pgbouncer.target.passfile)
            do throws(UpstreamError) {
                evidence.console = try Self.askConsole(pgbouncer)
            } catch {
                evidence.consoleError = "\(error)"
            }
        }
        for index in evidence.pools.indices {
            let target = evidence.pools[index].settings.target
            evidence.pools[index].passfileProblem = Self.problem(withPassfile: target.passfile)
            let entry = evidence.database(of: evidence.pools[index])
            // There it would wait for nothing.
            guard evidence.standing(of: evidence.pools[index])?.isPaused != true else { continue }
            Self.meetServers(of: &evidence.pools[index], entry)
        }
        return evidence
    }

    private static func askConsole(_ settings: PgBouncerSettings) throws(UpstreamError) -> Evidence.Console {
        var connection = try BlockingConnection.open(
            conninfo: settings.admin.value, limitMilliseconds: limitMilliseconds)
        var state = BouncerState()
        for question in BouncerQuestion.round(nil, withSettings: true) {
            let answer = try connection.query(question.command)
            state.take(BouncerTable(columns: answer.columns, rows: answer.rows), to: question)
        }
        let path = state.config["conffile"] ?? "pgbouncer.ini"
        return Evidence.Console(target: settings.target, state: state, path: path, file: IniFile(reading: path))
    }

    // MARK: Servers

    /// Holds several transactions open at the same time: only so PgBouncer opens several server connections, which it
    /// spreads over the hosts of its list.
    private static func meetServers(of pool: inout Evidence.Pool, _ entry: BouncerState.Database?) {
        let hosts = entry?.hosts.count ?? 2
        let limit = min(mostConnections, max(1, entry?.poolSize ?? mostConnections))
        let wanted = min(2 * hosts, limit)
        // Held until all are asked: each ends its transaction by closing.
        var held: [Probe] = []
        while held.count < wanted || (held.count < limit && pool.servers.count < hosts) {
            do throws(UpstreamError) {
                let probe = try Probe(pool.settings.conninfo.value, limitMilliseconds)
                held.append(probe)
                let server = try probe.server()
                if !pool.servers.contains(where: { $0.name == server.name }) { pool.servers.append(server) }
            } catch {
                if held.isEmpty || pool.servers.isEmpty { pool.error = "\(error)" }
                break
            }
        }
        for probe in held { probe.end() }
    }

    /// A reference to a connection, so that an array can hold several.
    private final class Probe {
        private var connection: BlockingConnection

        init(_ conninfo: String, _ limit: Int) throws(UpstreamError) {
            connection = try BlockingConnection.open(conninfo: conninfo, limitMilliseconds: limit)
        }

        func end() {
            _ = try? connection.query("ROLLBACK")
        }

        func server() throws(UpstreamError) -> Evidence.Server {
            _ = try connection.query("BEGIN")
            let answer = try connection.query(
                """
                SELECT pg_is_in_recovery(), (pg_control_system()).system_identifier,
                    coalesce(host(inet_server_addr()), 'a socket'), coalesce(inet_server_port()::text, ''),
                    current_setting('default_transaction_read_only'), current_setting('default_transaction_isolation'),
                    current_setting('hot_standby_feedback'), (SELECT coalesce(sum(confl_tablespace + confl_lock
                        + confl_snapshot + confl_bufferpin + confl_deadlock), 0) FROM pg_stat_database_conflicts)
                """)
            guard let row = answer.rows.first, row.count == 8 else { throw .libpq("no answer to the probe") }
            return Evidence.Server(
                address: row[2] ?? "", port: row[3] ?? "", isInRecovery: row[0] == "t", systemIdentifier: row[1] ?? "",
                isReadOnlyByDefault: row[4] == "on", defaultIsolation: row[5] ?? "",
                hotStandbyFeedback: row[6] == "on", conflicts: row[7].flatMap { Int($0) } ?? 0)
        }
    }

    // MARK: Password files

    /// libpq passes over a password file that others may read (manual, 34.16), and over one that is not there.
    static func problem(withPassfile path: String?) -> String? {
        guard let path, !path.isEmpty else { return nil }
        var status = stat()
        guard stat(path, &status) == 0 else { return String(cString: strerror(errno)) }
        guard status.st_mode & S_IFMT == S_IFREG else { return "it is no plain file" }
        let mode = status.st_mode & 0o777
        guard mode & 0o077 != 0 else { return nil }
        return "its mode is 0\(String(mode, radix: 8))"
    }
}
