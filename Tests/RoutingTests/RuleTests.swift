import Testing

@testable import Routing

@Suite struct RuleTests {
    private typealias Rule = RuleDefinition

    // MARK: Matchers

    @Test(arguments: [
        ("SELECT 1", "select"), ("INSERT INTO t VALUES (1)", "insert"), ("UPDATE t SET a = 1", "update"),
        ("DELETE FROM t", "delete"), ("MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", "merge"),
        ("COPY t TO '/x'", "copy"), ("CREATE TABLE t (a int)", "ddl"), ("VACUUM", "utility"), ("SELEC 1", "unknown"),
    ])
    func matchesKinds(_ sql: String, _ kind: String) throws {
        let others = StatementKind.allCases.map(\.word).filter { $0 != kind }
        let matching = Rule.rule {
            $0.kind = [kind]; $0.reject = Rejection(message: "no")
        }
        let missing = Rule.rule {
            $0.kind = others; $0.reject = Rejection(message: "no")
        }
        #expect(try Judge(.usual([matching])).ask(sql).refusal?.sqlstate == "42501")
        #expect(try Judge(.usual([missing])).ask(sql).refusal == nil)
    }

    @Test(arguments: [
        (["auth_*"], false, "SELECT * FROM auth_user", true),
        (["auth_*"], false, "SELECT * FROM auth", false),
        (["auth_*"], false, "SELECT * FROM x.auth_user, t", true),
        (["auth_*"], true, "SELECT * FROM auth_user, t", false),
        (["auth_*"], true, "SELECT * FROM auth_user JOIN auth_group ON true", true),
        (["auth_*", "t"], true, "SELECT * FROM auth_user, t", true),
        (["*"], true, "SELECT 1", false),
        (["*"], false, "SELECT 1", false),
        (["*"], false, "SELECT * FROM t", true),
        (["?"], false, "SELECT * FROM t", true),
        (["?"], false, "SELECT * FROM tt", false),
        (["*_log_*"], false, "SELECT * FROM a_log_b", true),
        (["*_log_*"], false, "SELECT * FROM a_lo_b", false),
        (["app.users"], false, "SELECT * FROM app.users", true),
        (["app.users"], false, "SELECT * FROM users", false),
        (["app.*"], false, "SELECT * FROM app.anything", true),
        (["*.users"], false, "SELECT * FROM users", true),
        (["public.users"], false, "SELECT * FROM users", true),
        (["public.pg_class"], false, "SELECT * FROM pg_class", false),
        (["pg_catalog.pg_*"], false, "SELECT * FROM pg_class", true),
        (["users"], false, "SELECT * FROM \"Users\"", false),
        (["Users"], false, "SELECT * FROM \"Users\"", true),
        (["users"], false, "SELECT * FROM USERS", true),
        (["users"], false, "WITH users AS (SELECT 1) SELECT * FROM users", false),
        (["users"], false, "DROP TABLE users", true),
        (["users"], false, "SELECT * FROM t WHERE EXISTS (SELECT 1 FROM users)", true),
        (["u"], false, "SELECT users FROM t", false),
        (["a"], false, "SELECT * FROM a", true),
        (["a*"], false, "SELECT * FROM a", true),
    ])
    func matchesTables(_ globs: [String], _ all: Bool, _ sql: String, _ matches: Bool) throws {
        let rule = Rule.rule {
            $0.table = globs; $0.all = all; $0.reject = Rejection(message: "no")
        }
        #expect(try (Judge(.usual([rule])).ask(sql).refusal != nil) == matches)
    }

    @Test(arguments: [
        (["accounts"], "SELECT * FROM accounts.x", true), (["accounts"], "SELECT * FROM accounts", false),
        (["public"], "SELECT * FROM t", true), (["public"], "SELECT count(*)", false),
        (["app"], "SELECT app.f(1)", true), (["acc*"], "CREATE SCHEMA accounts", true),
        (["accounts"], "DROP SCHEMA x, accounts", true), (["pg_catalog"], "SELECT * FROM pg_class", true),
    ])
    func matchesSchemas(_ globs: [String], _ sql: String, _ matches: Bool) throws {
        let rule = Rule.rule {
            $0.schema = globs; $0.reject = Rejection(message: "no")
        }
        #expect(try (Judge(.usual([rule])).ask(sql).refusal != nil) == matches)
    }

    @Test(arguments: [
        (["pg_sleep*"], "SELECT pg_sleep(1)", true), (["pg_sleep*"], "SELECT pg_sleep_for('1s')", true),
        (["f"], "SELECT app.f(1)", true), (["app.f"], "SELECT app.f(1)", true), (["app.f"], "SELECT f(1)", false),
        (["f"], "SELECT f FROM t", false), (["f"], "SELECT 1 ORDER BY g(f(1))", true),
    ])
    func matchesFunctions(_ globs: [String], _ sql: String, _ matches: Bool) throws {
        let rule = Rule.rule {
            $0.function = globs; $0.reject = Rejection(message: "no")
        }
        #expect(try (Judge(.usual([rule])).ask(sql).refusal != nil) == matches)
    }

    @Test(arguments: [
        ("(?i)from\\s+t\\b", "SELECT * FROM\n t WHERE a = 1", true), ("secret", "SELECT 'secret'", false),
        ("\\$1", "SELECT 'secret'", true), ("^SELEC ", "SELEC 1", true), ("x{3}", "SELECT xxx FROM t", true),
    ])
    func matchesExpressionsOnTheNormalisedText(_ pattern: String, _ sql: String, _ matches: Bool) throws {
        let rule = Rule.rule {
            $0.regex = ["never there", pattern]; $0.reject = Rejection(message: "no")
        }
        #expect(try (Judge(.usual([rule])).ask(sql).refusal != nil) == matches)
    }

    @Test func matchesWhoAsks() throws {
        let judge = try Judge(
            .usual([
                .rule {
                    $0.app = ["report*"]; $0.route = "primary"
                },
                .rule {
                    $0.tag = ["slow", "action=list*"]; $0.route = "primary"
                },
                .rule {
                    $0.listen = ["ops"]; $0.route = "primary"
                },
            ]))
        #expect(judge.way("SELECT 1") == "standby classifier")
        #expect(judge.way("SELECT 1", Asking(app: "reporting")) == "primary rule")
        #expect(judge.way("SELECT 1", Asking(app: "my-report")) == "standby classifier")
        #expect(judge.way("SELECT 1", Asking(tag: "slow")) == "primary rule")
        #expect(judge.way("SELECT 1", Asking(tag: "slower")) == "standby classifier")
        #expect(judge.way("SELECT 1 /*action='list%2Fall'*/") == "primary rule")
        #expect(judge.way("SELECT 1 /*action='show'*/") == "standby classifier")
        #expect(judge.way("SELECT 1 /*tag='slow'*/") == "primary rule")
        #expect(judge.way("SELECT 1", Asking(listener: "ops")) == "primary rule")
        #expect(judge.way("SELECT 1", Asking(listener: "app")) == "standby classifier")
    }

    @Test func matchersAndTogether() throws {
        let judge = try Judge(
            .usual([
                .rule {
                    $0.kind = ["select"]; $0.table = ["t"]; $0.app = ["x"]; $0.route = "primary"
                }
            ]))
        #expect(judge.way("SELECT * FROM t", Asking(app: "x")) == "primary rule")
        #expect(judge.way("SELECT * FROM u", Asking(app: "x")) == "standby classifier")
        #expect(judge.way("SELECT * FROM t", Asking(app: "y")) == "standby classifier")
        #expect(judge.way("TRUNCATE t", Asking(app: "x")) == "primary classifier")
    }

    @Test func schemaAndTableMustMatchTheSameTable() throws {
        let judge = try Judge(
            .usual([
                .rule {
                    $0.schema = ["a"]; $0.table = ["x"]; $0.route = "primary"
                }
            ]))
        #expect(judge.way("SELECT * FROM a.x") == "primary rule")
        #expect(judge.way("SELECT * FROM a.y, b.x") == "standby classifier")
    }

    @Test func user() throws {
        let judge = try Judge(
            .usual([
                .rule {
                    $0.user = [33, 1000]; $0.route = "primary"
                }
            ]))
        #expect(judge.way("SELECT 1", Asking(user: 1000)) == "primary rule")
        #expect(judge.way("SELECT 1", Asking(user: 1001)) == "standby classifier")
        // The system did not say who it is.
        #expect(judge.way("SELECT 1") == "standby classifier")
    }

    /// The same statement with other constants and longer lists, and no other one.
    @Test func fingerprint() throws {
        let judge = try Judge(.usual())
        let fingerprint = withBytes("SELECT a FROM t WHERE id IN (1, 2)") {
            judge.explain($0, RouteRequest(), RouteOrigin()).fingerprint
        }
        let ruled = try Judge(
            .usual([
                .rule {
                    $0.fingerprint = ["0000000000000001", fingerprint.uppercased()]; $0.route = "primary"
                }
            ]))
        #expect(ruled.way("SELECT a FROM t WHERE id IN (1, 2)") == "primary rule")
        #expect(ruled.way("select a from t /* x */ where id in ($1, $2, $3)") == "primary rule")
        #expect(ruled.way("SELECT b FROM t WHERE id IN (1, 2)") == "standby classifier")
    }

    // MARK: What rules add

    @Test func ofEachEffectTheFirstValueCounts() throws {
        let judge = try Judge(
            .usual([
                .rule("one") {
                    $0.table = ["t"]; $0.effects.wait = 5; $0.effects.isExclusive = true
                },
                .rule("two") {
                    $0.effects.wait = 7; $0.effects.mayRerun = false; $0.effects.isLogged = true
                },
                .rule("three") {
                    $0.table = ["t"]; $0.route = "standby"; $0.effects.isExclusive = false; $0.effects.timeout = 9
                },
            ]))
        var effects = judge.ask("SELECT * FROM t").effects
        #expect(effects.wait == 5 && effects.isExclusive == true && effects.mayRerun == false)
        #expect(effects.isLogged == true && effects.timeout == 9 && effects.maxLag == nil)
        effects = judge.ask("SELECT * FROM u").effects
        #expect(effects.wait == 7 && effects.isExclusive == nil && effects.mayRerun == false && effects.timeout == nil)
    }

    /// How far a standby is behind is seen when it answers: the decision carries what it must not exceed.
    @Test func maxLagIsForWhoeverAsksTheStandby() throws {
        let judge = try Judge(
            .usual([
                .rule {
                    $0.table = ["t"]; $0.effects.maxLag = 300_000
                },
                .rule {
                    $0.table = ["t"]; $0.kind = ["select"]; $0.route = "standby"
                },
            ]))
        #expect(judge.way("SELECT * FROM t") == "standby rule")
        #expect(judge.ask("SELECT * FROM t").effects.maxLag == 300_000)
        #expect(judge.way("SELECT * FROM u") == "standby classifier")
        #expect(judge.way("INSERT INTO t VALUES (1)") == "primary classifier")
        // A promise of the connection's own is the nearer reason.
        #expect(judge.way("SELECT * FROM t", Asking(needsPrimary: .ownWrite)) == "primary own-write")
    }

    // MARK: The chain

    @Test func theFirstRuleThatDecidesWins() throws {
        let judge = try Judge(
            .usual([
                .rule("one") {
                    $0.table = ["t"]; $0.route = "standby"
                }, .rule("two") { $0.route = "primary" },
            ]))
        #expect(judge.ask("SELECT * FROM t").rule == 0)
        #expect(judge.way("SELECT * FROM t") == "standby rule")
        #expect(judge.ask("SELECT * FROM u").rule == 1)
        #expect(judge.way("SELECT * FROM u") == "primary rule")
        #expect(judge.hits == [2, 2])
    }

    @Test func aRuleThatDoesNotDecideAddsItsSettings() throws {
        let judge = try Judge(
            .usual([
                .rule {
                    $0.table = ["t"]; $0.effects.timeout = 100
                }, .rule { $0.effects.timeout = 200 },
                .rule {
                    $0.table = ["t"]; $0.route = "primary"; $0.effects.timeout = 300
                },
            ]))
        let decision = judge.ask("SELECT * FROM t")
        #expect(decision.effects.timeout == 100)
        #expect(decision.rule == 2)
        #expect(judge.ask("SELECT 1").effects.timeout == 200)
        #expect(judge.ask("SELECT 1").rule == nil)
        #expect(judge.way("SELECT 1") == "standby classifier")
        #expect(judge.hits == [1, 4, 1])
    }

    @Test func aRejectionSaysItsOwnWords() throws {
        let rejection = Rejection(message: "schema changes go through migrations", sqlstate: "42501")
        let judge = try Judge(
            .usual([
                .rule("no ddl") {
                    $0.kind = ["ddl"]; $0.listen = ["app"]; $0.reject = rejection
                }
            ]))
        let decision = judge.ask("DROP TABLE t", Asking(listener: "app"))
        #expect(decision.refusal?.message == "schema changes go through migrations")
        #expect(decision.refusal?.sqlstate == "42501")
        #expect(decision.reason == .rule)
        #expect(decision.rule == 0)
        #expect(judge.way("DROP TABLE t", Asking(listener: "ops")) == "primary classifier")
        #expect(judge.ask("DROP TABLE t", Asking(transactionPool: "primary", listener: "app")).refusal != nil)
    }

    @Test func whatIsRefusedByNatureCountsForNoRule() throws {
        let judge = try Judge(.usual([.rule { $0.route = "primary" }]))
        #expect(judge.ask("SET a = 1").refusal?.sqlstate == "0A000")
        #expect(judge.hits == [0])
    }

    @Test func newRulesKeepTheCountsOfThoseWithTheSameName() throws {
        let judge = try Judge(.usual([.rule("a") { $0.route = "primary" }]))
        #expect(judge.way("SELECT 1") == "primary rule")
        let new = RoutingDefinition.usual([
            .rule("b") {
                $0.table = ["t"]; $0.route = "primary"
            }, .rule("a") { $0.route = "standby" },
        ])
        judge.replaceRules(by: try RuleSet(compiling: new))
        #expect(judge.hits == [0, 1])
        #expect(judge.way("SELECT 1") == "standby rule")
        #expect(judge.hits == [0, 2])
    }

    @Test func theDefaultRoute() throws {
        var definition = RoutingDefinition.usual()
        definition.defaults.read = "primary"
        let judge = try Judge(definition)
        #expect(judge.way("SELECT 1") == "primary classifier")
        #expect(judge.way("SELECT 1", Asking(role: .standby)) == "standby hint")
    }

    // MARK: Hints and promises

    @Test func hintsGoBeforeRules() throws {
        let judge = try Judge(
            .usual([
                .rule {
                    $0.table = ["t"]; $0.route = "primary"
                }
            ]))
        #expect(judge.way("SELECT * FROM t", Asking(role: .standby)) == "standby hint")
        #expect(judge.way("SELECT 1", Asking(role: .primary)) == "primary hint")
        #expect(judge.way("SELECT 1", Asking(pool: "primary")) == "primary hint")
        #expect(judge.way("INSERT INTO t VALUES (1)", Asking(role: .standby)) == "primary classifier")
        #expect(judge.way("SELECT nextval('s')", Asking(pool: "standby")) == "primary function")
        #expect(judge.way("SELEC 1", Asking(role: .standby)) == "primary unparsed")
        #expect(judge.way("INSERT INTO t VALUES (1)", Asking(role: .primary)) == "primary hint")
    }

    @Test func aHintDoesNotGetPastARejection() throws {
        let judge = try Judge(.usual([.rule { $0.reject = Rejection(message: "no") }]))
        #expect(judge.way("SELECT 1", Asking(pool: "primary")) == "42501 rule")
    }

    @Test(arguments: [(PrimaryNeed.ownWrite, "own-write"), (.after, "after"), (.lag, "lag")])
    func aPromiseSendsReadsToThePrimary(_ need: PrimaryNeed, _ word: String) throws {
        let judge = try Judge(
            .twoClusters([
                .rule {
                    $0.table = ["r"]; $0.route = "standby"
                },
                .rule {
                    $0.table = ["f"]; $0.pool = "far"
                },
            ]))
        let asking = Asking(needsPrimary: need)
        #expect(judge.way("SELECT 1", asking) == "primary \(word)")
        #expect(judge.way("SELECT * FROM r", asking) == "primary \(word)")
        #expect(judge.way("SELECT * FROM f", asking) == "primary \(word)")
        #expect(judge.way("SELECT 1", Asking(role: .standby, needsPrimary: need)) == "primary \(word)")
        #expect(judge.way("SELECT 1", Asking(role: .primary, needsPrimary: need)) == "primary hint")
        #expect(judge.way("INSERT INTO t VALUES (1)", asking) == "primary classifier")
        var elsewhere = ClusterSet()
        elsewhere.insert(1)
        #expect(judge.way("SELECT 1", Asking(needsPrimary: need, needsPrimaryIn: elsewhere)) == "near classifier")
    }

    @Test func aPromiseNotToWriteIsKept() throws {
        let judge = try Judge(.usual())
        #expect(judge.way("SELECT 1", Asking(mustNotWrite: true)) == "standby classifier")
        #expect(judge.way("DELETE FROM t", Asking(mustNotWrite: true)) == "25006 classifier")
        #expect(judge.way("SELECT nextval('s')", Asking(mustNotWrite: true)) == "25006 function")
        #expect(judge.way("SELEC 1", Asking(mustNotWrite: true)) == "25006 unparsed")
    }
}
