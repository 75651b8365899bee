import Machines
import Testing

@Suite("Outcome")
struct OutcomeTests {
    typealias Retry = Outcome.Retry

    /// What PostgreSQL 15 can say (manual, appendix A): every class, and each code that has a word of its own.
    static let never = [
        "02000", "03000", "08000", "08P01", "09000", "0A000", "0B000", "0F000", "0L000", "0P000", "0Z000", "20000",
        "21000", "22012", "22021", "22P02", "23505", "23503", "24000", "25001", "25006", "25P01", "25P02", "25P03",
        "26000", "27000", "28000", "28P01", "2B000", "2D000", "2F000", "34000", "38000", "39000", "3B001", "3D000",
        "3F000", "42501", "42601", "42703", "42883", "42P01", "44000", "54000", "54001", "55000", "55006", "55P02",
        "55P04", "57000", "57P01", "57P02", "57P04", "57P05", "58000", "58030", "72000", "F0000", "HV000", "P0000",
        "P0001", "XX000", "XX001", "XX002",
    ]
    static let now = ["40000", "40001", "40002", "40003", "40P01"]
    static let later = ["53000", "53100", "53200", "53300", "53400", "55P03", "57P03", "57014"]
    static let byWord: [(word: Retry, codes: [String])] = [(.never, never), (.now, now), (.later, later)]

    @Test func wordOfEachCode() {
        for (word, codes) in Self.byWord {
            for code in codes { #expect(Outcome.word(for: code) == word, "\(code)") }
        }
    }

    /// ERROR: the server lives on. Rows: what the code says; columns: what was asked for.
    static let afterError: [Retry: [Outcome.Effect: Retry]] = [
        .never: [.read: .never, .write: .never, .commitsOnTheWay: .never, .inTransaction: .never, .commit: .never],
        .now: [.read: .now, .write: .now, .commitsOnTheWay: .unknown, .inTransaction: .tx, .commit: .tx],
        .later: [.read: .later, .write: .later, .commitsOnTheWay: .unknown, .inTransaction: .tx, .commit: .tx],
    ]

    @Test(arguments: Outcome.Effect.allCases)
    func afterAnError(_ effect: Outcome.Effect) throws {
        for (word, codes) in Self.byWord {
            let expected = try #require(Self.afterError[word]?[effect])
            for code in codes {
                let retry = Outcome.retry(
                    afterError: code, isFatal: false, message: "query_wait_timeout", effect: effect)
                // Behind a failed statement only a new transaction helps.
                let startsAgain = code == "25P02" && (effect == .inTransaction || effect == .commit)
                #expect(retry == (startsAgain ? .tx : expected), "\(code): the text decides only with FATAL")
            }
        }
    }

    /// FATAL from the server: the connection ends, and what had been sent may have been applied (measured: after
    /// pg_terminate_backend under synchronous replication the row was there).
    @Test(arguments: Outcome.Effect.allCases)
    func afterAFatal(_ effect: Outcome.Effect) throws {
        let lost: [Outcome.Effect: Retry] = [
            .read: .now, .write: .unknown, .commitsOnTheWay: .unknown, .inTransaction: .tx, .commit: .unknown,
        ]
        for (word, codes) in Self.byWord {
            for code in codes {
                let retry = Outcome.retry(afterError: code, isFatal: true, message: "terminating", effect: effect)
                let expected = effect == .read && word == .later ? Retry.later : try #require(lost[effect])
                #expect(retry == expected, "\(code)")
            }
        }
    }

    /// PgBouncer 1.18's own texts, all FATAL 08P01: only those that prove that nothing was forwarded say "it did not run".
    @Test(arguments: [
        "query_wait_timeout",
        "no more connections allowed (max_client_conn)",
        "server login has been failing, try again later (server_login_retry)",
        "server login has been failing, cached error: connect failed (server_login_retry)",
        "client_login_timeout (server down)",
        "no such database: board",
        "database \"board\" is disabled",
        "pgbouncer cannot connect to server",
    ])
    func textsThatProveThatNothingRan(_ text: String) {
        let expected: [Outcome.Effect: Retry] = [
            .read: .later, .write: .later, .commitsOnTheWay: .later, .inTransaction: .tx, .commit: .tx,
        ]
        for effect in Outcome.Effect.allCases {
            let retry = Outcome.retry(afterError: "08P01", isFatal: true, message: text, effect: effect)
            #expect(retry == expected[effect], "\(effect)")
            // Another code is another sender: the text proves nothing.
            let other = Outcome.retry(afterError: "57P01", isFatal: true, message: text, effect: effect)
            #expect(other == Outcome.retryAfterLoss(stage: .sent, effect: effect), "\(effect)")
        }
    }

    @Test(arguments: [
        "server conn crashed?", "database removed", "query timeout", "query_timeout", "idle transaction timeout",
        "transaction timeout", "client_idle_timeout", "admin forced disconnect", "server shutting down",
        "pooler is shutting down", "broken server", "is disabled", "database board is disabled",
        "a text of a later version", "",
    ])
    func textsThatProveNothing(_ text: String) {
        for effect in Outcome.Effect.allCases {
            let retry = Outcome.retry(afterError: "08P01", isFatal: true, message: text, effect: effect)
            #expect(retry == Outcome.retryAfterLoss(stage: .sent, effect: effect), "\(effect)")
        }
    }

    /// The connection ended without an answer.
    @Test func afterALoss() {
        let expected: [Outcome.Effect: (notSent: Retry, sent: Retry)] = [
            .read: (.now, .now),
            .write: (.now, .unknown),
            .commitsOnTheWay: (.now, .unknown),
            .inTransaction: (.tx, .tx),
            .commit: (.tx, .unknown),
        ]
        for effect in Outcome.Effect.allCases {
            for stage in Outcome.Stage.allCases {
                let retry = Outcome.retryAfterLoss(stage: stage, effect: effect)
                switch stage {
                case .notSent: #expect(retry == expected[effect]?.notSent, "\(effect)")
                // An error without its Sync does not end the doubt.
                case .sent, .answered: #expect(retry == expected[effect]?.sent, "\(effect)")
                }
            }
        }
    }

    @Test func sqlstateAfterALoss() {
        for retry in Retry.allCases {
            #expect(Outcome.sqlstateAfterLoss(retry) == (retry == .unknown ? "08007" : "08006"))
        }
    }

    /// The words are the protocol's.
    @Test func words() {
        #expect(Retry.allCases.map(\.rawValue) == ["never", "now", "later", "tx", "unknown"])
    }

    @Test(arguments: [
        ("25006", "cannot execute INSERT in a read-only transaction", true),
        ("0A000", "cannot access temporary or unlogged relations during recovery", true),
        ("0A000", "cannot use serializable mode in a hot standby", false),
        ("55000", "recovery is in progress", true), ("XX000", "cannot assign OIDs during recovery", true),
        ("55000", "currval of sequence \"s\" is not yet defined in this session", false),
        ("42P01", "relation \"during recovery\" does not exist", false), ("40001", "during recovery", false),
    ])
    func whatOnlyThePrimaryCanRun(_ sqlstate: String, _ message: String, _ isRefusal: Bool) {
        #expect(Outcome.isRefusalOfStandby(sqlstate, message: message) == isRefusal)
    }
}
