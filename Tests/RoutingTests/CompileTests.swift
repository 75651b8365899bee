import Testing

@testable import Routing

/// What is wrong with a definition, each as `subject field[element]: message`.
/// Everything that is wrong with a definition, as `rule 0 table[1]: message`.
func complaints(_ definition: RoutingDefinition) -> [String] {
    do throws(RoutingProblems) {
        _ = try RuleSet(compiling: definition)
        return []
    } catch {
        return error.problems.map { problem in
            let subject: String
            switch problem.subject {
            case .pool(let index): subject = "pool \(index)"
            case .rule(let index): subject = "rule \(index)"
            case .defaults: subject = "defaults"
            case .expectation(let index): subject = "expect \(index)"
            }
            let element = problem.element.map { "[\($0)]" } ?? ""
            return "\(subject) \(problem.field)\(element): \(problem.message)"
        }
    }
}

@Suite struct CompileTests {
    private typealias Rule = RuleDefinition

    @Test(arguments: [
        (
            Rule.rule {
                $0.kind = ["select", "slect"]; $0.route = "primary"
            },
            "rule 0 kind[1]: no kind \"slect\" (did you mean \"select\"?)"
        ),
        (
            .rule {
                $0.kind = ["bogus"]; $0.route = "primary"
            },
            "rule 0 kind[0]: no kind \"bogus\" (known: select, insert, update, delete, merge, copy, ddl, utility, "
                + "transaction, session, unknown)"
        ),
        (.rule { $0.route = "stanby" }, "rule 0 route: no role \"stanby\" (did you mean \"standby\"?)"),
        (
            .rule { $0.route = "near" },
            "rule 0 route: no role \"near\" (known: primary, standby); to name a pool, use pool = \"near\""
        ),
        (.rule { $0.pool = "neer" }, "rule 0 pool: no pool \"neer\" (did you mean \"near\"?)"),
        (.rule { $0.using = "account" }, "rule 0 using: no cluster \"account\" (did you mean \"accounts\"?)"),
        (
            .rule {
                $0.regex = ["ok", "(a"]; $0.route = "primary"
            }, "rule 0 regex[1]: missing ): (a"
        ),
        (
            .rule {
                $0.regex = ["a**"]; $0.route = "primary"
            }, "rule 0 regex[0]: bad repetition operator: **"
        ),
        (
            .rule {
                $0.regex = ["(?=a)"]; $0.route = "primary"
            }, "rule 0 regex[0]: invalid perl operator: (?="
        ),
        (
            .rule {
                $0.table = ["a", ""]; $0.route = "primary"
            }, "rule 0 table[1]: an empty text"
        ),
        (
            .rule {
                $0.all = true; $0.route = "primary"
            },
            "rule 0 all: \"all\" says how \"table\" or \"schema\" match, and there is neither"
        ),
        (
            .rule {
                $0.route = "primary"; $0.pool = "near"
            },
            "rule 0 pool: \"route\" and \"pool\" both say where it goes; keep one"
        ),
        (
            .rule {
                $0.pool = "near"; $0.using = "accounts"
            },
            "rule 0 pool: pool \"near\" is in cluster \"main\", not in \"accounts\""
        ),
        (
            .rule {
                $0.reject = Rejection(message: "x"); $0.route = "primary"
            },
            "rule 0 reject: a rejected statement goes nowhere; drop route, pool and using"
        ),
        (
            .rule { $0.reject = Rejection(message: "x", sqlstate: "4250") },
            "rule 0 reject: \"4250\" is no SQLSTATE: five of 0-9 and A-Z, not 00000"
        ),
        (.rule { $0.effects.timeout = 0 }, "rule 0 timeout: a timeout must be above 0"),
        (
            .rule { $0.table = ["t"] },
            "rule 0 : the rule does nothing: it has none of route, pool, using, reject, timeout, max_lag, wait, log, "
                + "exclusive, rerun"
        ),
        (
            .rule {
                $0.listen = ["ap"]; $0.route = "primary"
            }, "rule 0 listen[0]: no listener \"ap\" (did you mean \"app\"?)"
        ),
    ])
    func namesARulesMistake(_ rule: RuleDefinition, _ complaint: String) {
        var definition = RoutingDefinition.twoClusters([rule])
        definition.listeners = ["app", "ops"]
        #expect(complaints(definition) == [complaint])
    }

    @Test func namesAllMistakesInOneRun() {
        var definition = RoutingDefinition.twoClusters([
            .rule {
                $0.kind = ["x1", "x2"]; $0.route = "nowhere"
            },
            .rule {
                $0.regex = ["("]; $0.pool = "nowhere"
            },
        ])
        definition.defaults.read = "nowhere"
        definition.expectations = [ExpectCase(sql: "SELECT 1")]
        let fields = complaints(definition).map { $0.prefix { $0 != ":" } }
        let expected = [
            "defaults read", "rule 0 kind[0]", "rule 0 kind[1]", "rule 0 route", "rule 1 regex[0]", "rule 1 pool",
            "expect 0 ",
        ]
        #expect(fields.map(String.init) == expected)
    }

    @Test func namesMistakesInPools() {
        let pools = [
            PoolDefinition(name: "a", role: .primary), PoolDefinition(name: "b", role: .primary),
            PoolDefinition(name: "a", role: .standby), PoolDefinition(name: "c", cluster: "other", role: .standby),
        ]
        #expect(
            complaints(RoutingDefinition(pools: pools)) == [
                "pool 1 role: cluster \"main\" already has a primary pool, \"a\"",
                "pool 2 name: a pool \"a\" is already there",
                "pool 3 cluster: cluster \"other\" has no pool with the role primary",
            ])
        #expect(complaints(RoutingDefinition(pools: [])) == ["defaults : there is no pool"])
    }

    @Test func namesMistakesInDefaults() {
        var definition = RoutingDefinition.usual()
        definition.defaults = DefaultRoute(read: "standbye", write: "standby")
        #expect(
            complaints(definition) == [
                "defaults read: no role \"standbye\" (did you mean \"standby\"?)",
                "defaults write: a standby cannot write; \"primary\" is the only value",
            ])
    }

    @Test func rulesOfOneNameAreAMistake() {
        let definition = RoutingDefinition.usual([
            .rule("x") {
                $0.table = ["t"]; $0.route = "primary"
            }, .rule("x") { $0.route = "primary" },
        ])
        #expect(complaints(definition) == ["rule 1 name: rule 1 is also called \"x\""])
    }

    @Test func rulesAreNamedByPlaceWhenTheyHaveNoName() throws {
        var rule = Rule.rule { $0.route = "primary" }
        rule.line = 42
        let rules = try RuleSet(compiling: .usual([rule]))
        #expect(rules.rules[0].name == "rule 1")
        #expect(rules.rules[0].line == 42)
    }

    @Test func theDefaultClusterIsMainOrElseTheFirst() throws {
        let pools = [
            PoolDefinition(name: "x", cluster: "x", role: .primary),
            PoolDefinition(name: "y", cluster: "y", role: .primary),
        ]
        #expect(try RuleSet(compiling: RoutingDefinition(pools: pools)).defaultCluster == 0)
        let withMain = pools + [PoolDefinition(name: "z", role: .primary)]
        let rules = try RuleSet(compiling: RoutingDefinition(pools: withMain))
        #expect(rules.clusters[rules.defaultCluster].name == "main")
        #expect(rules.cluster(named: "y") == 1)
        #expect(rules.pool(named: "z") == 2)
    }

    /// A million repetitions in a few bytes of pattern.
    @Test func anExpressionHasABoundOnItsMemory() {
        let pattern = "((a{1,100}){1,100}){1,100}"
        let found = complaints(
            .usual([
                .rule {
                    $0.regex = [pattern]; $0.route = "primary"
                }
            ]))
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("rule 0 regex[0]: ") == true)
    }

    // MARK: Expectations

    private func expecting(_ sql: String, _ change: (inout ExpectCase) -> Void) -> RoutingDefinition {
        var definition = RoutingDefinition.twoClusters([
            .rule("accounts") {
                $0.schema = ["accounts"]; $0.using = "accounts"
            },
            .rule("reports") {
                $0.tag = ["report"]; $0.pool = "far"
            },
            .rule("no ddl") {
                $0.kind = ["ddl"]; $0.listen = ["app"]; $0.reject = Rejection(message: "no")
            },
            .rule("batch") {
                $0.app = ["batch"]; $0.route = "primary"
            },
        ])
        var expectation = ExpectCase(sql: sql)
        change(&expectation)
        definition.expectations = [expectation]
        return definition
    }

    @Test func expectationsThatHold() {
        #expect(complaints(expecting("SELECT 1") { $0.pool = "near" }) == [])
        #expect(
            complaints(
                expecting("SELECT 1") {
                    $0.pool = "near"; $0.kind = "select"; $0.access = .read
                }) == [])
        #expect(
            complaints(
                expecting("SELECT nextval('s')") {
                    $0.kind = "select"; $0.access = .write
                }) == [])
        #expect(
            complaints(
                expecting("SELECT 1") {
                    $0.tag = "report"; $0.pool = "far"; $0.rule = "reports"
                }) == [])
        #expect(
            complaints(
                expecting("SELECT 1") {
                    $0.app = "batch"; $0.pool = "primary"
                }) == [])
        #expect(
            complaints(
                expecting("SELECT 1") {
                    $0.using = "accounts"; $0.pool = "accounts"
                }) == [])
        #expect(
            complaints(
                expecting("DROP TABLE t") {
                    $0.listen = "app"; $0.rule = "no ddl"
                }) == [])
        #expect(
            complaints(
                expecting("DROP TABLE t") {
                    $0.listen = "app"; $0.sqlstate = "42501"
                }) == [])
        #expect(
            complaints(
                expecting("DROP TABLE t") {
                    $0.listen = "ops"; $0.pool = "primary"
                }) == [])
        #expect(complaints(expecting("SET a = 1") { $0.sqlstate = "0A000" }) == [])
    }

    @Test func expectationsThatDoNotHold() {
        #expect(
            complaints(expecting("DELETE FROM t") { $0.pool = "near" }) == [
                "expect 0 pool: expected pool \"near\", but its kind is \"delete\" and it goes to pool \"primary\", "
                    + "reason \"classifier\""
            ])
        #expect(
            complaints(expecting("SELECT * FROM accounts.x") { $0.pool = "near" }) == [
                "expect 0 pool: expected pool \"near\", but its kind is \"select\" and it goes to pool \"accounts\" by rule "
                    + "\"accounts\", reason \"rule\""
            ])
        #expect(
            complaints(
                expecting("DROP TABLE t") {
                    $0.listen = "app"; $0.pool = "primary"
                }) == [
                    "expect 0 pool: expected pool \"primary\", but it is refused by rule \"no ddl\" (42501): no"
                ])
        for change: (inout ExpectCase) -> Void in [
            { $0.kind = "insert" }, { $0.access = .write }, { $0.rule = "batch" }, { $0.sqlstate = "42501" },
        ] {
            #expect(complaints(expecting("SELECT 1", change)).count == 1)
        }
        #expect(complaints(expecting("SET a = 1") { $0.sqlstate = "42601" }).count == 1)
    }

    @Test func expectationsWithMistakes() {
        #expect(complaints(expecting("SELECT 1") { $0.pool = "neer" }).count == 1)
        #expect(
            complaints(
                expecting("SELECT 1") {
                    $0.using = "x"; $0.pool = "near"
                }
            ).count == 1)
        #expect(complaints(expecting("SELECT 1") { $0.kind = "selec" }).count == 1)
        #expect(
            complaints(
                expecting("SET a = 1") {
                    $0.sqlstate = "0A000"; $0.pool = "near"
                }
            ).count == 1)
        #expect(complaints(expecting("SELECT 1") { _ in }).count == 1)
        #expect(
            complaints(expecting("SELECT 1") { $0.rule = "bach" }) == [
                "expect 0 rule: no rule \"bach\" (did you mean \"batch\"?)"
            ])
    }

    @Test func allFailedExpectationsAreNamed() {
        var definition = RoutingDefinition.usual()
        for sql in ["SELECT 1", "DELETE FROM t", "SELECT 2"] {
            var expectation = ExpectCase(sql: sql)
            expectation.pool = "primary"
            definition.expectations.append(expectation)
        }
        let subjects = complaints(definition).map { $0.prefix(8) }
        #expect(subjects == ["expect 0", "expect 2"])
    }
}

@Suite struct ExplanationTests {
    @Test func saysEverythingThatRouteAnswers() throws {
        var rule = RuleDefinition.rule("reports") {
            $0.table = ["t"]; $0.pool = "far"; $0.effects.timeout = 9
        }
        rule.line = 17
        let judge = try Judge(.twoClusters([rule]))
        let explanation = withBytes("SELECT lower(a) FROM t WHERE b = 1") {
            judge.explain($0, RouteRequest(), RouteOrigin())
        }
        #expect(explanation.kind == "select")
        #expect(explanation.access == .read)
        #expect(explanation.pool == "far")
        #expect(explanation.cluster == "main")
        #expect(explanation.reason == "rule")
        #expect(explanation.rule == "reports")
        #expect(explanation.line == 17)
        #expect(explanation.effects.timeout == 9)
        #expect(explanation.tables == ["t"])
        #expect(explanation.functions == ["lower"])
        #expect(explanation.fingerprint.utf8.count == 16)
        #expect(explanation.message == "rule \"reports\"")
        #expect(explanation.word == "read")
        #expect(judge.hits == [0], "explaining counts nothing")
    }

    @Test(arguments: [
        ("SELECT 1", "read"), ("SELECT nextval('s')", "write"), ("SET a = 1", "refused"), ("SELEC 1", "unknown"),
    ])
    func hasAWordForTheBulkForm(_ sql: String, _ word: String) throws {
        let judge = try Judge(.usual())
        #expect(withBytes(sql) { judge.explain($0, RouteRequest(), RouteOrigin()) }.word == word)
    }

    @Test func saysWhyATextWasNotParsed() throws {
        let judge = try Judge(.usual())
        let explanation = withBytes("SELEC 1") { judge.explain($0, RouteRequest(), RouteOrigin()) }
        #expect(explanation.message == "syntax error at or near \"SELEC\"")
        #expect(explanation.reason == "unparsed")
        let long = "SELECT '" + String(repeating: "x", count: ParseLimits.textBytes) + "'"
        let tooLong = withBytes(long) { judge.explain($0, RouteRequest(), RouteOrigin()) }
        #expect(tooLong.message == "longer than 16384 bytes, so it was not parsed")
        #expect(tooLong.pool == "primary")
    }

    @Test func theDecidingFunctionIsNamed() throws {
        let judge = try Judge(.usual())
        let explanation = withBytes("SELECT Nextval('s')") { judge.explain($0, RouteRequest(), RouteOrigin()) }
        #expect(explanation.decidingFunction == "nextval")
        #expect(explanation.reason == "function")
    }
}
