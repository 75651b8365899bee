import Foundation
import Testing
import Wire

@testable import PointsmanClient

/// The pure parts: rows, receipts, errors, options, ids.
@Suite struct ValueTests {
    private func row(_ values: [String?]) throws -> Row {
        let columns = values.indices.map { QueryResult.Column(name: "c\($0)", typeOID: 25) }
        let result = QueryResult(
            columns: columns, values: values, rowCount: 1, tag: "SELECT", count: 1, attributes: [], notices: [])
        return try #require(result.onlyRow)
    }

    @Test func rowsAreReadByNameAndType() throws {
        let row = try row(["42", "t", "-1.5e3", "\\x00ff", nil, "", "NaN"])
        #expect(try row.decode("c0", as: Int.self) == 42)
        #expect(try row.decode("c0", as: String.self) == "42")
        #expect(try row.decode("c1", as: Bool.self))
        #expect(try row.decode("c2", as: Double.self) == -1500)
        #expect(try row.decode("c3", as: [UInt8].self) == [0, 255])
        #expect(try row.decodeIfPresent("c4", as: Int.self) == nil)
        #expect(row["c4"] == nil)
        #expect(row["c5"] == "")
        #expect(try row.decode("c6", as: Double.self).isNaN)
        #expect(row[0] == "42")
    }

    @Test func whatCannotBeReadSaysWhy() throws {
        let row = try row(["x", nil, "true", "\\x0", "99999999999999999999"])
        #expect(throws: Row.DecodingProblem.noSuchColumn("nope")) { try row.decode("nope", as: Int.self) }
        #expect(throws: Row.DecodingProblem.isNull(column: "c1")) { try row.decode("c1", as: Int.self) }
        #expect(throws: Row.DecodingProblem.notOfType(column: "c0", type: "Int", typeOID: 25)) {
            try row.decode("c0", as: Int.self)
        }
        #expect(throws: Row.DecodingProblem.self) { try row.decode("c2", as: Bool.self) }
        #expect(throws: Row.DecodingProblem.self) { try row.decode("c3", as: [UInt8].self) }
        #expect(throws: Row.DecodingProblem.self) { try row.decode("c4", as: Int.self) }
    }

    @Test func aReceiptIsReadWhole() throws {
        let text =
            "C\t1\tSELECT\t1\tpool=standby\tnode=127.0.0.12:5433\tus=311\twait_us=9\tlag_ms=4\trule=7\twhy=own-write"
            + "\ttx=T\ttoken=1.0/36B0FA0.5f2c91aa\trerun=writes\tnew=thing"
        guard case .completion(let line) = try reply(text) else { return #expect(Bool(false), "a completion") }
        let receipt = Receipt(attributes: line.attributes)
        var expected = Receipt()
        expected.pool = "standby"
        expected.node = "127.0.0.12:5433"
        expected.microseconds = 311
        expected.waitMicroseconds = 9
        expected.lag = .milliseconds(4)
        expected.rule = "7"
        expected.why = .ownWrite
        expected.transaction = .open
        expected.token = CommitToken(rawValue: "1.0/36B0FA0.5f2c91aa")
        expected.rerun = .writes
        #expect(receipt == expected)
        guard case .completion(let found) = try reply("C\t1\tCOMMIT\t\\N\tresolved=committed") else {
            return #expect(Bool(false), "a completion")
        }
        #expect(Receipt(attributes: found.attributes).isResolved)
        #expect(!receipt.isResolved)
        #expect(expected.token != nil)
        #expect(Receipt.Reason("tx") == .transaction)
        #expect(Receipt.Reason("moon") == .other("moon"))
        #expect(Receipt.Rerun("moon") == .other("moon"))
        #expect(Receipt.Lag("unknown") == .unknown)
        #expect(Receipt.Lag("moon") == nil)
    }

    @Test(arguments: [
        ("stale", Receipt.Rerun.stale), ("writes", .writes), ("recovery", .recovery), ("schema", .schema),
        ("conflict", .conflict), ("shutdown", .shutdown), ("lost", .lost),
    ])
    func theReasonOfARerunIsKept(word: String, rerun: Receipt.Rerun) {
        #expect(Receipt.Rerun(word) == rerun)
    }

    @Test func anErrorIsReadWhole() throws {
        let text =
            "E\t5\t23505\tERROR\tnever\tduplicate\tD=Key (a)=(1)\tH=hint\tP=15\tW=ctx\ts=public\tt=tab\tc=col\td=int4"
            + "\tn=uniq\tsrc=pool\tnode=n\tpool=primary\ttx=E\tafter_ms=70\tnew=thing"
        guard case .failure(let line) = try reply(text) else { return #expect(Bool(false), "a failure") }
        let error = PointsmanError(line)
        var expected = PointsmanError(sqlstate: "23505", retry: .never, message: "duplicate", source: .pool)
        expected.detail = "Key (a)=(1)"
        expected.hint = "hint"
        expected.position = 15
        expected.context = "ctx"
        expected.schema = "public"
        expected.table = "tab"
        expected.column = "col"
        expected.dataType = "int4"
        expected.constraint = "uniq"
        expected.node = "n"
        expected.pool = "primary"
        expected.transaction = .failed
        expected.afterMilliseconds = 70
        #expect(error == expected)
    }

    @Test(arguments: [
        ("never", PointsmanError.Retry.never), ("now", .now), ("later", .later), ("tx", .tx), ("unknown", .unknown),
    ])
    func theRetryWordIsKept(word: String, retry: PointsmanError.Retry) throws {
        guard case .failure(let line) = try reply("E\t1\t40001\tERROR\t\(word)\tno") else {
            return #expect(Bool(false), "a failure")
        }
        #expect(PointsmanError(line).retry == retry)
        #expect(PointsmanError(line).mayHaveBeenApplied == (word == "unknown"))
    }

    @Test func optionsBecomeTheProtocolsWords() throws {
        let options = QueryOptions(
            readOnly: true, route: .standby, cluster: "accounts",
            freshness: [.primary, .after(try token("a"), try token("b"))], waitMilliseconds: 50,
            timeoutMilliseconds: 900, wantsToken: true, tag: "page", traceParent: "00-1", session: "s",
            resolvesUnknown: true)
        let draft = Draft.query("SELECT $1, E'\\\\'", ["a\tb\n\\N", nil, ""], options)
        let line = try draft.encoded(id: "x1", limits: WireLimits()).line
        #expect(
            String(decoding: line, as: UTF8.self)
                == "Q x1 @ro @route=standby @using=accounts @lag=0 @after=a @after=b @wait=50 @timeout=900 @token "
                + "@tag=page @tp=00-1 @session=s @resolve SELECT $1, E'\\\\\\\\'\ta\\tb\\n\\\\N\t\\N\t\n")
        let begin = Draft.begin(
            TransactionOptions(
                readOnly: true, isolation: .repeatableRead, freshness: .after(try token("a")), waitMilliseconds: 7,
                timeoutMilliseconds: 5, session: "s", resolvesUnknown: true))
        #expect(
            String(decoding: try begin.encoded(id: "x2", limits: WireLimits()).line, as: UTF8.self)
                == "BEGIN x2 @ro @iso=rr @after=a @wait=7 @timeout=5 @session=s @resolve\n")
    }

    // MARK: Tokens and freshness

    private func token(_ text: String) throws -> CommitToken { try #require(CommitToken(rawValue: text)) }

    @Test(
        arguments: [
            "", " ", "a b", "a\n", "\u{7F}", "\u{E9}", String(repeating: "x", count: 65), "1.0/36B0FA0.5f2c91aa\t@ro",
        ])
    func whatIsNoTokenIsNone(text: String) throws {
        #expect(CommitToken(rawValue: text) == nil)
        let json = try JSONEncoder().encode([text])
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([CommitToken].self, from: json) }
    }

    @Test func aTokenTravelsAsItsText() throws {
        let longest = try token(String(repeating: "~", count: CommitToken.maximumLength))
        let tokens = [try token("1.0/36B0FA0.5f2c91aa"), longest]
        let json = try JSONEncoder().encode(tokens)
        #expect(try JSONDecoder().decode([String].self, from: json) == tokens.map(\.rawValue))
        #expect(try JSONDecoder().decode([CommitToken].self, from: json) == tokens)
    }

    @Test func wishesAddUpToTheStrictest() throws {
        func line(_ freshness: Freshness) -> [String] {
            freshness.fields.map { "\($0.key)=\($0.value ?? "")" }
        }
        let (a, b) = (try token("a"), try token("b"))
        #expect(line(.any).isEmpty)
        #expect(line([]).isEmpty)
        #expect(line(.primary) == ["lag=0"])
        #expect(line([.within(milliseconds: 500), .within(milliseconds: 200), .any]) == ["lag=200"])
        #expect(line([.after(b, a), .after(a), .within(milliseconds: 9)]) == ["lag=9", "after=b", "after=a"])
        let options = QueryOptions(readOnly: true, freshness: .after(a)).asking(.within(milliseconds: 9))
        #expect(line(options.freshness) == ["lag=9", "after=a"])
        #expect(options.readOnly)
    }

    @Test(arguments: [
        (Draft.query("SELECT '\0'", [], QueryOptions()), "08P01"), (.query("SELECT $1", ["\0"], .read), "08P01"),
        (.query(String(repeating: "x", count: 200), [], .read), "54000"),
        (.query("SELECT 1", ["1", "2", "3"], .read), "54000"), (.query("@lag=0 SELECT 1", [], .read), "08P01"),
        (.query("", [], .read), "42601"), (.query("SELECT 1", [], QueryOptions(tag: "a b")), "08P01"),
        (.query("SELECT 1", [], QueryOptions(tag: "a\nQ x9 DROP")), "08P01"),
    ])
    func whatCannotBeSentIsNotSent(draft: Draft, sqlstate: String) {
        let error = #expect(throws: PointsmanError.self) {
            try draft.encoded(id: "x", limits: WireLimits(maxLine: 128, maxParameters: 2))
        }
        #expect(error?.sqlstate == sqlstate)
        #expect(error?.retry == .never)
        #expect(error?.source == .client)
    }

    @Test func theDaemonsLimitsAreTakenOver() throws {
        guard case .completion(let line) = try reply("C\t1\tHELLO\t\\N\tmax_line=2097152\tmax_params=9\tx=1") else {
            return #expect(Bool(false), "a completion")
        }
        #expect(WireLimits(hello: line.attributes) == WireLimits(maxLine: 2_097_152, maxParameters: 9))
        guard case .completion(let odd) = try reply("C\t1\tHELLO\t\\N\tmax_line=0\tmax_params=-") else {
            return #expect(Bool(false), "a completion")
        }
        #expect(WireLimits(hello: odd.attributes) == WireLimits())
    }

    @Test func saltsAreRandomAndLeaveRoomForTheNumber() {
        let salts = Set((0..<1000).map { _ in Salt.random() })
        #expect(salts.count == 1000)
        #expect(salts.allSatisfy { $0.utf8.count == Salt.length })
        #expect(Salt.length <= 16, "the protocol's limit for a salt")
        #expect(Salt.length + String(UInt64.max).count <= 32, "the protocol's limit for an id")
    }
}
