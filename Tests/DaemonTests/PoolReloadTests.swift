import Foundation
import Synchronization
import TestKit
import Testing

/// Reloads that change the size, the queue or the address of pools at which requests run and wait: none of them is lost,
/// doubled or answered wrongly.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct PoolReloadTests {
    private static func pool(size: Int, queue: Int = 200) -> [String] {
        ["size = \(size)", "queue = \(queue)", "queue_timeout = \"15s\"", "timeout = \"20s\""]
    }

    private func reload(_ daemon: DaemonProcess, _ adjust: (inout DaemonSettings) throws -> Void) throws {
        var settings = daemon.settings
        try adjust(&settings)
        try settings.write()
        try daemon.operatorClient().succeed("RELOAD")
    }

    /// Connections of a pool that are open or being opened.
    private func connections(_ daemon: DaemonProcess, _ pool: String) throws -> Int {
        let row = try #require(try daemon.stats("pools").first { $0["pool"] == pool })
        return try ["active", "idle", "connecting", "cancelling"].reduce(0) { sum, state in
            sum + (try #require(row["connections_\(state)"].flatMap { Int($0) }))
        }
    }

    private func waitForWaiting(_ daemon: DaemonProcess, _ count: Int) throws {
        try eventually("\(count) waiting requests") { try daemon.pool("primary", "waiting_requests") == count }
    }

    /// Clients with an open transaction each that has inserted its own number, and the process that serves it.
    private func open(_ count: Int, _ daemon: DaemonProcess, _ table: String) throws -> [(LineClient, String)] {
        try (0..<count).map { number in
            let client = try daemon.client()
            try client.succeed("BEGIN")
            let process = try client.run("INSERT INTO \(table) VALUES (\(number)) RETURNING pg_backend_pid()").value
            return (client, try #require(process))
        }
    }

    // MARK: Size and queue

    @Test func aGrownPoolServesWhoWaits() throws {
        let daemon = try DaemonProcess { $0.primary = Self.pool(size: 1) }
        let table = try makeTable("id int")
        let holder = try daemon.client()
        try holder.succeed("BEGIN")
        let waiting = try (0..<3).map { number in
            let client = try daemon.client()
            try client.send("Q w INSERT INTO \(table) VALUES (\(number))\n")
            return client
        }
        try waitForWaiting(daemon, 3)
        try reload(daemon) { $0.primary = Self.pool(size: 3) }
        // The only connection of before is still taken.
        for client in waiting { #expect(try client.answer(to: "w").count == 1) }
        #expect(try daemon.pool("primary", "connections_maximum") == 3)
        #expect(try connections(daemon, "primary") == 3)
        #expect(try holder.ask("COMMIT").tag == "COMMIT")
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "3")
    }

    @Test func aShrunkPoolLetsTheBusyFinish() throws {
        let daemon = try DaemonProcess { $0.primary = Self.pool(size: 4) }
        let table = try makeTable("id int")
        let holders = try open(4, daemon, table)
        let waiting = try daemon.client()
        try waiting.send("Q w INSERT INTO \(table) VALUES (9)\n")
        try waitForWaiting(daemon, 1)
        try reload(daemon) { $0.primary = Self.pool(size: 1) }
        #expect(try daemon.pool("primary", "connections_maximum") == 1)
        #expect(try daemon.pool("primary", "connections_active") == 4)
        for (number, holder) in holders.enumerated() {
            #expect(try holder.0.run("SELECT pg_backend_pid()").value == holder.1)
            #expect(try holder.0.ask("COMMIT").tag == "COMMIT")
            if number < 3 { #expect(try connections(daemon, "primary") == 3 - number) }
        }
        #expect(try waiting.answer(to: "w").count == 1)
        #expect(try connections(daemon, "primary") == 1)
        #expect(try daemon.pool("primary", "connections_closed_retired") == 3)
        #expect(
            try Cluster.shared().sql("SELECT id FROM msgsvr.\(table) ORDER BY id").map { $0[0] }
                == ["0", "1", "2", "3", "9"])
    }

    @Test func idleConnectionsOfASmallerPoolCloseAtOnce() throws {
        let daemon = try DaemonProcess { $0.primary = Self.pool(size: 4) }
        let table = try makeTable("id int")
        for holder in try open(4, daemon, table) { try holder.0.succeed("ROLLBACK") }
        #expect(try daemon.pool("primary", "connections_idle") == 4)
        let files = try ProcessFacts.openFiles(daemon.pid)
        try reload(daemon) { $0.primary = Self.pool(size: 2) }
        #expect(try daemon.pool("primary", "connections_idle") == 2)
        try eventually("their sockets close") { try ProcessFacts.openFiles(daemon.pid) <= files - 2 }
        #expect(try daemon.client().run("INSERT INTO \(table) VALUES (1)").count == 1)
        #expect(try daemon.pool("primary", "connects") == 4, "nothing was opened again")
    }

    @Test func aSmallerQueueShedsNothingThatWaits() throws {
        let daemon = try DaemonProcess { $0.primary = Self.pool(size: 1, queue: 4) }
        let table = try makeTable("id int")
        let holder = try daemon.client()
        try holder.succeed("BEGIN")
        let waiting = try (0..<4).map { number in
            let client = try daemon.client()
            try client.send("Q w INSERT INTO \(table) VALUES (\(number))\n")
            return client
        }
        try waitForWaiting(daemon, 4)
        try reload(daemon) { $0.primary = Self.pool(size: 1, queue: 1) }
        let refused = try daemon.client().query("INSERT INTO \(table) VALUES (4)")
        #expect(
            refused.sqlstate == "53300" && refused.problem?.message.hasPrefix("1 requests wait") == true, "\(refused)")
        try holder.succeed("COMMIT")
        for client in waiting { #expect(try client.answer(to: "w").count == 1) }
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "4")
    }

    // MARK: Address

    /// A transaction stays where it began and commits there; whoever comes later is served by the other database.
    @Test func aTransactionOutlivesItsPoolsAddress() throws {
        let second = try Cluster.shared().secondDatabase()
        let daemon = try DaemonProcess { $0.primary = Self.pool(size: 2) }
        let table = try makeTable("id int")
        let holders = try open(2, daemon, table)
        let waiting = try daemon.client()
        try waiting.send("Q w @route=primary SELECT current_database()\n")
        try waitForWaiting(daemon, 1)
        try reload(daemon) {
            $0.primaryConninfo = second.readWrite
            $0.standbyConninfo = second.readOnly
        }
        // Both connections of before are taken, and both are beside the two that the pool may have now.
        #expect(try waiting.answer(to: "w").value == "accounts")
        #expect(try connections(daemon, "primary") == 3)
        let read = try daemon.client().run("SELECT current_database() || ' ' || pg_is_in_recovery()")
        #expect(try read.value == "accounts true")
        for holder in holders {
            #expect(try holder.0.run("SELECT current_database()").value == "msgsvr")
            #expect(try holder.0.run("SELECT pg_backend_pid()").value == holder.1)
            #expect(try holder.0.run("INSERT INTO \(table) VALUES (7)").count == 1)
            #expect(try holder.0.ask("COMMIT").tag == "COMMIT")
            // Its connection is not used again: this one leads elsewhere.
            #expect(try holder.0.run("SELECT current_database()", options: "@route=primary").value == "accounts")
        }
        #expect(try connections(daemon, "primary") <= 2)
        #expect(try daemon.pool("primary", "connections_active") == 0)
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "4")
    }

    @Test func whatRunsEndsWhereItBegan() throws {
        let second = try Cluster.shared().secondDatabase()
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        let overdue = try daemon.client()
        try client.send("Q a SELECT current_database() FROM pg_sleep(1)\n")
        try overdue.send("Q a @timeout=700 SELECT pg_sleep(20)\n")
        try eventually("both run") { try daemon.pool("standby", "connections_active") == 2 }
        try reload(daemon) { $0.standbyConninfo = second.readOnly }
        #expect(try daemon.client().run("SELECT current_database()").value == "accounts")
        // A cancel goes to the connection that it is about.
        #expect(try overdue.answer(to: "a").sqlstate == "57014")
        #expect(try client.answer(to: "a").value == "msgsvr")
        try eventually("all of the old connections go") {
            try daemon.pool("standby", "connections_closed_retired") == daemon.pool("standby", "connects") - 1
        }
        #expect(try connections(daemon, "standby") == 1)
    }

    /// A pool whose address leads nowhere is down, and another reload mends it at once, however long it was down.
    @Test func aBadAddressIsMended() throws {
        let daemon = try DaemonProcess { $0.standby += ["spill = \"0%\""] }
        let client = try daemon.client()
        try client.expectAlive()
        let before = daemon.log.utf8.count
        try reload(daemon) {
            $0.standbyConninfo = $0.standbyConninfo.replacing("dbname=msgsvr_ro", with: "dbname=nowhere")
        }
        let line = try daemon.waitForLog("connect_failed", from: before)
        #expect(line.contains("no such database") && line.contains("standby"), "\(line)")
        let refused = try client.query("SELECT 1")
        #expect(refused.sqlstate == "57P03" && refused.problem?.retry == .later, "\(refused)")
        #expect(try client.run("SELECT 1", options: "@route=primary").value == "1")
        // Long enough for its attempts to be far between.
        try eventually("some attempts") { try daemon.pool("standby", "connect_failures") >= 7 }
        // Another mistake is told too, though the words are the same.
        let again = daemon.log.utf8.count
        try reload(daemon) { $0.standbyConninfo = $0.standbyConninfo.replacing("=msgsvr_ro", with: "='nowhere'") }
        try daemon.waitForLog("connect_failed", from: again, within: .milliseconds(500))
        let mended = daemon.log.utf8.count
        try reload(daemon) { _ in }
        #expect(try client.run("SELECT current_database()").value == "msgsvr")
        try daemon.waitForLog("pool_up", from: mended)
        #expect(try daemon.pool("standby", "connections_closed_retired") == 1)
    }

    /// The limit of an attempt that is under way is the one in force.
    @Test func aShorterConnectTimeoutEndsAnAttempt() throws {
        let (relay, conninfo) = try Relay.before(try Cluster.shared().readOnly)
        defer { relay.end() }
        relay.freeze()
        let daemon = try DaemonProcess {
            $0.standbyConninfo = conninfo
            $0.standby.append("connect_timeout = \"5m\"")
        }
        #expect(try daemon.pool("standby", "connections_connecting") == 1)
        try reload(daemon) {
            $0.standbyConninfo = conninfo
            $0.standby[4] = "connect_timeout = \"200ms\""
        }
        try daemon.waitForLog("no connection within 200 ms")
        // What hangs on its way to the old address does not hold up the new one.
        try reload(daemon) { $0.standbyConninfo = try Cluster.shared().readOnly }
        try daemon.client().expectAlive()
        relay.cut()
        relay.thaw()
    }

    // MARK: Under load

    /// What the clients of a test that runs under load know of their own writes.
    private struct Load {
        var isOver = false
        var written = 0
        var failure: (any Error)?
    }

    /// Until it is over: a read of its own words, a write, and a transaction that sees one connection from end to end.
    private static func work(_ index: Int, _ daemon: DaemonProcess, _ table: String, _ load: borrowing Mutex<Load>)
        throws
    {
        let client = try daemon.client()
        var number = index * 1_000_000
        while !load.withLock({ $0.isOver }) {
            number += 2
            let echo = try client.run("SELECT $1::text", ["\(number)"], options: "@route=standby")
            guard try echo.value == "\(number)" else { throw TestFailure("another's answer") }
            try client.run("INSERT INTO \(table) VALUES (\(number))")
            load.withLock { $0.written += 1 }
            try client.succeed("BEGIN")
            let first = try client.run("INSERT INTO \(table) VALUES (\(number + 1)) RETURNING txid_current()").value
            let last = try client.run("SELECT txid_current()").value
            guard first == last else { throw TestFailure("two transactions in one") }
            try client.succeed("COMMIT")
            load.withLock { $0.written += 1 }
        }
    }

    /// Sizes and spellings of the address change many times a second, by two operators and by signals at once.
    @Test func nothingIsLostOrDoubledUnderLoad() throws {
        let daemon = try DaemonProcess {
            $0.primary = Self.pool(size: 3)
            $0.standby = Self.pool(size: 3)
        }
        let table = try makeTable("id int")
        let load = Mutex(Load())
        let workers = DispatchGroup()
        for index in 1...6 {
            workers.enter()
            Thread.detachNewThread {
                defer { workers.leave() }
                do {
                    try Self.work(index, daemon, table, load)
                } catch {
                    load.withLock { $0.failure = $0.failure ?? error }
                }
            }
        }
        try eventually("the load begins") { load.withLock { $0.written > 20 || $0.failure != nil } }
        try concurrently(2) { operators in
            let client = try daemon.operatorClient()
            for round in 1...60 {
                var settings = daemon.settings
                settings.primary = Self.pool(size: 1 + (round * 7 + operators) % 5, queue: 20 + round)
                settings.standby = Self.pool(size: 1 + (round * 3 + operators) % 4)
                // The same place by another name.
                let detour = String(repeating: "/../pgbouncer", count: round / 2 % 3)
                let folder = "/pgbouncer\(detour) "
                settings.primaryConninfo = settings.primaryConninfo.replacing("/pgbouncer ", with: folder)
                settings.standbyConninfo = settings.standbyConninfo.replacing("/pgbouncer ", with: folder)
                try settings.write()
                try client.succeed("RELOAD")
                daemon.process.signal(SIGHUP)
            }
        }
        load.withLock { $0.isOver = true }
        workers.wait()
        let result = load.withLock { $0 }
        if let error = result.failure { throw error }
        #expect(
            try Cluster.shared().value("SELECT count(DISTINCT id) || ' ' || count(*) FROM msgsvr.\(table)")
                == "\(result.written) \(result.written)")
        #expect(try daemon.pool("primary", "connections_closed_retired") > 20)
        #expect(try daemon.pool("primary", "connect_failures") == 0)
        try reload(daemon) { _ in }
        for pool in ["primary", "standby"] {
            #expect(try daemon.pool(pool, "connections_maximum") == 3)
            #expect(try daemon.pool(pool, "connections_active") == 0)
            #expect(try connections(daemon, pool) <= 3)
            let opened = try daemon.pool(pool, "connects")
            let closed = try daemon.pool(pool, "connections_closed_retired")
            #expect(try opened - closed == daemon.pool(pool, "connections_idle"), "every other one was closed")
        }
    }
}
