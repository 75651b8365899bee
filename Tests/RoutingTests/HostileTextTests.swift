import Glibc
import Testing

@testable import Routing

/// Texts that crash or stall a process that parses them unguarded. Each is judged on a thread with the stack that the daemon
/// gives its loop, and may neither crash nor take long; how long exactly is the benchmark's to say, on a quiet machine.
@Suite(.timeLimit(.minutes(3))) struct HostileTextTests {
    struct Text: Sendable, CustomTestStringConvertible {
        var name: String
        var sql: String
        var testDescription: String { "\(name), \(sql.utf8.count) bytes" }

        /// `middle` again and again, and `closing` as often behind `last`, until `bytes` are reached.
        init(_ form: Form, bytes: Int) {
            name = form.name
            let room = bytes - form.first.utf8.count - form.last.utf8.count
            let count = max(1, room / (form.middle.utf8.count + form.closing.utf8.count))
            let opening = String(repeating: form.middle, count: count)
            sql = form.first + opening + form.last + String(repeating: form.closing, count: count)
        }
    }

    struct Form {
        var name: String
        var first: String
        var middle: String
        var last: String
        var closing: String

        init(_ name: String, _ first: String, _ middle: String, _ last: String = "", closing: String = "") {
            self.name = name
            self.first = first
            self.middle = middle
            self.last = last
            self.closing = closing
        }
    }

    /// The largest that is still parsed, just above it, and far above it.
    private static let sizes = [ParseLimits.textBytes, ParseLimits.textBytes + 64, 200_000]

    private static let forms: [Form] = [
        Form("chain of additions", "SELECT 1", "+a"),
        Form("chain of subtractions", "SELECT 1", "-1"),
        Form("chain of concatenations", "SELECT a", "||b"),
        Form("chain of casts", "SELECT 1", "::a"),
        Form("chain of null tests", "SELECT a", " ISNULL"),
        Form("chain of collations", "SELECT a", " COLLATE x"),
        Form("chain of unions", "SELECT 1", " UNION SELECT 1"),
        Form("chain of cross joins", "SELECT * FROM a", " CROSS JOIN a"),
        Form("chain of time zones", "SELECT a", " AT TIME ZONE b"),
        Form("chain of subscripts", "SELECT a", "[1]"),
        Form("chain of fields", "SELECT (a)", ".b"),
        Form("chain of ands", "SELECT 1 WHERE a", " AND a"),
        Form("parentheses", "SELECT ", "("),
        Form("balanced calls", "SELECT ", "f(", "1"),
        Form("nots", "SELECT ", "NOT ", "a"),
        Form("cases", "SELECT ", "CASE WHEN a THEN ", "1"),
        Form("sub-selects", "", "SELECT (", "1"),
        Form("arrays", "SELECT ", "ARRAY[", "1"),
        Form("operator run", "SELECT 1 ", "+", " 1"),
        Form("operator runs", "SELECT 1 ", "++++++++ ", "1"),
        Form("comment-like run", "SELECT 1 ", "/*"),
        Form("nested comments", "", "/* ", "SELECT 1"),
        Form("closed comments", "", "/**/", "SELECT 1"),
        Form("line comments", "", "--\n", "SELECT 1"),
        Form("dashes", "SELECT 1 ", "-"),
        Form("statements", "", "SELECT 1;"),
        Form("semicolons", "", ";"),
        Form("columns", "SELECT a", ",a"),
        Form("rows", "INSERT INTO t VALUES (1)", ",(1)"),
        Form("list", "SELECT a IN (1", ",1", ")"),
        Form("with queries", "WITH a AS (SELECT 1)", ",a AS (TABLE a)", " SELECT 1"),
        Form("names in from", "WITH a AS (SELECT 1) SELECT * FROM a", ",a"),
        Form("tables", "SELECT * FROM a", ",b"),
        Form("quotes", "SELECT '", "''", "'"),
        Form("open quotes", "SELECT ", "'"),
        Form("escapes", "SELECT E'", "\\\\", "'"),
        Form("dollars", "SELECT ", "$"),
        Form("dollar tags", "SELECT ", "$a$"),
        Form("literal", "SELECT '", "x", "'"),
        Form("identifier", "SELECT ", "x"),
        Form("digits", "SELECT ", "1"),
        Form("parameters", "SELECT $1", "+$2"),
        Form("blanks", "SELECT 1", " "),
        Form("high bytes", "SELECT '", "é", "'"),
        Form("names in calls", "SELECT ", "set_config", "("),
        Form("tagged comment", "SELECT 1 /*a='", "%41", "'*/"),
        Form("signs and names", "SELECT ", "@a ", "1"),
        Form("chain of arrows", "SELECT a", "->'a'->>'b'"),
        Form("chain of containments", "SELECT a", "@>a&&a"),
        Form("chain of memberships", "SELECT a", " IN(1)"),
        Form("chain of likes", "SELECT a", " LIKE a"),
        Form("chain of row casts", "SELECT a", "::a[]"),
        Form("chain of joins", "SELECT FROM a", " JOIN a ON a"),
        Form("chain of tables", "TABLE a", " UNION TABLE a"),
        Form("balanced parentheses", "SELECT ", "(", "1", closing: ")"),
        Form("closed calls", "SELECT ", "f(", "1", closing: ")"),
        Form("closed sub-selects", "", "(SELECT ", "1", closing: ")"),
        Form("sub-selects in FROM", "SELECT FROM ", "(SELECT FROM ", "a", closing: ")a"),
        Form("existences", "SELECT ", "EXISTS(SELECT ", "1", closing: ")"),
        Form("sub-selects in WITH", "", "WITH a AS(", "TABLE a", closing: ")TABLE a"),
        Form("WITH in sub-selects", "", "WITH a AS(TABLE a)SELECT(", "SELECT FROM a", closing: ")"),
        Form("closed cases", "SELECT ", "CASE WHEN a THEN ", "1", closing: " END"),
        Form("cases of sub-selects", "SELECT ", "CASE WHEN(SELECT a)THEN(SELECT ", "1", closing: ")END"),
        Form("branches", "SELECT CASE", " WHEN a THEN a", " END"),
        Form("joins inside joins", "SELECT FROM ", "(a JOIN ", "a", closing: " ON a)"),
        Form("lists inside lists", "SELECT 1 IN(", "1 IN(", "1)", closing: ")"),
        Form("closed arrays", "SELECT ARRAY", "[", "1", closing: "]"),
        Form("casts around", "SELECT ", "CAST(", "1", closing: " AS a)"),
        Form("grouping sets", "SELECT 1 GROUP BY ", "GROUPING SETS(", "a", closing: ")"),
        Form(
            "columns in a few sub-selects", String(repeating: "(SELECT ", count: 8) + "a", ",a",
            String(repeating: ")", count: 8)),
        Form(
            "columns in some sub-selects", String(repeating: "(SELECT ", count: 40) + "a", ",a",
            String(repeating: ")", count: 40)),
        Form("columns and their order", "SELECT " + String(repeating: "a,", count: 4000) + "a ORDER BY a", ",a"),
        Form("constants", "SELECT 1", ",1"),
        Form("rows of a list", "SELECT a IN((1,1)", ",(1,1)", ")"),
        Form("values", "VALUES(1)", ",(1)"),
        Form("explanations", "", "EXPLAIN ", "SELECT 1"),
        Form("options", "EXPLAIN(a", ",a", ")SELECT 1"),
        Form("big parameters", "SELECT $2147483647", ",$2147483647"),
        Form("locks", "SELECT FROM a", " FOR UPDATE OF a"),
        Form("continued strings", "SELECT E'a'", "\n'a'"),
        Form("Unicode strings", "SELECT U&'", "\\0041", "'"),
        Form("Unicode names", "SELECT ", "U&\"a\""),
        Form("Unicode names with an escape", "SELECT a", ",U&\"a\"UESCAPE'!'"),
        Form("almost dollar tags", "SELECT $aaaa$", "$aaa", "$aaaa$"),
        Form("quoted name", "SELECT \"", "\"\"", "\""),
        Form("text in dashes", "--", "x", "\nSELECT 1"),
        Form("carriage returns", "SELECT 1", "\r"),
        Form("comments in dashes", "", "--\r", "SELECT 1"),
        Form("almost nested comments", "SELECT 1/*", "/ *", "*/"),
        Form("pairs of a comment", "SELECT 1/*a='b'", ",a='b'", "*/"),
        Form("set_config inside", "SELECT ", "set_config(", "1", closing: ")"),
        Form("temporary targets", "SELECT 1 ", "INTO TEMP ", "x"),
        Form("merges", "MERGE INTO t USING s ON a", " WHEN MATCHED THEN DELETE"),
        Form("definitions", "CREATE TABLE t(a a", ",a a", ")"),
    ]

    static let texts: [Text] = sizes.flatMap { size in
        forms.map { Text($0, bytes: size) }
    }

    /// Milliseconds of CPU. A release build on a quiet machine keeps below 100 for each; tests may be built and run otherwise.
    private static let limit = 400

    @Test(arguments: texts)
    func isJudged(_ text: Text) throws {
        let judge = try Judge(
            .usual([
                .rule {
                    $0.regex = ["x+y+z"]; $0.table = ["nothing"]; $0.route = "primary"
                }
            ]))
        let outcome = try onLoopThread { () -> (kind: StatementKind, isWrite: Bool, milliseconds: Int) in
            let began = threadMilliseconds()
            let decision = withBytes(text.sql) { judge.decide($0, RouteRequest(), RouteOrigin()) }
            _ = decision.statement.normalisedBytes
            _ = decision.statement.fingerprint
            return (decision.statement.kind, decision.access == .write, threadMilliseconds() - began)
        }
        #expect(outcome.milliseconds < Self.limit)
        if text.sql.utf8.count > ParseLimits.textBytes { #expect(outcome.kind == .unknown) }
        // What was not parsed is never a read, whether it is refused or goes to the primary.
        if outcome.kind == .unknown { #expect(outcome.isWrite) }
    }

    @Test func tenThousandStatementsInOneText() throws {
        let judge = try Judge(.usual())
        let text = String(repeating: "SELECT 1;", count: 10_000)
        #expect(try onLoopThread { judge.way(text) } == "primary unparsed")
        let fewer = String(repeating: "SELECT 1;", count: 1000)
        #expect(try onLoopThread { judge.way(fewer) } == "42601 classifier")
    }

    @Test func aMegabyteLiteral() throws {
        let judge = try Judge(.usual())
        let text = "SELECT '" + String(repeating: "x", count: 1 << 20) + "'"
        #expect(try onLoopThread { judge.way(text) } == "primary unparsed")
    }

    /// Text by text at the edge of the limit: below it is parsed, above it is not.
    @Test func theLimitIsExact() throws {
        let judge = try Judge(.usual())
        func text(_ bytes: Int) -> String { "SELECT '" + String(repeating: "x", count: bytes - 9) + "'" }
        #expect(judge.way(text(ParseLimits.textBytes)) == "standby classifier")
        #expect(judge.way(text(ParseLimits.textBytes + 1)) == "primary unparsed")
        #expect(judge.statement(text(ParseLimits.textBytes + 1)).unparsedCause == .tooLong)
    }

    /// Selects deep inside each other stay as they are: libpg_query's normaliser would take 200 ms over the longest.
    @Test func normalisingEndsWhereItTakesLong() throws {
        let judge = try Judge(.usual())
        func nested(_ depth: Int, _ core: String) -> String {
            String(repeating: "(SELECT ", count: depth) + core + String(repeating: ")", count: depth)
        }
        let deepest = nested(ParseLimits.normalisedSelectDepth, "1")
        #expect(judge.statement(deepest).normalised == deepest.replacing("1", with: "$1"))
        let deeper = nested(ParseLimits.normalisedSelectDepth + 1, "1")
        #expect(judge.statement(deeper).normalised == deeper)
        #expect(judge.way(deeper) == "standby classifier")
        // What is not inside each other may be many, and parentheses alone may be deep.
        let many = Array(repeating: "(SELECT 1)", count: 40).joined(separator: " UNION ")
        #expect(judge.statement(many).normalised.hasSuffix("(SELECT $40)"))
        let deep = "SELECT " + String(repeating: "(", count: 100) + "1" + String(repeating: ")", count: 100)
        #expect(judge.statement(deep).normalised == deep.replacing("1", with: "$1"))
    }

    @Test func costlyFormsAreNotParsed() throws {
        let judge = try Judge(.usual())
        for sql in [
            "SELECT 1 " + String(repeating: "+", count: 700) + " 1",
            "SELECT 1" + String(repeating: "+a", count: ParseLimits.operatorRuns + 1),
            String(repeating: "/* ", count: 65) + "x" + String(repeating: " */", count: 65) + "SELECT 1",
        ] {
            #expect(judge.statement(sql).unparsedCause == .tooCostly)
        }
        // What people write is parsed: a rule of dashes, a long chain of conditions, a comment in a comment.
        for sql in [
            "-- " + String(repeating: "-", count: 300) + "\nSELECT 1",
            "SELECT * FROM t WHERE " + (0..<700).map { "a = \($0)" }.joined(separator: " OR "),
            "SELECT 1" + String(repeating: "+a", count: ParseLimits.operatorRuns - 1),
            "/* a /* b */ c */ SELECT 1", "SELECT " + (0..<500).map { "a\($0) + 1" }.joined(separator: ", "),
        ] {
            #expect(judge.way(sql) == "standby classifier")
        }
    }
}

// MARK: The loop's stack

private struct NoThread: Error {}

private func threadMilliseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

/// Runs `body` on a thread with the 64 MB of stack that the daemon's loops have, and waits for it.
private func onLoopThread<Result>(_ body: () -> Result) throws -> Result {
    var result: Result?
    try withoutActuallyEscaping({ result = body() }) { work in
        let box = Box(work)
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, 64 << 20)
        var thread = pthread_t()
        let context = Unmanaged.passUnretained(box).toOpaque()
        let status = pthread_create(
            &thread, &attributes,
            { context in
                guard let context else { return nil }
                Unmanaged<Box>.fromOpaque(context).takeUnretainedValue().work()
                return nil
            }, context)
        guard status == 0 else { throw NoThread() }
        pthread_join(thread, nil)
        withExtendedLifetime(box) {}
    }
    guard let result else { throw NoThread() }
    return result
}

private final class Box {
    let work: () -> Void
    init(_ work: @escaping () -> Void) { self.work = work }
}
