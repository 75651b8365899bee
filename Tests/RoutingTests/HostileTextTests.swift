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

        /// `middle` again and again until `bytes` are reached.
        init(_ name: String, _ first: String, repeating middle: String, _ last: String = "", bytes: Int) {
            self.name = name
            let count = max(1, (bytes - first.utf8.count - last.utf8.count) / middle.utf8.count)
            sql = first + String(repeating: middle, count: count) + last
        }
    }

    /// The largest that is still parsed, just above it, and far above it.
    private static let sizes = [ParseLimits.textBytes, ParseLimits.textBytes + 64, 200_000]

    private static let forms: [(name: String, first: String, middle: String, last: String)] = [
        ("chain of additions", "SELECT 1", "+a", ""), ("chain of subtractions", "SELECT 1", "-1", ""),
        ("chain of concatenations", "SELECT a", "||b", ""), ("chain of casts", "SELECT 1", "::a", ""),
        ("chain of null tests", "SELECT a", " ISNULL", ""), ("chain of collations", "SELECT a", " COLLATE x", ""),
        ("chain of unions", "SELECT 1", " UNION SELECT 1", ""),
        ("chain of cross joins", "SELECT * FROM a", " CROSS JOIN a", ""),
        ("chain of time zones", "SELECT a", " AT TIME ZONE b", ""), ("chain of subscripts", "SELECT a", "[1]", ""),
        ("chain of fields", "SELECT (a)", ".b", ""), ("chain of ands", "SELECT 1 WHERE a", " AND a", ""),
        ("parentheses", "SELECT ", "(", ""), ("balanced calls", "SELECT ", "f(", "1"), ("nots", "SELECT ", "NOT ", "a"),
        ("cases", "SELECT ", "CASE WHEN a THEN ", "1"), ("sub-selects", "", "SELECT (", "1"),
        ("arrays", "SELECT ", "ARRAY[", "1"),
        ("operator run", "SELECT 1 ", "+", " 1"), ("operator runs", "SELECT 1 ", "++++++++ ", "1"),
        ("comment-like run", "SELECT 1 ", "/*", ""), ("nested comments", "", "/* ", "SELECT 1"),
        ("closed comments", "", "/**/", "SELECT 1"), ("line comments", "", "--\n", "SELECT 1"),
        ("dashes", "SELECT 1 ", "-", ""),
        ("statements", "", "SELECT 1;", ""), ("semicolons", "", ";", ""), ("columns", "SELECT a", ",a", ""),
        ("rows", "INSERT INTO t VALUES (1)", ",(1)", ""), ("list", "SELECT a IN (1", ",1", ")"),
        ("with queries", "WITH a AS (SELECT 1)", ",a AS (TABLE a)", " SELECT 1"),
        ("names in from", "WITH a AS (SELECT 1) SELECT * FROM a", ",a", ""), ("tables", "SELECT * FROM a", ",b", ""),
        ("quotes", "SELECT '", "''", "'"), ("open quotes", "SELECT ", "'", ""), ("escapes", "SELECT E'", "\\\\", "'"),
        ("dollars", "SELECT ", "$", ""), ("dollar tags", "SELECT ", "$a$", ""), ("literal", "SELECT '", "x", "'"),
        ("identifier", "SELECT ", "x", ""), ("digits", "SELECT ", "1", ""), ("parameters", "SELECT $1", "+$2", ""),
        ("blanks", "SELECT 1", " ", ""), ("high bytes", "SELECT '", "é", "'"),
        ("names in calls", "SELECT ", "set_config", "("),
        ("tagged comment", "SELECT 1 /*a='", "%41", "'*/"), ("signs and names", "SELECT ", "@a ", "1"),
    ]

    static let texts: [Text] = sizes.flatMap { size in
        forms.map { Text($0.name, $0.first, repeating: $0.middle, $0.last, bytes: size) }
    }

    @Test(arguments: texts)
    func isJudged(_ text: Text) throws {
        let judge = try Judge(
            .usual([
                .rule {
                    $0.regex = ["x+y+z"]; $0.table = ["nothing"]; $0.route = "primary"
                }
            ]))
        let outcome = try onLoopThread { () -> (kind: StatementKind, isRun: Bool, isWrite: Bool) in
            let decision = withBytes(text.sql) { judge.decide($0, RouteRequest(), RouteOrigin()) }
            _ = decision.statement.normalisedBytes
            return (decision.statement.kind, decision.pool != nil, decision.access == .write)
        }
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

    @Test(arguments: [
        "SET x = 1", "BEGIN", "COMMIT", "LISTEN c", "PREPARE p AS SELECT 1", "DISCARD ALL", "LOAD 'x'", "RESET ALL",
        "EXECUTE p", "ROLLBACK", "CREATE TEMP TABLE x (a int)", "SELECT set_config('a', 'b', false)",
        "SELECT \"set_config\" ('a', 'b', false)", "SELECT 1 INTO TEMP x", "SELECT pg_advisory_lock(1)",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "COPY t FROM STDIN", "PREPARE TRANSACTION 'x'",
        "SELECT U&\"set_config\"('a', 'b', false)",
    ])
    func lengthSmugglesNothingIn(_ sql: String) throws {
        let judge = try Judge(.usual())
        let padding = String(repeating: "x", count: ParseLimits.textBytes)
        for text in [
            "/* \(padding) */ \(sql)", "-- \(padding)\n\(sql)", "\(sql) /* \(padding) */",
            "; ; /* \(padding) */ \(sql)",
            "/* /* \(padding) */ ' */ \(sql)",
        ] {
            #expect(judge.statement(text).isTooLong)
            #expect(judge.ask(text).refusal?.sqlstate == "0A000", "\(text.suffix(60))")
            #expect(judge.ask(text, Asking(transactionPool: "primary")).refusal?.sqlstate == "0A000")
        }
    }

    @Test func whatOnlyLooksLikeItIsNotRefused() throws {
        let judge = try Judge(.usual())
        let padding = String(repeating: "x", count: ParseLimits.textBytes)
        for sql in [
            "SELECT 'set_config(', '\(padding)'", "SELECT $a$ pg_advisory_lock( $a$, '\(padding)'",
            "INSERT INTO temp VALUES ('\(padding)')", "INSERT INTO temp SELECT '\(padding)'",
            "SELECT set_config FROM t -- \(padding)",
            "CREATE TABLE x (temp text DEFAULT '\(padding)')", "INSERT INTO t VALUES ('BEGIN', '\(padding)')",
            "SELECT E'\\'set_config(', '\(padding)'", "WITH x AS (SELECT '\(padding)') INSERT INTO temp TABLE x",
        ] {
            #expect(judge.way(sql) == "primary unparsed", "\(sql.prefix(60))")
        }
    }
}

// MARK: The loop's stack

private struct NoThread: Error {}

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
