import Foundation
import TestKit
import Testing

/// A read turns out to write when a standby refuses it. What was sent behind it in the same breath sees the write all the
/// same, and who promised not to write does not.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct OvertakingTests {
    private static let rounds = 25

    /// A table, and a function a round that writes into it: each is unknown when its round begins.
    private func makeFunctions() throws -> String {
        try makeTable(
            "id int",
            then: """
                DO $$BEGIN FOR n IN 1..\(Self.rounds) LOOP EXECUTE format(
                'CREATE FUNCTION TABLE_NAME_add%s() RETURNS int LANGUAGE sql AS %L', n,
                'INSERT INTO msgsvr.TABLE_NAME VALUES (1) RETURNING id'); END LOOP; END$$
                """)
    }

    /// Each request's text, of a table and a round; the count is the last of them.
    static let shapes: [(name: String, texts: @Sendable (String, Int) -> [String])] = [
        ("alone", { table, round in ["SELECT \(table)_add\(round)()", "SELECT count(*) FROM \(table)"] }),
        (
            "behind a read",
            { table, round in ["SELECT 1", "SELECT \(table)_add\(round)()", "SELECT count(*) FROM \(table)"] }
        ),
        (
            // The reads behind it are done, and unsaid, when it is refused.
            "slow",
            { table, round in
                [
                    "SELECT \(table)_add\(round)() FROM pg_sleep(0.02)", "SELECT 2", "SELECT 3",
                    "SELECT count(*) FROM \(table)",
                ]
            }
        ),
        (
            // Those behind it still run.
            "before slow ones",
            { table, round in
                [
                    "SELECT \(table)_add\(round)()", "SELECT 4 FROM pg_sleep(0.02)",
                    "SELECT count(*) FROM \(table), pg_sleep(0.02)",
                ]
            }
        ),
    ]

    @Test(arguments: shapes.indices)
    func whatIsReadBehindItSeesIt(_ index: Int) throws {
        let daemon = try DaemonProcess()
        let table = try makeFunctions()
        for round in 1...Self.rounds {
            let client = try daemon.client()
            let texts = Self.shapes[index].texts(table, round)
            let lines = texts.enumerated().map { "Q \($0) \($1)\n" }
            try client.send(lines.joined())
            let answers = try texts.indices.map { try client.answer(to: "\($0)") }
            for answer in answers { #expect(answer.problem == nil, "round \(round): \(answer)") }
            let count = try #require(answers.last)
            #expect(try count.value == "\(round)", "round \(round): \(answers)")
            #expect(count["pool"] == "primary" && count["why"] == "own-write", "round \(round): \(count)")
            #expect(answers.contains { $0["rerun"] == "writes" }, "round \(round): \(answers)")
        }
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "\(Self.rounds)")
        #expect(try daemon.counted("reruns_total", "reason=writes") == Self.rounds)
    }

    /// On the primary nothing but the daemon holds it to reading.
    @Test(arguments: ["@route=primary", "@lag=0", "@after=nonsense", "@route=primary @timeout=9000"])
    func whoPromisedNotToWriteDoesNot(_ options: String) throws {
        let daemon = try DaemonProcess()
        let table = try makeFunctions()
        let client = try daemon.client()
        for round in 1...3 {
            let refused = try client.query("SELECT \(table)_add\(round)()", options: "@ro \(options)")
            #expect(refused.sqlstate == "25006" && refused.problem?.retry == .never, "\(refused)")
            #expect(refused["pool"] == "primary", "\(refused)")
        }
        #expect(try client.run("SELECT count(*) FROM \(table)", options: "@ro \(options)").value == "0")
        // Behind an own write too.
        try client.run("INSERT INTO \(table) VALUES (9)")
        #expect(try client.query("SELECT \(table)_add4()", options: "@ro").sqlstate == "25006")
        // The connection that was held to reading is not any more.
        for _ in 0..<4 { try client.run("INSERT INTO \(table) VALUES (9)") }
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table) WHERE id = 1") == "0")
    }
}
