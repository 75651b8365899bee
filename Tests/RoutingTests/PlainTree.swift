import CPgQuery

@testable import Routing

/// Everything in a parse tree, by a walk that knows the library's own descriptions and nothing else: it goes into each message
/// but the names of types, where TreeWalk skips whatever cannot matter.
struct PlainTree {
    /// The fields of Node that the statements are in: `select_stmt`.
    private(set) var statementNodes: [String] = []
    /// The types of all messages: `SelectStmt`.
    private(set) var messages: Set<String> = []
    private(set) var functions: [QualifiedName] = []

    /// nil when the text does not parse.
    init?(of text: UnsafeRawBufferPointer) {
        let parse = (Array(text) + [0]).withUnsafeBytes { bytes in
            bytes.bindMemory(to: CChar.self).baseAddress.flatMap { cpgquery_parse_new($0) }
        }
        guard let parse else { return nil }
        defer { cpgquery_parse_free(parse) }
        guard cpgquery_parse_error(parse) == nil else { return nil }
        walk(UnsafeRawBufferPointer(start: cpgquery_parse_bytes(parse), count: cpgquery_parse_count(parse)))
    }

    private mutating func walk(_ tree: UnsafeRawBufferPointer) {
        var waiting: [(message: OpaquePointer, bytes: UnsafeRawBufferPointer)] = [(cpgquery_root_message(), tree)]
        while let (message, bytes) = waiting.popLast() {
            let shape = Shape.of(message)
            // PostgreSQL refuses type modifiers that are not constants: nothing in a type's name runs.
            if shape.name == "TypeName" { continue }
            messages.insert(shape.name)
            if shape.name == "FuncCall" { functions.append(PlainTree.name(of: bytes)) }
            var reader = ProtobufReader(bytes)
            while let field = reader.next() {
                guard let inner = shape.fields[field.number] else { continue }
                if shape.name == "RawStmt", let node = ProtobufMessage(field.bytes).content {
                    statementNodes.append(Shape.of(inner).fieldNames[node.number] ?? "")
                }
                waiting.append((inner, field.bytes))
            }
        }
    }

    private static func name(of call: UnsafeRawBufferPointer) -> QualifiedName {
        let fields = Grammar.shared.fields
        var parts: [String] = []
        ProtobufMessage(call).forEach(fields.functionName) { node in
            if let part = node.content { parts.append(ProtobufMessage(part.bytes).string(fields.string)) }
        }
        return QualifiedName(schema: parts.dropLast().last ?? "", name: parts.last ?? "")
    }

    /// One message type: its fields that hold messages, and the names of all.
    private final class Shape: Sendable {
        let name: String
        // They point to libpg_query's own descriptors: constant, and there as long as the process.
        nonisolated(unsafe) let fields: [UInt32: OpaquePointer]
        let fieldNames: [UInt32: String]

        private init(_ message: OpaquePointer) {
            name = String(cString: cpgquery_message_name(message))
            var fields: [UInt32: OpaquePointer] = [:]
            var fieldNames: [UInt32: String] = [:]
            for index in 0..<cpgquery_message_field_count(message) {
                let field = cpgquery_message_field(message, index)
                fields[field.number] = field.message
                fieldNames[field.number] = String(cString: field.name)
            }
            self.fields = fields
            self.fieldNames = fieldNames
        }

        private static let all: [UInt: Shape] = {
            var all: [UInt: Shape] = [:]
            var waiting: [OpaquePointer] = [cpgquery_root_message()]
            while let message = waiting.popLast() {
                let key = UInt(bitPattern: message)
                guard all[key] == nil else { continue }
                let shape = Shape(message)
                all[key] = shape
                waiting.append(contentsOf: shape.fields.values)
            }
            return all
        }()

        static func of(_ message: OpaquePointer) -> Shape { all[UInt(bitPattern: message)] ?? Shape(message) }
    }
}
