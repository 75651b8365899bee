import Foundation
import Synchronization
import TestKit

/// What a primary and a standby did when every function of the catalogue was called on both: see Tests/FunctionSurvey.
struct FunctionSurvey: Sendable {
    /// One way of calling one function.
    struct Attempt: Sendable {
        var oid: String
        var name: String
        var number: String
        /// Made even when an earlier attempt succeeded.
        var isAlwaysMade: Bool
        var statement: String

        var key: String { "\(oid) \(number)" }
    }

    /// What one server answered.
    struct Outcome: Sendable {
        var sqlstate = ""
        var message = ""
        var result: [Substring] = []
        /// Only of the primary, when the call succeeded.
        var traces: Traces?

        var succeeded: Bool { sqlstate == "00000" }
        /// The codes and texts with which PostgreSQL 15 says that this server cannot do it, but a primary could.
        var isRefusedByStandby: Bool {
            sqlstate == "25006"
                || ["0A000", "55000", "XX000"].contains(sqlstate)
                    && (message.hasSuffix("recovery is in progress") || message.hasSuffix("during recovery")
                        || message.hasSuffix("while in recovery"))
        }
    }

    /// What a call left in its transaction on the primary.
    struct Traces: Equatable, Sendable {
        var hasTransactionID: Bool
        var advisoryLocks: Int
        /// A hash of all settings.
        var settings: String
        /// Bytes, of all sessions.
        var wal: Int
    }

    let attempts: [Attempt]
    let primary: [String: Outcome]
    let standby: [String: Outcome]
    /// When nothing was called.
    let untouched: Traces
    private let cluster: Cluster

    private static let sharedResult = Mutex<Result<FunctionSurvey, any Error>?>(nil)

    /// The survey of this run, made by the first who asks.
    static func shared() throws -> FunctionSurvey {
        try sharedResult.withLock { result in
            if let result { return try result.get() }
            let made = Result { try FunctionSurvey() }
            result = made
            return try made.get()
        }
    }

    private init() throws {
        cluster = try Cluster()
        try FunctionSurvey.prepare(cluster)
        attempts = try cluster.sql(
            "SELECT oid, proname, try, always, statement FROM survey.attempt ORDER BY proname, oid, try",
            at: FunctionSurvey.conninfo(cluster, .primary)
        ).map { row in
            guard row.count == 5 else { throw TestFailure("a statement of the survey has a line break: \(row)") }
            return Attempt(oid: row[0], name: row[1], number: row[2], isAlwaysMade: row[3] == "t", statement: row[4])
        }
        let outcomes = Mutex<[Cluster.Node: [String: Outcome]]>([:])
        let nodes = [Cluster.Node.primary, .standby1]
        let (cluster, attempts) = (cluster, attempts)
        try concurrently(nodes.count) { index in
            let made = try FunctionSurvey.run(attempts, on: nodes[index], of: cluster)
            outcomes.withLock { $0[nodes[index]] = made }
        }
        primary = outcomes.withLock { $0[.primary] } ?? [:]
        standby = outcomes.withLock { $0[.standby1] } ?? [:]
        let nothing = Attempt(oid: "0", name: "", number: "1", isAlwaysMade: true, statement: "SELECT 1")
        guard let untouched = try FunctionSurvey.run([nothing], on: .primary, of: cluster)[nothing.key]?.traces else {
            throw TestFailure("survey.traces gave nothing")
        }
        self.untouched = untouched
    }

    /// Settings that functions need to get past their first line, then the survey's own database.
    private static func prepare(_ cluster: Cluster) throws {
        for node in [Cluster.Node.primary, .standby1] {
            for setting in ["wal_level = logical", "track_commit_timestamp = on"] {
                try cluster.sql("ALTER SYSTEM SET \(setting)", on: node)
            }
            try cluster.sql("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'", on: node)
            try cluster.stop(node)
            try cluster.start(node)
        }
        try cluster.sql("CREATE DATABASE survey")
        let file = "\(Workplace.root)/Tests/FunctionSurvey/survey.sql"
        let made = try TestKit.run(
            "\(cluster.variable("PGBIN"))/psql", ["-X", "-q", "-d", conninfo(cluster, .primary), "-f", file],
            within: .seconds(60))
        guard made.code == 0 else { throw TestFailure("survey.sql: \(made.errorOutput)") }
        try cluster.waitForReplay()
    }

    /// The later of two dbname wins.
    private static func conninfo(_ cluster: Cluster, _ node: Cluster.Node) throws -> String {
        try cluster.direct(node) + " dbname=survey"
    }

    /// Rows of a query in the survey's database, from the primary.
    func sql(_ text: String) throws -> [[String]] {
        try cluster.sql(text, at: FunctionSurvey.conninfo(cluster, .primary))
    }

    /// Makes these attempts on the primary again.
    func repeated(_ attempts: [Attempt]) throws -> [String: Outcome] {
        try FunctionSurvey.run(attempts, on: .primary, of: cluster)
    }

    /// Each call is a statement of its own in a transaction of its own, as a client would send it.
    private static func run(
        _ attempts: [Attempt], on node: Cluster.Node, of cluster: Cluster
    ) throws -> [String: Outcome] {
        let file = "\(Workplace.folder)/\(Workplace.unique("survey-")).sql"
        defer { unlink(file) }
        try script(attempts, measured: node == .primary).write(toFile: file, atomically: false, encoding: .utf8)
        let result = try TestKit.run(
            "\(cluster.variable("PGBIN"))/psql", ["-X", "-q", "-A", "-t", "-d", conninfo(cluster, node), "-f", file],
            within: .seconds(120))
        guard result.code == 0 else { throw TestFailure("\(node): \(result.errorOutput.suffix(2000))") }
        return outcomes(result.output)
    }

    /// psql's script. What it prints for an attempt: `@ OID NUMBER`, the result, `# SQLSTATE MESSAGE`, and on the primary
    /// the traces.
    private static func script(_ attempts: [Attempt], measured: Bool) -> String {
        var lines = [
            "SET statement_timeout = '20s'; SET lock_timeout = '5s'; SET client_min_messages = error;",
            // A module's settings appear with its library; here at the start, so that no call seems to change them.
            "SELECT format('LOAD %L', probin) FROM pg_proc WHERE probin IS NOT NULL GROUP BY probin \\gexec",
        ]
        var function = ""
        for attempt in attempts {
            if attempt.oid != function { lines.append("\\unset succeeded") }
            function = attempt.oid
            lines.append(attempt.isAlwaysMade ? "\\if false" : "\\if :{?succeeded}")
            lines += ["\\else", "\\echo @ \(attempt.key)", "BEGIN;"]
            if measured { lines.append("SELECT pg_current_wal_insert_lsn() AS wal \\gset") }
            lines += ["\(attempt.statement);", "\\echo '#' :SQLSTATE :LAST_ERROR_MESSAGE"]
            lines += ["\\if :ERROR", "\\else", "\\set succeeded 1"]
            if measured { lines.append("SELECT * FROM survey.traces(:'wal');") }
            lines += ["\\endif", "ROLLBACK;", "SELECT pg_advisory_unlock_all() \\gset", "\\endif"]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func outcomes(_ output: String) -> [String: Outcome] {
        var outcomes: [String: Outcome] = [:]
        var key = ""
        var outcome = Outcome()
        for line in output.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("@ "), line.dropFirst(2).allSatisfy({ $0.isNumber || $0 == " " }) {
                outcomes[key] = outcome
                key = String(line.dropFirst(2))
                outcome = Outcome()
            } else if outcome.sqlstate.isEmpty, line.hasPrefix("# "), line.dropFirst(2).prefix(5).count == 5 {
                outcome.sqlstate = String(line.dropFirst(2).prefix(5))
                // psql keeps the message of the last error.
                if !outcome.succeeded { outcome.message = String(line.dropFirst(8)) }
            } else if outcome.sqlstate.isEmpty {
                outcome.result.append(line)
            } else if outcome.succeeded, outcome.traces == nil {
                outcome.traces = Traces(line.split(separator: "|"))
            }
        }
        outcomes[key] = outcome
        outcomes[""] = nil
        return outcomes
    }
}

extension FunctionSurvey.Traces {
    fileprivate init?(_ fields: [Substring]) {
        guard fields.count == 4, let locks = Int(fields[1]), let wal = Int(fields[3]) else { return nil }
        self.init(hasTransactionID: fields[0] == "t", advisoryLocks: locks, settings: String(fields[2]), wal: wal)
    }
}
