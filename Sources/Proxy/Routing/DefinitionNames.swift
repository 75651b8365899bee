// What a command of DDL names otherwise than as a table in a clause: the objects of DROP, COMMENT, GRANT and the like, and the
// functions and types that it makes. Rules by table and schema shall see them all.

struct DefinitionNames {
    /// Where a command keeps them.
    struct Fields: Sendable {
        /// The kind of object, and the object or objects; 0: it has none.
        var type: UInt32 = 0
        var objects: UInt32 = 0
        /// A qualified name of something that is made or changed.
        var name: UInt32 = 0
        /// The same as an ObjectWithArgs.
        var function: UInt32 = 0
        /// A schema as plain text: when the object is a schema, or `isAlwaysSchema`.
        var schema: UInt32 = 0
        var isAlwaysSchema = false
        /// Of GRANT: whether its objects are schemas, whatever their type says.
        var target: UInt32 = 0
    }

    private let grammar = Grammar.shared
    private let message: ProtobufMessage

    init(_ message: ProtobufMessage) { self.message = message }

    func collect(_ fields: Fields, into facts: inout StatementFacts) {
        let givenType = fields.type == 0 ? 0 : message.number(fields.type)
        let isInSchema = fields.target != 0 && message.number(fields.target) == allInSchema
        let type = isInSchema ? ObjectType.schema : givenType
        if fields.objects != 0 { message.forEach(fields.objects) { object($0, type, &facts) } }
        if fields.name != 0 { qualified(parts(fields.name, of: message), &facts) }
        if fields.function != 0, let function = message.message(fields.function) {
            qualified(parts(grammar.fields.objectName, of: function), &facts)
        }
        guard fields.schema != 0, fields.isAlwaysSchema || type == ObjectType.schema else { return }
        let schema = message.string(fields.schema)
        if !schema.isEmpty { facts.schemas.append(schema) }
    }

    private func object(_ node: ProtobufMessage, _ type: UInt64, _ facts: inout StatementFacts) {
        guard let content = node.content else { return }
        let inside = ProtobufMessage(content.bytes)
        switch content.number {
        case grammar.stringNode:
            if type == ObjectType.schema { facts.schemas.append(inside.string(grammar.fields.string)) }
        case grammar.listNode: named(parts(grammar.fields.listItems, of: inside), type, &facts)
        case grammar.typeNameNode: qualified(parts(grammar.fields.typeNames, of: inside), &facts)
        case grammar.objectWithArgumentsNode: qualified(parts(grammar.fields.objectName, of: inside), &facts)
        default: break
        }
    }

    private var allInSchema: UInt64 { 2 }  // ACL_TARGET_ALL_IN_SCHEMA of pg_query.proto

    /// A name as a list: [database.][schema.]table[.column or the like].
    private func named(_ parts: [String], _ type: UInt64, _ facts: inout StatementFacts) {
        let table = ObjectType.partsOfTables.contains(type) ? parts.dropLast() : parts[...]
        guard ObjectType.relations.contains(type) || table.count < parts.count else { return qualified(parts, &facts) }
        guard let name = table.last else { return }
        facts.tables.add(QualifiedName(schema: table.dropLast().last ?? "", name: name))
    }

    private func qualified(_ parts: [String], _ facts: inout StatementFacts) {
        if let schema = parts.dropLast().last { facts.schemas.append(schema) }
    }

    private func parts(_ field: UInt32, of message: ProtobufMessage) -> [String] {
        var parts: [String] = []
        message.forEach(field) { item in
            guard let part = item.content, part.number == grammar.stringNode else { return }
            parts.append(ProtobufMessage(part.bytes).string(grammar.fields.string))
        }
        return parts
    }

    /// enum ObjectType of pg_query.proto.
    private enum ObjectType {
        static let schema: UInt64 = 37
        /// Foreign table, index, materialised view, sequence, table, view.
        static let relations: Set<UInt64> = [19, 21, 24, 38, 42, 52]
        /// Column, policy, rule, constraint, trigger.
        static let partsOfTables: Set<UInt64> = [7, 29, 36, 41, 45]
    }
}

extension Grammar {
    /// By the names that libpg_query gives such fields.
    static func definitionFields(_ ids: [String: MessageID], _ numbers: [String: UInt32]) -> [MessageID: DefinitionNames
        .Fields]
    {
        var found: [MessageID: DefinitionNames.Fields] = [:]
        for (name, id) in ids where name.hasSuffix("Stmt") {
            func number(_ fields: [String]) -> UInt32 { fields.lazy.compactMap { numbers["\(name).\($0)"] }.first ?? 0 }
            var fields = DefinitionNames.Fields()
            fields.type = number(["objtype", "remove_type", "rename_type", "object_type"])
            fields.objects = fields.type == 0 ? 0 : number(["object", "objects"])
            fields.name = number(["funcname", "domainname", "defnames"])
            if fields.name == 0 { fields.name = number(["type_name"]) }
            // The function that a trigger calls is not what is made.
            if name.hasSuffix("TrigStmt") { fields.name = 0 }
            fields.function = name == "AlterFunctionStmt" ? number(["func"]) : 0
            fields.target = number(["targtype"])
            fields.isAlwaysSchema = name == "AlterObjectSchemaStmt"
            if fields.isAlwaysSchema || name == "RenameStmt" { fields.schema = number(["newschema", "subname"]) }
            if fields.function != 0 { found[id] = fields }
            if fields.objects != 0 || fields.name != 0 { found[id] = fields }
        }
        return found
    }
}
