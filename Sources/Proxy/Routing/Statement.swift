// What is known of one SQL text: the facts that its parse gave, never what a rule or a request adds.

/// What a statement is. The words are those of a rule's `kind`.
package enum StatementKind: UInt8, Sendable, CaseIterable {
    case select, insert, update, delete, merge, copy
    /// What PostgreSQL logs under `log_statement = ddl`; SELECT INTO and CREATE TABLE AS among it.
    case ddl
    /// Everything else that is none of the others: EXPLAIN, SHOW, VACUUM, CALL, DO, LOCK, cursors, NOTIFY, …
    case utility
    /// BEGIN, COMMIT, ROLLBACK, savepoints, two-phase commit.
    case transaction
    /// SET, RESET, LISTEN, PREPARE and whatever else changes a session.
    case session
    /// A text that was not parsed.
    case unknown

    package var word: String {
        switch self {
        case .select: "select"
        case .insert: "insert"
        case .update: "update"
        case .delete: "delete"
        case .merge: "merge"
        case .copy: "copy"
        case .ddl: "ddl"
        case .utility: "utility"
        case .transaction: "transaction"
        case .session: "session"
        case .unknown: "unknown"
        }
    }

    package init?(word: String) {
        guard let kind = StatementKind.allCases.first(where: { $0.word == word }) else { return nil }
        self = kind
    }
}

/// A name as written, folded to lower case as PostgreSQL does; quoted names keep their case.
package struct QualifiedName: Hashable, Sendable, CustomStringConvertible {
    /// Empty when it was not written.
    package var schema: String
    package var name: String

    package init(schema: String = "", name: String) {
        self.schema = schema
        self.name = name
    }

    package var description: String { schema.isEmpty ? name : "\(schema).\(name)" }
}

package enum SavepointCommand: UInt8, Sendable {
    case savepoint, release, rollbackTo
}

/// Why a text was not parsed. All such texts are judged as writes.
package enum UnparsedCause: Equatable, Sendable {
    /// Above ParseLimits.textBytes.
    case tooLong
    /// Above one of the other ParseLimits, which bound the time of a parse.
    case tooCostly
    /// The parser's own words, at most 200 bytes: newer syntax, or a mistake that the server will name better.
    case syntax(String)
}

/// The facts of one SQL text. Confined to the thread of the Judge that made it.
package final class Statement {
    /// The text, and a NUL behind it that is not counted.
    package let text: UnsafeRawBufferPointer
    package let kind: StatementKind
    /// `.read` only when nothing in it is known to write, or to mean something only on the primary.
    package let access: Access
    /// Why access is what it is: `classifier`, `function` or `unparsed`.
    package let reason: RouteReason
    /// The function that made it a write, or the system view that calls one, when reason is `function`.
    package let decidingFunction: QualifiedName?
    /// What is named there is a sequence that is read like a table, or its column.
    package let readsSequence: Bool
    /// Tables, views and sequences, each once, in the order of the text's grammar; names of CTEs are none.
    package let tables: [QualifiedName]
    /// Functions called by name, each once.
    package let functions: [QualifiedName]
    /// Schemas that DDL names as such (CREATE SCHEMA, DROP SCHEMA).
    package let schemas: [String]
    /// The pairs of a sqlcommenter comment at the end, decoded.
    package let commentTags: [(key: String, value: String)]
    /// The highest n of `$n`; nil when the text was not parsed.
    package let parameterCount: Int?
    /// FOR UPDATE, FOR SHARE and their kin, anywhere.
    package let hasRowLocks: Bool
    /// It may commit before its end (CALL, DO, VACUUM, CONCURRENTLY, CREATE DATABASE, …): its outcome is unknown when its
    /// reply is lost, and it cannot share a batch with another statement, not even a set_config.
    package let commitsOnTheWay: Bool
    package let savepointCommand: SavepointCommand?
    /// False when it calls a function that is not on the list of PostgreSQL's own harmless ones: on a primary it then counts
    /// as a write for its outcome.
    package let namesOnlyKnownFunctions: Bool
    /// False when it names a function, even one that is not run, that is not on the list of PostgreSQL's own pure ones
    /// (FunctionGroup has the criterion), or was not parsed. What COALESCE, CURRENT_USER and other syntax does is pure.
    /// Functions behind operators, casts, types and views have no name in a text: they are not seen here.
    package let namesOnlyPureFunctions: Bool
    /// It names `synchronous_commit` in a SET or set_config, or may run what does (a user's function, DO, a text that was not
    /// parsed): its transaction's commit may be answered before it is flushed. Triggers are not seen.
    package let mayCommitUnflushed: Bool
    /// The same of `statement_timeout`.
    package let maySetTimeout: Bool
    /// It may turn a transaction that was begun READ ONLY into one that writes, if it is the first statement of it. A function
    /// cannot: it runs behind a snapshot.
    package let maySetTransactionMode: Bool
    package let unparsedCause: UnparsedCause?
    /// Why it is refused everywhere.
    package let refusal: Refusal?
    /// Why it is refused outside a transaction.
    package let refusalOutsideTransaction: Refusal?

    /// How long it took of late, smoothed, in microseconds from its sending to the answer; 0 before its first answer.
    package private(set) var usualMicroseconds = 0

    /// Takes the time of one more answer.
    package func took(microseconds: Int) {
        usualMicroseconds = usualMicroseconds == 0 ? microseconds : (usualMicroseconds * 7 + microseconds) / 8
    }

    /// The rules that may match it; valid while its generation is that of the rule set in force.
    var ruleMatch = StaticRuleMatch.none
    private var cachedNormalised: [UInt8]?
    private var hasConstants = true
    private var cachedFingerprint: UInt64?

    init(_ facts: consuming StatementFacts, copying sql: UnsafeRawBufferPointer) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: sql.count + 1, alignment: 1)
        copy.copyMemory(from: sql)
        copy[sql.count] = 0
        text = UnsafeRawBufferPointer(rebasing: copy[..<sql.count])
        kind = facts.kind
        access = facts.writes || facts.primaryFunction != nil ? .write : .read
        reason =
            facts.unparsedCause != nil
            ? .unparsed : facts.primaryFunction != nil && !facts.writes ? .function : .classifier
        decidingFunction = facts.primaryFunction
        readsSequence = facts.readsSequence
        tables = facts.tables.names
        functions = facts.functions.names
        schemas = facts.schemas
        commentTags = facts.commentTags
        parameterCount = facts.unparsedCause == nil ? facts.parameterCount : nil
        hasRowLocks = facts.hasRowLocks
        commitsOnTheWay = facts.commitsOnTheWay
        savepointCommand = facts.savepointCommand
        namesOnlyKnownFunctions = facts.unparsedCause == nil && !facts.namesUnknownFunction
        namesOnlyPureFunctions = facts.unparsedCause == nil && !facts.namesImpureFunction
        // What was not parsed may set anything, and is not searched for it: it may be long.
        let isUnparsed = facts.unparsedCause != nil
        let maySet = facts.kind == .session || functions.contains { $0.name == "set_config" }
        let mayRunAnything = isUnparsed || facts.namesUnknownFunction || facts.commitsOnTheWay
        mayCommitUnflushed = mayRunAnything || maySet && Statement.names("synchronous_commit", in: text)
        maySetTimeout = isUnparsed || maySet && Statement.names("statement_timeout", in: text)
        maySetTransactionMode = isUnparsed || facts.setsTransactionMode
        unparsedCause = facts.unparsedCause
        refusal = facts.refusal
        refusalOutsideTransaction = facts.refusalOutsideTransaction
    }

    deinit { text.deallocate() }

    /// False when no rule of those it was judged by last can match it, whoever asks.
    package var mayMatchRules: Bool { !ruleMatch.candidates.isEmpty }
    /// A server that held it to reading said 25006, when it was judged last.
    package var isLearnedToWrite: Bool { ruleMatch.learned == .writes }
    package var isSavepointCommand: Bool { savepointCommand != nil }
    package var isUnparsed: Bool { unparsedCause != nil }
    package var isTooLong: Bool { unparsedCause == .tooLong }

    /// The same for texts that differ in constants, white space, comments or the length of a list. Computed when first asked
    /// for (about a third of a parse). Of a text that was not parsed: a hash of its bytes that is the same in every process.
    package var fingerprint: UInt64 {
        if let cachedFingerprint { return cachedFingerprint }
        let fingerprint = (isUnparsed ? nil : Parser.fingerprint(of: text)) ?? stableHash(text)
        cachedFingerprint = fingerprint
        return fingerprint
    }

    /// The text with its constants replaced by `$n`, which regular expressions and logs see. Of a text that was not parsed, or
    /// has selects inside each other more than ParseLimits.normalisedSelectDepth deep: the text itself, at most its first
    /// ParseLimits.textBytes bytes.
    package var normalisedBytes: [UInt8] {
        if let cachedNormalised { return cachedNormalised }
        let normalised = isUnparsed ? nil : Parser.normalised(text)
        hasConstants = normalised == nil
        let bytes = normalised ?? Array(text.prefix(ParseLimits.textBytes))
        cachedNormalised = bytes
        return bytes
    }
    /// Whether `normalised` has no constants: only then may people other than the statement's author see it.
    package var isNormalised: Bool {
        _ = normalisedBytes
        return !hasConstants
    }
    package var normalised: String { String(decoding: normalisedBytes, as: UTF8.self) }

    /// About how much memory it holds, in bytes, for the cache's bound.
    var weight: Int {
        // The normalised text may come to the text's own.
        var weight = 512 + 2 * text.count
        weight += (tables.count + functions.count + schemas.count + 2 * commentTags.count) * 48
        return weight
    }

    /// Whether the word, in lower case, stands in the text in any case.
    private static func names(_ word: StaticString, in text: UnsafeRawBufferPointer) -> Bool {
        let count = word.utf8CodeUnitCount
        guard text.count >= count else { return false }
        let first = word.utf8Start[0]
        return (0...(text.count - count)).contains { start in
            text[start] | 0x20 == first
                && (1..<count).allSatisfy { text[start + $0] | 0x20 == word.utf8Start[$0] | 0x20 }
        }
    }

    /// FNV-1a, 64 bits.
    private func stableHash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }
}

/// What a walk over a parse collects; becomes a Statement.
struct StatementFacts {
    var kind = StatementKind.unknown
    var writes = false
    /// Or a system view that calls one.
    var primaryFunction: QualifiedName?
    /// The name above is of a sequence that is read like a table, or of its column.
    var readsSequence = false
    var tables = NameList()
    var functions = NameList()
    var schemas: [String] = []
    var commentTags: [(key: String, value: String)] = []
    var parameterCount = 0
    var hasRowLocks = false
    var commitsOnTheWay = false
    var setsTransactionMode = false
    var savepointCommand: SavepointCommand?
    var namesUnknownFunction = false
    var namesImpureFunction = false
    var unparsedCause: UnparsedCause?
    var refusal: Refusal?
    var refusalOutsideTransaction: Refusal?

    /// The first refusal stands: it is the one nearest to the statement's beginning.
    mutating func refuse(_ refusal: Refusal) {
        if self.refusal == nil { self.refusal = refusal }
    }
}

/// Names, each once, in order. Few: compared one by one; many: by a set, so that 5,000 tables in one text cost no square.
struct NameList {
    private(set) var names: [QualifiedName] = []
    private var seen: Set<QualifiedName> = []

    mutating func add(_ name: QualifiedName) {
        if names.count < 16 {
            if !names.contains(name) { names.append(name) }
            return
        }
        if seen.isEmpty { seen = Set(names) }
        if seen.insert(name).inserted { names.append(name) }
    }
}
