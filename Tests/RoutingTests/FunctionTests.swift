import Testing

@testable import Routing

/// The tables of functions and views, without a server. Tests/DaemonTests/FunctionSurveyTests compares them with one.
@Suite struct FunctionTableTests {
    private let judge: Judge

    init() throws { judge = try Judge(.usual()) }

    @Test func eachNameIsInOneGroup() {
        var seen: [String: String] = [:]
        for group in FunctionGroup.all {
            #expect(!group.names.isEmpty && !group.reason.isEmpty)
            for name in group.names {
                #expect(seen[name] == nil, "\(name): \(seen[name] ?? "") and \(group.reason)")
                seen[name] = group.reason
            }
        }
        #expect(seen.count > 2500)
        #expect(Set(PrimaryViews.names).count == PrimaryViews.names.count)
    }

    @Test func namesAreWrittenAsPostgreSQLFoldsThem() {
        for name in FunctionGroup.all.flatMap(\.names) + PrimaryViews.names {
            let isPlain = name.utf8.allSatisfy {
                ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z"))
                    || ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9"))
                    || $0 == UInt8(ascii: "_")
            }
            #expect(isPlain && name.utf8.count < 64, "\(name)")
        }
    }

    /// Each name, as a call, is judged as its group says.
    @Test(arguments: FunctionGroup.all.indices)
    func namesMeanWhatTheirGroupSays(_ index: Int) {
        let group = FunctionGroup.all[index]
        for name in group.names {
            let statement = judge.statement("SELECT \"\(name)\"(1)")
            let isTrusted = group.module == nil && (group.meaning == .pure || group.meaning == .harmless)
            switch group.meaning {
            case .pure, .harmless:
                #expect(statement.access == .read && statement.refusal == nil, "\(name)")
                #expect(statement.namesOnlyKnownFunctions == isTrusted, "\(name)")
            case .primaryOnly:
                #expect(statement.access == .write && statement.reason == .function, "\(name)")
                #expect(statement.decidingFunction?.name == name && statement.refusal == nil, "\(name)")
            case .sessionLock: #expect(statement.refusal?.message == Refusal.sessionLock.message, "\(name)")
            case .setConfig: #expect(statement.refusal?.message == Refusal.setConfig.message, "\(name)")
            case .unknown: Issue.record("\(name) is not judged")
            }
            #expect(statement.namesOnlyPureFunctions == (isTrusted && group.meaning == .pure), "\(name)")
        }
    }

    @Test func noListedFunctionRunsOnAStandby() {
        let standby = judge.rules.pool(named: "standby")
        for group in FunctionGroup.all where ![.pure, .harmless].contains(group.meaning) {
            for name in group.names {
                let calls = [
                    "SELECT \(name)(1)", "SELECT pg_catalog.\(name)(1)", "SELECT * FROM t WHERE a = x.\(name)(1)",
                ]
                for sql in calls { #expect(judge.ask(sql).pool != standby, "\(sql)") }
            }
        }
    }

    @Test(arguments: PrimaryViews.names)
    func aPrimaryViewIsReadOnThePrimary(_ view: String) {
        for sql in ["SELECT * FROM \(view)", "TABLE pg_catalog.\(view)", "SELECT (SELECT count(*) FROM \(view) v)"] {
            #expect(judge.way(sql) == "primary function", "\(sql)")
            #expect(judge.statement(sql).decidingFunction?.name == view)
            #expect(KnownFunctions.reason(of: view)?.hasPrefix("it calls pg_") == true)
            #expect(!judge.statement(sql).namesOnlyPureFunctions)
        }
        for sql in [
            "WITH \(view) AS (SELECT 1) SELECT * FROM \(view)", "SELECT * FROM app.\(view)",
            "EXPLAIN SELECT * FROM \(view)",
            "SELECT \(view) FROM t", "SELECT * FROM t AS \(view)", "SELECT * FROM \"\(view.uppercased())\"",
        ] {
            #expect(judge.way(sql) == "standby classifier", "\(sql)")
        }
    }

    @Test func otherSystemViewsAreReads() {
        for view in ["pg_stat_activity", "pg_locks", "pg_settings", "pg_stat_database", "pg_tables", "pg_stats"] {
            #expect(judge.way("SELECT * FROM \(view)") == "standby classifier", "\(view)")
        }
    }
}

/// Where a call stands in a statement, and how its name is written.
@Suite struct FunctionCallTests {
    private let judge: Judge

    init() throws { judge = try Judge(.usual()) }

    /// `@` is the call.
    @Test(arguments: [
        "SELECT @", "SELECT a FROM t WHERE b = @", "SELECT * FROM @", "SELECT * FROM @ AS x WHERE x = 1",
        "SELECT * FROM t, LATERAL @ AS x", "SELECT * FROM t CROSS JOIN LATERAL (SELECT @) x",
        "SELECT * FROM ROWS FROM (@)",
        "SELECT * FROM ROWS FROM (generate_series(1, 2), @) WITH ORDINALITY", "SELECT * FROM t JOIN u ON t.a = @",
        "SELECT * FROM t JOIN (SELECT @ AS a) u USING (a)", "SELECT a FROM t ORDER BY @", "SELECT a FROM t LIMIT @",
        "SELECT a FROM t OFFSET @", "SELECT a FROM t FETCH FIRST (@) ROWS ONLY", "SELECT count(*) FROM t GROUP BY @",
        "SELECT count(*) FROM t GROUP BY ROLLUP (@)", "SELECT count(*) FROM t HAVING @ > 0",
        "SELECT DISTINCT ON (@) a FROM t",
        "SELECT sum(a) OVER (ORDER BY @) FROM t", "SELECT sum(a) OVER w FROM t WINDOW w AS (PARTITION BY @)",
        "SELECT sum(a) OVER (ROWS BETWEEN @ PRECEDING AND CURRENT ROW) FROM t",
        "SELECT count(*) FILTER (WHERE @ > 0) FROM t",
        "SELECT string_agg(a, ',' ORDER BY @) FROM t", "SELECT mode() WITHIN GROUP (ORDER BY @) FROM t",
        "SELECT sum(@) FROM t", "VALUES (@)", "VALUES (1), (@)", "SELECT * FROM (VALUES (@)) v",
        "SELECT CASE WHEN a THEN @ END FROM t", "SELECT CASE @ WHEN 1 THEN 2 END",
        "SELECT CASE WHEN a THEN 1 ELSE @ END FROM t",
        "SELECT ARRAY[@]", "SELECT (ARRAY[1, 2])[@]", "SELECT ARRAY(SELECT @)", "SELECT ROW(@)", "SELECT (@).x",
        "SELECT @::text", "SELECT CAST(@ AS text)", "SELECT -@", "SELECT 1 + @", "SELECT NOT @ > 1", "SELECT @ IS NULL",
        "SELECT @ BETWEEN 1 AND 2", "SELECT 1 IN (2, @)", "SELECT 1 = ANY (ARRAY[@])", "SELECT 1 = ANY (SELECT @)",
        "SELECT EXISTS (SELECT @)", "SELECT (SELECT (SELECT @))", "SELECT COALESCE(NULL, @)", "SELECT NULLIF(@, 1)",
        "SELECT GREATEST(1, @)", "SELECT LEAST(@, 1)", "SELECT EXTRACT(epoch FROM @)", "SELECT lower(@)",
        "SELECT format('%s', VARIADIC ARRAY[@])", "SELECT make_interval(days => @)", "SELECT @ COLLATE \"C\"",
        "SELECT @ AT TIME ZONE 'UTC'", "SELECT a LIKE @ FROM t", "SELECT trim(@)", "SELECT XMLELEMENT(NAME a, @)",
        "SELECT XMLFOREST(@ AS a)", "SELECT XMLCONCAT(@)", "SELECT XMLSERIALIZE(CONTENT @ AS text)",
        "SELECT XMLPARSE(CONTENT @)", "SELECT * FROM XMLTABLE('/a' PASSING @ COLUMNS a int)",
        "SELECT * FROM XMLTABLE('/a' PASSING x COLUMNS a int DEFAULT @)", "SELECT * FROM t TABLESAMPLE SYSTEM (@)",
        "SELECT * FROM t TABLESAMPLE SYSTEM (1) REPEATABLE (@)", "SELECT 1 UNION SELECT @", "SELECT @ EXCEPT SELECT 1",
        "WITH x AS (SELECT @) SELECT * FROM x",
        "WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT @ FROM x) SELECT * FROM x",
        "WITH x AS MATERIALIZED (SELECT @) SELECT 1", "EXPLAIN ANALYZE SELECT @",
        "EXPLAIN (ANALYZE, COSTS off) SELECT @", "EXPLAIN (ANALYZE true) SELECT a FROM t WHERE a = @",
        "DECLARE c CURSOR FOR SELECT @", "SELECT DISTINCT @ FROM t", "SELECT a FROM t WHERE (a, b) = (1, @)",
        "SELECT a FROM t WHERE CURRENT_DATE > @",
    ])
    func aCallIsSeenInEveryClause(_ form: String) {
        let sql = form.replacing("@", with: "nextval('s')")
        let statement = judge.statement(sql)
        #expect(statement.unparsedCause == nil, "\(sql)")
        #expect(statement.access == .write && statement.reason == .function, "\(sql)")
        #expect(statement.decidingFunction == QualifiedName(name: "nextval"), "\(sql)")
        #expect(!statement.namesOnlyPureFunctions)
        let refused = form.replacing("@", with: "pg_advisory_lock(1)")
        #expect(judge.statement(refused).refusal?.message == Refusal.sessionLock.message, "\(refused)")
    }

    /// What only stores a call, or plans it, does not run it. PREPARE is refused before that matters.
    @Test(arguments: [
        ("EXPLAIN SELECT @", "standby classifier"), ("EXPLAIN (ANALYZE false) SELECT @", "standby classifier"),
        ("EXPLAIN VERBOSE SELECT @", "standby classifier"), ("CREATE VIEW v AS SELECT @", "primary classifier"),
        ("CREATE FUNCTION f() RETURNS int RETURN @", "primary classifier"),
        ("CREATE TABLE t (a int DEFAULT @)", "primary classifier"),
        ("CREATE INDEX i ON t (a) WHERE a = @", "primary classifier"),
        ("ALTER POLICY p ON t USING (a = @)", "primary classifier"), ("PREPARE p AS SELECT @", "0A000 classifier"),
        ("SELECT '@'", "standby classifier"), ("SELECT \"@\" FROM t", "standby classifier"),
        ("SELECT 1 -- @", "standby classifier"),
        ("SELECT $$@$$", "standby classifier"), ("SELECT a AS \"@\" FROM t", "standby classifier"),
    ])
    func aCallThatDoesNotRunDecidesNothing(_ form: String, _ way: String) {
        #expect(judge.way(form.replacing("@", with: "nextval(1)")) == way)
        #expect(judge.way(form.replacing("@", with: "pg_advisory_lock(1)")) == way)
    }

    /// The planner runs it, although EXPLAIN does not.
    @Test(arguments: ["EXPLAIN SELECT @", "EXPLAIN VERBOSE SELECT * FROM t WHERE a = @"])
    func aCallThatIsNotVolatileRunsWhenItIsPlanned(_ form: String) {
        for name in KnownFunctions.refusedWhenPlanned {
            #expect(judge.way(form.replacing("@", with: "\(name)('0/0')")) == "primary function")
            #expect(judge.way(form.replacing("@", with: "app.\(name)('0/0')")) == "standby classifier")
        }
    }

    @Test(arguments: [
        ("nextval", "primary function"), ("pg_catalog.nextval", "primary function"), ("NextVal", "primary function"),
        ("\"nextval\"", "primary function"), ("\"NextVal\"", "standby classifier"), ("app.nextval", "primary function"),
        ("\"app\".\"nextval\"", "primary function"), ("db.pg_catalog.nextval", "primary function"),
        ("U&\"n\\0065xtval\"", "primary function"), ("next_val", "standby classifier"),
        ("information_schema.nextval", "primary function"), ("\"pg_catalog.nextval\"", "standby classifier"),
        ("pg_advisory_lock", "0A000 function"), ("pg_catalog.pg_advisory_lock", "0A000 function"),
        ("app.pg_advisory_lock", "primary function"), ("set_config", "0A000 classifier"),
        ("app.set_config", "primary function"), ("lower", "standby classifier"), ("app.lower", "standby classifier"),
        ("dblink", "primary function"), ("public.dblink", "primary function"), ("my_function", "standby classifier"),
    ])
    func namesAreReadAsPostgreSQLReadsThem(_ name: String, _ way: String) {
        #expect(judge.way("SELECT \(name)(1)") == way)
        #expect(judge.way("SELECT * FROM t WHERE \(name)(a) > 0") == way)
    }

    @Test(arguments: [
        ("SELECT 1", true), ("SELECT lower(a), now(), count(*) FROM t", true),
        ("SELECT pg_catalog.lower(a) FROM t", true),
        ("SELECT information_schema._pg_expandarray(a) FROM t", true), ("SELECT random()", false),
        ("SELECT setseed(1)", false),
        ("SELECT pg_sleep(1)", false), ("SELECT pg_backend_pid()", false), ("SELECT current_setting('a')", false),
        ("SELECT app.lower(a) FROM t", false), ("SELECT my_function(1)", false),
        ("SELECT similarity(a, b) FROM t", false),
        ("SELECT nextval('s')", false), ("SELECT set_config('a', 'b', true)", false),
        ("SELECT pg_advisory_xact_lock(1)", false),
        ("EXPLAIN SELECT my_function(1)", false), ("EXPLAIN SELECT lower(a) FROM t", true), ("SELEC 1", false),
        ("SELECT lower(a) FROM t ORDER BY random()", false), ("SELECT * FROM pg_stat_replication", false),
        ("INSERT INTO t VALUES (lower('a'))", true), ("INSERT INTO t VALUES (my_function())", false),
        ("SELECT txid_snapshot_xmin(a), txid_current() FROM t", false),
    ])
    func knowsPureFunctions(_ sql: String, _ isPure: Bool) {
        #expect(judge.statement(sql).namesOnlyPureFunctions == isPure)
    }

    /// What has the look of a call but no name, or another one than is written.
    @Test(
        arguments: [
            ("COALESCE(a, 1)", []), ("NULLIF(a, 1)", []), ("GREATEST(a, 1)", []), ("LEAST(a, 1)", []),
            ("CURRENT_USER", []),
            ("SESSION_USER", []), ("CURRENT_CATALOG", []), ("CURRENT_SCHEMA", []), ("CURRENT_DATE", []),
            ("CURRENT_TIMESTAMP(3)", []),
            ("LOCALTIME", []), ("GROUPING(a)", []), ("ROW(a, 1)", []), ("CAST(a AS text)", []),
            ("XMLELEMENT(NAME x, a)", []),
            ("XMLFOREST(a)", []), ("XMLCONCAT(a, b)", []), ("XMLPI(NAME x)", []), ("XMLPARSE(CONTENT a)", []),
            ("XMLSERIALIZE(CONTENT a AS text)", []), ("a IS DOCUMENT", []), ("XMLROOT(a, VERSION '1.0')", []),
            ("EXTRACT(year FROM a)", ["extract"]), ("TRIM(a)", ["btrim"]), ("TRIM(LEADING FROM a)", ["ltrim"]),
            ("TRIM(TRAILING FROM a)", ["rtrim"]), ("POSITION('a' IN a)", ["position"]),
            ("SUBSTRING(a FROM 2)", ["substring"]),
            ("SUBSTRING(a SIMILAR 'x' ESCAPE '#')", ["substring"]), ("OVERLAY(a PLACING 'x' FROM 1)", ["overlay"]),
            ("a AT TIME ZONE 'UTC'", ["timezone"]), ("a LIKE 'x' ESCAPE '!'", ["like_escape"]), ("a LIKE 'x'", []),
            ("a SIMILAR TO 'x'", ["similar_to_escape"]), ("NORMALIZE(a)", ["normalize"]),
            ("a IS NORMALIZED", ["is_normalized"]),
            ("(a, b) OVERLAPS (c, d)", ["overlaps"]), ("COLLATION FOR (a)", ["pg_collation_for"]),
            ("XMLEXISTS('/a' PASSING a)", ["xmlexists"]), ("CURRENT_SCHEMA()", ["current_schema"]),
        ] as [(String, [String])])
    func syntaxNamesItsFunctions(_ expression: String, _ functions: [String]) {
        let statement = judge.statement("SELECT \(expression) FROM t")
        #expect(statement.unparsedCause == nil)
        #expect(statement.functions.map(\.name) == functions)
        #expect(statement.access == .read && statement.namesOnlyKnownFunctions)
        #expect(statement.namesOnlyPureFunctions == (functions != ["current_schema"]))
    }
}
