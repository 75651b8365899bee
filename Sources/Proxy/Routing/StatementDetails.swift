// What a command's name alone does not say: the closer looks at EXPLAIN, COPY, SET, transaction control, cursors and DDL.

enum StatementDetails {
    private static var fields: FieldNumbers { Grammar.shared.fields }

    /// The facts of `statement`, the only field of its Node; nil when the tree was too deep to walk.
    static func facts(of statement: ProtobufField) -> StatementFacts? {
        let table = StatementNode.byNumber
        let number = Int(statement.number)
        let node = number < table.count ? table[number] : .ddl
        let message = ProtobufMessage(statement.bytes)
        var facts = StatementFacts()
        facts.kind = node.kind
        facts.writes = node.writes
        facts.commitsOnTheWay = node.commitsOnTheWay
        if let refusal = node.refusal { facts.refuse(refusal) }
        var runsItsParts = node.runsItsParts
        if node.detail == .explain { runsItsParts = explains(message, &facts) }
        guard let type = Grammar.shared.message(in: Grammar.shared.nodeMessage, field: statement.number) else {
            return facts
        }
        var walk = TreeWalk(statement.bytes, facts: facts, runsItsParts: runsItsParts)
        walk.walk(type)
        if walk.isIncomplete { return nil }
        facts = walk.facts
        look(node.detail, at: message, &facts)
        if node.kind == .ddl, let fields = Grammar.shared.definition(of: type) {
            DefinitionNames(message).collect(fields, into: &facts)
        }
        // SELECT INTO is DDL. Its clause is in the first SELECT of a UNION, not in the UNION.
        if number == Grammar.shared.selectNode, walk.hasInto { facts.kind = .ddl }
        if walk.createsTemporary, node.detail == .explain, !runsItsParts {
            // Even unrun it makes the session's temporary schema, which a standby refuses.
            facts.writes = true
        } else if walk.createsTemporary, node.detail != .drop {
            refuseTemporary(node.detail, message, &facts)
        }
        return facts
    }

    private static func look(_ detail: StatementNode.Detail, at message: ProtobufMessage, _ facts: inout StatementFacts)
    {
        switch detail {
        case .none, .explain, .createTable, .createTableAs: break
        case .copy: copy(message, &facts)
        case .set: set(message, &facts)
        case .transaction: transaction(message, &facts)
        case .constraints: facts.refusalOutsideTransaction = .constraintsOutside
        case .cursor: cursor(message, &facts)
        case .createSchema: facts.schemas.append(message.string(fields.createdSchema))
        case .drop: if message.flag(fields.dropIsConcurrent) { facts.commitsOnTheWay = true }
        case .index: if message.flag(fields.indexIsConcurrent) { facts.commitsOnTheWay = true }
        case .reindex: reindex(message, &facts)
        case .alterTable: alterTable(message, &facts)
        }
    }

    // MARK: EXPLAIN

    /// Whether it runs what it explains. Plain EXPLAIN of a write succeeds on a standby and writes nothing.
    private static func explains(_ message: ProtobufMessage, _ facts: inout StatementFacts) -> Bool {
        var analyses = false
        message.forEach(fields.explainOptions) { node in
            guard let option = node.content.map({ ProtobufMessage($0.bytes) }) else { return }
            guard option.string(fields.optionName) == "analyze" else { return }
            // The last one counts in PostgreSQL; one that says yes is enough here.
            analyses = analyses || !isFalse(option.message(fields.optionValue)?.content)
        }
        guard analyses, let query = message.message(fields.explainQuery)?.content else { return analyses }
        let table = StatementNode.byNumber
        let number = Int(query.number)
        let explained = number < table.count ? table[number] : .ddl
        if explained.writes { facts.writes = true }
        return true
    }

    /// Of an option's value: off, false or 0. Absent means on.
    private static func isFalse(_ value: ProtobufField?) -> Bool {
        guard let value else { return false }
        let message = ProtobufMessage(value.bytes)
        switch value.number {
        case Grammar.shared.stringNode: return ["off", "false"].contains(message.string(fields.string).lowercased())
        case Grammar.shared.integerNode: return message.number(fields.integer) == 0
        case Grammar.shared.booleanNode: return !message.flag(fields.booleanValue)
        default: return false
        }
    }

    // MARK: COPY

    private static func copy(_ message: ProtobufMessage, _ facts: inout StatementFacts) {
        guard message.string(fields.copyFile).isEmpty, !message.flag(fields.copyIsProgram) else { return }
        if message.flag(fields.copyIsFrom) { return facts.refuse(.copyFromClient) }
        guard let relation = message.message(fields.copyRelation) else {
            return facts.refuse(.copyToClient(select: "the query inside the parentheses by itself"))
        }
        let schema = relation.string(fields.schemaName)
        let name = relation.string(fields.relationName)
        var columns: [String] = []
        message.forEach(fields.copyColumns) { node in
            guard let content = node.content else { return }
            columns.append(quoted(ProtobufMessage(content.bytes).string(fields.string)))
        }
        let from = schema.isEmpty ? quoted(name) : "\(quoted(schema)).\(quoted(name))"
        let list = columns.isEmpty ? "*" : columns.joined(separator: ", ")
        facts.refuse(.copyToClient(select: "SELECT \(list) FROM \(from)"))
    }

    private static func quoted(_ name: String) -> String {
        let isPlain = name.utf8.allSatisfy {
            ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z")) || $0 == UInt8(ascii: "_")
                || ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9"))
        }
        if isPlain, let first = name.utf8.first, first > UInt8(ascii: "9") { return name }
        return "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    // MARK: Session and transaction

    private static func set(_ message: ProtobufMessage, _ facts: inout StatementFacts) {
        let name = message.string(fields.setName)
        // SET TRANSACTION is of the transaction by its nature; the parser gives it and its snapshot form these names.
        let isLocal = message.flag(fields.setIsLocal) || name == "TRANSACTION" || name == "TRANSACTION SNAPSHOT"
        guard isLocal else { return facts.refuse(.set) }
        if isProtectedSetting(name) { return facts.refuse(.protectedSetting) }
        facts.setsTransactionMode = name == "TRANSACTION" || name == "transaction_read_only"
        message.forEach(fields.setValues) { node in
            let value = node.content.flatMap { ProtobufMessage($0.bytes).message(fields.constantString) }
            if namesTemporarySchema(setting: name, value: value?.string(fields.string) ?? "") {
                facts.refuse(.temporarySearchPath)
            }
        }
        facts.refusalOutsideTransaction = .setLocalOutside
    }

    private static func transaction(_ message: ProtobufMessage, _ facts: inout StatementFacts) {
        // enum TransactionStmtKind of pg_query.proto.
        switch message.number(fields.transactionKind) {
        case 1, 2: facts.refuse(.begin)
        case 3: facts.refuse(.commit)
        case 4: facts.refuse(.rollback)
        case 5: facts.savepointCommand = .savepoint
        case 6: facts.savepointCommand = .release
        case 7: facts.savepointCommand = .rollbackTo
        default: facts.refuse(.twoPhase)
        }
        if facts.savepointCommand != nil { facts.refusalOutsideTransaction = .savepointOutside }
    }

    private static func cursor(_ message: ProtobufMessage, _ facts: inout StatementFacts) {
        let withHold: UInt64 = 0x0020  // CURSOR_OPT_HOLD of PostgreSQL's nodes/parsenodes.h
        if message.number(fields.cursorOptions) & withHold != 0 { return facts.refuse(.cursorWithHold) }
        facts.refusalOutsideTransaction = .cursorOutside
    }

    // MARK: DDL

    /// Allowed with ON COMMIT DROP inside a transaction, which leaves nothing behind; views and sequences have no such form.
    private static func refuseTemporary(
        _ detail: StatementNode.Detail, _ message: ProtobufMessage, _ facts: inout StatementFacts
    ) {
        let drops: UInt64 = 4  // ONCOMMIT_DROP of pg_query.proto
        let onCommit: UInt64 =
            switch detail {
            case .createTable: message.number(fields.createOnCommit)
            case .createTableAs: message.message(fields.createTableAsInto)?.number(fields.intoOnCommit) ?? 0
            default: 0
            }
        if onCommit == drops {
            facts.refusalOutsideTransaction = .temporaryOutside
        } else {
            facts.refuse(.temporary)
        }
    }

    private static func reindex(_ message: ProtobufMessage, _ facts: inout StatementFacts) {
        // SCHEMA, SYSTEM and DATABASE take a transaction for each table.
        let kind = message.number(fields.reindexKind)
        if kind >= 3 { facts.commitsOnTheWay = true }
        if kind == 3 { facts.schemas.append(message.string(fields.reindexName)) }
        message.forEach(fields.reindexParameters) { node in
            guard let option = node.content.map({ ProtobufMessage($0.bytes) }) else { return }
            if option.string(fields.optionName) == "concurrently" { facts.commitsOnTheWay = true }
        }
    }

    private static func alterTable(_ message: ProtobufMessage, _ facts: inout StatementFacts) {
        message.forEach(fields.alterTableCommands) { node in
            guard let command = node.content.map({ ProtobufMessage($0.bytes) }) else { return }
            guard let definition = command.message(fields.commandDefinition)?.content else { return }
            guard definition.number == Grammar.shared.partitionNode else { return }
            if ProtobufMessage(definition.bytes).flag(fields.partitionIsConcurrent) { facts.commitsOnTheWay = true }
        }
    }
}
