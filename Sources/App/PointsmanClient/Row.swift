/// One row; its values are text, as PostgreSQL prints them.
public struct Row: Sendable {
    private let result: QueryResult
    private let number: Int

    init(result: QueryResult, number: Int) {
        self.result = result
        self.number = number
    }

    public var columns: [QueryResult.Column] { result.columns }
    public var count: Int { result.columns.count }

    /// The value in a column counted from 0; nil is SQL NULL.
    public subscript(index: Int) -> String? {
        precondition(index >= 0 && index < count, "no such column")
        return result.values[number * count + index]
    }

    /// The value in the first column of this name; nil when it is SQL NULL or there is no such column.
    public subscript(name: String) -> String? {
        guard let index = index(of: name) else { return nil }
        return self[index]
    }

    /// The value in a column that must be there and not be NULL.
    public func decode<Value: TextDecodable>(
        _ name: String, as type: Value.Type = Value.self
    ) throws(DecodingProblem) -> Value {
        guard let value = try decodeIfPresent(name, as: type) else { throw .isNull(column: name) }
        return value
    }

    /// The value in a column that must be there; nil is SQL NULL.
    public func decodeIfPresent<Value: TextDecodable>(
        _ name: String, as type: Value.Type = Value.self
    ) throws(DecodingProblem) -> Value? {
        guard let index = index(of: name) else { throw .noSuchColumn(name) }
        guard let text = self[index] else { return nil }
        guard let value = Value(postgreSQLText: text) else {
            throw .notOfType(column: name, type: String(describing: type), typeOID: columns[index].typeOID)
        }
        return value
    }

    private func index(of name: String) -> Int? {
        result.columns.firstIndex { $0.name == name }
    }

    /// Why a value could not be read as asked. Values themselves are left out: they may be secret.
    public enum DecodingProblem: Error, Hashable, Sendable, CustomStringConvertible {
        case noSuchColumn(String)
        case isNull(column: String)
        case notOfType(column: String, type: String, typeOID: UInt32)

        public var description: String {
            switch self {
            case .noSuchColumn(let name): "the result has no column \"\(name)\""
            case .isNull(let name): "column \"\(name)\" is NULL"
            case .notOfType(let name, let type, let typeOID):
                "column \"\(name)\" (type \(typeOID)) does not hold a value of type \(type)"
            }
        }
    }
}

/// A type that can be read from PostgreSQL's text form of a value.
public protocol TextDecodable {
    /// nil when the text is not of this type.
    init?(postgreSQLText text: String)
}

extension String: TextDecodable {
    public init?(postgreSQLText text: String) { self = text }
}

extension Bool: TextDecodable {
    /// PostgreSQL prints `t` and `f`.
    public init?(postgreSQLText text: String) {
        switch text {
        case "t": self = true
        case "f": self = false
        default: return nil
        }
    }
}

extension FixedWidthInteger where Self: TextDecodable {
    public init?(postgreSQLText text: String) { self.init(text, radix: 10) }
}

extension Int: TextDecodable {}
extension Int64: TextDecodable {}
extension Int32: TextDecodable {}
extension Int16: TextDecodable {}
extension UInt32: TextDecodable {}

extension Double: TextDecodable {
    /// PostgreSQL prints the shortest text that reads back as the same value, and `NaN`, `Infinity`, `-Infinity`.
    public init?(postgreSQLText text: String) { self.init(text) }
}

extension Float: TextDecodable {
    public init?(postgreSQLText text: String) { self.init(text) }
}

extension Array: TextDecodable where Element == UInt8 {
    /// `bytea`, which travels as `\x` and two hexadecimal digits a byte.
    public init?(postgreSQLText text: String) {
        let digits = text.utf8
        guard digits.starts(with: [0x5C, 0x78]), digits.count.isMultiple(of: 2) else { return nil }
        self.init()
        reserveCapacity(digits.count / 2 - 1)
        var high: UInt8?
        for digit in digits.dropFirst(2) {
            let value: UInt8
            switch digit {
            case 0x30...0x39: value = digit - 0x30
            case 0x61...0x66: value = digit - 0x61 + 10
            case 0x41...0x46: value = digit - 0x41 + 10
            default: return nil
            }
            if let first = high {
                append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
    }
}
