import Foundation

/// What can be done to a cluster of one's own, beside stopping and starting its servers.
extension Cluster {
    /// The databases of PgBouncer that the two pools lead to.
    package enum Pool: String, Sendable {
        case readWrite = "msgsvr_rw"
        case readOnly = "msgsvr_ro"
    }

    // MARK: Replay

    /// The standby receives WAL and applies nothing of it until `resumeReplay`.
    package func pauseReplay(_ node: Node) throws {
        try sql("SELECT pg_wal_replay_pause()", on: node)
        try eventually("replay on \(node.rawValue) is paused") {
            try value("SELECT pg_get_wal_replay_pause_state()", on: node) == "paused"
        }
    }

    package func resumeReplay(_ node: Node) throws {
        try sql("SELECT pg_wal_replay_resume()", on: node)
    }

    /// Commits are applied this long after they were made, by the primary's clock; zero ends it.
    package func delayReplay(_ nodes: [Node] = [.standby1, .standby2], by delay: Duration) throws {
        for node in nodes {
            try configure("recovery_min_apply_delay = '\(delay.milliseconds)ms'", on: node)
        }
    }

    /// The standby stays up, in recovery, and answers, but nobody sends it WAL any more. `follow` ends it.
    package func orphan(_ node: Node) throws {
        try configure("primary_conninfo = ''", on: node)
        try eventually("\(node.rawValue) receives nothing") {
            try value("SELECT count(*) FROM pg_stat_wal_receiver", on: node) == "0"
        }
    }

    /// Sets a parameter that takes effect on reload, such as `work_mem = '1MB'`.
    package func configure(_ setting: String, on node: Node) throws {
        // ALTER SYSTEM refuses to share a text with another statement.
        try sql("ALTER SYSTEM SET \(setting)", on: node)
        try sql("SELECT pg_reload_conf()", on: node)
    }

    /// How far a standby has replayed.
    package func replayed(_ node: Node) throws -> String {
        try value("SELECT pg_last_wal_replay_lsn()", on: node)
    }

    // MARK: Roles

    /// A standby becomes a primary, on a timeline of its own. The other servers and PgBouncer are not told.
    package func promote(_ node: Node) throws {
        try command("promote", node.rawValue)
    }

    /// Makes a server a standby of another: one that is in recovery goes on from where it is, any other starts again
    /// as a copy.
    package func follow(_ node: Node, _ other: Node) throws {
        try command("follow", node.rawValue, other.rawValue)
    }

    // MARK: PgBouncer

    /// PgBouncer's database leads to these servers from now on: connections to others end when they fall idle.
    package func point(_ pool: Pool, to nodes: Node...) throws {
        try command("point", [pool.rawValue] + nodes.map(\.rawValue))
    }

    /// A command of PgBouncer's console, such as `PAUSE msgsvr_rw`.
    package func pgbouncer(_ command: String) throws {
        try sql(command, at: console)
    }

    // MARK: Processes

    /// Ends one session's process by signal 9. PostgreSQL then ends all others and recovers as after a crash.
    ///
    /// - Parameters:
    ///   - state: a pattern for LIKE, such as `active`.
    ///   - statement: a pattern for LIKE.
    ///   - node: the server.
    /// - Throws: `TestFailure` when not exactly one session is in such a state with such a statement.
    package func killBackend(_ state: String, _ statement: String, on node: Node = .primary) throws {
        let found = try sql(
            """
            SELECT pid FROM pg_stat_activity
            WHERE state LIKE '\(state)' AND query LIKE '\(statement)' AND pid <> pg_backend_pid()
            """, on: node)
        guard found.count == 1, let pid = pid_t(found[0][0]) else {
            throw TestFailure("not one backend with \(statement): \(found)")
        }
        guard kill(pid, SIGKILL) == 0 else { throw TestFailure("kill \(pid): \(String(cString: strerror(errno)))") }
    }

    /// All processes of a server stand still while the body runs, at most so long: nothing is answered, nothing closed.
    package func freeze(_ node: Node, atMost limit: Duration, while body: () throws -> Void) throws {
        let seconds = "\(Double(limit.milliseconds) / 1000)"
        let log = "\(folder)/log/freeze-\(node.rawValue)"
        unlink(log)
        let freezer = try ChildProcess(Cluster.script, ["freeze", folder, node.rawValue, seconds], output: log)
        try eventually("\(node.rawValue) stands still", within: .seconds(30)) {
            if let ending = freezer.poll() { throw TestFailure("freeze \(node.rawValue): \(ending)") }
            return try String(contentsOfFile: log, encoding: .utf8).contains("stands still")
        }
        defer {
            freezer.signal(SIGTERM)
            // It wakes the server before it ends.
            _ = try? freezer.wait()
        }
        try body()
    }
}
