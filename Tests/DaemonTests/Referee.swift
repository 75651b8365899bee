import Foundation
import TestKit

/// What PostgreSQL's answers say of a statement: no opinion enters.
enum RefereeLabel: Equatable {
    /// A standby does not do what the primary does, or the primary wrote; how that was seen.
    case write(String)
    /// A standby does it too, but it left something on the primary, or the answers differ; what was seen.
    case wrongMeaning(String)
    /// Both do it, give the same answer, and nothing is left behind.
    case harmless
    /// The same, but only inside a transaction: where it goes is where the transaction went, and alone it fails.
    case insideTransaction
    /// The answers differ because it asks the server about itself; the word of `about-the-server.tsv`.
    case aboutTheServer(String)
    /// The primary fails and the standby too, for another reason than being one: nothing is known.
    case none(String)

    var word: String {
        switch self {
        case .write: "write"
        case .wrongMeaning: "wrong meaning"
        case .harmless: "harmless read"
        case .insideTransaction: "harmless in a transaction"
        case .aboutTheServer: "about the server"
        case .none: "not labelled"
        }
    }

    var question: String? {
        if case .aboutTheServer(let word) = self { return word }
        return nil
    }
}

/// A statement's label and what it was taken from.
struct Verdict {
    let statement: RefereeStatement
    let label: RefereeLabel
    let onPrimary: DirectSession.Outcome
    let onStandby: DirectSession.Outcome
}

/// Runs statements on a primary and on a standby, and labels them by what happens.
final class Referee {
    private let cluster: Cluster
    private let standby: RefereeServer
    private let primary: RefereeServer
    private let questions: [ServerQuestion]

    init(_ cluster: Cluster, questions: [ServerQuestion]) throws {
        self.cluster = cluster
        self.questions = questions
        standby = try RefereeServer(cluster.direct(.standby1))
        primary = try RefereeServer(cluster.direct(.primary))
    }

    /// The standby's turn comes first, for all of them: what statements do on the primary, taken back or not, holds locks
    /// on the standby until it has replayed their end.
    func label(_ statements: [RefereeStatement]) throws -> [Verdict] {
        try cluster.waitForReplay()
        let answers = try statements.map { try standby.run($0) }
        return try zip(statements, answers).map { try verdict($0, $1) }
    }

    private func verdict(_ statement: RefereeStatement, _ standbyRun: RefereeRun) throws -> Verdict {
        var runs = [try primary.run(statement)]
        // A read that prunes a page writes WAL, once. What writes it every time is the statement.
        while runs.count < 3, runs[runs.count - 1].traces.contains("WAL") || runs.count < 2 {
            guard runs[0].outcome.failure == nil, runs[0].traces.subtracting(["WAL"]).isEmpty else { break }
            runs.append(try primary.run(statement))
        }
        var label = try label(statement, runs, standbyRun)
        // A SELECT never needs one, and most of the statements are SELECTs.
        let isSelect = statement.setup == nil && standbyRun.outcome.tags.allSatisfy { $0.hasPrefix("SELECT") }
        if label == .harmless, !isSelect, try standby.needsTransaction(statement) { label = .insideTransaction }
        return Verdict(
            statement: statement, label: label, onPrimary: runs[0].outcome, onStandby: standbyRun.outcome)
    }

    private func label(_ statement: RefereeStatement, _ runs: [RefereeRun], _ standbyRun: RefereeRun) throws
        -> RefereeLabel
    {
        let first = runs[0]
        switch (first.outcome.failure, standbyRun.outcome.failure) {
        case (let failure?, let refusal?):
            return refusal.isOfAStandby ? .write(refusal.sqlstate) : .none(failure.sqlstate)
        case (nil, let refusal?):
            // Cancelled by a timeout or by replay: no answer.
            return ["57014", "55P03", "40001"].contains(refusal.sqlstate)
                ? .none(refusal.sqlstate) : .write(refusal.sqlstate)
        case (let failure?, nil):
            return question(in: statement).map { .aboutTheServer($0) } ?? .wrongMeaning("primary: \(failure.sqlstate)")
        case (nil, nil): break
        }
        if first.traces.contains("transaction id") { return .write("transaction id") }
        if runs.count == 3, runs.allSatisfy({ $0.traces.contains("WAL") }) { return .write("WAL") }
        let traces = first.traces.subtracting(["WAL"])
        if !traces.isEmpty { return .wrongMeaning(traces.sorted().joined(separator: ", ")) }
        let second = runs[1]
        if let random = first.nextRandom, random == second.nextRandom { return .wrongMeaning("random") }
        guard first.outcome == second.outcome, first.outcome != standbyRun.outcome else { return .harmless }
        return try labelByAnswers(statement)
    }

    /// Asks both again, once the standby has all that the primary has.
    private func labelByAnswers(_ statement: RefereeStatement) throws -> RefereeLabel {
        try cluster.waitForReplay()
        let onStandby = try standby.run(statement).outcome
        let onPrimary = [try primary.run(statement).outcome, try primary.run(statement).outcome]
        if onPrimary[0] != onPrimary[1] || onPrimary[0] == onStandby { return .harmless }
        return question(in: statement).map { .aboutTheServer($0) } ?? .wrongMeaning("another answer")
    }

    private func question(in statement: RefereeStatement) -> String? {
        questions.first { $0.occurs(in: statement.sql) }?.word
    }
}

/// One run of a statement.
struct RefereeRun {
    var outcome: DirectSession.Outcome
    /// The names of evidence.sql's traces that changed; not `random`, which always does.
    var traces: Set<String>
    var nextRandom: String?
}

/// One server and the session there in which statements run one after the other.
final class RefereeServer {
    private let conninfo: String
    private var session: DirectSession
    private var before: [String: String]

    init(_ conninfo: String) throws {
        self.conninfo = conninfo
        session = try RefereeServer.connect(conninfo)
        before = RefereeServer.traces("afterwards", session) ?? [:]
    }

    private static func connect(_ conninfo: String) throws -> DirectSession {
        let session = try DirectSession(conninfo)
        let ready = session.run("SET statement_timeout = '5s'; SET lock_timeout = '4s'")
        guard ready.failure == nil else { throw TestFailure("referee's session: \(ready)") }
        return session
    }

    private static func traces(_ view: String, _ session: DirectSession) -> [String: String]? {
        let outcome = session.run("SELECT trace, value FROM evidence.\(view)")
        guard outcome.failure == nil else { return nil }
        return Dictionary(
            outcome.lines.dropFirst().map { line in
                let fields = line.split(separator: "\u{1f}", omittingEmptySubsequences: false)
                return (String(fields[0]), fields.dropFirst().joined())
            }, uniquingKeysWith: { first, _ in first })
    }

    /// Runs it so that nothing of it stays: in a transaction that is taken back if it wrote and committed if it did not,
    /// so that what it does to the session is seen. What PostgreSQL refuses in a transaction runs without one.
    func run(_ statement: RefereeStatement) throws -> RefereeRun {
        _ = session.run("BEGIN")
        var run = runAsItIs(statement)
        if session.isInTransaction {
            let inside = run.outcome.failure == nil ? RefereeServer.traces("in_transaction", session) : [:]
            // Without an answer the session is not what it was.
            run.traces = Set(inside.map { $0.filter { $0.value != "∅" }.keys.map { $0 } } ?? ["no answer"])
            // Plain EXPLAIN locks as the statement would that it explains, and has no use of it.
            if run.outcome.tags == ["EXPLAIN"] { run.traces.remove("table lock") }
            _ = session.run(run.traces.contains("transaction id") ? "ROLLBACK" : "COMMIT")
        }
        // A command that cannot run in a transaction block, or a procedure that ends one.
        let needsNone = ["25001", "2D000"].contains(run.outcome.failure?.sqlstate)
        if needsNone { run = runAsItIs(statement) }
        try lookAfterwards(&run, replacesSession: needsNone || statement.setup != nil)
        return run
    }

    private func runAsItIs(_ statement: RefereeStatement) -> RefereeRun {
        if let setup = statement.setup {
            let outcome = session.run(setup)
            if outcome.failure != nil { return RefereeRun(outcome: outcome, traces: []) }
            // What the setup left is not of the statement.
            before = RefereeServer.traces("afterwards", session) ?? [:]
        }
        return RefereeRun(outcome: session.run(statement.sql), traces: [])
    }

    /// Whether it fails with 25P01 by itself. Asked of a standby only: there it cannot change more than its session.
    func needsTransaction(_ statement: RefereeStatement) throws -> Bool {
        if statement.setup != nil { return true }
        var run = runAsItIs(statement)
        try lookAfterwards(&run, replacesSession: false)
        return run.outcome.failure?.sqlstate == "25P01"
    }

    private func lookAfterwards(_ run: inout RefereeRun, replacesSession: Bool) throws {
        if session.isInTransaction { _ = session.run("ROLLBACK") }
        let after = RefereeServer.traces("afterwards", session)
        run.nextRandom = after?["random"]
        // What is gone again was not left behind.
        let changed =
            after.map { $0.filter { $0.value != "∅" && $0.value != before[$0.key] }.map(\.key) } ?? ["no answer"]
        run.traces.formUnion(changed)
        run.traces.remove("random")
        before = after ?? before
        guard replacesSession || !Set(changed).subtracting(["WAL", "random"]).isEmpty else { return }
        session = try RefereeServer.connect(conninfo)
        before = RefereeServer.traces("afterwards", session) ?? [:]
    }
}

extension DirectSession.Failure {
    /// Whether the server refused because it is a standby. 25006 is said of little else; the other codes have many
    /// meanings, so their words count (the message texts of PostgreSQL 15).
    var isOfAStandby: Bool {
        if sqlstate == "25006" { return true }
        return ["0A000", "55000", "XX000", "55006"].contains(sqlstate)
            && (message.contains("recovery") || message.contains("hot standby"))
    }
}
