import Foundation
import TestKit
import Testing

/// Rules of the settings file, seen from a client.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct RuleTests {
    private static func daemon(_ rules: String, more: String = "") throws -> DaemonProcess {
        try DaemonProcess { $0.more = more + "\n" + rules }
    }

    private static let rules = """
        [[rule]]
        name = "fresh tables"
        table = ["fresh_*", "app.session"]
        route = "primary"

        [[rule]]
        name = "fresh tag"
        tag = ["fresh"]
        route = "primary"

        [[rule]]
        name = "billing"
        app = ["billing"]
        pool = "primary"

        [[rule]]
        name = "by text"
        regex = ["(?i)magic_[0-9]+"]
        route = "primary"

        [[rule]]
        name = "by function"
        function = ["my_report"]
        route = "primary"

        [[rule]]
        name = "no truncate"
        kind = ["ddl"]
        listen = ["app"]
        reject = { message = "schema changes go through migrations", sqlstate = "42501" }

        [[rule]]
        name = "short"
        tag = ["short"]
        timeout = "250ms"

        [[rule]]
        name = "all old"
        table = ["old_*"]
        all = true
        route = "standby"

        [[rule]]
        name = "accounts live elsewhere"
        schema = ["accounts"]
        using = "accounts"
        """

    /// A second database, with its own pool to the primary and none to standbys.
    private static func accounts() throws -> String {
        """
        [pool.accounts]
        cluster = "accounts"
        conninfo = "\(try Cluster.shared().secondDatabase().readWrite)"
        role = "primary"
        size = 2
        """
    }

    private struct Route: Equatable {
        var pool: String?
        var rule: String?
        var reason: String?
    }

    private func route(_ client: LineClient, _ sql: String, _ options: String = "") throws -> Route {
        let row = try client.ask("ROUTE", options, sql).table.first
        let rule = row?["rule"]
        return Route(pool: row?["pool"], rule: rule == "" ? nil : rule, reason: row?["reason"])
    }

    @Test func eachMatcherMatches() throws {
        let daemon = try Self.daemon(Self.rules, more: try Self.accounts())
        let client = try daemon.client()
        for (sql, options, pool, rule) in [
            ("SELECT * FROM fresh_news", "", "primary", "fresh tables"),
            ("SELECT * FROM stale JOIN app.session ON true", "", "primary", "fresh tables"),
            ("SELECT * FROM stale", "@tag=fresh", "primary", "fresh tag"),
            ("SELECT 1 /* tag='fresh' */", "", "primary", "fresh tag"),
            ("SELECT magic_42 FROM stale", "", "primary", "by text"),
            ("SELECT my_report(1)", "", "primary", "by function"),
            ("SELECT * FROM old_a, old_b", "", "standby", "all old"),
            ("SELECT * FROM accounts.user", "", "accounts", "accounts live elsewhere"),
            ("UPDATE accounts.user SET a = 1", "", "accounts", "accounts live elsewhere"),
            ("SELECT * FROM stale", "", "standby", nil), ("SELECT * FROM old_a, stale", "", "standby", nil),
            ("SELECT * FROM notfresh_x", "", "standby", nil), ("SELECT * FROM stale", "@tag=other", "standby", nil),
            ("DELETE FROM stale", "", "primary", nil),
        ] as [(String, String, String, String?)] {
            let found = try route(client, sql, options)
            #expect(found.pool == pool && found.rule == rule, "\(options) \(sql): \(found)")
            #expect(found.reason == (rule == nil ? "classifier" : "rule"), "\(sql): \(found)")
        }
        let billing = try daemon.client()
        try billing.ask("HELLO", "@app=billing", "1")
        #expect(try route(billing, "SELECT * FROM stale") == Route(pool: "primary", rule: "billing", reason: "rule"))
        #expect(try billing.run("SELECT 1")["rule"] == "billing")
    }

    @Test func aRuleGovernsWhatRuns() throws {
        let daemon = try Self.daemon(Self.rules, more: try Self.accounts())
        let client = try daemon.client()
        let fresh = try client.run("SELECT pg_is_in_recovery()", options: "@tag=fresh")
        #expect(try fresh.value == "f")
        #expect(fresh["pool"] == "primary" && fresh["why"] == "rule" && fresh["rule"] == "fresh tag")
        let plain = try daemon.client().run("SELECT pg_is_in_recovery()")
        #expect(try plain.value == "t")
        #expect(plain["rule"] == nil)
    }

    @Test func rejectAnswersWithTheRulesWords() throws {
        let daemon = try Self.daemon(Self.rules, more: try Self.accounts())
        let client = try daemon.client()
        let table = Workplace.uniqueTable()
        let refused = try client.query("CREATE TABLE \(table)(id int)")
        #expect(refused.sqlstate == "42501" && refused.problem?.retry == .never && refused["src"] == "router")
        #expect(refused.problem?.message == "schema changes go through migrations")
        #expect(try client.query("DROP TABLE IF EXISTS \(table)").sqlstate == "42501")
        // The rule names the app's listener only.
        let operators = try daemon.operatorClient()
        try operators.run("CREATE TABLE \(table)(id int)")
        try operators.run("DROP TABLE \(table)")
    }

    @Test func aRulesTimeoutHoldsAndTheChainGoesOn() throws {
        let daemon = try Self.daemon(Self.rules, more: try Self.accounts())
        let client = try daemon.client()
        let took = try elapsed {
            let answer = try client.query("SELECT pg_sleep(20)", options: "@tag=short")
            #expect(answer.sqlstate == "57014" && answer["pool"] == "standby")
        }
        #expect(took < .seconds(5))
        #expect(try client.run("SELECT 1 FROM pg_sleep(0.5)")["why"] == "classifier")
    }

    @Test func usingPicksTheCluster() throws {
        let daemon = try Self.daemon(Self.rules, more: try Self.accounts())
        let client = try daemon.client()
        let answer = try client.run("SELECT pg_is_in_recovery()", options: "@using=accounts")
        #expect(answer["pool"] == "accounts")
        #expect(try answer.value == "f")
        // A cluster without standbys: its role "standby" means its primary.
        #expect(try client.run("SELECT 1", options: "@using=accounts @route=standby")["pool"] == "accounts")
        // A transaction stays where it began.
        #expect(try client.ask("BEGIN", "@using=accounts")["pool"] == "accounts")
        #expect(try client.run("SELECT 1")["pool"] == "accounts")
        #expect(try client.ask("COMMIT")["pool"] == "accounts")
        #expect(try daemon.client().run("SELECT 1")["pool"] == "standby")
    }

    /// Who connects is known from the system, not from what the client says.
    @Test func aRuleKnowsTheUser() throws {
        let daemon = try Self.daemon(
            """
            [[rule]]
            name = "mine"
            user = ["\(getuid())"]
            tag = ["user"]
            route = "primary"
            [[rule]]
            name = "another's"
            user = ["nobody"]
            route = "primary"
            """)
        let client = try daemon.client()
        #expect(try client.run("SELECT 1", options: "@tag=user")["rule"] == "mine")
        #expect(try client.run("SELECT 1")["why"] == "classifier")
    }

    /// A standby answers that is fresh enough, and shows it.
    @Test func maxLagIsSeenOnTheReceipt() throws {
        let daemon = try Self.daemon("[[rule]]\nname = \"reports\"\ntag = [\"report\"]\nmax_lag = \"5m\"\n")
        let client = try daemon.client()
        let answer = try client.run("SELECT pg_is_in_recovery()", options: "@tag=report")
        #expect(answer["pool"] == (try answer.value == "t" ? "standby" : "primary"))
        #expect(answer["node"] != nil && answer["lag_ms"] != nil, "\(answer)")
        #expect(try client.run("SELECT 1")["pool"] == "standby")
    }

    /// One line an answer, with the normalised text: no constant and no parameter reaches the log.
    @Test func aRuleLogsWhatItMatches() throws {
        let daemon = try Self.daemon(
            """
            [[rule]]
            name = "watched"
            table = ["pg_class"]
            log = true
            [[rule]]
            name = "never"
            table = ["secrets"]
            reject = { message = "no" }
            log = true
            """)
        let client = try daemon.client()
        let before = daemon.log.utf8.count
        try client.run("SELECT 'hush-1', $1 FROM pg_class LIMIT 3", ["hush-2"])
        let line = try daemon.waitForLog("event=statement ", from: before)
        for word in [
            "pool=standby", "rows=3", "reason=classifier", "fp=", "dur_us=", "SELECT $2, $1 FROM pg_class LIMIT $3",
        ] {
            #expect(line.contains(word), "\(word): \(line)")
        }
        _ = try client.query("SELECT 1/0 FROM pg_class")
        #expect(try daemon.waitForLog("sqlstate=22012", from: before).contains("event=statement "))
        _ = try client.query("SELECT 'hush-3' FROM secrets")
        let refused = try daemon.waitForLog("statement_refused", from: before)
        #expect(refused.contains("rule=never") && refused.contains("sqlstate=42501"), "\(refused)")
        try client.run("SELECT 'hush-4' FROM pg_type LIMIT 1")
        #expect(!daemon.log.contains("hush") && !daemon.log.contains("pg_type"))
    }

    /// Rules place schemas and tables in the database that has them; nobody has to say where.
    @Test func aSecondDatabase() throws {
        let cluster = try Cluster.shared()
        let (here, there) = (try makeTable("id int"), Workplace.uniqueTable())
        try cluster.makeTables(inSecond: "CREATE TABLE \(there)(id int)")
        let database = try cluster.secondDatabase()
        let daemon = try Self.daemon(
            """
            [[rule]]
            name = "by schema"
            schema = ["crm"]
            using = "accounts"
            [[rule]]
            name = "by table"
            table = ["\(there)"]
            using = "accounts"
            [[rule]]
            name = "here"
            table = ["\(here)"]
            using = "main"
            """,
            more: try Self.accounts()
                + "\n[pool.accounts-standby]\ncluster = \"accounts\"\nrole = \"standby\"\nsize = 2\n"
                + "conninfo = \"\(database.readOnly)\"\n")
        let client = try daemon.client()
        try client.run("INSERT INTO \(there) VALUES (1)")
        try client.run("INSERT INTO \(here) VALUES (2)")
        #expect(
            try client.run("SELECT id, current_database() FROM \(there)").table.first?["current_database"] == "accounts"
        )
        #expect(try client.run("SELECT id FROM \(there)").value == "1")
        #expect(try client.run("SELECT id FROM \(here)").value == "2")
        // Inside each cluster reads and writes are split.
        let reader = try daemon.client()
        #expect(try reader.run("SELECT count(*) FROM \(there)")["pool"] == "accounts-standby")
        #expect(try reader.run("SELECT count(*) FROM \(here)")["pool"] == "standby")
        #expect(
            try route(reader, "SELECT * FROM crm.people")
                == Route(pool: "accounts-standby", rule: "by schema", reason: "rule"))
        #expect(try reader.run("SELECT current_database()", options: "@using=accounts").value == "accounts")
        #expect(try reader.run("SELECT current_database()", options: "@using=main").value == "msgsvr")
        // A connection's default, and the request's own word before it.
        let other = try daemon.client()
        try other.ask("HELLO", "@using=accounts", "1")
        #expect(try other.run("SELECT current_database()").value == "accounts")
        #expect(try other.run("SELECT current_database()", options: "@using=main").value == "msgsvr")
        // Of both databases at once there is no answer, and no statement is sent.
        let both = try client.query("SELECT * FROM \(here), \(there)")
        #expect(both.sqlstate == "0A000" && both["src"] == "router", "\(both)")
        for word in [here, there, "main", "accounts"] {
            #expect(both.problem?.message.contains(word) == true, "\(both)")
        }
        // A transaction stays in its database.
        try client.ask("BEGIN", "@using=accounts")
        try client.run("INSERT INTO \(there) VALUES (3)")
        let astray = try client.query("SELECT * FROM \(here)")
        #expect(astray.sqlstate == "0A000" && astray.problem?.message.contains("transaction") == true, "\(astray)")
        try client.ask("ROLLBACK")
        #expect(try cluster.sql("SELECT count(*) FROM msgsvr.\(there)", at: database.direct) == [["1"]])
    }

    @Test func hitsAreCounted() throws {
        let daemon = try Self.daemon(Self.rules, more: try Self.accounts())
        let client = try daemon.client()
        for _ in 0..<7 { try client.run("SELECT 1", options: "@tag=fresh") }
        for _ in 0..<3 { _ = try client.query("CREATE TABLE x(id int)") }
        let rules = try daemon.stats("rules")
        let hits = { (name: String) in rules.first { $0.values.contains(name) }?["hits"] }
        #expect(hits("fresh tag") == "7" && hits("no truncate") == "3" && hits("billing") == "0", "\(rules)")
    }

    /// A request that waits behind reads is judged again when it may start; its rule counts it once.
    @Test func aRequestThatWaitsCountsOnce() throws {
        let daemon = try Self.daemon(
            """
            [[rule]]
            name = "seen"
            timeout = "20s"
            [[rule]]
            name = "no"
            table = ["secrets"]
            reject = { message = "no" }
            """)
        let table = try makeTable("id int")
        let client = try daemon.client()
        var lines = (0..<4).map { "Q r\($0) SELECT pg_sleep(0.\($0 + 1))\n" }
        lines += ["Q n SELECT * FROM secrets\n", "Q w INSERT INTO \(table) VALUES (1)\n"]
        try client.send(lines.joined())
        for id in ["r0", "r1", "r2", "r3", "n", "w"] { _ = try client.answer(to: id) }
        let rules = try daemon.stats("rules")
        func row(_ name: String) -> [String: String]? { rules.first { $0.values.contains(name) } }
        #expect(row("seen")?["hits"] == "6", "\(rules)")
        #expect(row("no")?["hits"] == "1" && row("no")?["rejections"] == "1", "\(rules)")
    }

    /// Where the writes go when the settings say so, and reads by default to the primary.
    @Test func defaultsAreObeyed() throws {
        let daemon = try Self.daemon("[default]\nread = \"primary\"\nwrite = \"primary\"")
        let client = try daemon.client()
        #expect(try client.run("SELECT pg_is_in_recovery()").value == "f")
        let other = try daemon.client()
        #expect(try other.run("SELECT pg_is_in_recovery()", options: "@route=standby").value == "t")
    }

    /// A rule that would take a write to a standby does not.
    @Test func noRuleTakesAWriteToAStandby() throws {
        let daemon = try Self.daemon(
            """
            [[rule]]
            name = "all on standbys"
            regex = ["."]
            route = "standby"
            """)
        let table = try makeTable("id int")
        let client = try daemon.client()
        #expect(try client.query("INSERT INTO \(table) VALUES (1)")["pool"] != "standby")
        #expect(try client.query("SELECT * FROM \(table) FOR UPDATE")["pool"] != "standby")
        #expect(try client.query("SELECT pg_advisory_xact_lock(1)")["pool"] != "standby")
    }
}
