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
                AS 'INSERT INTO msgsvr.\(table) VALUES (7) RETURNING id';
                CREATE FUNCTION \(table)_said(text) RETURNS int LANGUAGE plpgsql
                AS $$BEGIN RAISE LOG 'said %', $1; RETURN 7; END$$;
                CREATE FUNCTION \(table)_say(text) RETURNS int LANGUAGE plpgsql
                AS $$BEGIN RAISE LOG 'said %', $1; INSERT INTO msgsvr.\(table) VALUES (7); RETURN 7; END$$
                """)
            for node in Cluster.Node.standbys { try cluster.configure("log_statement = 'all'", on: node) }
        }

        func write() throws -> String {
            let answer = try daemon.client().run("INSERT INTO \(table) VALUES (1)", options: "@token")
            guard let token = answer["token"] else { throw TestFailure("no token: \(answer)") }
            return token
        }

        /// How often the standbys' logs have a line with all of these.
        func logged(_ words: String...) throws -> Int { try logged(words, on: Cluster.Node.standbys) }

        /// How often a function has said this, wherever it ran.
        func said(_ word: String) throws -> Int {
            try logged(["LOG:  said \(word)"], on: Cluster.Node.standbys + [.primary])
        }

        private func logged(_ words: [String], on nodes: [Cluster.Node]) throws -> Int {
            try nodes.reduce(0) { count, node in
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

    /// Nor does it when a read before it turns out to write: it waits for that one's end.
    @Test func noWriterMakesItRunTwice() throws {
        let test = try Fixture()
        let client = try test.daemon.client()
        let writer = "SELECT \(test.table)_add() FROM pg_sleep(0.1)"
        try client.send("Q w \(writer)\nQ o @tag=once SELECT \(test.table)_said('behind')\n")
        let written = try client.answer(to: "w")
        #expect(written["rerun"] == "writes", "\(written)")
        #expect(try client.answer(to: "o").value == "7")
        try eventually("the logs show it") { try test.said("behind") > 0 }
        #expect(try test.said("behind") == 1)
        // Behind reads that write nothing it is as any other.
        try client.send("Q r SELECT 1 FROM pg_sleep(0.1)\nQ o @tag=once SELECT \(test.table)_said('read')\n")
        #expect(try client.answer(to: "r").problem == nil)
        #expect(try client.answer(to: "o").value == "7")
        try eventually("the logs show it") { try test.said("read") > 0 }
        #expect(try test.said("read") == 1)
        try test.end()
    }

    /// A standby behind the write pool refuses the write in the middle: what was done outside it is not done again.
    @Test func aRoleThatMovedMakesItNotRunTwice() throws {
        let test = try Fixture()
        let client = try test.daemon.client()
        _ = try test.write()
        try test.cluster.waitForReplay()
        try test.cluster.point(.readWrite, to: .standby1)
        try eventually("the write pool leads to a standby") {
            (try? test.cluster.sql("SELECT pg_is_in_recovery()", at: test.cluster.readWrite)) == [["t"]]
        }
        try client.send("Q o @route=primary @tag=once @timeout=8000 SELECT \(test.table)_say('once')\n")
        try eventually("it ran") { try test.said("once") == 1 }
        try test.cluster.point(.readWrite, to: .primary)
        let answer = try client.answer(to: "o")
        #expect(answer.problem != nil, "\(answer)")
        try eventually("writes work again") { try client.query("INSERT INTO \(test.table) VALUES (2)").problem == nil }
        #expect(try test.said("once") == 1)
        #expect(try test.cluster.value("SELECT count(*) FROM msgsvr.\(test.table) WHERE id = 7") == "0")
        try test.end()
    }

    /// A read that a standby was too old for has the primary's receipt, whether the primary was asked where it stands or not.
    @Test func theReceiptOfAReadThatRanInVain() throws {
        let test = try Fixture()
        try test.warmUp(try test.write())
        try test.pause()
        let new = try test.write()
        let writer = try test.daemon.client()
        try writer.run("INSERT INTO \(test.table) VALUES (1)")
        // Behind it the position of its write is known.
        try writer.run("SELECT count(*) FROM \(test.table)")
        let others = try Cluster.Node.standbys.map { try test.cluster.address($0) }
        for sql in ["SELECT count(*) FROM \(test.table)", "SELECT \(test.table)_said('receipt')"] {
            var stale = 0
            for _ in 0..<5 {
                let answers = [
                    try writer.run(sql, options: "@wait=20"),
                    try test.daemon.client().run(sql, options: "@after=\(new)"),
                ]
                for answer in answers {
                    #expect(answer["pool"] == "primary", "\(sql): \(answer)")
                    #expect(answer["node"].map { others.contains($0) } != true, "\(sql): \(answer)")
                    if answer["rerun"] == "stale" { stale += 1 }
                }
            }
            #expect(stale > 0, "\(sql): no standby was tried")
        }
        try test.end()
    }
}

extension Cluster.Node {
    fileprivate static let standbys: [Self] = [.standby1, .standby2]
}
