import Glibc

@testable import Routing

/// What must hold of every text, whatever is in it. Used by the fuzz target (Tests/Fuzz) and by the tests that replay its finds.
final class JudgementInvariants {
    private let judge: Judge
    /// Never sees a text twice: its cache holds none.
    private let forgetful: Judge
    private let origins: [RouteOrigin]
    private let standbyPools: [UnsafeRawBufferPointer]

    /// CPU time of the dearest judgement so far, in nanoseconds: its parse, rules, normalised text and fingerprint.
    private(set) var slowest: UInt64 = 0

    init() throws {
        let rules = try RuleSet(compiling: JudgementInvariants.definition)
        judge = Judge(rules: rules, cacheBytes: 256 << 10)
        forgetful = Judge(rules: rules, cacheBytes: 0)
        origins = [RouteOrigin(), RouteOrigin(app: "shop", listener: "app", user: 1000)]
        standbyPools = ["near", "far"].map { name in
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: name.utf8.count, alignment: 1)
            bytes.copyBytes(from: name.utf8)
            return UnsafeRawBufferPointer(bytes)
        }
        // The first judgement builds the tables that all share, which is no text's doing.
        _ = "SELECT f(1)".withCString { text in
            forgetful.decide(UnsafeRawBufferPointer(start: text, count: 11), RouteRequest(), origins[1])
        }
    }

    deinit {
        for name in standbyPools { name.deallocate() }
    }

    /// Two clusters, and rules that use every matcher; most of them would send all they match to a standby.
    static let definition = RoutingDefinition(
        pools: [
            PoolDefinition(name: "primary", role: .primary), PoolDefinition(name: "near", role: .standby),
            PoolDefinition(name: "far", role: .standby),
            PoolDefinition(name: "accounts", cluster: "accounts", role: .primary),
        ],
        rules: [
            rule {
                $0.fingerprint = ["02a281c251c3a43d"]
                $0.effects.timeout = 1000
            },
            rule {
                $0.table = ["auth_*", "django_s?ssion"]
                $0.route = "primary"
            },
            rule {
                $0.schema = ["accounts"]
                $0.using = "accounts"
            },
            rule {
                $0.function = ["f*", "pg_catalog.?o*", "nextval"]
                $0.app = ["s*p"]
                $0.pool = "far"
            },
            rule {
                $0.regex = ["(a+)+b", "(?i)\\bdelete\\b"]
                $0.effects.isExclusive = true
            },
            rule {
                $0.tag = ["report", "route=*"]
                $0.route = "standby"
                $0.effects.maxLag = 60_000
            },
            rule {
                $0.kind = ["ddl"]
                $0.listen = ["app"]
                $0.reject = Rejection(message: "not from here")
            },
            rule {
                $0.table = ["t?*"]
                $0.all = true
                $0.schema = ["p*"]
                $0.pool = "near"
            },
            rule {
                $0.user = [1000]
                $0.kind = ["select", "insert", "update", "unknown"]
                $0.route = "standby"
            },
        ], listeners: ["app"])

    private static func rule(_ change: (inout RuleDefinition) -> Void) -> RuleDefinition {
        var rule = RuleDefinition()
        change(&rule)
        return rule
    }

    /// The first thing that does not hold; nil when all does.
    func broken(_ sql: UnsafeRawBufferPointer) -> String? {
        let began = threadTime()
        let statement = forgetful.decide(sql, RouteRequest(), origins[1]).statement
        _ = statement.normalisedBytes
        _ = statement.fingerprint
        slowest = max(slowest, threadTime() - began)

        return brokenByRepetition(sql, statement) ?? brokenByRequest(statement) ?? brokenByTree(statement)
            ?? brokenByNotParsing(statement) ?? brokenByBlanks(statement)
    }

    private func threadTime() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    // MARK: Once and twice

    private func brokenByRepetition(_ sql: UnsafeRawBufferPointer, _ statement: Statement) -> String? {
        for origin in origins {
            let first = judge.explain(sql, RouteRequest(), origin)
            if first != judge.explain(sql, RouteRequest(), origin) { return "judged twice, it comes out in two ways" }
        }
        let known = judge.statement(for: sql)
        return difference(statement, known, ignoringTags: false).map { "judged afresh, \($0) differs" }
    }

    private func difference(_ one: Statement, _ other: Statement, ignoringTags: Bool) -> String? {
        if one.kind != other.kind { return "the kind" }
        if one.access != other.access || one.reason != other.reason { return "the access" }
        if one.tables != other.tables || one.functions != other.functions || one.schemas != other.schemas {
            return "a name"
        }
        if one.parameterCount != other.parameterCount { return "the number of parameters" }
        if one.refusal?.message != other.refusal?.message { return "the refusal" }
        if one.refusalOutsideTransaction?.message != other.refusalOutsideTransaction?.message {
            return "the refusal outside a transaction"
        }
        if one.hasRowLocks != other.hasRowLocks || one.commitsOnTheWay != other.commitsOnTheWay
            || one.savepointCommand != other.savepointCommand
            || one.namesOnlyPureFunctions != other.namesOnlyPureFunctions
            || one.namesOnlyKnownFunctions != other.namesOnlyKnownFunctions
        {
            return "a fact"
        }
        if !one.isUnparsed, one.fingerprint != other.fingerprint { return "the fingerprint" }
        if !ignoringTags, one.commentTags.map(\.key) != other.commentTags.map(\.key) { return "a tag" }
        return nil
    }

    // MARK: Hints and rules

    /// Neither sends a write to a standby nor lets through what is refused.
    private func brokenByRequest(_ statement: Statement) -> String? {
        var requests = [RouteRequest()]
        func add(_ change: (inout RouteRequest) -> Void) {
            var request = RouteRequest()
            change(&request)
            requests.append(request)
        }
        add { $0.role = .standby }
        for pool in standbyPools { add { $0.pool = pool } }
        add { $0.mustNotWrite = true }
        add { $0.needsPrimary = .ownWrite }
        for pool in judge.rules.pools.indices { add { $0.transactionPool = pool } }
        for request in requests {
            for origin in origins {
                let decision = judge.consider(statement, request, origin)
                if let problem = broken(decision, statement, request) { return problem }
            }
        }
        return nil
    }

    private func broken(_ decision: Decision, _ statement: Statement, _ request: RouteRequest) -> String? {
        let isRefused = decision.refusal != nil
        if let refusal = statement.refusal, decision.refusal?.message != refusal.message {
            return "refused by nature, it comes out otherwise under \(request)"
        }
        if statement.refusalOutsideTransaction != nil, request.transactionPool == nil, !isRefused {
            return "refused outside a transaction, it runs under \(request)"
        }
        guard let pool = decision.pool else { return nil }
        if let pinned = request.transactionPool { return pool == pinned ? nil : "it leaves its transaction's pool" }
        if request.mustNotWrite, statement.access == .write { return "a write runs under @ro" }
        let role = judge.rules.pools[pool].role
        if role == .standby, statement.access == .write { return "a write goes to a standby under \(request)" }
        if role == .standby, request.needsPrimary != nil { return "what needs the primary goes to a standby" }
        return nil
    }

    // MARK: The tree

    /// A second opinion, from a plain walk over everything in the tree, on what is judged a read.
    private func brokenByTree(_ statement: Statement) -> String? {
        guard statement.access == .read, !statement.isUnparsed, statement.refusal == nil else { return nil }
        guard let tree = PlainTree(of: statement.text) else { return "parsed once, but not twice" }
        guard tree.statementNodes.count == 1, let node = tree.statementNodes.first else {
            return "a read of \(tree.statementNodes.count) statements"
        }
        guard JudgementInvariants.readingNodes.contains(node) else { return "a read, but it is a \(node)" }
        if node == "explain_stmt" { return nil }
        if let written = JudgementInvariants.writingMessages.first(where: tree.messages.contains) {
            return "a read, but there is a \(written) in it"
        }
        for function in tree.functions {
            // A call of set_config that is not refused is of the transaction only.
            switch KnownFunctions.meaning(of: function) {
            case .pure, .harmless, .unknown, .setConfig: break
            case .primaryOnly, .sessionLock: return "a read, but it calls \(function)"
            }
        }
        return nil
    }

    private static let readingNodes: Set<String> = [
        "select_stmt", "explain_stmt", "variable_show_stmt", "declare_cursor_stmt", "fetch_stmt", "close_portal_stmt",
        "transaction_stmt", "constraints_set_stmt", "variable_set_stmt",
    ]
    private static let writingMessages = [
        "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "LockingClause", "IntoClause", "CopyStmt", "CreateStmt",
        "ExecuteStmt", "CallStmt", "DoStmt", "LockStmt", "NotifyStmt", "TruncateStmt",
    ]

    // MARK: Without a parse

    /// What is refused when it is parsed is refused when it was not.
    private func brokenByNotParsing(_ statement: Statement) -> String? {
        let isTemporary = statement.refusalOutsideTransaction === Refusal.temporaryOutside
        guard let refusal = statement.refusal ?? (isTemporary ? .temporary : nil), refusal.sqlstate == "0A000" else {
            return nil
        }
        // The server refuses a temporary element of CREATE SCHEMA, and other commands than these leave no relation behind.
        if refusal === Refusal.temporary {
            guard let node = PlainTree(of: statement.text)?.statementNodes.first,
                JudgementInvariants.creatingNodes.contains(node)
            else { return nil }
        }
        // A COPY to a file of no name looks like one to the client in the tree; the server refuses it.
        if statement.kind == .copy, String(decoding: statement.text, as: UTF8.self).contains("''") { return nil }
        var facts = StatementFacts()
        UnparsedText.judge(statement.text, &facts)
        if facts.refusal != nil { return nil }
        return "unparsed, it would smuggle in what is refused: \(refusal.message.prefix(40))"
    }

    private static let creatingNodes: Set<String> = [
        "create_stmt", "create_table_as_stmt", "view_stmt", "create_seq_stmt", "select_stmt", "create_function_stmt",
        "composite_type_stmt", "create_enum_stmt", "create_domain_stmt", "explain_stmt",
    ]

    // MARK: Blanks and comments

    /// Blanks and comments around a text change nothing.
    private func brokenByBlanks(_ statement: Statement) -> String? {
        let text = statement.text
        // Behind a text that was not parsed, a comment may end one that was left open.
        var before = " \n"
        var after = " \t\n"
        switch text.count % 3 {
        case 0: (before, after) = ("--' $$ \"\n", " ")
        case 1: (before, after) = ("/* a /* ' */ */", statement.isUnparsed ? "" : "\n/* set */")
        default: break
        }
        guard statement.unparsedCause != .tooCostly, !text.contains(0),
            text.count + before.utf8.count + after.utf8.count <= ParseLimits.textBytes
        else { return nil }
        let padded = Array(before.utf8) + text + Array(after.utf8)
        return padded.withUnsafeBytes { bytes in
            let judged = forgetful.statement(for: bytes)
            if judged.unparsedCause == .tooCostly { return nil }
            let hidesTags = after.utf8.count > 4
            return difference(statement, judged, ignoringTags: hidesTags).map {
                "between blanks or comments (form \(text.count % 3)), \($0) differs"
            }
        }
    }
}
