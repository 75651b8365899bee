// The walk over a parse tree's bytes: iterative, bounded, and blind to everything but what a judgement needs.

/// Collects tables, functions, parameters, locks and writes of one statement, wherever they are nested.
struct TreeWalk {
    private struct Frame {
        var position: Int
        var end: Int
        var message: Grammar.MessageID
        /// Index in `scopes` of the WITH names that hide tables here; -1: none.
        var scope: Int32
        /// Of a WITH clause without RECURSIVE: how many of its names came before the next one; -1: any other message.
        var earlierNames: Int32
    }

    /// Names of WITH queries that are visible, and the scope around.
    private struct Scope {
        var parent: Int32
        var names: Range<Int>
    }

    private let grammar = Grammar.shared
    private let tree: UnsafeRawBufferPointer
    private let runsItsParts: Bool
    private let isDDL: Bool
    private var frames: [Frame] = []
    private var scopes: [Scope] = []
    private var withNames: [UnsafeRawBufferPointer] = []

    var facts: StatementFacts
    /// A relation is created as temporary, by a word or by the schema pg_temp.
    private(set) var createsTemporary = false
    private(set) var hasInto = false
    private var sequenceColumn: QualifiedName?
    private var namesOtherColumn = false
    private var hasFunctionInFrom = false
    /// Columns with a table's name before them that are called like a function of the primary.
    private var qualifiedColumns: [UnsafeRawBufferPointer] = []
    /// Too deep, or bytes that make no sense: the facts are not complete.
    private(set) var isIncomplete = false

    /// `tree` is the bytes of the statement's own message, without the Node around it.
    init(_ tree: UnsafeRawBufferPointer, facts: StatementFacts, runsItsParts: Bool) {
        self.tree = tree
        self.facts = facts
        self.runsItsParts = runsItsParts
        isDDL = facts.kind == .ddl
        frames.reserveCapacity(48)
    }

    mutating func walk(_ message: Grammar.MessageID) {
        enter(message, UnsafeRawBufferPointer(rebasing: tree[...]), field: 0, parent: nil)
        while let top = frames.indices.last {
            guard frames[top].position < frames[top].end else {
                frames.removeLast()
                continue
            }
            step(top)
            if isIncomplete { return }
        }
        if let sequenceColumn, !namesOtherColumn { noteSequence(sequenceColumn) }
        // Only what a function in FROM gives is a value of such a type by itself; of a table it is a column.
        if hasFunctionInFrom { for name in qualifiedColumns { attribute(name) } }
    }

    /// Reads one field of the innermost message, and goes into it when it holds a message.
    private mutating func step(_ top: Int) {
        guard let key = varint(top) else { return }
        let number = UInt32(truncatingIfNeeded: key >> 3)
        switch key & 7 {
        case 0: _ = varint(top)
        case 1: skip(8, top)
        case 5: skip(4, top)
        case 2:
            guard let count = varint(top), count <= UInt64(frames[top].end - frames[top].position) else {
                isIncomplete = true
                return
            }
            let start = frames[top].position
            frames[top].position = start + Int(count)
            guard let held = grammar.message(in: frames[top].message, field: number) else { return }
            enter(
                held, UnsafeRawBufferPointer(rebasing: tree[start..<start + Int(count)]), field: number,
                parent: top)
        default: isIncomplete = true
        }
    }

    private mutating func skip(_ count: Int, _ top: Int) {
        if count > frames[top].end - frames[top].position { isIncomplete = true }
        frames[top].position += count
    }

    private mutating func varint(_ top: Int) -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        var position = frames[top].position
        let end = frames[top].end
        while position < end, shift < 64 {
            let byte = tree[position]
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 {
                frames[top].position = position
                return value
            }
            shift += 7
        }
        isIncomplete = true
        return nil
    }

    private mutating func enter(
        _ message: Grammar.MessageID, _ bytes: UnsafeRawBufferPointer, field: UInt32, parent: Int?
    ) {
        let scope = parent.map { frames[$0].scope } ?? -1
        switch grammar.meeting(message) {
        case .descend: push(message, bytes, scope)
        case .skip: return
        case .name:
            if isDDL, let name = ProtobufMessage(bytes).field(grammar.fields.string), isTemporarySchema(name.bytes) {
                createsTemporary = true
            }
        case .node:
            guard let parent, frames[parent].earlierNames >= 0, field == grammar.fields.withNames else {
                return push(message, bytes, scope)
            }
            // Without RECURSIVE a WITH query sees only the names before its own.
            push(message, bytes, scopeOfEarlierNames(parent))
        case .tableName: tableName(ProtobufMessage(bytes), field: field, parent: parent, scope: scope)
        case .parameter:
            let number = ProtobufMessage(bytes).number(grammar.fields.parameterNumber)
            facts.parameterCount = max(facts.parameterCount, Int(Int32(truncatingIfNeeded: number)))
        case .columnName: columnName(ProtobufMessage(bytes))
        case .attribute:
            ProtobufMessage(bytes).forEach(grammar.fields.attributes) { node in
                if let name = stringOf(node) { attribute(name) }
            }
            push(message, bytes, scope)
        case .functionInFrom:
            hasFunctionInFrom = true
            push(message, bytes, scope)
        case .functionCall:
            functionCall(ProtobufMessage(bytes))
            push(message, bytes, scope)
        case .rowLock:
            // The names inside are of FROM's aliases, not of tables.
            facts.hasRowLocks = true
            if runsItsParts { facts.writes = true }
        case .intoClause:
            hasInto = true
            if runsItsParts { facts.writes = true }
            push(message, bytes, scope)
        case .execute:
            facts.refuse(.prepare)
            push(message, bytes, scope)
        case .query:
            if runsItsParts, message != grammar.selectMessage { facts.writes = true }
            push(message, bytes, openScope(message, bytes, outer: scope))
        case .withClause:
            push(message, bytes, scope)
            let isRecursive = ProtobufMessage(bytes).flag(grammar.fields.withIsRecursive)
            if !isRecursive, !frames.isEmpty { frames[frames.count - 1].earlierNames = 0 }
        }
    }

    private mutating func push(_ message: Grammar.MessageID, _ bytes: UnsafeRawBufferPointer, _ scope: Int32) {
        guard bytes.count > 0, let start = bytes.baseAddress, let base = tree.baseAddress else { return }
        guard frames.count < ParseLimits.depth else {
            isIncomplete = true
            return
        }
        let offset = start - base
        frames.append(
            Frame(position: offset, end: offset + bytes.count, message: message, scope: scope, earlierNames: -1))
    }

    // MARK: Tables

    /// A name without schema is a WITH query when one of that name is visible, except as the target of a write.
    private mutating func tableName(_ range: ProtobufMessage, field: UInt32, parent: Int?, scope: Int32) {
        let fields = grammar.fields
        var schema: UnsafeRawBufferPointer?
        var name = UnsafeRawBufferPointer(start: nil, count: 0)
        var reader = ProtobufReader(range.bytes)
        while let field = reader.next() {
            switch field.number {
            case fields.schemaName: schema = field.bytes
            case fields.relationName: name = field.bytes
            case fields.persistence: if field.bytes.first == UInt8(ascii: "t") { createsTemporary = true }
            default: break
            }
        }
        if let schema {
            let isCreated = parent.map { grammar.createdField(of: frames[$0].message) == field } ?? false
            if isCreated, isTemporarySchema(schema) { createsTemporary = true }
        } else if !isTarget(field, of: parent), isHidden(name, scope) {
            return
        }
        let table = QualifiedName(
            schema: schema.map { String(decoding: $0, as: UTF8.self) } ?? "",
            name: String(decoding: name, as: UTF8.self))
        facts.tables.add(table)
        if isTarget(field, of: parent), runsItsParts, KnownFunctions.isSettingsView(table) { facts.refuse(.set) }
        if Sequence.isNamed(name), !isTarget(field, of: parent) { noteSequence(table) }
        guard name.starts(with: TreeWalk.systemPrefix), KnownFunctions.isPrimaryView(table) else { return }
        facts.namesImpureFunction = true
        if runsItsParts, facts.primaryFunction == nil { facts.primaryFunction = table }
    }

    /// A statement that names a sequence's columns and no others is most likely of one.
    private mutating func columnName(_ column: ProtobufMessage) {
        var last: ProtobufField?
        var count = 0
        var reader = ProtobufReader(column.bytes)
        while let field = reader.next() {
            guard field.number == grammar.fields.columnFields else { continue }
            last = field
            count += 1
        }
        let name = last.flatMap { stringOf(ProtobufMessage($0.bytes)) }
        if let name, count > 1, KnownFunctions.mayBelongToPrimary(name) { qualifiedColumns.append(name) }
        guard let name, Sequence.hasColumn(name) else {
            namesOtherColumn = true
            return
        }
        if sequenceColumn == nil { sequenceColumn = QualifiedName(name: String(decoding: name, as: UTF8.self)) }
    }

    /// PostgreSQL takes x.name and (x).name for name(x) when x has no such column (ParseFuncOrColumn): such a call has no other
    /// mark, so of attributes only the names that must not run on a standby count.
    private mutating func attribute(_ name: UnsafeRawBufferPointer) {
        guard KnownFunctions.mayBelongToPrimary(name) else { return }
        let function = QualifiedName(name: String(decoding: name, as: UTF8.self))
        let meaning = KnownFunctions.meaning(of: function)
        guard meaning == .primaryOnly || meaning == .sessionLock else { return }
        facts.functions.add(function)
        facts.namesImpureFunction = true
        guard runsItsParts else { return }
        facts.primaryFunction = facts.primaryFunction ?? function
        if meaning == .sessionLock { facts.refuse(.sessionLock) }
    }

    private func stringOf(_ node: ProtobufMessage) -> UnsafeRawBufferPointer? {
        guard let content = node.content, content.number == grammar.stringNode else { return nil }
        return ProtobufMessage(content.bytes).field(grammar.fields.string)?.bytes
    }

    private mutating func noteSequence(_ name: QualifiedName) {
        facts.namesImpureFunction = true
        guard runsItsParts, facts.primaryFunction == nil else { return }
        facts.primaryFunction = name
        facts.readsSequence = true
    }

    /// Of every system view's name: most tables need no look-up.
    private static let systemPrefix = Array("pg_".utf8)

    private func isTarget(_ field: UInt32, of parent: Int?) -> Bool {
        guard let parent else { return false }
        return field == grammar.targetField(of: frames[parent].message)
    }

    private func isHidden(_ name: UnsafeRawBufferPointer, _ scope: Int32) -> Bool {
        var scope = scope
        while scope >= 0 {
            let entry = scopes[Int(scope)]
            for index in entry.names where equal(withNames[index], name) { return true }
            scope = entry.parent
        }
        return false
    }

    /// The names of a query's own WITH, visible in all of it.
    private mutating func openScope(
        _ message: Grammar.MessageID, _ bytes: UnsafeRawBufferPointer, outer: Int32
    ) -> Int32 {
        let fields = grammar.fields
        guard let with = ProtobufMessage(bytes).message(grammar.withField(of: message)) else { return outer }
        let start = withNames.count
        var reader = ProtobufReader(with.bytes)
        while let field = reader.next() {
            guard field.number == fields.withNames, let query = ProtobufMessage(field.bytes).content else { continue }
            if let name = ProtobufMessage(query.bytes).field(fields.commonTableName) { withNames.append(name.bytes) }
        }
        scopes.append(Scope(parent: outer, names: start..<withNames.count))
        return Int32(scopes.count - 1)
    }

    private mutating func scopeOfEarlierNames(_ with: Int) -> Int32 {
        let whole = scopes[Int(frames[with].scope)]
        let earlier = Int(frames[with].earlierNames)
        frames[with].earlierNames += 1
        let start = whole.names.lowerBound
        scopes.append(Scope(parent: whole.parent, names: start..<min(start + earlier, whole.names.upperBound)))
        return Int32(scopes.count - 1)
    }

    // MARK: Functions

    private mutating func functionCall(_ call: ProtobufMessage) {
        var parts: [String] = []
        call.forEach(grammar.fields.functionName) { node in
            guard let content = node.content else { return }
            parts.append(ProtobufMessage(content.bytes).string(grammar.fields.string))
        }
        guard let last = parts.last else { return }
        let name = QualifiedName(schema: parts.count > 1 ? parts[parts.count - 2] : "", name: last)
        facts.functions.add(name)
        let meaning = KnownFunctions.meaning(of: name)
        // The planner runs what is not volatile, so EXPLAIN does too.
        if meaning != .pure { facts.namesImpureFunction = true }
        guard runsItsParts || KnownFunctions.isRefusedWhenPlanned(name) else { return }
        switch meaning {
        case .pure, .harmless: break
        case .unknown: facts.namesUnknownFunction = true
        case .primaryOnly: if facts.primaryFunction == nil { facts.primaryFunction = name }
        case .sessionLock:
            facts.primaryFunction = facts.primaryFunction ?? name
            facts.refuse(.sessionLock)
        case .setConfig: if let refusal = SetConfigCall(call).refusal { facts.refuse(refusal) }
        }
    }

    // MARK: Bytes

    private func equal(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
        one.count == other.count && one.elementsEqual(other)
    }

    /// pg_temp stands for the session's own pg_temp_N.
    private func isTemporarySchema(_ name: UnsafeRawBufferPointer) -> Bool {
        name.starts(with: TreeWalk.temporarySchema)
            && (name.count == TreeWalk.temporarySchema.count
                || name[TreeWalk.temporarySchema.count] == UInt8(ascii: "_"))
    }

    private static let temporarySchema = Array("pg_temp".utf8)
}
