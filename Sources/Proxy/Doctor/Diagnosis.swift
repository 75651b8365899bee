import Bouncer
import Settings

/// What the evidence means: everything that should be changed. Asks nobody.
package struct Diagnosis {
    let settings: Settings
    let evidence: Evidence
    private(set) var findings: [Finding] = []

    /// - Parameters:
    ///   - settings: what the daemon runs with.
    ///   - evidence: what was seen with them.
    package init(_ settings: Settings, _ evidence: Evidence) {
        self.settings = settings
        self.evidence = evidence
    }

    /// Every finding, what is wrong first.
    package static func findings(_ settings: Settings, _ evidence: Evidence) -> [Finding] {
        var diagnosis = Diagnosis(settings, evidence)
        diagnosis.judgeConnections()
        diagnosis.judgeServers()
        diagnosis.judgePgBouncer()
        return diagnosis.findings.filter { $0.level == .wrong } + diagnosis.findings.filter { $0.level == .advice }
    }

    mutating func find(
        _ level: Finding.Level, _ check: Finding.Check, pool: Evidence.Pool? = nil, _ message: String, seen: String,
        _ change: Finding.Change
    ) {
        findings.append(
            Finding(
                level: level, check: check, pool: pool?.settings.name.value, message: message, evidence: seen,
                change: change))
    }

    // MARK: Where things stand

    /// A line of PgBouncer's `[pgbouncer]`.
    func pgbouncer(_ key: String, _ value: String) -> Finding.Change {
        Finding.Change(
            evidence.console?.path ?? "pgbouncer.ini", line: evidence.console?.file?.line(of: key, in: "pgbouncer"),
            "\(key) = \(value)")
    }

    /// A part of a pool's line in PgBouncer's `[databases]`. The rest of the line may hold a password: it is not shown.
    func databases(_ pool: Evidence.Pool, _ text: String) -> Finding.Change {
        let name = pool.settings.target.database ?? "?"
        return Finding.Change(
            evidence.console?.path ?? "pgbouncer.ini", line: evidence.console?.file?.line(of: name, in: "databases"),
            "\(name) = … \(text)")
    }

    /// Something of `[pool.NAME]` in the daemon's own file.
    func ours(_ pool: Evidence.Pool, _ text: String) -> Finding.Change {
        Finding.Change(
            settings.file, line: pool.settings.position.line, "[pool.\(pool.settings.name.value)] \(text)")
    }

    // MARK: Connections

    private mutating func judgeConnections() {
        judgePasswordFiles()
        judgeConsole()
        for pool in evidence.pools {
            let target = pool.settings.target
            // Without its password it cannot be used, and that is said already.
            if let error = pool.error, pool.passfileProblem == nil {
                find(
                    .wrong, .connection, pool: pool, "it cannot be used", seen: error,
                    ours(pool, "conninfo = … leads to a PgBouncer that answers, and to a user it knows"))
            }
            guard let standing = evidence.standing(of: pool), let name = target.database else { continue }
            if standing.isPaused {
                find(
                    .wrong, .paused, pool: pool, "its database is paused: requests wait and die",
                    seen: "SHOW DATABASES or SHOW STATE: paused",
                    Finding.Change("PgBouncer's console", "RESUME \(name)"))
            }
            if standing.isDisabled {
                find(
                    .wrong, .disabled, pool: pool, "its database is disabled: new connections are refused",
                    seen: "SHOW DATABASES: disabled = 1", Finding.Change("PgBouncer's console", "ENABLE \(name)"))
            }
        }
    }

    private mutating func judgeConsole() {
        guard let pgbouncer = settings.pgbouncer else {
            return find(
                .advice, .console, "PgBouncer's console is not asked: neither its settings nor a PAUSE can be seen",
                seen: "no [pgbouncer] in the settings",
                Finding.Change(settings.file, "[pgbouncer] admin = \"… dbname=pgbouncer user=stats\""))
        }
        if let error = evidence.consoleError, evidence.consolePassfileProblem == nil {
            find(
                .wrong, .console, "PgBouncer's console does not answer", seen: error,
                Finding.Change(
                    settings.file, line: pgbouncer.admin.position.line,
                    "[pgbouncer] admin = … leads to the console, and to one of stats_users"))
        }
    }

    private mutating func judgePasswordFiles() {
        var problems = evidence.pools.map { ($0.settings.target.passfile, $0.passfileProblem) }
        problems.append((settings.pgbouncer?.target.passfile, evidence.consolePassfileProblem))
        var done: Set<String> = []
        for case (let path?, let problem?) in problems where done.insert(path).inserted {
            find(
                .wrong, .passfile, "libpq does not read the password file", seen: "\(path): \(problem)",
                Finding.Change("shell", "chmod 0600 \(path)"))
        }
    }
}

extension Evidence {
    /// The pool's row of `SHOW DATABASES`; nil also when its connections lead to another PgBouncer.
    func database(of pool: Pool) -> BouncerState.Database? {
        let target = pool.settings.target
        guard let console, target.maySharePgBouncer(with: console.target), let name = target.database else {
            return nil
        }
        return console.state.databases[name]
    }

    func standing(of pool: Pool) -> BouncerStanding? {
        let target = pool.settings.target
        guard let console, database(of: pool) != nil, let name = target.database else { return nil }
        return console.state.standing(database: name, user: target.user)
    }
}

extension BouncerState.Database {
    /// The hosts of its list.
    var hosts: [String] { host.split(separator: ",").map { String($0.drop { $0 == " " }) } }
}
