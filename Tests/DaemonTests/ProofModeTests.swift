import Foundation
import TestKit
import Testing

/// `mode = "prove"`: before the cut-over the primary runs the reads, held to reading, and PostgreSQL says which of them write.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct ProofModeTests {
    private static func daemon() throws -> DaemonProcess {
        try DaemonProcess { $0.standby.append("mode = \"prove\"") }
    }

    private func row(_ daemon: DaemonProcess, _ statement: String) throws -> [String: String] {
        let rows = try daemon.stats("statements").filter { $0["statement"]?.contains(statement) == true }
        return try #require(rows.count == 1 ? rows[0] : nil, "\(rows)")
    }

    @Test func readsRunOnThePrimaryHeldToReading() throws {
        let daemon = try Self.daemon()
        let table = try makeTable("id int", then: "INSERT INTO TABLE_NAME VALUES (1), (2)")
        let client = try daemon.client()
        for number in 1...5 {
            let answer = try client.run("SELECT id, pg_is_in_recovery() FROM \(table) WHERE id = \(number % 2 + 1)")
            #expect(answer["pool"] == "primary" && answer.rows[0][1] == "f", "\(answer)")
            #expect(answer["rerun"] == nil)
        }
        let held = try client.run("SELECT current_setting('transaction_read_only')")
        #expect(try held.value == "on")
        let proven = try row(daemon, "FROM \(table) WHERE")
        #expect(proven["calls"] == "5" && proven["proven"] == "5" && proven["errors"] == "0", "\(proven)")
        #expect(proven["access"] == "read" && proven["pool"] == "primary", "\(proven)")
        // A read that fails proves nothing.
        #expect(try client.query("SELECT id / 0 FROM \(table)").sqlstate == "22012")
        let failed = try row(daemon, "SELECT id / $1 FROM \(table)")
        #expect(failed["proven"] == "0")
    }

    /// Nothing in the text says that it writes. It runs in vain, then once for good, and is known from then on.
    @Test func aFunctionThatWrites() throws {
        let daemon = try Self.daemon()
        let table = try makeTable(
            "id int",
            then: """
                CREATE FUNCTION TABLE_NAME_add(n int) RETURNS int LANGUAGE sql
                AS 'INSERT INTO msgsvr.TABLE_NAME VALUES (n) RETURNING id'
                """)
        let client = try daemon.client()
        let first = try client.run("SELECT \(table)_add(1)")
        #expect(first["pool"] == "primary" && first["rerun"] == "writes" && first["why"] == "learned", "\(first)")
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "1")
        #expect(try daemon.stats("learned").map { $0["sqlstate"] } == ["25006"])
        #expect(try daemon.counted("reruns_total", "reason=writes") == 1)
        let second = try client.run("SELECT \(table)_add(2)")
        #expect(second["rerun"] == nil && second["why"] == "learned", "\(second)")
        #expect(try Cluster.shared().value("SELECT sum(id) FROM msgsvr.\(table)") == "3")
        // No call of it is proven; one that another client says not to write does not.
        #expect(try daemon.client().query("SELECT \(table)_add(3)", options: "@ro").sqlstate == "25006")
        #expect(try row(daemon, "\(table)_add")["proven"] == "0")
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "2")
    }

    @Test func transactions() throws {
        let daemon = try Self.daemon()
        let table = try makeTable("id int")
        let client = try daemon.client()
        let begun = try client.succeed("BEGIN", "@ro")
        #expect(begun["pool"] == "primary", "\(begun)")
        let inside = try client.run("SELECT current_setting('transaction_read_only'), pg_is_in_recovery()")
        #expect(inside.rows == [["on", "f"]])
        #expect(try client.query("INSERT INTO \(table) VALUES (1)").sqlstate == "25006")
        try client.succeed("ROLLBACK")
        try client.succeed("BEGIN")
        try client.run("INSERT INTO \(table) VALUES (2)")
        try client.succeed("COMMIT")
        // Own writes are seen at once: nothing is read elsewhere.
        #expect(try client.run("SELECT id FROM \(table)").value == "2")
    }

    /// Freshness costs nothing and refuses nothing: the primary has everything.
    @Test func tokensAndWishes() throws {
        let daemon = try Self.daemon()
        let table = try makeTable("id int")
        let token = try #require(try daemon.client().run("INSERT INTO \(table) VALUES (1)", options: "@token")["token"])
        for options in ["@after=\(token)", "@lag=1000", "@after=\(token) @wait=1000", "@session=s", "@lag=0"] {
            let answer = try daemon.client().run("SELECT count(*) FROM \(table)", options: options)
            #expect(try answer.value == "1", "\(options)")
            #expect(answer["pool"] == "primary", "\(answer)")
        }
    }
}
