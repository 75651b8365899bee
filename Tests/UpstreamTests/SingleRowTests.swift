import Testing

@testable import Upstream

extension ServerTests {
    @Suite struct SingleRowTests {
        @Test(arguments: Door.allCases) func rowsComeOneByOne(door: Door) throws {
            let session = try Session(to: door)
            #expect(session.send("select n, repeat('x', 20) from generate_series(1, 100000) n"))
            #expect(session.setSingleRowMode())
            #expect(session.sendSync())
            var rows = 0
            var rest: [Event] = []
            while rest.last != .sync, rest.last != .lost {
                while rest.last != .sync, let event = session.next() {
                    if case .row(let values) = event {
                        rows += 1
                        if values != ["\(rows)", "xxxxxxxxxxxxxxxxxxxx"] { Issue.record("row \(rows): \(values)") }
                    } else {
                        rest.append(event)
                    }
                }
                if rest.last != .sync { try session.advance() }
            }
            #expect(rows == 100_000)
            #expect(rest == [.rows([]), .end, .sync])
        }

        @Test func itIsOfOneStatementOnly() throws {
            let session = try Session(to: .direct)
            #expect(session.send("select 1"))
            #expect(session.send("select generate_series(1, 2)"))
            #expect(session.send("select generate_series(1, 2)"))
            #expect(session.sendSync())
            #expect(try session.events(until: .end) == [.rows([["1"]]), .end])
            // Right behind the end of the first one: it is the second one's.
            #expect(session.setSingleRowMode())
            #expect(try session.events(until: .end) == [.row(["1"]), .row(["2"]), .rows([]), .end])
            #expect(try session.events(until: .sync) == [.rows([["1"], ["2"]]), .end, .sync])
        }

        @Test func atAnyOtherMomentItIsRefused() throws {
            let session = try Session(to: .direct)
            #expect(!session.setSingleRowMode())
            #expect(session.send("select generate_series(1, 2)"))
            #expect(session.sendSync())
            try session.advance()
            // Something was read: the first rows may be there already.
            #expect(!session.setSingleRowMode())
            #expect(try session.events(until: .end) == [.rows([["1"], ["2"]]), .end])
            // No statement is left.
            #expect(!session.setSingleRowMode())
            #expect(try session.events(until: .sync) == [.sync])
            #expect(!session.setSingleRowMode())
        }

        @Test func anErrorAfterRowsComesInTheirPlace() throws {
            let session = try Session(to: .direct)
            #expect(session.send("select 1 / (3 - n) from generate_series(1, 5) n"))
            #expect(session.setSingleRowMode())
            #expect(session.sendSync())
            #expect(
                try session.events(until: .sync) == [.row(["0"]), .row(["1"]), .error("22012"), .end, .sync])
        }
    }
}
