import Machines
import Testing

/// Which answers of a standby pool let a read run once more, and where: the whole truth table.
@Suite("Rerun")
struct RerunTests {
    typealias Reason = Rerun.Reason

    /// By SQLSTATE alone, ERROR or FATAL, whatever the text says.
    static let byCode: [(reason: Reason, codes: [String])] = [
        (.writes, ["25006"]),
        (.schema, ["42P01", "42703", "42883"]),
        (.conflict, ["40001", "40P01"]),
        (.shutdown, ["57P01", "57P02", "57P03", "57P04"]),
    ]

    @Test func reasonOfEachCode() {
        for (reason, codes) in Self.byCode {
            for code in codes {
                for message in ["", "in words of another language", "query_wait_timeout", "query timeout"] {
                    for isFatal in [false, true] {
                        let found = Rerun.reason(sqlstate: code, message: message, isFatal: isFatal)
                        #expect(found == reason, "\(code) \(message)")
                    }
                }
            }
        }
    }

    /// Every other code of PostgreSQL's is the statement's own: the primary would say the same, or was not asked.
    @Test func otherCodesEndTheRead() {
        let ran = Set(Self.byCode.flatMap(\.codes) + ["08P01"])
        let others = (OutcomeTests.byWord.flatMap(\.codes) + ["42P02", "42704", "40000", "57000", "25000"]).filter {
            !ran.contains($0)
        }
        #expect(others.count > 60)
        for code in others {
            for isFatal in [false, true] {
                #expect(Rerun.reason(sqlstate: code, message: "x", isFatal: isFatal) == nil, "\(code)")
                // PgBouncer's words mean something only with its own code.
                #expect(
                    Rerun.reason(sqlstate: code, message: "server conn crashed?", isFatal: isFatal) == nil, "\(code)")
            }
        }
    }

    /// What only a server in recovery says (PostgreSQL 15), and what looks like it.
    static let refusals: [(sqlstate: String, message: String, reason: Reason?)] = [
        ("0A000", "cannot access temporary or unlogged relations during recovery", .recovery),
        ("55000", "recovery is in progress", .recovery),
        ("XX000", "cannot assign OIDs during recovery", .recovery),
        ("0A000", "cannot use serializable mode in a hot standby", nil),
        ("0A000", "cannot insert multiple commands into a prepared statement", nil),
        ("55000", "currval of sequence \"s\" is not yet defined in this session", nil),
        // The words of a code that has another reason.
        ("42P01", "relation \"during recovery\" does not exist", .schema),
        ("40001", "canceling statement due to conflict with recovery", .conflict),
        ("40P01", "canceling statement due to conflict with recovery", .conflict),
        ("57P01", "terminating connection due to administrator command", .shutdown),
        ("57P04", "terminating connection due to conflict with recovery", .shutdown),
    ]

    @Test(arguments: refusals)
    func refusalsOfAStandby(_ sqlstate: String, _ message: String, _ reason: Reason?) {
        #expect(Rerun.reason(sqlstate: sqlstate, message: message, isFatal: false) == reason)
    }

    /// PgBouncer 1.18 has no server, lost it, or ends: FATAL 08P01 and one of these.
    @Test(arguments: [
        "server conn crashed?", "query_wait_timeout", "client_login_timeout (server down)",
        "server login has been failing, try again later (server_login_retry)",
        "server login has been failing, cached error: connect failed (server_login_retry)",
        "pgbouncer cannot connect to server", "broken server", "bouncer config error", "server_lifetime",
        "server idle timeout", "database removed", "admin forced disconnect", "server shutting down",
        "pooler is shutting down", "no such database: board", "no more connections allowed (max_client_conn)",
        "a text of a later version", "",
    ])
    func pgBouncerHasNoServer(_ text: String) {
        #expect(Rerun.reason(sqlstate: "08P01", message: text, isFatal: true) == .lost)
        // The server's own protocol violation: the statement is at fault.
        #expect(Rerun.reason(sqlstate: "08P01", message: text, isFatal: false) == nil)
    }

    /// Its limits on what a client may take, in the words of 1.18 and of 1.25: another run would meet them again.
    @Test(arguments: [
        "query timeout", "query_timeout", "transaction timeout", "client_idle_timeout",
    ])
    func pgBouncersLimits(_ text: String) {
        #expect(Rerun.reason(sqlstate: "08P01", message: text, isFatal: true) == nil)
        #expect(Rerun.reason(sqlstate: "08P01", message: "\(text) (5 s)", isFatal: true) == nil)
        // Only where they stand first: a server's name may hold any words.
        #expect(Rerun.reason(sqlstate: "08P01", message: "no such database: \(text)", isFatal: true) == .lost)
    }

    // MARK: What a reason means

    /// Another standby can do better only when this one was at fault.
    @Test func whereItRunsAgain() {
        let expected: [Reason: (needsPrimary: Bool, teaches: Bool)] = [
            .stale: (true, false), .writes: (true, true), .recovery: (true, true), .schema: (true, false),
            .conflict: (false, false), .shutdown: (false, false), .lost: (false, false),
        ]
        #expect(expected.count == Reason.allCases.count)
        for reason in Reason.allCases {
            #expect(reason.needsPrimary == expected[reason]?.needsPrimary, "\(reason)")
            #expect(reason.teaches == expected[reason]?.teaches, "\(reason)")
        }
    }

    /// The words are the protocol's.
    @Test func words() {
        #expect(
            Reason.allCases.map(\.word) == ["stale", "writes", "recovery", "schema", "conflict", "shutdown", "lost"])
    }
}
