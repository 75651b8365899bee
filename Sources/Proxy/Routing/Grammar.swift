import CPgQuery
import Glibc

/// The shape of PostgreSQL's parse tree: which message each field of each message holds, learned once from libpg_query's own
/// descriptors, so that a walk over the bytes needs no generated code and sees every nested node.
struct Grammar: Sendable {
    static let shared = Grammar()

    /// What the walk does when it meets a message of a type.
    enum Meeting: UInt8 {
        case descend, skip
        case node, name, tableName, columnName, attribute, functionInFrom, functionCall, parameter
        case withClause, rowLock, intoClause, execute
        /// select, insert, …: may carry a WITH whose names hide tables.
        case query
    }

    typealias MessageID = UInt16

    private let first: [Int]
    private let limit: [UInt32]
    private let held: [MessageID]
    private let meetings: [Meeting]
    let numbersByPath: [String: UInt32]
    let fields: FieldNumbers
    let selectMessage: MessageID
    /// The numbers in Node of a few nodes.
    let namedArgumentNode, constantNode, castNode, listNode, stringNode: UInt32
    let integerNode, booleanNode, partitionNode, typeNameNode, objectWithArgumentsNode: UInt32
    let selectNode: Int
    let nodeMessage: MessageID
    /// Of the five query messages: the field of the written table (0: none) and of WITH.
    private let definitions: [MessageID: DefinitionNames.Fields]
    private let createdFields: [MessageID: UInt32]
    private let queryFields: [MessageID: (target: UInt32, with: UInt32)]

    /// The message that a field holds; nil for scalars and for unknown fields.
    @inline(__always)
    func message(in message: MessageID, field: UInt32) -> MessageID? {
        guard field < limit[Int(message)] else { return nil }
        let id = held[first[Int(message)] + Int(field)]
        return id == 0 ? nil : id - 1
    }

    @inline(__always)
    func meeting(_ message: MessageID) -> Meeting { meetings[Int(message)] }

    /// The field that holds the table a query writes to; 0 when it writes to none.
    func targetField(of message: MessageID) -> UInt32 { queryFields[message]?.target ?? 0 }

    /// The field that names the relation a command makes; 0 when it makes none.
    func createdField(of message: MessageID) -> UInt32 { createdFields[message] ?? 0 }

    /// Where a command of DDL names what it is about; nil when it has no such fields.
    func definition(of message: MessageID) -> DefinitionNames.Fields? { definitions[message] }

    func withField(of message: MessageID) -> UInt32 { queryFields[message]?.with ?? 0 }

    private init() {
        var found: [OpaquePointer: Int] = [:]
        var queue: [OpaquePointer] = []
        func visit(_ message: OpaquePointer) -> Int {
            if let index = found[message] { return index }
            found[message] = queue.count
            queue.append(message)
            return queue.count - 1
        }
        var first: [Int] = []
        var limit: [UInt32] = []
        var held: [MessageID] = []
        var ids: [String: MessageID] = [:]
        var numbers: [String: UInt32] = [:]
        _ = visit(cpgquery_root_message())
        var next = 0
        while next < queue.count {
            let message = queue[next]
            let name = String(cString: cpgquery_message_name(message))
            ids[name] = MessageID(next)
            let described = (0..<cpgquery_message_field_count(message)).map { cpgquery_message_field(message, $0) }
            let count = (described.map(\.number).max() ?? 0) + 1
            first.append(held.count)
            limit.append(count)
            held.append(contentsOf: repeatElement(0, count: Int(count)))
            for field in described {
                numbers["\(name).\(String(cString: field.name))"] = field.number
                if let inner = field.message {
                    held[first[next] + Int(field.number)] = MessageID(visit(inner) + 1)
                }
            }
            next += 1
        }
        self.first = first
        self.limit = limit
        self.held = held
        numbersByPath = numbers
        meetings = Grammar.meetings(ids)
        fields = FieldNumbers(numbers)
        func number(_ path: String) -> UInt32 {
            guard let number = numbers[path] else { preconditionFailure("libpg_query has no field \(path)") }
            return number
        }
        namedArgumentNode = number("Node.named_arg_expr")
        constantNode = number("Node.a_const")
        castNode = number("Node.type_cast")
        listNode = number("Node.list")
        stringNode = number("Node.string")
        integerNode = number("Node.integer")
        booleanNode = number("Node.boolean")
        partitionNode = number("Node.partition_cmd")
        typeNameNode = number("Node.type_name")
        objectWithArgumentsNode = number("Node.object_with_args")
        definitions = Grammar.definitionFields(ids, numbers)
        selectNode = Int(number("Node.select_stmt"))
        nodeMessage = ids["Node"] ?? 0
        selectMessage = ids["SelectStmt"] ?? 0
        var queryFields: [MessageID: (target: UInt32, with: UInt32)] = [:]
        for name in Grammar.queries {
            guard let id = ids[name] else { continue }
            queryFields[id] = (numbers["\(name).relation"] ?? 0, number("\(name).with_clause"))
        }
        self.queryFields = queryFields
        var createdFields: [MessageID: UInt32] = [:]
        for (name, field) in [
            ("CreateStmt", "relation"), ("IntoClause", "rel"), ("ViewStmt", "view"), ("CreateSeqStmt", "sequence"),
            ("CompositeTypeStmt", "typevar"),
        ] {
            if let id = ids[name] { createdFields[id] = number("\(name).\(field)") }
        }
        self.createdFields = createdFields
    }

    private static let queries = ["SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"]

    private static func meetings(_ ids: [String: MessageID]) -> [Meeting] {
        var meetings = [Meeting](repeating: .descend, count: ids.count)
        let special: [(Meeting, [String])] = [
            (.node, ["Node"]), (.name, ["String"]), (.tableName, ["RangeVar"]), (.functionCall, ["FuncCall"]),
            (.parameter, ["ParamRef"]), (.columnName, ["ColumnRef"]), (.attribute, ["AIndirection"]),
            (.functionInFrom, ["RangeFunction"]),
            (.withClause, ["WithClause"]), (.rowLock, ["LockingClause"]), (.intoClause, ["IntoClause"]),
            (.execute, ["ExecuteStmt"]), (.query, queries),
            // Nothing below these is a table or a call: names, constants, and type modifiers, which PostgreSQL insists are
            // constants too.
            (.skip, ["AConst", "Alias", "TypeName", "RoleSpec"]),
        ]
        for (meeting, names) in special {
            for name in names {
                guard let id = ids[name] else { preconditionFailure("libpg_query has no message \(name)") }
                meetings[Int(id)] = meeting
            }
        }
        return meetings
    }
}

extension Grammar {
    /// The fields of a message, by number.
    func names(of message: String) -> [UInt32: String] {
        var names: [UInt32: String] = [:]
        for (path, number) in numbersByPath {
            let parts = path.split(separator: ".", maxSplits: 1)
            if parts.count == 2, parts[0] == message { names[number] = String(parts[1]) }
        }
        return names
    }
}
