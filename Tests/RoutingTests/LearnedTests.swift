import Testing

@testable import Routing

@Suite struct LearnedTests {
    private func learn(_ judge: Judge, _ sql: String, _ sqlstate: String = "25006") -> Bool {
        judge.learn(judge.statement(sql), sqlstate: sqlstate)
    }

    @Test func whatWasLearnedGoesToThePrimary() throws {
        let judge = try Judge(
            .usual([
                .rule("reports") {
                    $0.tag = ["report"]; $0.route = "standby"
                }
            ]))
        #expect(judge.way("SELECT f(1)") == "standby classifier")
        #expect(learn(judge, "SELECT f(1)"))
        #expect(!learn(judge, "SELECT f(2)"), "it is the same statement")
        #expect(judge.way("SELECT f(1)") == "primary learned")
        #expect(judge.way("select f( 3 ) -- again") == "primary learned")
        #expect(judge.way("SELECT f(1), 2") == "standby classifier")
        // Whatever a hint or a rule says.
        #expect(judge.way("SELECT f(1)", Asking(role: .standby)) == "primary learned")
        #expect(judge.way("SELECT f(1)", Asking(pool: "standby")) == "primary learned")
        #expect(judge.way("SELECT f(1)", Asking(tag: "report")) == "primary learned")
        #expect(judge.way("SELECT f(1)", Asking(role: .primary)) == "primary hint")
        // A transaction stays where it is.
        #expect(judge.way("SELECT f(1)", Asking(transactionPool: "standby")) == "standby tx")
    }

    /// It is still known after a reload, and by statements that were judged before.
    @Test func itOutlivesTheRules() throws {
        let judge = try Judge(.usual())
        _ = learn(judge, "SELECT f(1)")
        judge.replaceRules(by: try RuleSet(compiling: .usual()))
        #expect(judge.way("SELECT f(1)") == "primary learned")
        #expect(judge.forget(judge.statement("SELECT f(9)").fingerprint))
        #expect(!judge.forget(judge.statement("SELECT f(9)").fingerprint))
        #expect(judge.way("SELECT f(1)") == "standby classifier")
    }

    /// What writes breaks the promise of @ro; what only the primary can read does not.
    @Test func aPromiseNotToWrite() throws {
        let judge = try Judge(.usual())
        _ = learn(judge, "SELECT f(1)")
        _ = learn(judge, "SELECT * FROM unlogged", "0A000")
        #expect(judge.way("SELECT f(1)", Asking(mustNotWrite: true)).hasPrefix("25006"))
        #expect(judge.way("SELECT * FROM unlogged", Asking(mustNotWrite: true)) == "primary learned")
    }

    @Test func onlyReadsAreLearned() throws {
        let judge = try Judge(.usual())
        #expect(!learn(judge, "INSERT INTO t VALUES (1)"))
        #expect(!learn(judge, "SELEC 1"))
        #expect(judge.learned.isEmpty)
    }

    /// Beyond the bound the first is forgotten.
    @Test func itIsBounded() throws {
        let judge = try Judge(.usual())
        for number in 0...LearnedStatements.maximumCount { #expect(learn(judge, "SELECT f\(number)()")) }
        #expect(judge.learned.entries.count == LearnedStatements.maximumCount)
        #expect(judge.way("SELECT f0()") == "standby classifier")
        #expect(judge.way("SELECT f1()") == "primary learned")
        #expect(judge.way("SELECT f\(LearnedStatements.maximumCount)()") == "primary learned")
    }
}
