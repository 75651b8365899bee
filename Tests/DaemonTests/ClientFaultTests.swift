import Foundation
import TestKit
import Testing

/// Clients that stop in the middle: none of them may hurt another.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct ClientFaultTests {
    @Test func halfALineThenSilence() throws {
        let daemon = try DaemonProcess { $0.server = ["line_timeout = \"300ms\""] }
        let neighbour = try daemon.client()
        let silent = try (0..<20).map { _ in try daemon.client() }
        for client in silent { try client.send("Q 1 SELECT 'half") }
        try neighbour.expectAlive()
        for client in silent {
            client.patience = .seconds(5)
            let answer = try client.answer()
            #expect(answer.sqlstate == "08P01")
            try client.expectEnd()
        }
        // Silence between lines is no fault: the neighbour was as silent.
        try neighbour.expectAlive()
    }

    /// A line in many pieces is fine as long as it ends in time.
    @Test func aSlowLine() throws {
        let client = try Shared.client()
        for byte in "Q 1 SELECT $1::text\tslow\n".utf8 {
            try client.send([byte])
            usleep(5000)
        }
        #expect(try client.answer(to: "1").value == "slow")
    }

    /// It holds a server connection, the only one: it is cut, and who waited for that connection gets it.
    @Test func aClientThatNeverReadsIsCut() throws {
        let daemon = try DaemonProcess {
            $0.server = ["client_write_timeout = \"500ms\""]
            $0.standby[0] = "size = 1"
        }
        let deaf = try daemon.client()
        _ = deaf.sendWithoutReading(Array("Q 1 SELECT repeat('x', 1000) FROM generate_series(1, 1000000)\n".utf8))
        try eventually("the deaf client's statement runs") {
            try daemon.pool("standby", "connections_active") == 1
        }
        let neighbour = try daemon.client()
        // Other pools are not concerned at all.
        #expect(try neighbour.run("SELECT 1", options: "@route=primary").value == "1")
        let took = try elapsed { try neighbour.expectAlive() }
        #expect(took < .seconds(5))
        deaf.patience = .seconds(5)
        while let end = try? deaf.line() { _ = end }
        // No answer of the deaf client's reaches the next one on that server connection.
        for number in 0..<20 { #expect(try neighbour.run("SELECT $1::int", ["\(number)"]).value == "\(number)") }
    }

    /// Memory stays bounded with many of them, and others are served.
    @Test func manyClientsThatNeverRead() throws {
        let daemon = try DaemonProcess { $0.standby[0] = "size = 2" }
        let neighbour = try daemon.client()
        try neighbour.expectAlive()
        let before = try ProcessFacts.residentKiB(daemon.pid)
        let deaf = try (0..<40).map { _ in try daemon.client() }
        // Small results, many of them: the answers alone fill every buffer.
        let request = Array("ROUTE 1 SELECT 1 /* \(String(repeating: "x", count: 3000)) */\n".utf8)
        for client in deaf { for _ in 0..<300 { _ = client.sendWithoutReading(request) } }
        for _ in 0..<20 { #expect(try neighbour.run("SELECT 1", options: "@route=primary").value == "1") }
        let after = try ProcessFacts.residentKiB(daemon.pid)
        #expect(after - before < 96 * 1024, "grew from \(before) to \(after) KiB")
    }

    /// Closing in the middle of a big result frees the server connection; nobody sees the rest of it.
    @Test func clientsThatCloseBehindTheFirstRow() throws {
        let daemon = try DaemonProcess { $0.standby[0] = "size = 2" }
        let neighbour = try daemon.client()
        for round in 0..<30 {
            let client = try daemon.client()
            try client.send("Q 1 SELECT 'foreign', repeat('y', 500) FROM generate_series(1, 1000000)\n")
            _ = try client.text()
            _ = try client.text()
            client.close()
            let answer = try neighbour.run("SELECT $1::text", ["own \(round)"])
            #expect(answer.rows == [["own \(round)"]])
        }
        for node in [Cluster.Node.standby1, .standby2] {
            try eventually("no foreign statement runs on \(node.rawValue)") {
                try Cluster.shared().sessions("active", "SELECT ''foreign''%", on: node) == 0
            }
        }
    }

    /// Connections that come and go leave nothing behind.
    @Test func connectionsComeAndGo() throws {
        let daemon = try DaemonProcess()
        for _ in 0..<50 { try daemon.client().expectAlive() }
        let files = try ProcessFacts.openFiles(daemon.pid)
        for round in 0..<500 {
            let client = try daemon.client()
            switch round % 4 {
            case 0: try client.send("Q 1 SELECT 1\n")
            case 1: try client.send("BEGIN 1\nQ 2 SELECT 1\n")
            case 2: try client.send("Q 1 SELECT pg_sl")
            default: try client.send("PING 1\n")
            }
            client.close()
        }
        // Both pools may have grown to four server connections meanwhile.
        var now = 0
        try eventually("all connections are gone: \(files) before, \(now) now") {
            now = try ProcessFacts.openFiles(daemon.pid)
            return now <= files + 8
        }
        try daemon.client().expectAlive()
    }

    @Test func moreClientsThanAllowed() throws {
        let daemon = try DaemonProcess { $0.server = ["max_clients = 5"] }
        let clients = try (0..<5).map { _ in try daemon.client() }
        for client in clients { #expect(try client.ask("PING").problem == nil) }
        let extra = try daemon.client()
        let answer = try extra.answer()
        #expect(answer.sqlstate == "53300" && answer.problem?.retry == .later)
        try extra.expectEnd()
        for client in clients { #expect(try client.ask("PING").problem == nil) }
        clients[0].close()
        try eventually("a place is free") {
            let next = try daemon.client()
            return try next.ask("PING").problem == nil
        }
    }
}
