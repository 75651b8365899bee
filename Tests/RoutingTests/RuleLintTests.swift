import Testing

@testable import Routing

private typealias Rule = RuleDefinition

/// What refuses a file though each of its words is right.
@Suite struct RuleLintTests {
    private func complaints(_ rules: [RuleDefinition]) -> [String] { RoutingTests.complaints(.twoClusters(rules)) }

    // MARK: Values

    @Test(arguments: [
        (
            Rule.rule { $0.table = ["auth_*", "auth_user"] },
            "table[1]: \"auth_user\" has no effect: \"auth_*\" includes it"
        ),
        (
            .rule { $0.table = ["auth_user", "auth_*"] },
            "table[0]: \"auth_user\" has no effect: \"auth_*\" includes it"
        ),
        (.rule { $0.table = ["a.x", "x"] }, "table[0]: \"a.x\" has no effect: \"x\" includes it"),
        (.rule { $0.table = ["x", "x"] }, "table[1]: \"x\" has no effect: \"x\" includes it"),
        (.rule { $0.function = ["f?", "f1"] }, "function[1]: \"f1\" has no effect: \"f?\" includes it"),
        (.rule { $0.schema = ["a", "*"] }, "schema[0]: \"a\" has no effect: \"*\" includes it"),
        (.rule { $0.kind = ["select", "select"] }, "kind[1]: \"select\" has no effect: \"select\" includes it"),
        (.rule { $0.app = ["web*", "web-1"] }, "app[1]: \"web-1\" has no effect: \"web*\" includes it"),
        (.rule { $0.tag = ["a=*", "a=b"] }, "tag[1]: \"a=b\" has no effect: \"a=*\" includes it"),
        (.rule { $0.listen = ["app", "app"] }, "listen[1]: \"app\" has no effect: \"app\" includes it"),
        (.rule { $0.regex = ["x", "x"] }, "regex[1]: \"x\" has no effect: \"x\" includes it"),
        (
            .rule { $0.fingerprint = ["00000000000000AB", "00000000000000ab"] },
            "fingerprint[1]: \"00000000000000ab\" has no effect: \"00000000000000AB\" includes it"
        ),
        (
            .rule { $0.fingerprint = ["abc"] },
            "fingerprint[0]: \"abc\" is no fingerprint: 16 hexadecimal digits, as `pointsman route` shows them"
        ),
        (
            .rule {
                $0.schema = ["public"]; $0.table = ["accounts.user"]
            }, "table[0]: \"accounts.user\" has no effect: its schema is none of public"
        ),
        (
            .rule { $0.table = ["db.public.t"] },
            "table[0]: \"db.public.t\" has no effect: a name is name or schema.name"
        ),
        (.rule { $0.table = ["public."] }, "table[0]: \"public.\" has no effect: a part of it is empty"),
        (.rule { $0.schema = ["a.b"] }, "schema[0]: \"a.b\" has no effect: a schema has no dot"),
        (
            .rule { $0.table = ["\"User\""] },
            "table[0]: \"\"User\"\" has no effect: names are compared without the quotes of SQL"
        ),
        (
            .rule { $0.table = [String(repeating: "x", count: 64)] },
            "table[0]: \"\(String(repeating: "x", count: 64))\" has no effect: names have at most 63 bytes"
        ),
        (
            .rule {
                $0.kind = ["insert", "ddl"]; $0.route = "standby"
            }, "route: statements of these kinds never go to a standby: what writes runs on the primary"
        ),
        (
            .rule {
                $0.kind = ["update"]; $0.pool = "near"
            }, "pool: statements of these kinds never go to a standby: what writes runs on the primary"
        ),
    ])
    func namesAValueWithoutEffect(_ rule: RuleDefinition, _ complaint: String) {
        var rule = rule
        if rule.route == nil, rule.pool == nil { rule.route = "primary" }
        #expect(complaints([rule]) == ["rule 0 " + complaint])
    }

    @Test func acceptsWhatHasAnEffect() {
        let rules: [RuleDefinition] = [
            .rule("a") {
                $0.table = ["auth_*", "a?", "s.auth_user"]; $0.schema = ["s", "t"]; $0.route = "primary"
            },
            .rule("b") {
                $0.kind = ["select", "insert"]; $0.route = "standby"
            },
            .rule("c") {
                $0.function = ["f", "s.g"]; $0.schema = ["s"]; $0.pool = "far"
            },
            .rule("d") {
                $0.fingerprint = ["0123456789abcdef", "0123456789ABCDE0"]; $0.route = "primary"
            },
        ]
        #expect(complaints(rules.filter { $0.name != "a" }) == [])
        // `s.auth_user` is in `auth_*`.
        #expect(complaints(rules).count == 1)
    }

    // MARK: Rules that an earlier one covers

    @Test(arguments: [
        (Rule.rule { _ in }, Rule.rule { $0.table = ["t"] }),
        (.rule { $0.table = ["a*"] }, .rule { $0.table = ["ab", "a?c"] }),
        (
            .rule { $0.table = ["a*", "b"] },
            .rule {
                $0.table = ["b"]; $0.kind = ["select"]; $0.tag = ["x"]
            }
        ),
        (.rule { $0.schema = ["accounts"] }, .rule { $0.table = ["accounts.user"] }),
        (
            .rule { $0.schema = ["accounts", "b"] },
            .rule {
                $0.schema = ["accounts"]; $0.table = ["user"]
            }
        ),
        (
            .rule { $0.table = ["accounts.*"] },
            .rule {
                $0.schema = ["accounts"]; $0.table = ["u*"]
            }
        ),
        (
            .rule { $0.table = ["t"] },
            .rule {
                $0.table = ["t"]; $0.all = true
            }
        ),
        (
            .rule {
                $0.table = ["t*"]; $0.all = true
            },
            .rule {
                $0.table = ["t1"]; $0.all = true
            }
        ),
        (.rule { $0.kind = ["select", "copy"] }, .rule { $0.kind = ["copy"] }),
        (.rule { $0.kind = StatementKind.allCases.map(\.word) }, .rule { $0.table = ["t"] }),
        (
            .rule { $0.function = ["f*"] },
            .rule {
                $0.function = ["f1"]; $0.table = ["t"]
            }
        ),
        (
            .rule {
                $0.function = ["f"]; $0.schema = ["s*"]
            },
            .rule {
                $0.function = ["sx.f"]; $0.schema = ["sx"]
            }
        ),
        (.rule { $0.regex = ["a", "b"] }, .rule { $0.regex = ["b"] }),
        (.rule { $0.app = ["web*"] }, .rule { $0.app = ["web-?"] }),
        (
            .rule { $0.tag = ["report"] },
            .rule {
                $0.tag = ["report"]; $0.app = ["x"]
            }
        ),
        (.rule { $0.listen = ["app", "ops"] }, .rule { $0.listen = ["ops"] }),
        (.rule { $0.user = [1, 2] }, .rule { $0.user = [2] }),
        (
            .rule { $0.fingerprint = ["00000000000000ab", "00000000000000cd"] },
            .rule { $0.fingerprint = ["00000000000000AB"] }
        ),
    ])
    func namesARuleThatCannotMatch(_ first: RuleDefinition, _ second: RuleDefinition) {
        var (first, second) = (first, second)
        (first.name, first.line, first.route) = ("wide", 7, "primary")
        (second.name, second.route) = ("narrow", "standby")
        #expect(
            complaints([first, second]) == [
                "rule 1 : the rule can never match: \"wide\" of line 7 decides everything that it would match; put it before "
                    + "that one, or drop it"
            ])
        // In the other order both have an effect.
        #expect(complaints([second, first]) == [])
        // A rule that only adds to a request lets the next ones speak.
        first.route = nil
        first.effects.timeout = 5
        #expect(complaints([first, second]) == [])
    }

    @Test(arguments: [
        (Rule.rule { $0.table = ["t"] }, Rule.rule { _ in }),
        (
            .rule {
                $0.table = ["t"]; $0.all = true
            }, .rule { $0.table = ["t"] }
        ),
        (.rule { $0.table = ["a.t"] }, .rule { $0.table = ["t"] }),
        (.rule { $0.table = ["a?"] }, .rule { $0.table = ["a*"] }),
        (
            .rule { $0.schema = ["s"] },
            .rule {
                $0.schema = ["s"]; $0.function = ["f"]
            }
        ),
        (.rule { $0.kind = ["select"] }, .rule { $0.table = ["t"] }),
        (.rule { $0.tag = ["x"] }, .rule { $0.kind = ["select"] }),
        (.rule { $0.function = ["f"] }, .rule { $0.table = ["f"] }),
        (.rule { $0.regex = ["ab"] }, .rule { $0.regex = ["abc"] }),
    ])
    func leavesARuleThatMayMatch(_ first: RuleDefinition, _ second: RuleDefinition) {
        var (first, second) = (first, second)
        (first.name, first.route) = ("one", "primary")
        (second.name, second.route) = ("two", "standby")
        #expect(complaints([first, second]) == [])
    }

    /// What was found wrong elsewhere is not taken for a rule without matchers.
    @Test func aRuleWithAMistakeCoversNothing() {
        var broken = Rule.rule("broken") { $0.route = "primary" }
        broken.isWhole = false
        #expect(complaints([broken, .rule("next") { $0.route = "standby" }]) == [])
        var second = Rule.rule("second") { _ in }
        second.isWhole = false
        second.regex = ["("]
        #expect(
            complaints([.rule("all") { $0.route = "primary" }, second]).map { $0.prefix(15) } == ["rule 1 regex[0]"])
    }

    // MARK: Properties

    /// A glob that covers another one matches whatever that one matches.
    @Test func coveringGlobsMatchMore() {
        var random = SplitMix(seed: 7)
        func text(_ letters: [Character]) -> String {
            String((0..<random.below(6)).map { _ in letters[random.below(letters.count)] })
        }
        var covering = 0
        for _ in 0..<20_000 {
            let (wide, narrow) = (Glob(text(["a", "b", "*", "?"])), Glob(text(["a", "b", "*", "?"])))
            guard wide.covers(narrow) else { continue }
            covering += 1
            for _ in 0..<20 {
                let name = Array(text(["a", "b", "c"]).utf8)
                #expect(!narrow.matches(name) || wide.matches(name))
            }
        }
        #expect(covering > 1000)
    }

    /// A rule that covers another one matches every statement that it matches.
    @Test func coveringRulesMatchMore() throws {
        var random = SplitMix(seed: 11)
        func some(_ values: [String]) -> [String] {
            random.below(2) == 0 ? [] : (0...random.below(2)).map { _ in values[random.below(values.count)] }
        }
        func rule() -> RuleDefinition {
            .rule {
                $0.kind = some(["select", "insert", "ddl"])
                $0.schema = some(["a", "b", "*", "public"])
                $0.table = some(["t", "u", "a.t", "b.*", "t*", "*"])
                $0.function = some(["f", "a.f", "*"])
                $0.all = random.below(3) == 0
                if random.below(4) == 0 { $0.tag = some(["x", "y", "*"]) }
            }
        }
        let tables = ["t", "u", "a.t", "b.u", "a.tt", "c.v"]
        let functions = ["f(1)", "a.f(1)", "b.g(2)", "1"]
        let statements: [String] = (0..<60).map { _ in
            switch random.below(4) {
            case 0: "INSERT INTO \(tables[random.below(6)]) SELECT \(functions[random.below(4)])"
            case 1: "DROP SCHEMA \(["a", "b", "c"][random.below(3)])"
            case 2: "SELECT \(functions[random.below(4)])"
            default: "SELECT \(functions[random.below(4)]) FROM \(tables[random.below(6)]), \(tables[random.below(6)])"
            }
        }
        let judge = try Judge(.usual())
        let parsed = statements.map { judge.statement($0) }
        func matches(_ matcher: RuleMatcher, _ statement: Statement, _ tag: String) -> Bool {
            let names = StatementNames(statement)
            return withBytes(tag) { tag in
                var request = RouteRequest()
                request.tag = tag
                return matcher.filter.lets(statement.kind, names) && matcher.matches(statement, names)
                    && matcher.matches(request, RouteOrigin(), statement)
            }
        }
        func matcher(_ rule: RuleDefinition) -> RuleMatcher {
            let kinds = rule.kind.compactMap(StatementKind.init(word:)).reduce(UInt32(0)) {
                $0 | 1 << UInt32($1.rawValue)
            }
            return RuleMatcher(rule, kinds: kinds, expressions: [], fingerprints: [])
        }
        var covering = 0
        for _ in 0..<6000 {
            let (wide, narrow) = (matcher(rule()), matcher(rule()))
            guard wide.covers(narrow) else { continue }
            covering += 1
            for statement in parsed {
                let tag = ["x", "y", "z"][random.below(3)]
                let isLost = matches(narrow, statement, tag) && !matches(wide, statement, tag)
                #expect(!isLost, "\(String(decoding: statement.text, as: UTF8.self))")
            }
        }
        #expect(covering > 100)
    }
}

/// Random numbers that are the same in every run.
private struct SplitMix {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func below(_ limit: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ (mixed >> 31)) % UInt64(limit))
    }
}
