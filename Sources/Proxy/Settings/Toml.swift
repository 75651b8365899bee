import CToml

/// A value of a TOML text and the place where it stands.
struct TomlValue {
    enum Content {
        /// In the order of the text.
        case table([TomlEntry])
        case array([TomlValue])
        case string(String)
        case integer(Int)
        case float
        case boolean(Bool)
        case dateTime
    }

    let content: Content
    let position: SourcePosition

    /// "an integer", for messages.
    var kindWithArticle: String {
        switch content {
        case .table: "a table"
        case .array: "an array"
        case .string: "a string"
        case .integer: "an integer"
        case .float: "a float"
        case .boolean: "a boolean"
        case .dateTime: "a date or time"
        }
    }
}

struct TomlEntry {
    let key: String
    let keyPosition: SourcePosition
    let value: TomlValue
}

/// A text that is no TOML.
struct TomlSyntaxError: Error {
    let message: String
    let position: SourcePosition
}

extension TomlValue {
    /// Reads a whole text. The result is a table.
    static func parse(_ text: [UInt8]) throws(TomlSyntaxError) -> TomlValue {
        let document = TomlDocument(text)
        if let error = document.syntaxError { throw error }
        return document.value(at: 0)
    }
}

/// Owns what toml++ made of a text.
private struct TomlDocument: ~Copyable {
    private let handle: OpaquePointer

    init(_ text: [UInt8]) {
        handle = text.withUnsafeBytes { bytes in
            ctoml_parse(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        }
    }

    deinit { ctoml_free(handle) }

    var syntaxError: TomlSyntaxError? {
        var failure = CTomlFailure()
        guard ctoml_failed(handle, &failure) else { return nil }
        return TomlSyntaxError(
            message: Self.clear(string(failure.message, failure.message_length)),
            position: position(failure.position))
    }

    /// toml++'s words, shorter, and with the cause of its most common and least clear message.
    private static func clear(_ message: String) -> String {
        let lead = "Error while parsing "
        let text = message.hasPrefix(lead) ? String(message.dropFirst(lead.count)) : message
        return text.hasSuffix("could not determine value type") ? "\(text) (text needs quotes)" : text
    }

    /// The value at an index of the flat list and all below it. Recursion is bounded: CToml refuses deeper texts.
    func value(at index: Int) -> TomlValue {
        let plain = ctoml_value(handle, index)
        let children = plain.first_child..<plain.first_child + plain.child_count
        let content: TomlValue.Content =
            switch plain.kind {
            case CTomlTable: .table(children.map { entry(at: $0) })
            case CTomlArray: .array(children.map { value(at: $0) })
            case CTomlString: .string(string(plain.text, plain.text_length))
            case CTomlInteger: .integer(Int(plain.integer))
            case CTomlFloat: .float
            case CTomlBoolean: .boolean(plain.boolean)
            default: .dateTime
            }
        return TomlValue(content: content, position: position(plain.position))
    }

    private func entry(at index: Int) -> TomlEntry {
        let plain = ctoml_value(handle, index)
        return TomlEntry(
            key: string(plain.key, plain.key_length), keyPosition: position(plain.key_position),
            value: value(at: index))
    }

    private func position(_ position: CTomlPosition) -> SourcePosition {
        SourcePosition(line: Int(position.line), column: Int(position.column))
    }

    private func string(_ start: UnsafePointer<CChar>?, _ length: Int) -> String {
        String(decoding: UnsafeRawBufferPointer(start: start, count: length), as: UTF8.self)
    }
}
