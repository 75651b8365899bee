import Testing

@testable import Routing

@Suite struct ClusterTests {
    /// Where its tables are cannot be told: no database may get it by chance.
    @Test func aTextThatWasNotParsedNeedsItsCluster() throws {
        let placing = RuleDefinition.rule {
            $0.table = ["acc_*"]; $0.using = "accounts"
        }
        let judge = try Judge(.twoClusters([placing]))
        let long = "INSERT INTO acc_x VALUES ('" + String(repeating: "x", count: ParseLimits.textBytes) + "')"
        #expect(judge.way("INSERT INTO acc_x VALUES ('x')") == "accounts rule")
        #expect(judge.way(long).hasPrefix("0A000"))
        #expect(judge.ask(long).refusal?.message.contains("@using") == true)
        #expect(judge.way(long, Asking(using: "accounts")) == "accounts unparsed")
        #expect(judge.way(long, Asking(pool: "primary")).hasPrefix("primary"))
        #expect(judge.way(long, Asking(transactionPool: "accounts")) == "accounts tx")
        let byKind = RuleDefinition.rule {
            $0.kind = ["unknown"]; $0.using = "accounts"
        }
        #expect(try Judge(.twoClusters([placing, byKind])).way(long).hasPrefix("accounts"))
        // Without such rules there is one database for it.
        #expect(try Judge(.twoClusters()).way(long) == "primary unparsed")
    }

    /// Whatever was promised at its beginning: a standby answers, with another meaning.
    @Test(arguments: [
        "INSERT INTO t VALUES (1)", "SELECT pg_try_advisory_xact_lock(7)", "TABLE pg_sequences", "SELEC 1",
        "SELECT last_value FROM s",
    ])
    func noWriteInATransactionOnAStandby(_ sql: String) throws {
        let judge = try Judge(.usual())
        #expect(judge.way(sql, Asking(transactionPool: "standby")).hasPrefix("25006"))
        #expect(judge.way(sql, Asking(transactionPool: "primary")) == "primary tx")
        #expect(judge.way("SELECT 1", Asking(transactionPool: "standby")) == "standby tx")
        #expect(judge.way("SAVEPOINT s", Asking(transactionPool: "standby")) == "standby tx")
    }

    private typealias Rule = RuleDefinition

    private let placing = [
        Rule.rule("accounts") {
            $0.schema = ["accounts"]; $0.using = "accounts"
        },
        Rule.rule("messages") {
            $0.table = ["msgs_*"]; $0.using = "main"
        },
        Rule.rule("far reports") {
            $0.tag = ["report"]; $0.pool = "far"
        },
    ]

    @Test func aRulePicksTheClusterAndTheSplitHappensInsideIt() throws {
        let judge = try Judge(.twoClusters(placing))
        #expect(judge.way("SELECT * FROM t") == "near classifier")
        #expect(judge.way("INSERT INTO t VALUES (1)") == "primary classifier")
        #expect(judge.way("SELECT * FROM msgs_msg") == "near rule")
        #expect(judge.way("INSERT INTO msgs_msg VALUES (1)") == "primary rule")
        // No standby pool there: reads go to its primary.
        #expect(judge.way("SELECT * FROM accounts.x") == "accounts rule")
        #expect(judge.way("CREATE TABLE accounts.x (a int)") == "accounts rule")
        #expect(judge.way("DROP SCHEMA accounts") == "accounts rule")
    }

    @Test func aRequestPicksTheCluster() throws {
        let judge = try Judge(.twoClusters(placing))
        #expect(judge.way("SELECT * FROM t", Asking(using: "accounts")) == "accounts classifier")
        #expect(judge.way("SELECT * FROM accounts.x", Asking(using: "main")) == "near rule")
        #expect(judge.way("DELETE FROM t", Asking(using: "accounts")) == "accounts classifier")
        #expect(judge.way("SELECT 1", Asking(pool: "accounts")) == "accounts hint")
        #expect(judge.ask("SELECT 1", Asking(using: "accounts")).cluster == 1)
    }

    @Test func aNamedPoolStandsForItself() throws {
        let judge = try Judge(.twoClusters(placing))
        let byRule = judge.ask("SELECT 1", Asking(tag: "report"))
        #expect(byRule.pool == judge.rules.pool(named: "far"))
        #expect(byRule.isPoolNamed)
        let byHint = judge.ask("SELECT 1", Asking(pool: "far"))
        #expect(byHint.pool == judge.rules.pool(named: "far"))
        #expect(byHint.isPoolNamed)
        #expect(!judge.ask("SELECT 1").isPoolNamed)
        #expect(judge.way("DELETE FROM t", Asking(tag: "report")) == "primary classifier")
        // @using takes the statement out of the rule's cluster, and so past its pool.
        #expect(judge.way("SELECT 1", Asking(using: "accounts", tag: "report")) == "accounts rule")
        #expect(judge.rules.clusters[0].standbys == [1, 2])
    }

    @Test(arguments: [
        (Asking(using: "acounts"), "@using: no cluster \"acounts\" (did you mean \"accounts\"?)"),
        (Asking(pool: "prinary"), "@pool: no pool \"prinary\" (did you mean \"primary\"?)"),
        (Asking(pool: "near", using: "accounts"), "@pool names a pool of another cluster than @using"),
    ])
    func aHintThatFitsNothingIsRefused(_ asking: Asking, _ message: String) throws {
        let refusal = try Judge(.twoClusters()).ask("SELECT 1", asking).refusal
        #expect(refusal?.sqlstate == "08P01")
        #expect(refusal?.message == message)
    }

    @Test func tablesOfTwoClustersAreRefusedByName() throws {
        let judge = try Judge(.twoClusters(placing))
        let refusal = judge.ask("SELECT * FROM accounts.x JOIN msgs_msg ON true").refusal
        #expect(refusal?.sqlstate == "0A000")
        #expect(refusal?.message.contains("accounts.x is in cluster \"accounts\" and msgs_msg in \"main\"") == true)
        #expect(judge.ask("INSERT INTO msgs_msg SELECT * FROM accounts.x").refusal?.sqlstate == "0A000")
        // A table that no rule places goes along.
        #expect(judge.way("SELECT * FROM accounts.x JOIN t ON true") == "accounts rule")
        #expect(judge.way("SELECT * FROM accounts.x, accounts.y") == "accounts rule")
        // Who says where, knows.
        #expect(judge.way("SELECT * FROM accounts.x, msgs_msg", Asking(using: "main")) == "near rule")
        #expect(judge.way("SELECT * FROM accounts.x, msgs_msg", Asking(pool: "far")) == "far hint")
    }

    @Test func aTablesFirstRuleIsItsPlace() throws {
        let judge = try Judge(
            .twoClusters([
                .rule {
                    $0.table = ["users"]; $0.using = "accounts"
                },
                .rule {
                    $0.table = ["*"]; $0.using = "main"
                },
            ]))
        #expect(judge.way("SELECT * FROM users") == "accounts rule")
        #expect(judge.way("SELECT * FROM t") == "near rule")
        #expect(judge.way("SELECT * FROM users, t") == "0A000 classifier")
    }

    @Test func placesThatDependOnWhoAsksAreLookedUpForEach() throws {
        let judge = try Judge(
            .twoClusters([
                .rule {
                    $0.table = ["a"]; $0.app = ["x"]; $0.using = "accounts"
                },
                .rule {
                    $0.table = ["b"]; $0.using = "main"
                },
            ]))
        #expect(judge.way("SELECT * FROM a, b", Asking(app: "x")) == "0A000 classifier")
        #expect(judge.way("SELECT * FROM a, b", Asking(app: "y")) == "near rule")
    }

    // MARK: Transactions

    @Test func aTransactionStaysWhereItIs() throws {
        let judge = try Judge(.twoClusters(placing))
        let asking = Asking(transactionPool: "near")
        #expect(judge.way("SELECT 1", asking) == "near tx")
        #expect(judge.way("SELECT * FROM t", asking) == "near tx")
        #expect(judge.way("SELECT * FROM msgs_msg", asking) == "near tx")
        #expect(judge.way("SAVEPOINT a", asking) == "near tx")
        #expect(judge.way("SET LOCAL a = 1", asking) == "near tx")
        #expect(judge.way("SELECT 1", Asking(role: .primary, transactionPool: "near")) == "near tx")
        #expect(judge.way("SELECT 1", Asking(using: "main", transactionPool: "near")) == "near tx")
        #expect(judge.way("SELECT 1", Asking(needsPrimary: .ownWrite, transactionPool: "near")) == "near tx")
        #expect(judge.way("SET a = 1", asking) == "0A000 classifier")
        #expect(judge.way("COMMIT", asking) == "0A000 classifier")
    }

    @Test func anotherClusterInATransactionIsRefused() throws {
        let judge = try Judge(.twoClusters(placing))
        let refusal = judge.ask("SELECT 1", Asking(using: "accounts", transactionPool: "primary")).refusal
        #expect(refusal?.sqlstate == "0A000")
        #expect(refusal?.message.contains("\"accounts\"") == true)
        #expect(judge.ask("SELECT * FROM accounts.x", Asking(transactionPool: "primary")).refusal?.sqlstate == "0A000")
        #expect(
            judge.ask("SELECT 1", Asking(pool: "accounts", transactionPool: "primary")).refusal?.sqlstate == "0A000")
        #expect(judge.way("SELECT * FROM accounts.x", Asking(transactionPool: "accounts")) == "accounts tx")
    }

    @Test func rulesGoOnCountingAndLimitingInATransaction() throws {
        let judge = try Judge(.usual([.rule { $0.effects.timeout = 5 }]))
        #expect(judge.ask("SELECT 1", Asking(transactionPool: "primary")).effects.timeout == 5)
        #expect(judge.hits == [1])
    }

    @Test func whereATransactionBegins() throws {
        let judge = try Judge(
            .twoClusters(
                placing + [
                    .rule {
                        $0.app = ["batch"]; $0.using = "accounts"
                    }
                ]))
        func begin(
            readOnly: Bool = false, serializable: Bool = false, _ change: (inout RouteRequest) -> Void = { _ in }
        )
            -> String
        {
            var request = RouteRequest()
            change(&request)
            let decision = judge.decideTransaction(
                readOnly: readOnly, serializable: serializable, request, RouteOrigin())
            return decision.pool.map { judge.rules.pools[$0].name } ?? "refused"
        }
        #expect(begin() == "primary")
        #expect(begin(readOnly: true) == "near")
        #expect(begin(readOnly: true, serializable: true) == "primary")
        #expect(begin(readOnly: true) { $0.needsPrimary = .ownWrite } == "primary")
        #expect(begin(readOnly: true) { $0.role = .primary } == "primary")
        #expect(begin { $0.role = .standby } == "primary")
        withBytes("accounts") { name in
            #expect(begin { $0.using = name } == "accounts")
            #expect(begin(readOnly: true) { $0.using = name } == "accounts")
        }
        let decision = judge.decideTransaction(
            readOnly: false, serializable: false, RouteRequest(), RouteOrigin(app: "batch"))
        #expect(decision.pool == judge.rules.pool(named: "accounts"))
        #expect(decision.statement.kind == .transaction)
    }

    @Test func clusterSets() {
        var set = ClusterSet()
        #expect(set.isEmpty)
        set.insert(0)
        set.insert(63)
        #expect(set.contains(0) && set.contains(63) && !set.contains(1))
        #expect(set.count == 2)
        set.remove(0)
        #expect(!set.contains(0))
        #expect(ClusterSet.all.contains(17))
    }
}
