import Foundation
import TestKit
import Testing

@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct TransactionTests {
    /// Sessions that hold a transaction open and last ran something about this table.
    private func idleInTransaction(_ table: String) throws -> Int {
        try Cluster.shared().sessions("idle in transaction%", "%\(table)%")
    }

    private func ids(_ table: String) throws -> [String] {
        try Cluster.shared().sql("SELECT id FROM msgsvr.\(table) ORDER BY id").map { $0[0] }
    }

    @Test func commitKeepsAndRollbackDrops() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        let other = try Shared.client()
        #expect(try client.ask("BEGIN")["tx"] == "T")
        try client.run("INSERT INTO \(table) VALUES (1)")
        #expect(try client.run("SELECT count(*) FROM \(table)").value == "1")
        #expect(try other.run("SELECT count(*) FROM \(table)", options: "@route=primary").value == "0")
        #expect(try client.ask("COMMIT").tag == "COMMIT")
        #expect(try other.run("SELECT count(*) FROM \(table)", options: "@route=primary").value == "1")

        try client.ask("BEGIN")
        try client.run("INSERT INTO \(table) VALUES (2)")
        #expect(try client.ask("ROLLBACK")["tx"] == "I")
        #expect(try ids(table) == ["1"])
    }

    /// All of it stays on one server connection.
    @Test func aTransactionIsOneSession() throws {
        let client = try Shared.client()
        try client.ask("BEGIN")
        let pids = try (0..<20).map { _ in try client.run("SELECT pg_backend_pid()").value }
        #expect(Set(pids).count == 1)
        let xids = try (0..<3).map { _ in try client.run("SELECT pg_current_xact_id()").value }
        #expect(Set(xids).count == 1)
        try client.ask("ROLLBACK")
    }

    @Test func nothingBehindAFailedStatementRuns() throws {
        let table = try makeTable("id int PRIMARY KEY")
        let client = try Shared.client()
        var bytes = LineClient.request("BEGIN", "b")
        bytes += LineClient.request("Q", "ok", "", "INSERT INTO \(table) VALUES (1)")
        bytes += LineClient.request("Q", "bad", "", "INSERT INTO \(table) VALUES (1)")
        for number in 0..<50 {
            bytes += LineClient.request("Q", "late\(number)", "", "INSERT INTO \(table) VALUES (\(number + 10))")
        }
        bytes += LineClient.request("COMMIT", "c") + LineClient.request("Q", "next", "", "SELECT 1")
        try client.send(bytes)
        #expect(try client.answer(to: "b").tag == "BEGIN")
        #expect(try client.answer(to: "ok").count == 1)
        #expect(try client.answer(to: "bad").sqlstate == "23505")
        for number in 0..<50 { #expect(try client.answer(to: "late\(number)").sqlstate == "25P02") }
        let commit = try client.answer(to: "c")
        #expect(commit.sqlstate == "25P02" && commit.problem?.retry == .tx && commit["tx"] == "I")
        #expect(try client.answer(to: "next").value == "1")
        #expect(try ids(table).isEmpty)
    }

    /// A BEGIN that fails must not let the statements behind it slip into autocommit.
    @Test func nothingBehindAFailedBeginRuns() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        var bytes = LineClient.request("BEGIN", "b", "@using=nowhere")
        for number in 0..<20 {
            bytes += LineClient.request("Q", "q\(number)", "", "INSERT INTO \(table) VALUES (\(number))")
        }
        bytes +=
            LineClient.request("COMMIT", "c") + LineClient.request("Q", "n", "", "INSERT INTO \(table) VALUES (99)")
        try client.send(bytes)
        let begin = try client.answer(to: "b")
        #expect(begin.problem != nil && begin["tx"] == "E")
        for number in 0..<20 { #expect(try client.answer(to: "q\(number)").sqlstate == "25P02") }
        #expect(try client.answer(to: "c").sqlstate == "25P02")
        #expect(try client.answer(to: "n").count == 1)
        #expect(try ids(table) == ["99"])
    }

    /// So must a BEGIN whose line is wrong.
    @Test(arguments: ["@iso=rx", "@colour=red", "@ro @ro"])
    func nothingBehindAMalformedBeginRuns(_ options: String) throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        try client.send(
            LineClient.request("BEGIN", "b", options)
                + LineClient.request("Q", "q", "", "INSERT INTO \(table) VALUES (1)")
                + LineClient.request("ROLLBACK", "r"))
        #expect(try client.answer(to: "b").sqlstate == "08P01")
        #expect(try client.answer(to: "q").sqlstate == "25P02")
        #expect(try client.answer(to: "r").tag == "ROLLBACK")
        #expect(try ids(table).isEmpty)
    }

    @Test func savepointsMendAFailedTransaction() throws {
        let table = try makeTable("id int PRIMARY KEY")
        let client = try Shared.client()
        try client.ask("BEGIN")
        try client.run("INSERT INTO \(table) VALUES (1)")
        try client.run("SAVEPOINT a")
        try client.run("INSERT INTO \(table) VALUES (2)")
        try client.run("SAVEPOINT b")
        #expect(try client.query("INSERT INTO \(table) VALUES (2)")["tx"] == "E")
        #expect(try client.query("SELECT 1").sqlstate == "25P02")
        #expect(try client.run("ROLLBACK TO b")["tx"] == "T")
        try client.run("INSERT INTO \(table) VALUES (3)")
        #expect(try client.run("ROLLBACK TO SAVEPOINT a").tag == "ROLLBACK")
        try client.run("INSERT INTO \(table) VALUES (4)")
        try client.run("RELEASE SAVEPOINT a")
        #expect(try client.ask("COMMIT").tag == "COMMIT")
        #expect(try ids(table) == ["1", "4"])
    }

    /// What the daemon refuses counts as a failed statement, which a savepoint mends as well.
    @Test func savepointsMendWhatTheDaemonRefused() throws {
        let table = try makeTable("id int PRIMARY KEY")
        let client = try Shared.client()
        try client.ask("BEGIN")
        try client.run("INSERT INTO \(table) VALUES (1)")
        try client.run("SAVEPOINT a")
        #expect(try client.query("LISTEN x").sqlstate == "0A000")
        #expect(try client.query("INSERT INTO \(table) VALUES (2)").sqlstate == "25P02")
        #expect(try client.run("ROLLBACK TO a")["tx"] == "T")
        try client.run("INSERT INTO \(table) VALUES (3)")
        #expect(try client.ask("COMMIT").tag == "COMMIT")
        #expect(try ids(table) == ["1", "3"])
    }

    @Test func aSavepointOutsideATransactionIsAnError() throws {
        let client = try Shared.client()
        for sql in ["SAVEPOINT a", "ROLLBACK TO a", "RELEASE a"] {
            #expect(try client.query(sql).sqlstate == "25P01")
        }
        try client.expectAlive()
    }

    /// Closed connections leave no transaction and no lock behind, within a second.
    @Test(arguments: [false, true])
    func anAbandonedTransactionIsRolledBack(whileAStatementRuns: Bool) throws {
        let table = try makeTable("id int PRIMARY KEY", then: "INSERT INTO TABLE_NAME VALUES (1)")
        let client = try Shared.client()
        try client.ask("BEGIN")
        try client.run("DELETE FROM \(table) WHERE id = 1")
        if whileAStatementRuns {
            try client.send("Q s SELECT pg_sleep(30) FROM \(table) RIGHT JOIN (SELECT 1) x ON true\n")
            try eventually("the sleeping statement") {
                try Cluster.shared().sessions("active", "SELECT pg_sleep(30) FROM \(table)%") == 1
            }
        }
        client.close()
        try eventually("the end of the transaction", within: .seconds(1)) {
            try idleInTransaction(table) == 0
                && Cluster.shared().value(
                    "SELECT count(*) FROM pg_locks WHERE relation = 'msgsvr.\(table)'::regclass AND mode = 'RowExclusiveLock'"
                ) == "0"
        }
        #expect(try ids(table) == ["1"])
        let other = try Shared.client()
        #expect(try other.run("DELETE FROM \(table) WHERE id = 1", options: "@timeout=2000").count == 1)
    }

    @Test func aKilledClientsTransactionIsRolledBack() throws {
        let table = try makeTable("id int")
        let daemon = try Shared.daemon()
        let script = """
            import socket, sys, time
            s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
            s.sendall(b"BEGIN 1\\nQ 2 INSERT INTO \(table) VALUES (1)\\n")
            got = b""
            while got.count(b"\\n") < 2: got += s.recv(4096)
            print("ready", flush=True); time.sleep(60)
            """
        let output = "\(Workplace.folder)/\(Workplace.unique("killed"))"
        let child = try ChildProcess(
            "/usr/bin/python3", ["-c", script, daemon.settings.appSocket], output: output)
        try eventually("the client's transaction") {
            (try? String(contentsOfFile: output, encoding: .utf8))?.contains("ready") == true
        }
        #expect(try idleInTransaction(table) == 1)
        child.signal(SIGKILL)
        try child.wait()
        try eventually("no transaction is left", within: .seconds(1)) { try idleInTransaction(table) == 0 }
        #expect(try ids(table).isEmpty)
        try daemon.client().expectAlive()
    }

    /// A half-close inside a transaction: no more requests can come, so it is rolled back.
    @Test func aHalfCloseRollsBack() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        try client.send("BEGIN 1\nQ 2 INSERT INTO \(table) VALUES (1)\n")
        client.endRequests()
        #expect(try client.answer(to: "1").tag == "BEGIN")
        #expect(try client.answer(to: "2").count == 1)
        try client.expectEnd()
        try eventually("no transaction is left", within: .seconds(1)) { try idleInTransaction(table) == 0 }
        #expect(try ids(table).isEmpty)
    }

    @Test func anIdleTransactionIsEnded() throws {
        let table = try makeTable("id int")
        let daemon = try DaemonProcess { $0.server = ["transaction_idle_timeout = \"300ms\""] }
        let client = try daemon.client()
        try client.ask("BEGIN")
        try client.run("INSERT INTO \(table) VALUES (1)")
        try eventually("the transaction is ended", within: .seconds(3)) { try idleInTransaction(table) == 0 }
        let late = try client.query("INSERT INTO \(table) VALUES (2)")
        #expect(["25P03", "25P02"].contains(late.sqlstate ?? ""))
        #expect(try client.ask("COMMIT").problem?.retry == .tx)
        #expect(try ids(table).isEmpty)
        try client.expectAlive()
    }

    /// The constraint is checked at the commit, behind the last result: C may not leave before.
    @Test func aDeferredConstraintAnswersE() throws {
        let table = try makeTable("id int, CONSTRAINT one UNIQUE (id) DEFERRABLE INITIALLY DEFERRED")
        let client = try Shared.client()
        let answer = try client.query("INSERT INTO \(table) VALUES (1), (1) RETURNING id")
        #expect(answer.sqlstate == "23505" && answer.problem?.retry == .never && answer["tx"] == "I")
        let plain = try client.query("INSERT INTO \(table) VALUES (1), (1)")
        #expect(plain.sqlstate == "23505")
        try client.send(
            "Q 90 INSERT INTO \(table) VALUES (2) RETURNING id\nQ 91 INSERT INTO \(table) VALUES (2) RETURNING id\n"
                + "Q 92 INSERT INTO \(table) VALUES (3) RETURNING id\n")
        #expect(try client.answer(to: "90").value == "2")
        #expect(try client.answer(to: "91").sqlstate == "23505")
        #expect(try client.answer(to: "92").value == "3")
        #expect(try ids(table) == ["2", "3"])

        try client.ask("BEGIN")
        #expect(try client.run("INSERT INTO \(table) VALUES (3) RETURNING id").value == "3")
        let commit = try client.ask("COMMIT")
        #expect(commit.sqlstate == "23505" && commit["tx"] == "I")
        #expect(try ids(table) == ["2", "3"])
        try client.expectAlive()
    }

    @Test func isolationIsTheServers() throws {
        let client = try Shared.client()
        for (option, level) in [
            ("", "read committed"), ("@iso=rc", "read committed"), ("@iso=rr", "repeatable read"),
            ("@iso=ser", "serializable"),
        ] {
            #expect(try client.ask("BEGIN", option).problem == nil)
            #expect(try client.run("SHOW transaction_isolation").value == level)
            #expect(try client.run("SHOW transaction_read_only").value == "off")
            try client.ask("COMMIT")
        }
    }

    @Test func readOnlyTransactionsRunOnAStandby() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        let begin = try client.ask("BEGIN", "@ro")
        #expect(begin.problem == nil && begin["pool"] == "standby")
        #expect(try client.run("SELECT pg_is_in_recovery()").value == "t")
        #expect(try client.run("SELECT count(*) FROM \(table)")["why"] == "tx")
        #expect(try client.query("INSERT INTO \(table) VALUES (1)").sqlstate == "25006")
        #expect(try client.ask("ROLLBACK").tag == "ROLLBACK")
        // Serializable does not exist on a standby.
        #expect(try client.ask("BEGIN", "@ro @iso=ser")["pool"] == "primary")
        #expect(try client.run("SHOW transaction_read_only").value == "on")
        #expect(try client.query("INSERT INTO \(table) VALUES (1)").sqlstate == "25006")
        try client.ask("ROLLBACK")
    }

    /// Nothing of one client's session is met by the next.
    @Test func localSettingsEndWithTheTransaction() throws {
        let daemon = try DaemonProcess { $0.primary[0] = "size = 1" }
        let one = try daemon.client()
        let two = try daemon.client()
        try one.ask("BEGIN")
        try one.run("SET LOCAL work_mem = '77MB'")
        try one.run("SELECT set_config('my.secret', 'x', true)")
        try one.ask("COMMIT")
        #expect(try two.run("SHOW work_mem", options: "@route=primary").value != "77MB")
        #expect(
            try two.run("SELECT coalesce(current_setting('my.secret', true), '')", options: "@route=primary").value
                == "")
    }
}
