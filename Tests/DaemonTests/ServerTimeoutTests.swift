import Foundation
import TestKit
import Testing

/// A request's own deadline is the server's `statement_timeout` too, for this request alone.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct ServerTimeoutTests {
    static let setting = "SELECT setting FROM pg_settings WHERE name = 'statement_timeout'"

    /// One connection a pool: what is left behind on it, the next request meets.
    private static func daemon() throws -> DaemonProcess {
        try DaemonProcess {
            $0.primary[0] = "size = 1"
            $0.standby[0] = "size = 1"
        }
    }

    /// Milliseconds, 0 without a limit.
    private func timeout(_ client: LineClient, _ options: String = "") throws -> Int {
        let answer = try client.run(Self.setting, options: options)
        guard let text = try answer.value, let number = Int(text) else { throw TestFailure("no number: \(answer)") }
        return number
    }

    /// What is left of so many milliseconds when it is sent; not much is gone by then.
    private func isNearly(_ value: Int, _ milliseconds: Int) -> Bool {
        value > milliseconds - 5_000 && value <= milliseconds
    }

    @Test(arguments: ["standby", "primary"])
    func ofAStatement(_ route: String) throws {
        let daemon = try Self.daemon()
        let client = try daemon.client()
        for _ in 0..<3 {
            #expect(isNearly(try timeout(client, "@route=\(route) @timeout=12345"), 12_345))
            #expect(try timeout(client, "@route=\(route)") == 0)
        }
    }

    @Test func ofAWrite() throws {
        let daemon = try Self.daemon()
        let client = try daemon.client()
        let table = try makeTable("value text")
        let write = "INSERT INTO \(table) \(Self.setting) RETURNING value"
        for options in ["@timeout=12345", "@timeout=12345 @token", "@timeout=12345 @resolve"] {
            let value = try client.run(write, options: options).value
            #expect(isNearly(Int(value ?? "") ?? 0, 12_345), "\(options): \(value ?? "")")
            #expect(try client.run(write).value == "0", "\(options)")
        }
    }

    @Test(arguments: ["", "@ro"])
    func insideATransaction(_ begin: String) throws {
        let daemon = try Self.daemon()
        let client = try daemon.client()
        try client.succeed("BEGIN", begin)
        #expect(try timeout(client) == 0)
        #expect(isNearly(try timeout(client, "@timeout=12345"), 12_345))
        #expect(try timeout(client) == 0)
        #expect(isNearly(try timeout(client, "@timeout=14321"), 14_321))
        // What a savepoint takes back is not the limit's end.
        try client.run("SAVEPOINT s")
        #expect(isNearly(try timeout(client, "@timeout=12345"), 12_345))
        try client.run("ROLLBACK TO SAVEPOINT s", options: "@timeout=12345")
        #expect(try timeout(client) == 0)
        try client.succeed("COMMIT")
        #expect(try timeout(client, begin.isEmpty ? "@route=primary" : "@route=standby") == 0)
    }

    /// A statement that fails ends its transaction, or what a savepoint brings back, with its limit.
    @Test(arguments: ["@timeout=12345", ""])
    func aFailureInside(_ options: String) throws {
        let daemon = try Self.daemon()
        let client = try daemon.client()
        try client.succeed("BEGIN")
        try client.run("SAVEPOINT s")
        #expect(try client.query("SELECT 1/0", options: options).sqlstate == "22012")
        try client.run("ROLLBACK TO SAVEPOINT s")
        #expect(try timeout(client) == 0)
        try client.succeed("COMMIT")
        #expect(try timeout(client, "@route=primary") == 0)
    }

    /// What the transaction set itself is its own business.
    @Test(arguments: [
        "SET LOCAL statement_timeout = 3210", "SET LOCAL statement_timeout TO '3210ms'",
        "SELECT set_config('statement_timeout', '3210', true)",
    ])
    func theTransactionsOwn(_ sql: String) throws {
        let daemon = try Self.daemon()
        let client = try daemon.client()
        try client.succeed("BEGIN")
        try client.run(sql)
        #expect(try timeout(client) == 3_210)
        #expect(try timeout(client, "@timeout=12345") == 3_210)
        #expect(try timeout(client) == 3_210)
        try client.succeed("COMMIT")
        #expect(try timeout(client, "@route=primary") == 0)
        // The next transaction is another one.
        try client.succeed("BEGIN")
        #expect(isNearly(try timeout(client, "@timeout=12345"), 12_345))
        #expect(try timeout(client) == 0)
        try client.succeed("ROLLBACK")
    }

    /// The deadline ends the statement, whoever notices first, and the connection serves on.
    @Test func itsEnd() throws {
        let daemon = try Self.daemon()
        let client = try daemon.client()
        for options in ["@timeout=300 @route=standby", "@timeout=300 @route=primary @ro"] {
            let took = try elapsed {
                let answer = try client.query("SELECT pg_sleep(30)", options: options)
                #expect(answer.sqlstate == "57014" && answer.problem?.retry == .later, "\(options): \(answer)")
            }
            #expect(took < .seconds(5), "\(took)")
            #expect(try timeout(client, options.contains("primary") ? "@route=primary" : "@route=standby") == 0)
        }
        try client.succeed("BEGIN")
        #expect(try client.query("SELECT pg_sleep(30)", options: "@timeout=300").problem?.retry == .tx)
        #expect(try client.ask("COMMIT").problem?.retry == .tx)
        #expect(try timeout(client, "@route=primary") == 0)
    }
}
