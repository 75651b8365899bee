import Foundation
import Synchronization
import TestKit
import Testing

/// Servers that fail under load: what clients are told is what happened. Times are asserted by their order of magnitude.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(6)))
struct OutageTests {
    private static let own = Mutex<Cluster?>(nil)

    private static func cluster() throws -> Cluster {
        try own.withLock { cluster in
            if let cluster { return cluster }
            let made = try Cluster()
            cluster = made
            return made
        }
    }

    /// What a fault came to.
    private struct Course {
        let account: WriteLedger.Account
        /// Keys that were said to be unknown, and are in the table.
        let applied: Int
    }

    /// Clients write and read; meanwhile something happens, and is over; then they do for a while.
    ///
    /// - Parameters:
    ///   - adjust: changes the daemon's settings.
    ///   - fault: gets the ledger, ends when all is well again.
    /// - Returns: what they were told, found to be true.
    /// - Throws: what the fault throws, with the daemon's log; or when writes do not succeed again.
    private func course(
        _ adjust: (inout DaemonSettings) -> Void = { _ in }, during fault: (Cluster, WriteLedger) throws -> Void
    ) throws -> Course {
        let cluster = try Self.cluster()
        var settings = try DaemonSettings(cluster)
        adjust(&settings)
        let daemon = try DaemonProcess(settings)
        let ledger = try WriteLedger(cluster, daemon)
        do {
            try fault(cluster, ledger)
            try ledger.awaitWrites()
        } catch {
            // The next test shall not find this cluster as it is.
            Self.own.withLock { $0 = nil }
            throw TestFailure("\(error)\n\(daemon.log.suffix(3000))")
        }
        let account = try ledger.stop()
        try eventually("no write is under way any more") {
            let idle = try cluster.sessions("idle", "INSERT INTO \(ledger.table)%")
            return try cluster.sessions("%", "INSERT INTO \(ledger.table)%") == idle
        }
        let keys = try cluster.sql("SELECT key FROM msgsvr.\(ledger.table)").compactMap { Int($0[0]) }
        let contradictions = account.contradictions(keys)
        #expect(contradictions.isEmpty, "\(contradictions)\n\(account.report)")
        // A deadline of 4 s, on a machine that may be busy.
        #expect(account.slowestRead < .seconds(8), "\(account.slowestRead)")
        #expect(account.slowestWrite < .seconds(16), "\(account.slowestWrite)")
        try daemon.stop()
        return Course(account: account, applied: account.unknown.intersection(keys).count)
    }

    /// Only what a write may be told while its server is away; the ledger has shown that it was true.
    private func expectOutageWords(_ account: WriteLedger.Account) {
        let words: Set = [
            "write 08007 unknown", "write 57P03 later", "write 57P03 now", "write 57014 later", "write 53300 later",
            "write 08006 now", "write 08006 tx", "write 57P03 tx", "write 57P01 tx", "write 57014 tx", "write 25P02 tx",
        ]
        #expect(words.isSuperset(of: account.failures(of: "write").keys), "\(account.report)")
    }

    // MARK: Reads

    /// A statement on a standby that replay ends is run again, and the client sees nothing of it.
    @Test func aRecoveryConflictIsRunAgain() throws {
        let cluster = try Self.cluster()
        for node in [Cluster.Node.standby1, .standby2] {
            try cluster.configure("max_standby_streaming_delay = '100ms'", on: node)
        }
        defer {
            for node in [Cluster.Node.standby1, .standby2] {
                _ = try? cluster.configure("max_standby_streaming_delay = '30s'", on: node)
            }
        }
        let daemon = try DaemonProcess(try DaemonSettings(cluster))
        let table = Workplace.uniqueTable()
        try cluster.makeTables("CREATE TABLE \(table)(id int); INSERT INTO \(table) VALUES (1)")
        let client = try daemon.client()
        try client.send("Q r SELECT count(*), pg_sleep(2) FROM \(table)\n")
        try eventually("the read runs on a standby") {
            try [Cluster.Node.standby1, .standby2].contains {
                try cluster.sessions("active", "SELECT count%\(table)%", on: $0) == 1
            }
        }
        // Its replay needs a lock that the read holds.
        try cluster.sql("TRUNCATE msgsvr.\(table)")
        let answer = try client.answer(to: "r")
        #expect(answer.problem == nil && answer["rerun"] == "conflict", "\(answer)")
        #expect(try daemon.counted("reruns_total", "reason=conflict") == 1)
        // In a transaction it cannot be: the client begins again.
        try cluster.sql("INSERT INTO msgsvr.\(table) VALUES (1)")
        try cluster.waitForReplay()
        try client.succeed("BEGIN", "@ro")
        try client.run("SELECT count(*) FROM \(table)")
        try cluster.sql("TRUNCATE msgsvr.\(table)")
        try eventually("the transaction is ended") {
            let answer = try client.query("SELECT 1")
            guard let problem = answer.problem else { return false }
            #expect(problem.retry == .tx, "\(answer)")
            return true
        }
        #expect(try client.ask("ROLLBACK").problem == nil)
        try client.expectAlive()
    }

    /// One standby of two is killed: nobody who reads is told.
    @Test func aKilledStandbyIsNotSeenByReaders() throws {
        let course = try course { cluster, ledger in
            try cluster.stop(.standby1, .kill)
            let before = ledger.reads
            try eventually("reads go on") { ledger.reads > before + 300 }
            try cluster.start(.standby1)
            try cluster.waitForReplay()
        }
        #expect(course.account.failures.isEmpty, "\(course.account.report)")
    }

    /// The processes of a standby stand still: its readers wait for a while, not for ever, and the others not at all.
    @Test func aFrozenStandbyIsABlackHole() throws {
        let course = try course { cluster, ledger in
            try cluster.freeze(.standby1, atMost: .seconds(20)) {
                usleep(6_000_000)
                let before = ledger.reads
                try eventually("reads go on at the other one") { ledger.reads > before + 50 }
            }
        }
        #expect(course.account.failures(of: "write").isEmpty, "\(course.account.report)")
        for problem in course.account.failures(of: "read").keys {
            #expect(["read 57014 later", "read 57P03 later", "read 53300 later"].contains(problem), "\(problem)")
        }
    }

    // MARK: PgBouncer

    /// Killed and started again: what was under way is unknown or told to be tried again, and the rest waits.
    @Test func pgBouncerIsKilled() throws {
        let course = try course { cluster, ledger in
            try cluster.stop(.pgbouncer, .kill)
            try cluster.start(.pgbouncer)
            let back = try elapsed { try ledger.awaitWrites(20) }
            #expect(back < .seconds(5), "\(back)")
        }
        expectOutageWords(course.account)
        // A read that the primary had taken over is not held to reading there, so it is not run again.
        let reads = course.account.failures(of: "read").keys
        #expect(Set(["read 08006 now"]).isSuperset(of: reads), "\(course.account.report)")
    }

    /// PAUSE lets transactions end and holds the others back; within their deadlines nobody notices.
    @Test func aPauseIsWaitedFor() throws {
        let course = try course { cluster, ledger in
            try cluster.pgbouncer("PAUSE msgsvr_rw")
            try cluster.pgbouncer("PAUSE msgsvr_ro")
            usleep(1_000_000)
            let before = ledger.acknowledged
            usleep(500_000)
            #expect(ledger.acknowledged == before)
            try cluster.pgbouncer("RESUME msgsvr_rw")
            try cluster.pgbouncer("RESUME msgsvr_ro")
            let back = try elapsed { try ledger.awaitWrites(20) }
            #expect(back < .seconds(4), "\(back)")
        }
        #expect(course.account.failures.isEmpty, "\(course.account.report)")
    }

    /// A pause that outlasts the deadlines: they end, and what was not sent on has had no effect.
    @Test func aPauseLongerThanTheDeadlines() throws {
        let course = try course { cluster, ledger in
            try cluster.pgbouncer("PAUSE msgsvr_rw")
            try cluster.pgbouncer("PAUSE msgsvr_ro")
            usleep(6_500_000)
            try cluster.pgbouncer("RESUME msgsvr_rw")
            try cluster.pgbouncer("RESUME msgsvr_ro")
        }
        #expect(!course.account.failures(of: "read").isEmpty && !course.account.failures(of: "write").isEmpty)
        for problem in course.account.failures(of: "read").keys {
            #expect(["read 57014 later", "read 57P03 later"].contains(problem), "\(course.account.report)")
        }
        expectOutageWords(course.account)
    }

    /// RECONNECT closes each server connection when its transaction has ended: no client can tell.
    @Test func reconnectIsNotSeen() throws {
        let course = try course { cluster, ledger in
            for _ in 0..<5 {
                try cluster.pgbouncer("RECONNECT")
                try ledger.awaitWrites(20)
            }
        }
        #expect(course.account.failures.isEmpty, "\(course.account.report)")
    }

    /// KILL cuts every connection to a database and pauses it.
    @Test func aDatabaseIsKilledOnTheConsole() throws {
        let course = try course { cluster, ledger in
            try cluster.pgbouncer("KILL msgsvr_rw")
            try cluster.pgbouncer("RESUME msgsvr_rw")
        }
        expectOutageWords(course.account)
        #expect(course.account.failures(of: "read").isEmpty, "\(course.account.report)")
    }

    // MARK: The primary

    /// One backend is killed by signal 9: PostgreSQL ends all sessions and recovers.
    @Test func aBackendIsKilled() throws {
        let course = try course { cluster, ledger in
            try cluster.sql("SET ROLE msgsvr; CREATE TABLE \(ledger.table)_v(id int)")
            let victim = try DaemonProcess(try DaemonSettings(cluster))
            let client = try victim.client()
            try client.send("Q v INSERT INTO \(ledger.table)_v SELECT 1 FROM pg_sleep(30)\n")
            try eventually("the write runs") {
                try cluster.sessions("active", "INSERT INTO \(ledger.table)_v%") == 1
            }
            try cluster.killBackend("active", "INSERT INTO \(ledger.table)_v%")
            let problem = try client.answer(to: "v").problem
            #expect(problem?.sqlstate == "08007" && problem?.retry == .unknown, "\(String(describing: problem))")
            try eventually("PostgreSQL accepts again", within: .seconds(20)) {
                (try? cluster.sql("SELECT 1")) != nil
            }
            let back = try elapsed { try ledger.awaitWrites(20) }
            #expect(back < .seconds(6), "\(back)")
            #expect(try cluster.value("SELECT count(*) FROM msgsvr.\(ledger.table)_v") == "0")
        }
        expectOutageWords(course.account)
        #expect(course.account.failures(of: "read").isEmpty, "\(course.account.report)")
    }

    /// The primary is away for a while: writes are told so in time, reads go on.
    @Test(arguments: [Cluster.StopMode.fast, .immediate, .kill])
    func thePrimaryStops(_ mode: Cluster.StopMode) throws {
        let course = try course { cluster, ledger in
            try cluster.stop(.primary, mode)
            usleep(3_000_000)
            try cluster.start(.primary)
            let back = try elapsed { try ledger.awaitWrites(20) }
            #expect(back < .seconds(6), "\(back)")
        }
        expectOutageWords(course.account)
        // None may have been under way; then all of them waited.
        let isMet = !course.account.failures(of: "write").isEmpty || course.account.slowestWrite > .seconds(2)
        #expect(isMet, "\(course.account.report)")
        #expect(course.account.failures(of: "read").isEmpty, "\(course.account.report)")
    }

    /// Nothing of the primary answers and nothing is closed: only deadlines end what waits for it.
    @Test func aFrozenPrimaryIsABlackHole() throws {
        let course = try course { cluster, ledger in
            try cluster.freeze(.primary, atMost: .seconds(20)) { usleep(6_000_000) }
        }
        expectOutageWords(course.account)
        #expect(!course.account.failures(of: "write").isEmpty)
        #expect(course.account.failures(of: "read").isEmpty, "\(course.account.report)")
    }
}
