import Foundation
import TestKit
import Testing

/// Reads that must not run in vain: a standby that is behind fails before them (`exclusive`, `rerun = false`), and what its
/// server log says it ran is counted.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct GuardTests {
    static let rules = """
        [[rule]]
        name = "dear"
        tag = ["dear"]
        exclusive = true

        [[rule]]
        name = "once"
        tag = ["once"]
        rerun = false
        """

    private struct Fixture {
        let cluster: Cluster
        let daemon: DaemonProcess
        let table: String

        init() throws {
            cluster = try Cluster()
            var settings = try DaemonSettings(cluster)
            settings.more = GuardTests.rules
            daemon = try DaemonProcess(settings)
            table = Workplace.uniqueTable()
            try cluster.makeTables(
                """
                CREATE TABLE \(table)(id int);
                CREATE FUNCTION \(table)_add() RETURNS int LANGUAGE sql
                AS 'INSERT INTO msgsvr.\(table) VALUES (7) RETURNING id'
                """)
            for node in Cluster.Node.standbys { try cluster.configure("log_statement = 'all'", on: node) }
        }

        func write() throws -> String {
            let answer = try daemon.client().run("INSERT INTO \(table) VALUES (1)", options: "@token")
            guard let token = answer["token"] else { throw TestFailure("no token: \(answer)") }
            return token
        }

        /// How often the standbys' logs have a line with all of these.
        func logged(_ words: String...) throws -> Int {
            try Cluster.Node.standbys.reduce(0) { count, node in
                let log = try String(contentsOfFile: "\(cluster.folder)/log/\(node.rawValue).log", encoding: .utf8)
                return count + log.split(separator: "\n").count { line in words.allSatisfy { line.contains($0) } }
            }
        }

        /// A read that a standby serves, which needs proof of it.
        func warmUp(_ token: String) throws {
            try cluster.waitForReplay()
            try eventually("standbys serve tokens") {
                try daemon.client().run("SELECT 1", options: "@after=\(token)")["pool"] == "standby"
            }
        }

        func pause() throws {
            for node in Cluster.Node.standbys { try cluster.pauseReplay(node) }
        }

        /// Reads with a token that no standby has until one of them was tried, which then is `rerun=stale`.
        func readStale(_ sql: String, _ options: String) throws -> Answer {
            var answer: Answer?
            try eventually("a standby was tried") {
                let found = try daemon.client().query(sql, options: options)
                answer = found
                return found["rerun"] == "stale"
            }
            guard let answer else { throw TestFailure("no answer") }
            return answer
        }

        func end() throws {
            try daemon.stop()
            cluster.end()
        }
    }

    @Test func whatIsGuardedDoesNotRunInVain() throws {
        let test = try Fixture()
        let old = try test.write()
        try test.warmUp(old)
        try test.pause()
        let new = try test.write()
        for tag in ["dear", "once"] {
            let answer = try test.readStale(
                "SELECT count(*) AS \(tag)_guarded FROM \(test.table)", "@tag=\(tag) @after=\(new)")
            #expect(try answer.value == "2", "\(tag)")
            #expect(answer["pool"] == "primary" && answer["why"] == "after", "\(answer)")
            #expect(try test.logged("\(tag)_guarded", "execute") == 0, "\(tag): it ran on a standby")
        }
        // The standby's own word on it is an error of the fence's.
        #expect(try test.logged("ERROR", "invalid input syntax for type integer: \"fence ") >= 2)
        // Without such a rule it runs beside its check, and what it said is thrown away: the logs do show it.
        let plain = try test.readStale("SELECT count(*) AS plain_read FROM \(test.table)", "@after=\(new)")
        #expect(try plain.value == "2")
        try eventually("the logs show it") { try test.logged("plain_read", "execute") > 0 }
        // What the standbys have they run, once.
        let served = try test.daemon.client().run(
            "SELECT count(*) AS served_guarded FROM \(test.table)", options: "@tag=dear @after=\(old)")
        #expect(try served.value == "1")
        #expect(served["pool"] == "standby" && served["rerun"] == nil, "\(served)")
        try eventually("the logs show it") { try test.logged("served_guarded", "execute") == 1 }
        try test.end()
    }

    /// Whatever makes the primary answer, who says that it does not write cannot.
    @Test func aReadOnlyStatementStaysOneOnThePrimary() throws {
        let test = try Fixture()
        try test.warmUp(try test.write())
        try test.pause()
        let new = try test.write()
        for options in ["@ro @after=\(new)", "@ro @after=\(new) @tag=dear", "@ro @after=\(new) @wait=20"] {
            for _ in 0..<10 {
                let answer = try test.daemon.client().query("SELECT \(test.table)_add()", options: options)
                #expect(answer.sqlstate == "25006" && answer.problem?.retry == .never, "\(options): \(answer)")
            }
        }
        #expect(try test.cluster.value("SELECT count(*) FROM msgsvr.\(test.table) WHERE id = 7") == "0")
        try test.end()
    }

    /// `rerun = false` is about effects that no server sees: only a read that a standby was too old for runs again.
    @Test func whatMustNotRunTwiceFails() throws {
        let test = try Fixture()
        let client = try test.daemon.client()
        let refused = try client.query("SELECT \(test.table)_add()", options: "@tag=once")
        #expect(refused.sqlstate == "25006" && refused["pool"] == "standby" && refused["rerun"] == nil, "\(refused)")
        let missing = try client.query("SELECT * FROM nowhere", options: "@tag=once")
        #expect(missing.sqlstate == "42P01" && missing["pool"] == "standby", "\(missing)")
        #expect(try test.cluster.value("SELECT count(*) FROM msgsvr.\(test.table)") == "0")
        try test.end()
    }
}

extension Cluster.Node {
    fileprivate static let standbys: [Self] = [.standby1, .standby2]
}
