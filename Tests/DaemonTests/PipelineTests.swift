import Foundation
import TestKit
import Testing

/// Many requests on one connection, many connections at once.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct PipelineTests {
    @Test func aThousandRequestsOnOneConnection() throws {
        let client = try Shared.client()
        var bytes: [UInt8] = []
        for number in 0..<1000 {
            bytes += LineClient.request("Q", "p\(number)", "", "SELECT $1::text", ["value \(number)"])
        }
        try client.send(bytes)
        for number in 0..<1000 { #expect(try client.answer(to: "p\(number)").value == "value \(number)") }
    }

    /// More than `max_inflight`: the daemon stops reading, and goes on.
    @Test func moreRequestsThanMayBeInFlight() throws {
        let daemon = try DaemonProcess { $0.server = ["max_inflight = 8"] }
        let client = try daemon.client()
        var bytes: [UInt8] = []
        for number in 0..<500 { bytes += LineClient.request("Q", "p\(number)", "", "SELECT $1::int", ["\(number)"]) }
        try client.send(bytes)
        for number in 0..<500 { #expect(try client.answer(to: "p\(number)").value == "\(number)") }
    }

    /// Reads may run side by side; their answers still leave in order, each with its own rows.
    @Test func answersLeaveInRequestOrder() throws {
        let client = try Shared.client()
        var bytes: [UInt8] = []
        let pauses = ["0.15", "0", "0.05", "0", "0.1", "0"]
        for (number, pause) in pauses.enumerated() {
            bytes += LineClient.request("Q", "o\(number)", "", "SELECT $1::text FROM pg_sleep(\(pause))", ["\(number)"])
            bytes += LineClient.request("PING", "ping\(number)")
        }
        try client.send(bytes)
        for number in pauses.indices {
            #expect(try client.answer(to: "o\(number)").value == "\(number)")
            #expect(try client.answer(to: "ping\(number)").tag == "PING")
        }
    }

    /// An error outside a transaction does not stop the next request.
    @Test func errorsStayWithTheirRequest() throws {
        let client = try Shared.client()
        var bytes: [UInt8] = []
        for number in 0..<300 {
            bytes += LineClient.request("Q", "e\(number)", "", "SELECT 10 / $1::int", ["\(number % 3)"])
        }
        try client.send(bytes)
        for number in 0..<300 {
            let answer = try client.answer(to: "e\(number)")
            if number % 3 == 0 {
                #expect(answer.sqlstate == "22012")
            } else {
                #expect(try answer.value == "\(10 / (number % 3))")
            }
        }
    }

    /// A read behind a write on the same connection sees it, though reads go to standbys that lag.
    @Test func aReadAlwaysSeesTheWriteBeforeIt() throws {
        let table = try makeTable(
            "id int PRIMARY KEY, n int", then: "INSERT INTO TABLE_NAME SELECT g, 0 FROM generate_series(0, 3) g")
        let daemon = try Shared.daemon()
        try concurrently(4) { row in
            let client = try daemon.client()
            var number = 0
            while number < 2500 {
                // Up to the limit of unanswered requests in one write.
                let chunk = (number + 1)...(number + 250)
                var bytes: [UInt8] = []
                for n in chunk {
                    bytes += LineClient.request(
                        "Q", "w\(n)", "", "UPDATE \(table) SET n = $1 WHERE id = \(row)", ["\(n)"])
                    bytes += LineClient.request("Q", "r\(n)", "", "SELECT n FROM \(table) WHERE id = \(row)")
                }
                try client.send(bytes)
                for n in chunk {
                    let written = try client.answer(to: "w\(n)")
                    let seen = try client.answer(to: "r\(n)")
                    guard written.tag == "UPDATE", written.count == 1, try seen.value == "\(n)" else {
                        throw TestFailure("row \(row), write \(n): \(written), then \(seen)")
                    }
                }
                number = chunk.upperBound
            }
        }
    }

    @Test func twoHundredConnectionsAtOnce() throws {
        let table = try makeTable("id int PRIMARY KEY, v text")
        let daemon = try Shared.daemon()
        let clients = try (0..<200).map { _ in try daemon.client() }
        for (number, client) in clients.enumerated() {
            try client.send(
                LineClient.request("Q", "a", "", "SELECT $1::text", ["echo \(number)"])
                    + LineClient.request(
                        "Q", "b", "", "INSERT INTO \(table) VALUES ($1, $2)", ["\(number)", "v\(number)"])
                    + LineClient.request("Q", "c", "", "SELECT v FROM \(table) WHERE id = $1", ["\(number)"]))
        }
        for (number, client) in clients.enumerated() {
            #expect(try client.answer(to: "a").value == "echo \(number)")
            #expect(try client.answer(to: "b").count == 1)
            #expect(try client.answer(to: "c").value == "v\(number)")
        }
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "200")
    }

    /// Half-close: what was asked is answered, then the connection ends.
    @Test func whatWasAskedBeforeTheHalfCloseIsAnswered() throws {
        let client = try Shared.client()
        try client.send("Q 1 SELECT 'slow' FROM pg_sleep(0.2)\nQ 2 SELECT 'quick'\n")
        client.endRequests()
        #expect(try client.answer(to: "1").value == "slow")
        #expect(try client.answer(to: "2").value == "quick")
        try client.expectEnd()
    }

    /// A line that the half-close cut off was never asked.
    @Test func aLineWithoutItsEndIsNotRun() throws {
        let table = try makeTable("id int")
        let client = try Shared.client()
        try client.send("PING 1\nQ 2 INSERT INTO \(table) VALUES (1)")
        client.endRequests()
        #expect(try client.answer(to: "1").tag == "PING")
        while let line = try client.text() { #expect(line.hasPrefix("E\t")) }
        #expect(try Cluster.shared().value("SELECT count(*) FROM msgsvr.\(table)") == "0")
    }
}
