import Foundation
import TestKit
import Testing

/// Read-only transactions with a floor keep the isolation that was asked for: the check that is made behind BEGIN must not be
/// a transaction's first snapshot.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct FreshTransactionTests {
    private static let look = """
        SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only'), pg_is_in_recovery()
        """

    private func token(_ client: LineClient, _ table: String) throws -> String {
        let answer = try client.run("INSERT INTO \(table) VALUES (1)", options: "@token")
        return try #require(answer["token"], "\(answer)")
    }

    static let isolations: [(option: String, name: String)] = [
        ("@iso=rr", "repeatable read"), ("@iso=rc", "read committed"), ("", "read committed"),
    ]

    @Test(arguments: isolations)
    func onAStandby(_ option: String, _ name: String) throws {
        let cluster = try Cluster.shared()
        let daemon = try DaemonProcess()
        let table = try makeTable("id int")
        let writer = try daemon.client()
        for number in 1...10 {
            let token = try token(writer, table)
            let client = try daemon.client()
            // The other tests' reads may hold up the replay of one standby.
            let begun = try client.succeed("BEGIN", "@ro \(option) @after=\(token) @wait=2000")
            let seen = try client.run(Self.look).rows
            let isStandby = begun["pool"] == "standby"
            #expect(seen == [[name, "on", isStandby ? "t" : "f"]], "\(begun)")
            #expect(try client.run("SELECT count(*) FROM \(table)").value == "\(number)")
            #expect(try client.query("INSERT INTO \(table) VALUES (2)").sqlstate == "25006")
            try client.succeed("ROLLBACK")
            if number == 10 {
                try cluster.waitForReplay()
                try eventually("a standby serves a token that it has") {
                    let begun = try client.succeed("BEGIN", "@ro \(option) @after=\(token) @wait=2000")
                    #expect(try client.run(Self.look).rows.first?[0] == name)
                    try client.succeed("COMMIT")
                    return begun["pool"] == "standby"
                }
            }
        }
    }

    /// Its snapshot is one, from its first statement on, whatever is replayed meanwhile; under READ COMMITTED each statement has
    /// its own.
    @Test(arguments: [("@iso=rr", "1"), ("@iso=rc", "2")])
    func itsSnapshot(_ option: String, _ later: String) throws {
        let cluster = try Cluster.shared()
        let daemon = try DaemonProcess()
        let table = try makeTable("id int")
        let writer = try daemon.client()
        let token = try token(writer, table)
        try cluster.waitForReplay()
        let client = try daemon.client()
        try eventually("a standby serves it") {
            let begun = try client.succeed("BEGIN", "@ro \(option) @after=\(token) @wait=2000")
            guard begun["pool"] == "standby" else {
                try client.succeed("ROLLBACK")
                return false
            }
            return true
        }
        #expect(try client.run("SELECT count(*) FROM \(table)").value == "1")
        try writer.run("INSERT INTO \(table) VALUES (2)")
        try cluster.waitForReplay()
        #expect(try client.run("SELECT count(*) FROM \(table)").value == later)
        try client.succeed("COMMIT")
    }

    /// The first statement's snapshot is taken behind BEGIN's answer: the check's own one is not kept.
    @Test func theSnapshotIsNotTheChecks() throws {
        let cluster = try Cluster.shared()
        let daemon = try DaemonProcess()
        let table = try makeTable("id int")
        let writer = try daemon.client()
        let token = try token(writer, table)
        try cluster.waitForReplay()
        let client = try daemon.client()
        try client.succeed("BEGIN", "@ro @iso=rr @after=\(token) @wait=2000")
        try writer.run("INSERT INTO \(table) VALUES (2)")
        try cluster.waitForReplay()
        #expect(try client.run("SELECT count(*) FROM \(table)").value == "2")
        try client.succeed("COMMIT")
    }

    /// Where the primary has to serve it, it has the same isolation, and reads only.
    @Test(arguments: isolations)
    func onThePrimary(_ option: String, _ name: String) throws {
        let client = try Shared.client()
        for wish in ["@after=nonsense", "@lag=0", "@route=primary"] {
            let begun = try client.succeed("BEGIN", "@ro \(option) \(wish)")
            #expect(begun["pool"] == "primary", "\(wish): \(begun)")
            #expect(try client.run(Self.look).rows == [[name, "on", "f"]], "\(wish)")
            try client.succeed("COMMIT")
        }
    }

    /// How fresh it is was settled by its beginning: what asks for it later is refused, not ignored.
    @Test(arguments: ["@ro", "@ro @route=primary", ""])
    func aWishInsideIsRefused(_ kind: String) throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        let token = try token(client, table)
        for wish in ["@after=\(token)", "@lag=0", "@lag=1000", "@wait=10", "@session=\(table)"] {
            try client.succeed("BEGIN", "\(kind) @session=\(table)_other")
            let refused = try client.query("SELECT 1", options: wish)
            #expect(refused.sqlstate == "0A000" && refused["tx"] == "E", "\(wish): \(refused)")
            #expect(refused.problem?.message.contains("BEGIN") == true, "\(wish): \(refused)")
            #expect(try client.query("SELECT 1").sqlstate == "25P02", "\(wish)")
            try client.succeed("ROLLBACK")
        }
        #expect(try client.run("SELECT count(*) FROM \(table)")["tx"] == "I")
    }

    /// What a statement inside may ask for is COMMIT's to keep.
    @Test func aTokenThatIsAskedForInside() throws {
        let daemon = try DaemonProcess()
        let table = try makeTable("id int")
        let client = try daemon.client()
        for (number, options) in ["@token", "@token @session=\(table)"].enumerated() {
            try client.succeed("BEGIN", "@session=\(table)")
            let inside = try client.run("INSERT INTO \(table) VALUES (1)", options: options)
            #expect(inside["token"] == nil, "\(inside)")
            let token = try #require(try client.succeed("COMMIT")["token"])
            for wish in ["@after=\(token)", "@session=\(table)"] {
                let read = try daemon.client().run("SELECT count(*) FROM \(table)", options: wish)
                #expect(try read.value == "\(number + 1)", "\(wish): \(read)")
            }
        }
        // The wish ends with its transaction.
        try client.succeed("BEGIN")
        try client.run("INSERT INTO \(table) VALUES (1)")
        #expect(try client.succeed("COMMIT")["token"] == nil)
    }
}
