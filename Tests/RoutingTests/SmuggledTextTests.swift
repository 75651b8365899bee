import Testing

@testable import Routing

/// A text that is too long to parse, or too costly, does not get through what is refused when it is parsed.
@Suite struct SmuggledTextTests {
    private static let commands: [String] = [
        "SET x = 1", "SET/**/x=1", "SET SESSION x = 1", "SET TIME ZONE 'UTC'", "SET local.x = 1", "SET \"local\".x = 1",
        "SET transaction.x TO 1", "SET constraints.x TO 1", "SET local TO 1", "SET transaction=1",
        "SET constraints = x", "SET local.U&\"x\" = 1", "RESET ALL",
        "SET LOCAL client_encoding = latin1", "SET LOCAL \"Client_Encoding\" = latin1", "SET LOCAL NAMES 'latin1'",
        "SET LOCAL U&\"client_encoding\" = latin1", "SET LOCAL standard_conforming_strings TO off",
        "SET LOCAL search_path = pg_temp", "UPDATE pg_settings SET setting = '1'",
        "UPDATE pg_catalog.\"pg_settings\" SET setting = '1'",
        "WITH x AS (UPDATE pg_settings SET setting = '1' RETURNING 1) SELECT 1",
        "EXPLAIN ANALYZE UPDATE pg_settings SET setting = '1'",
        "BEGIN", "START TRANSACTION", "COMMIT", "END", "ABORT", "ROLLBACK",
        "COMMIT PREPARED 'x'", "ROLLBACK PREPARED 'x'", "PREPARE TRANSACTION 'x'", "LISTEN c", "UNLISTEN *",
        "DISCARD ALL", "LOAD 'x'", "PREPARE p AS SELECT 1", "EXECUTE p", "DEALLOCATE ALL", "EXPLAIN EXECUTE p",
        "EXPLAIN (ANALYZE, BUFFERS off) EXECUTE p", "CREATE TABLE x AS EXECUTE p",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "COPY t FROM STDIN", "COPY (SELECT 1) TO STDOUT",
    ]

    private static let temporaries: [String] = [
        "CREATE TEMP TABLE x (a int)", "CREATE LOCAL/**/TEMPORARY TABLE x (a int)",
        "CREATE SCHEMA q CREATE TEMP TABLE y (a int)", "CREATE OR REPLACE TEMP VIEW x AS SELECT 1",
        "CREATE TABLE pg_temp.x (a int)",
        "CREATE TABLE \"pg_temp\".x (a int)", "CREATE TABLE U&\"pg\\005ftemp\".x (a int)",
        "CREATE VIEW pg_temp.x AS SELECT 1", "SELECT 1 INTO TEMP x", "SELECT 1 INTO TEMP TABLE x",
        "SELECT 1 INTO LOCAL TEMPORARY TABLE x", "SELECT 1 INTO TEMP values", "SELECT 1 INTO TEMP \"select\"",
        "SELECT 1 INTO TEMP U&\"x\"", "SELECT 1 INTO pg_temp.x", "SELECT 1 INTO \"pg_temp\".x",
        "SELECT 1 INTO U&\"pg!005ftemp\" UESCAPE '!'.x", "SELECT 1 AS insert INTO TEMP TABLE x",
        "WITH y AS (SELECT 1) SELECT * INTO TEMP x FROM y", "(SELECT 1 INTO TEMP x)",
        "EXPLAIN ANALYZE SELECT 1 INTO TEMP x", "EXPLAIN (ANALYZE) (SELECT 1 INTO TEMP x)",
        "EXPLAIN ANALYZE VERBOSE CREATE TEMP TABLE x AS SELECT 1",
        "EXPLAIN (ANALYZE, COSTS off) CREATE LOCAL TEMP TABLE x AS SELECT 1",
    ]

    private static let calls: [String] = [
        "set_config('a', 'b', false)", "SET_CONFIG('a', 'b', false)", "\"set_config\" ('a', 'b', false)",
        "pg_catalog.set_config('a', 'b', false)", "pg_catalog . \"set_config\" /* ( */ --\n('a', 'b', false)",
        "set_config(is_local => false, new_value := 'b', setting_name => 'a')", "U&\"set_config\"('a', 'b', false)",
        "u&\"set\\005fconfig\"('a', 'b', false)", "U&\"set!005fconfig\" UESCAPE '!' ('a', 'b', false)",
        "U&\"set!005fconfig\"uescape E'!'/**/('a', 'b', false)", "U&\"set!005fconfig\"UESCAPE $$!$$('a', 'b', false)",
        "pg_advisory_lock(1)", "\"pg_try_advisory_lock\"(1, 2)", "1 FROM pg_advisory_unlock_all()",
        "(1::bigint).pg_advisory_lock", "(1::bigint).\"pg_try_advisory_lock\"",
    ]

    /// Strings, names and comments that end elsewhere than they seem to, around `call`.
    private static let disguises: [String] = [
        "'\\', call, '\\'", "E'\\'', call, E'\\''", "E'\\\\', call, ''", "E'a'\n'\\'', call",
        "n'\\', call, ''", "''''||call||''''", "b'1', call, x'1'", "U&'\\\\', call, ''", "$a$ $b$ $a$, call, $b$ $b$",
        "$a$ $aa$a$, call", "x$$, call, y$$", "$1, call, $2", "$é$ $$ $é$, call", "\"a\"\"\", call, \"\"\"b\"",
        "\"'\", call, \"'\"", "\"/*\", call, \"*/\"", "'--', call", "1 -/* */- call", "1 */*'*/ call/*'*/",
        "1 +--'\n call", "1 /*/* */'*/ * call /*'*/", "1 --'\r* call", "ARRAY[call]", "1::text || call",
        "1 WHERE call IS NULL OR 'e'''=E'''\\''", "(SELECT call)", "CASE WHEN call = '' THEN 1 END",
    ]

    /// PostgreSQL lets a comment stand between the parts of a string; libpg_query's lexer does not.
    private static let commentedString = "SELECT E'a' -- '\n'\\'', set_config('a', 'b', false)"

    static let texts: [String] =
        commands + temporaries + calls.map { "SELECT \($0)" }
        + disguises.map { "SELECT " + $0.replacing("call", with: "set_config('a', 'b', false)") }

    @Test(arguments: texts + [commentedString]) func isRefused(_ sql: String) throws {
        let judge = try Judge(.usual())
        let padding = String(repeating: "x", count: ParseLimits.textBytes)
        for text in [
            "/* \(padding) */ \(sql)", "-- \(padding)\n\(sql)", "\(sql) /* \(padding) */", "\(sql)\n-- \(padding)",
            "; ; /* \(padding) */ \(sql)", "/* /* \(padding) */ ' */ \(sql)",
            "--\r\n\t\u{c}/* /* \(padding) */ -- */--\r\(sql)",
        ] {
            #expect(judge.statement(text).isTooLong)
            #expect(judge.ask(text).refusal?.sqlstate == "0A000", "\(text.suffix(60))")
            #expect(judge.ask(text, Asking(transactionPool: "primary")).refusal?.sqlstate == "0A000")
        }
        // In a form that is too costly, not too long.
        let costly = "/*\(String(repeating: "+", count: 700))*/ \(sql)"
        #expect(judge.statement(costly).unparsedCause == .tooCostly)
        #expect(judge.ask(costly, Asking(transactionPool: "primary")).refusal?.sqlstate == "0A000")
    }

    /// The texts above are what they seem: PostgreSQL's grammar takes each, and its parse is refused too.
    @Test(arguments: texts) func isRefusedWhenParsed(_ sql: String) throws {
        let judge = try Judge(.usual())
        let decision = judge.ask(sql, Asking(transactionPool: "primary"))
        #expect(!decision.statement.isUnparsed)
        // What PostgreSQL itself refuses, as it knows no such setting.
        if sql != "SET local TO 1" { #expect(decision.refusal?.sqlstate == "0A000") }
    }

    @Test(arguments: [
        "SET LOCAL x = 1", "SET LOCAL \"x\" TO 1", "SET TRANSACTION READ ONLY", "SET CONSTRAINTS ALL DEFERRED",
    ])
    func whatIsOfATransactionRunsInOne(_ sql: String) throws {
        let judge = try Judge(.usual())
        let text = "\(sql) -- \(String(repeating: "x", count: ParseLimits.textBytes))"
        #expect(judge.way(text, Asking(transactionPool: "primary")) == "primary tx")
    }

    @Test func whatOnlyLooksLikeItIsNotRefused() throws {
        let judge = try Judge(.usual())
        let padding = String(repeating: "x", count: ParseLimits.textBytes)
        for sql in [
            "SELECT 'set_config(', '\(padding)'", "SELECT $a$ pg_advisory_lock( $a$, '\(padding)'",
            "INSERT INTO temp VALUES ('\(padding)')", "INSERT INTO temp SELECT '\(padding)'",
            "INSERT INTO temp TABLE x -- \(padding)", "INSERT INTO pg_temp.x VALUES ('\(padding)')",
            "SELECT set_config FROM t -- \(padding)", "SELECT \"set_config\", (1) -- \(padding)",
            "CREATE TABLE x (temp text DEFAULT '\(padding)')", "INSERT INTO t VALUES ('BEGIN', '\(padding)')",
            "SELECT E'\\'set_config(', '\(padding)'", "SELECT 1 /* set_config( */, '\(padding)'",
            "WITH x AS (SELECT '\(padding)') INSERT INTO temp SELECT * FROM x",
            "WITH x AS (SELECT '\(padding)') MERGE INTO temp USING x ON true WHEN MATCHED THEN DELETE",
            "EXPLAIN ANALYZE INSERT INTO temp VALUES ('\(padding)')", "SELECT U&\"x\" UESCAPE '!', (1) -- \(padding)",
            "UPDATE t SET local = '\(padding)'", "COPY t FROM '/x' -- \(padding)", "ROLLBACK TO x -- \(padding)",
        ] {
            #expect(judge.way(sql) == "primary unparsed", "\(sql.prefix(60))")
        }
    }
}
