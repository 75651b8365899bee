import Foundation
import Synchronization

/// A private cluster made by `deploy/cluster`: one primary, two streaming standbys, PgBouncer in front of them.
///
/// `shared()` is made once for a test run and left alone; who stops servers takes one of its own. Both end with the
/// run at the latest, whatever becomes of it.
package final class Cluster: Sendable {
    package enum Node: String, Sendable, CaseIterable {
        case primary
        case standby1 = "standby-1"
        case standby2 = "standby-2"
        case pgbouncer
    }

    /// How a server is stopped: PostgreSQL's fast and immediate shutdowns, or signal 9.
    package enum StopMode: String, Sendable {
        case fast, immediate, kill
    }

    package let folder: String
    private let variables: [String: String]
    let second = Mutex<Result<SecondDatabase, any Error>?>(nil)

    private static let sharedResult = Mutex<Result<Cluster, any Error>?>(nil)

    /// The cluster of this run, started by the first who asks; a failed start is not tried again.
    package static func shared() throws -> Cluster {
        try sharedResult.withLock { result in
            if let result { return try result.get() }
            let made = Result { try Cluster() }
            result = made
            return try made.get()
        }
    }

    /// Starts a new one, in a few seconds.
    package init() throws {
        folder = "\(Workplace.folder)/\(Workplace.unique("c"))"
        Watchdog.shared.remember(.cluster, folder)
        let up = try run(Cluster.script, ["up", folder], within: .seconds(90))
        guard up.code == 0 else { throw TestFailure("deploy/cluster up: \(up.code)\n\(up.errorOutput)") }
        let printed = try run(Cluster.script, ["env", folder])
        guard printed.code == 0 else { throw TestFailure("deploy/cluster env: \(printed.errorOutput)") }
        var variables: [String: String] = [:]
        for line in printed.output.split(separator: "\n") {
            guard let equals = line.firstIndex(of: "=") else { continue }
            let value = line[line.index(after: equals)...]
            variables[String(line[..<equals])] = value.trimmingCharacters(in: CharacterSet(charactersIn: "'\""))
        }
        self.variables = variables
    }

    deinit { end() }

    /// Stops its servers and removes its files.
    package func end() {
        guard let result = try? run(Cluster.script, ["down", folder]), result.code == 0 else { return }
        Watchdog.shared.forget(.cluster, folder)
    }

    static var script: String { "\(Workplace.root)/deploy/cluster" }

    /// A line of `deploy/cluster env`.
    package func variable(_ name: String) throws -> String {
        guard let value = variables[name] else { throw TestFailure("deploy/cluster env has no \(name)") }
        return value
    }

    // MARK: Connection strings

    /// The app's user through PgBouncer, to the primary.
    package var readWrite: String { get throws { try variable("RW") } }
    /// The app's user through PgBouncer, to one of the standbys.
    package var readOnly: String { get throws { try variable("RO") } }
    /// PgBouncer's console, with the right to command.
    package var console: String { get throws { try variable("ADMIN") } }

    /// The superuser, straight to a server.
    package func direct(_ node: Node) throws -> String {
        switch node {
        case .primary: try variable("PRIMARY")
        case .standby1: try variable("STANDBY_1")
        case .standby2: try variable("STANDBY_2")
        case .pgbouncer: try console
        }
    }

    /// Where a server listens, as receipts name it: `127.0.0.11:5433`.
    package func address(_ node: Node) throws -> String {
        guard let found = try direct(node).firstMatch(of: /host=([^ ]+) port=([0-9]+)/) else {
            throw TestFailure("no host and port of \(node.rawValue)")
        }
        return "\(found.1):\(found.2)"
    }

    // MARK: SQL beside the daemon

    /// Runs SQL with psql and gives its rows, NULL as `∅`.
    ///
    /// - Throws: `TestFailure` with psql's words when it fails.
    @discardableResult
    package func sql(_ text: String, at conninfo: String) throws -> [[String]] {
        let psql = "\(try variable("PGBIN"))/psql"
        let result = try run(
            psql,
            [
                "-X", "-q", "-A", "-t", "-F", "\u{1f}", "-P", "null=∅", "-v", "ON_ERROR_STOP=1", "-d", conninfo, "-c",
                text,
            ])
        guard result.code == 0 else { throw TestFailure("psql: \(result.errorOutput) in: \(text)") }
        return result.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map {
            $0.split(separator: "\u{1f}", omittingEmptySubsequences: false).map(String.init)
        }
    }

    @discardableResult
    package func sql(_ text: String, on node: Node = .primary) throws -> [[String]] {
        try sql(text, at: try direct(node))
    }

    /// The single value of a query on the primary.
    package func value(_ text: String, on node: Node = .primary) throws -> String {
        guard let value = try sql(text, on: node).first?.first else { throw TestFailure("no row: \(text)") }
        return value
    }

    /// How many sessions of others are in such a state and ran last, or run, such a statement.
    ///
    /// - Parameters:
    ///   - state: a pattern for LIKE, such as `active` or `idle in%`.
    ///   - statement: a pattern for LIKE.
    ///   - node: the server that is asked.
    /// - Returns: 0 or more.
    /// - Throws: `TestFailure` when the server does not answer.
    package func sessions(_ state: String, _ statement: String, on node: Node = .primary) throws -> Int {
        try sessions("count(*)", state, statement, on: node)
    }

    /// Ends such sessions and says how many there were.
    package func terminate(_ state: String, _ statement: String, on node: Node = .primary) throws -> Int {
        try sessions("count(pg_terminate_backend(pid))", state, statement, on: node)
    }

    private func sessions(_ count: String, _ state: String, _ statement: String, on node: Node) throws -> Int {
        let text = """
            SELECT \(count) FROM pg_stat_activity
            WHERE state LIKE '\(state)' AND query LIKE '\(statement)' AND pid <> pg_backend_pid()
            """
        guard let number = Int(try value(text, on: node)) else { throw TestFailure("no number: \(text)") }
        return number
    }

    /// Waits until standbys have replayed all that the primary has written. Longer than a read on a standby may hold up
    /// replay (max_standby_streaming_delay, 30 s): another test's read may be at it.
    ///
    /// - Parameters:
    ///   - standbys: who has to follow; both standbys of a cluster as it was made.
    ///   - primary: whose position counts.
    /// - Throws: `TestFailure` when one does not get there.
    package func waitForReplay(on standbys: [Node] = [.standby1, .standby2], of primary: Node = .primary) throws {
        let written = try value("SELECT pg_current_wal_flush_lsn()", on: primary)
        for node in standbys {
            try eventually("replay on \(node.rawValue)", within: .seconds(45)) {
                try value("SELECT pg_last_wal_replay_lsn() >= '\(written)'", on: node) == "t"
            }
        }
    }

    /// Puts the tables of a test where the app's user finds them, on all servers.
    package func makeTables(_ text: String) throws {
        try sql("SET ROLE msgsvr; \(text)", on: .primary)
        try waitForReplay()
    }

    // MARK: Injuries

    package func stop(_ node: Node, _ mode: StopMode = .fast) throws {
        try command("stop", node.rawValue, mode.rawValue)
    }

    package func start(_ node: Node) throws {
        try command("start", node.rawValue)
    }

    func command(_ name: String, _ arguments: String...) throws { try command(name, arguments) }

    func command(_ name: String, _ arguments: [String]) throws {
        let result = try run(Cluster.script, [name, folder] + arguments, within: .seconds(60))
        guard result.code == 0 else { throw TestFailure("\(name) \(arguments): \(result.errorOutput)") }
    }
}
