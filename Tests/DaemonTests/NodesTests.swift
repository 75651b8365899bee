import Foundation
import TestKit
import Testing

/// `STATS nodes`: each server as its answers showed it.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct NodesTests {
    private struct Fixture {
        let cluster: Cluster
        let daemon: DaemonProcess
        let table: String

        init() throws {
            cluster = try Cluster()
            daemon = try DaemonProcess(try DaemonSettings(cluster))
            table = Workplace.uniqueTable()
            try cluster.makeTables("CREATE TABLE \(table)(id int)")
        }

        func node(_ node: Cluster.Node, of pool: String = "standby") throws -> [String: String]? {
            let address = try cluster.address(node)
            let rows = try daemon.stats("nodes").filter { $0["node"] == address && $0["pool"] == pool }
            guard rows.count < 2 else { throw TestFailure("a server twice: \(rows)") }
            return rows.first
        }

        func state(_ node: Cluster.Node, of pool: String = "standby") throws -> String? {
            try self.node(node, of: pool)?["state"]
        }

        func write(_ client: LineClient) throws -> String {
            let answer = try client.run("INSERT INTO \(table) VALUES (1)", options: "@token")
            guard let token = answer["token"] else { throw TestFailure("no token: \(answer)") }
            return token
        }

        /// Reads with a token until the rows are as wanted: PgBouncer chooses the standby.
        func read(
            _ token: String, until what: String, within limit: Duration = .seconds(10), _ condition: () throws -> Bool
        )
            throws
        {
            let clients = try (0..<4).map { _ in try daemon.client() }
            try eventually("\(what): \((try? daemon.stats("nodes")) ?? [])", within: limit) {
                for client in clients {
                    try client.send("Q r @after=\(token) SELECT pg_sleep(0.002)\n")
                }
                for client in clients { _ = try client.answer(to: "r") }
                return try condition()
            }
        }

        func end() throws {
            try daemon.stop()
            cluster.end()
        }
    }

    @Test func currentAndBehindAndCutOff() throws {
        let test = try Fixture()
        let client = try test.daemon.client()
        let old = try test.write(client)
        try test.cluster.waitForReplay()
        try test.read(old, until: "both standbys are current") {
            let states = [try test.state(.standby1), try test.state(.standby2)]
            return states == ["current", "current"]
        }
        let primary = try #require(try test.node(.primary, of: "primary"))
        #expect(primary["state"] == "primary" && primary["lag_ms"] == "0", "\(primary)")
        #expect(primary["position"]?.contains("/") == true)

        try test.cluster.pauseReplay(.standby1)
        let replayed = try test.cluster.replayed(.standby1)
        _ = try test.write(client)
        try test.cluster.waitForReplay(on: [.standby2])
        // It serves what it has; that is seen in the same answers.
        try test.read(old, until: "one is behind, the other is not") {
            let states = [try test.state(.standby1), try test.state(.standby2)]
            return states == ["behind", "current"]
        }
        let behind = try #require(try test.node(.standby1))
        #expect(behind["position"] == replayed, "\(behind)")
        let current = try #require(try test.node(.standby2))
        #expect(current["lag_ms"] == "0", "\(current)")
        // It has not moved for so long that it must be cut off.
        try test.read(old, until: "it is taken for cut off", within: .seconds(30)) {
            try test.state(.standby1) == "orphaned"
        }
        #expect(try test.state(.standby2) == "current")
        try test.read(old, until: "its age grows on") {
            try test.node(.standby1)?["lag_ms"].flatMap { Int($0) }.map { $0 >= 5_000 } ?? false
        }

        try test.cluster.resumeReplay(.standby1)
        let new = try test.write(client)
        try test.cluster.waitForReplay()
        try test.read(new, until: "it is current again") { try test.state(.standby1) == "current" }
        try test.end()
    }

    /// Nothing is known of a primary yet: a standby's position is a number without a history.
    @Test func unprovenUntilThePrimaryIsKnown() throws {
        let test = try Fixture()
        #expect(try test.daemon.stats("nodes").isEmpty, "nobody was asked anything")
        let client = try test.daemon.client()
        // A pool with traffic is looked at once a second.
        try eventually("a standby was looked at") {
            try client.run("SELECT 1")
            return try test.daemon.stats("nodes").contains { $0["pool"] == "standby" }
        }
        for row in try test.daemon.stats("nodes") where row["pool"] == "standby" {
            #expect(row["state"] == "unproven" && row["lag_ms"] == "", "\(row)")
        }
        let token = try test.write(client)
        try test.cluster.waitForReplay()
        try test.read(token, until: "both have proved it") {
            let states = [try test.state(.standby1), try test.state(.standby2)]
            return states == ["current", "current"]
        }
        try test.end()
    }

    /// A restart makes another process of it: one row still, which proves itself again.
    @Test func aRestartedStandbyIsTheSameRow() throws {
        let test = try Fixture()
        let client = try test.daemon.client()
        let token = try test.write(client)
        try test.cluster.waitForReplay()
        try test.read(token, until: "both are current") {
            try test.daemon.stats("nodes").count { $0["state"] == "current" } == 2
        }
        try test.cluster.stop(.standby1)
        try test.cluster.start(.standby1)
        let next = try test.write(client)
        try test.cluster.waitForReplay()
        // PgBouncer could do without it: its other connections still lead to the other standby.
        try test.cluster.pgbouncer("RECONNECT \(Cluster.Pool.readOnly.rawValue)")
        // What the old process had replayed is behind that write.
        try test.read(next, until: "it is current again, by its new process", within: .seconds(20)) {
            try test.state(.standby1) == "current"
        }
        #expect(try test.daemon.stats("nodes").count == 3)
        try test.end()
    }

    /// PgBouncer's pool of standbys leads to the primary: it is seen, and no read there can write.
    @Test func aPrimaryInAStandbysPlace() throws {
        let test = try Fixture()
        let client = try test.daemon.client()
        let token = try test.write(client)
        try test.cluster.makeTables(
            """
            CREATE FUNCTION \(test.table)_add() RETURNS int LANGUAGE sql
            AS 'INSERT INTO msgsvr.\(test.table) VALUES (7) RETURNING id'
            """)
        try test.cluster.point(.readOnly, to: .primary)
        try test.read(token, until: "it is seen", within: .seconds(20)) { try test.state(.primary) == "misplaced" }
        #expect(try test.state(.primary, of: "primary") == "primary")
        let answer = try test.daemon.client().run("SELECT \(test.table)_add()")
        #expect(answer["rerun"] == "writes" && answer["pool"] == "primary", "\(answer)")
        #expect(try test.cluster.value("SELECT count(*) FROM msgsvr.\(test.table) WHERE id = 7") == "1")
        try test.end()
    }

    @Test func columns() throws {
        let answer = try Shared.daemon().operatorClient().succeed("STATS", "", "nodes")
        #expect(answer.columns?.map(\.name) == ["pool", "node", "state", "position", "lag_ms", "seen_ms"])
    }
}
