import Glibc
import Testing

@testable import Upstream

extension ServerTests {
    @Suite struct BatchTests {
        @Test(arguments: Door.allCases) func parametersOfAllKinds(door: Door) throws {
            let session = try Session(to: door)
            let values: [String?] = ["42", nil, "", "tab\t and \\ and 'quote' 🚂", "\\N"]
            let events = try session.run("select $1::int, $2::text, $3::text, $4::text, $5::text", values)
            #expect(events == [.rows([values]), .end, .sync])
        }

        @Test(arguments: Door.allCases) func aLargeValueTravelsBothWays(door: Door) throws {
            let session = try Session(to: door)
            let large = String(repeating: "0123456789abcde\u{e9}", count: 900 * 1024 / 17)
            #expect(try session.value("select $1::text", [large]) == large)
            // And the connection is as good as before.
            #expect(try session.value("select 1") == "1")
        }

        @Test func whatIsNotSentAtOnceIsSentLater() throws {
            let session = try Session(to: .direct)
            // More than the socket's buffers hold, while the server still sleeps and does not read.
            let large = String(repeating: "x", count: 32 << 20)
            #expect(session.send("select pg_sleep(0.2)"))
            #expect(session.send("select length($1)", [large]))
            #expect(session.sendSync())
            #expect(session.flush() == .pending)
            let events = try session.events(until: .sync)
            #expect(events == [.rows([[""]]), .end, .rows([["\(32 << 20)"]]), .end, .sync])
            #expect(session.flush() == .done)
        }

        @Test(arguments: Door.allCases) func tagsAndCounts(door: Door) throws {
            let session = try Session(to: door)
            let table = "tags_\(door.rawValue)"
            #expect(try session.run("create table \(table) (a int)") == [.done("CREATE TABLE"), .end, .sync])
            #expect(
                try session.run("insert into \(table) values (1), (2), (3)") == [.done("INSERT 0 3"), .end, .sync])
            #expect(try session.run("update \(table) set a = 0 where a > 1") == [.done("UPDATE 2"), .end, .sync])
            #expect(try session.run("delete from \(table) where a = 7") == [.done("DELETE 0"), .end, .sync])
            #expect(try session.run("begin") == [.done("BEGIN"), .end, .sync])
            #expect(session.transactionStatus == .inTransaction)
            #expect(try session.run("nonsense") == [.error("42601"), .end, .sync])
            #expect(session.transactionStatus == .inFailedTransaction)
            #expect(try session.run("rollback") == [.done("ROLLBACK"), .end, .sync])
            #expect(session.transactionStatus == .idle)
            #expect(try session.run("") == [.empty, .end, .sync])
            #expect(try session.run("drop table \(table)") == [.done("DROP TABLE"), .end, .sync])
        }

        @Test func columnsAndCounts() throws {
            let session = try Session(to: .direct)
            #expect(
                session.send("select 1 as a, 'x'::text as \"b \u{e4}\", null::timestamptz from generate_series(1, 2)"))
            #expect(session.sendSync())
            while true {
                if case .result(let result) = session.connection.nextResult() {
                    #expect(result.columnCount == 3)
                    #expect(result.rowCount == 2)
                    #expect((0..<3).map { text(result.columnName($0)) } == ["a", "b \u{e4}", "timestamptz"])
                    #expect((0..<3).map { result.columnType($0) } == [23, 25, 1184])
                    #expect(text(result.commandStatus) == "SELECT 2")
                    #expect(result.value(0, 2) == nil)
                    // A NUL stands behind each value.
                    let end = result.value(0, 0).flatMap { value in value.baseAddress.map { $0 + value.count } }
                    #expect(end?.load(as: UInt8.self) == 0)
                    break
                }
                try session.advance()
            }
            #expect(try session.events(until: .sync) == [.end, .sync])
            // No columns and one row; columns and no row.
            #expect(try session.run("select") == [.rows([[]]), .end, .sync])
            #expect(try session.run("select 1 where false") == [.rows([]), .end, .sync])
        }

        @Test(arguments: Door.allCases) func anErrorEndsOnlyItsOwnStatement(door: Door) throws {
            let session = try Session(to: door)
            #expect(try session.run("select 1/0") == [.error("22012"), .end, .sync])
            #expect(try session.run("select $1::int", ["x"]) == [.error("22P02"), .end, .sync])
            #expect(try session.run("select 1; select 2") == [.error("42601"), .end, .sync])
            #expect(session.transactionStatus == .idle)
            #expect(try session.value("select 'well'") == "well")
        }

        @Test func anErrorHasItsFields() throws {
            let session = try Session(to: .direct)
            let create = "create temp table fields (a int not null constraint positive check (a > 0))"
            _ = try session.run(create)
            let expected: [(String, [MessageField: String])] = [
                (
                    "insert into fields values (-1)",
                    [
                        .sqlstate: "23514", .severity: "ERROR", .severityNonlocalized: "ERROR", .table: "fields",
                        .constraint: "positive", .detail: "Failing row contains (-1).",
                        .message: "new row for relation \"fields\" violates check constraint \"positive\"",
                    ]
                ),
                ("insert into fields values (null)", [.sqlstate: "23502", .column: "a"]),
                ("select nope", [.sqlstate: "42703", .position: "8"]),
                ("select upper(1, 2)", [.hint: "No function matches the given name and argument types."]),
                (
                    "do $$ begin execute 'select 1/'; end $$",
                    [.internalQuery: "select 1/", .internalPosition: "10", .context: "PL/pgSQL function"]
                ),
            ]
            for (sql, fields) in expected {
                #expect(session.send(sql))
                #expect(session.sendSync())
                try checkError(session, fields)
                #expect(try session.events(until: .sync) == [.end, .sync])
            }
        }

        private func checkError(_ session: Session, _ fields: [MessageField: String]) throws {
            while true {
                if case .result(let result) = session.connection.nextResult() {
                    #expect(result.status == .fatalError)
                    #expect(result.field(.dataType) == nil)
                    for (field, start) in fields {
                        let found = result.field(field).map(text) ?? "nothing"
                        #expect(found.hasPrefix(start), "\(field)")
                    }
                    if let message = fields[.message] { #expect(text(result.message) == message) }
                    return
                }
                try session.advance()
            }
        }

        @Test(arguments: Door.allCases) func aBatchOfThreeWithAnErrorInTheMiddle(door: Door) throws {
            let session = try Session(to: door)
            let events = try session.run(("select 1", []), ("select 1/0", []), ("select 3", []))
            #expect(events == [.rows([["1"]]), .end, .error("22012"), .end, .aborted, .end, .sync])
            #expect(
                try session.run(("select 4", []), ("select 5", [])) == [
                    .rows([["4"]]), .end, .rows([["5"]]), .end, .sync,
                ])
        }

        @Test(arguments: Door.allCases) func resultsKeepTheOrderOfManyBatches(door: Door) throws {
            let session = try Session(to: door)
            for batch in 0..<200 {
                let numbers = (0..<(batch % 5 + 1)).map { "\(batch).\($0)" }
                for number in numbers { #expect(session.send("select $1", [number])) }
                #expect(session.sendSync())
                let expected = numbers.flatMap { [Event.rows([[$0]]), .end] } + [.sync]
                #expect(try session.events(until: .sync) == expected)
                #expect(session.transactionStatus == .idle)
            }
        }

        @Test func whatMayHaveLeftIsKnown() throws {
            let session = try Session(to: .direct)
            #expect(!session.bytesMayHaveLeft)
            #expect(session.send("select 1"))
            #expect(session.bytesMayHaveLeft)
            #expect(session.sendSync())
            _ = try session.events(until: .end)
            #expect(session.bytesMayHaveLeft)
            _ = try session.events(until: .sync)
            #expect(!session.bytesMayHaveLeft)
        }

        @Test func tooManyParametersAreNotSent() throws {
            let session = try Session(to: .direct)
            #expect(!session.send("select 1", Array(repeating: "x", count: 65536)))
            #expect(!session.bytesMayHaveLeft)
            #expect(try session.value("select 1") == "1")
        }

        @Test func nothingUnderWayIsToldAsSuch() throws {
            let session = try Session(to: .direct)
            var isIdle = false
            if case .idle = session.connection.nextResult() { isIdle = true }
            #expect(isIdle)
            _ = try session.run("select 1")
            isIdle = false
            if case .idle = session.connection.nextResult() { isIdle = true }
            #expect(isIdle)
        }

        @Test(arguments: Door.allCases) func noticesAreDelivered(door: Door) throws {
            let session = try Session(to: door)
            let events = try session.run(
                "do $$ begin raise warning 'careful %', 1 using errcode = '01234', detail = 'why', hint = 'how'; end $$"
            )
            #expect(events == [.done("DO"), .end, .sync])
            #expect(session.notices == [["WARNING", "01234", "careful 1", "why", "how"]])
            _ = try session.run("do $$ begin raise notice 'plain'; end $$")
            #expect(session.notices.last == ["NOTICE", "00000", "plain", nil, nil])
        }
    }
}
