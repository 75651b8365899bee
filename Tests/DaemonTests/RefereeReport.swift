import Daemon
import Routing

/// The labels beside the judgement.
struct RefereeReport {
    /// A statement that is judged otherwise than PostgreSQL answered.
    struct Finding {
        let verdict: Verdict
        let judgement: Explanation
        let setup: Explanation?

        /// What stands on another statement is in the transaction of that one, and so where that one went.
        var isOnStandby: Bool { judgement.pool == "standby" && setup?.access != .write }

        var text: String {
            let statement = verdict.statement
            let place = judgement.pool ?? "refused \(judgement.sqlstate ?? "")"
            let setup = statement.setup.map { " after: \($0)" } ?? ""
            return "  \(statement.place) \(verdict.label) judged \(judgement.word), \(place), \(judgement.reason)"
                + "\(judgement.decidingFunction.map { " \($0)" } ?? ""): \(statement.sql)\(setup)"
        }
    }

    let verdicts: [Verdict]
    /// Writes that go to a standby, though no function, view or table of the schema hides the writing.
    private(set) var falseReads: [Finding] = []
    /// The others: a standby refuses them once, and that is learned.
    private(set) var learnedReads: [Finding] = []
    /// Harmless reads that go to the primary, or are refused for another reason than the command as such.
    private(set) var falseWrites: [Finding] = []
    private(set) var keptByDesign: [Finding] = []
    private(set) var wrongMeaningOnStandby: [Finding] = []
    private(set) var unlabelled: [Finding] = []
    /// Labelled by the standby's refusal, but the primary cannot do it either.
    private(set) var failingWrites: [Finding] = []
    private var perLabel: [String: Int] = [:]
    private var perOrigin: [String: Int] = [:]
    private var words: [String: Int] = [:]

    /// `writers`: names of the functions, views and tables of the schema that a standby refuses.
    init(_ verdicts: [Verdict], writers: Set<String>) {
        self.verdicts = verdicts
        let judge = OfflineJudge(nil)
        for verdict in verdicts {
            let finding = Finding(
                verdict: verdict, judgement: judge.explain(verdict.statement.sql),
                setup: verdict.statement.setup.map { judge.explain($0) })
            perLabel[verdict.label.word, default: 0] += 1
            perOrigin[verdict.statement.origin, default: 0] += 1
            words["\(verdict.label.word), judged \(finding.judgement.word)", default: 0] += 1
            file(finding, writers)
        }
    }

    private mutating func file(_ finding: Finding, _ writers: Set<String>) {
        let judgement = finding.judgement
        let isOnStandby = finding.isOnStandby
        switch finding.verdict.label {
        case .write:
            if finding.verdict.onPrimary.failure != nil { failingWrites.append(finding) }
            guard isOnStandby else { return }
            let names = (judgement.functions + judgement.tables).map { $0.split(separator: ".").last.map(String.init) }
            let isHidden = names.contains { $0.map { writers.contains($0) } ?? false }
            if isHidden { learnedReads.append(finding) } else { falseReads.append(finding) }
        case .wrongMeaning: if isOnStandby { wrongMeaningOnStandby.append(finding) }
        case .harmless:
            if isOnStandby { return }
            if finding.isKeptByDesign {
                keptByDesign.append(finding)
            } else {
                falseWrites.append(finding)
            }
        case .insideTransaction, .aboutTheServer: return
        case .none: unlabelled.append(finding)
        }
    }

    func count(of label: RefereeLabel) -> Int { perLabel[label.word] ?? 0 }

    var text: String {
        func counts(_ counts: [String: Int]) -> String {
            counts.sorted { $0.key < $1.key }.map { "  \($0.value) \($0.key)" }.joined(separator: "\n")
        }
        func list(_ title: String, _ findings: [Finding]) -> String {
            "\(title): \(findings.count)\n" + findings.map { $0.text + "\n" }.joined()
        }
        return """
            referee: \(verdicts.count) statements
            \(counts(perOrigin))
            labels
            \(counts(words))
            \(list("false reads", falseReads))\
            \(list("false reads that a standby's refusal teaches", learnedReads))\
            \(list("wrong meaning on a standby", wrongMeaningOnStandby))\
            \(list("false writes", falseWrites))\
            kept from standbys by design though harmless: \(keptByDesign.count)
            writes that the primary cannot do either: \(failingWrites.count)
            \(list("not labelled", unlabelled))
            """
    }
}

extension RefereeReport.Finding {
    /// Whether the command as such is refused or kept on the primary, harmless or not: by the tags of what PostgreSQL says it did, by their
    /// number (several statements, or none, in one text), and by the functions that change a session.
    fileprivate var isKeptByDesign: Bool {
        guard judgement.pool == nil else {
            // Nobody can see from outside what a procedure's or a block's body does.
            return ["CALL", "DO"].contains(verdict.onPrimary.tags.first)
        }
        guard let tag = verdict.onPrimary.tags.first, verdict.onPrimary.tags.count == 1, !tag.isEmpty else {
            return true
        }
        let commands = [
            "SET", "RESET", "LISTEN", "UNLISTEN", "PREPARE", "DEALLOCATE", "DECLARE CURSOR", "DISCARD", "LOAD", "COPY",
            "BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE",
        ]
        if commands.contains(where: { tag == $0 || tag.hasPrefix("\($0) ") }) { return true }
        // EXECUTE has the tag of what it executes.
        if judgement.kind == StatementKind.session.word { return true }
        return judgement.functions.contains { name in
            ["set_config", "pg_advisory", "pg_try_advisory"].contains { name.contains($0) }
        }
    }
}
