import Foundation
import TestKit
import Testing

/// ROUTE says which way a statement would go, and runs nothing.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct RouteTests {
    private func route(_ client: LineClient, _ sql: String, _ options: String = "") throws -> [String: String] {
        let answer = try client.ask("ROUTE", options, sql)
        #expect(answer.count == 1 && answer["tx"] == "I")
        return try #require(try answer.table.first)
    }

    @Test func namesWhatItPromises() throws {
        let row = try route(try Shared.client(), "SELECT lower(a) FROM app.t WHERE id = $1")
        for key in ["kind", "pool", "rule", "line", "reason", "tables", "functions", "fingerprint"] {
            #expect(row[key] != nil, "\(row)")
        }
        #expect(row["kind"] == "select" && row["pool"] == "standby" && row["reason"] == "classifier")
        #expect(row["tables"] == "app.t" && row["functions"] == "lower" && row["rule"] == "")
        #expect(row["fingerprint"]?.isEmpty == false)
    }

    @Test(arguments: [
        ("SELECT 1", "", "select", "standby", "classifier"),
        ("INSERT INTO t VALUES (1)", "", "insert", "primary", "classifier"),
        ("UPDATE t SET a = 1", "", "update", "primary", "classifier"),
        ("DELETE FROM t", "", "delete", "primary", "classifier"),
        ("CREATE TABLE t(a int)", "", "ddl", "primary", "classifier"),
        ("VACUUM t", "", "utility", "primary", "classifier"),
        ("SELECT 1", "@route=primary", "select", "primary", "hint"), ("SELECT 1", "@lag=0", "select", "primary", "lag"),
        ("SELECT 1", "@after=1.0/1.5f2c91aa", "select", "primary", "after"),
        ("SELECT FROM FROM", "", "unknown", "primary", "unparsed"),
        ("SELECT nextval('s')", "", "select", "primary", "function"),
    ])
    func saysWhy(_ sql: String, _ options: String, _ kind: String, _ pool: String, _ reason: String) throws {
        let row = try route(try Shared.client(), sql, options)
        #expect(row["kind"] == kind && row["pool"] == pool && row["reason"] == reason, "\(row)")
    }

    @Test func runsNothing() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        #expect(try route(client, "INSERT INTO \(table) VALUES (1)")["tables"] == table)
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "0")
        // It is no write of this connection either.
        #expect(try client.run("SELECT 1")["pool"] == "standby")
    }

    /// What would be refused is said, not answered with that error.
    @Test func tellsARefusal() throws {
        let answer = try Shared.client().ask("ROUTE", "", "LISTEN x")
        #expect("\(answer)".contains("0A000"), "\(answer)")
    }

    /// It judges for this connection, as it stands now.
    @Test func knowsTheConnection() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        try client.run("INSERT INTO \(table) VALUES (1)")
        #expect(try route(client, "SELECT 1")["reason"] == "own-write")
        try client.ask("BEGIN")
        let row = try client.ask("ROUTE", "", "SELECT 1").table.first
        #expect(row?["pool"] == "primary" && row?["reason"] == "tx", "\(row ?? [:])")
        try client.ask("ROLLBACK")
    }

    /// The same statement with other constants has the same fingerprint, another statement another.
    @Test func fingerprints() throws {
        let client = try Shared.client()
        let one = try route(client, "SELECT a FROM t WHERE id = 1")["fingerprint"]
        let two = try route(client, "select  a from t where id = 22 /* x */")["fingerprint"]
        let three = try route(client, "SELECT b FROM t WHERE id = 1")["fingerprint"]
        #expect(one == two && one != three)
    }
}
