import Foundation

/// One reply line, read by the letter of the grammar and by nothing of the project's own code: what the daemon writes
/// is judged by a second reader.
package enum ReplyLine: Equatable, Sendable {
    package struct Column: Equatable, Sendable {
        package let oid: UInt32
        package let name: String
    }

    case columns(id: String, [Column])
    case row([String?])
    case complete(id: String, tag: String, count: Int?, [Attribute])
    case failed(id: String, Problem, [Attribute])
    case notice(id: String, sqlstate: String, severity: String, message: String, [Attribute])

    /// - Parameter line: one line without its LF.
    /// - Throws: `TestFailure` that shows the line.
    package init(_ line: ArraySlice<UInt8>) throws {
        let wrong = { (why: String) in TestFailure("\(why): \(String(decoding: line.prefix(200), as: UTF8.self))") }
        var fields: [ArraySlice<UInt8>] = []
        var tail = line
        while let tab = tail.place(of: 9) {
            fields.append(tail[..<tab])
            tail = tail[(tab + 1)...]
        }
        fields.append(tail)
        guard let letter = fields.first, letter.count == 1 else { throw wrong("no line letter") }
        fields.removeFirst()
        let values: [String?]
        do {
            values = try fields.map { try ReplyLine.unescape($0) }
        } catch {
            throw wrong("\(error)")
        }
        if letter.elementsEqual("D".utf8) {
            self = .row(values)
            return
        }
        guard let id = values.first ?? nil, !id.isEmpty else { throw wrong("no id") }
        let texts = values.dropFirst().map { $0 }
        switch letter.first.map({ Character(Unicode.Scalar($0)) }) {
        case "T":
            guard texts.count.isMultiple(of: 2) else { throw wrong("an oid without a name") }
            var columns: [Column] = []
            for index in stride(from: 0, to: texts.count, by: 2) {
                guard let oid = texts[index].flatMap({ UInt32($0) }), let name = texts[index + 1] else {
                    throw wrong("no oid or no name")
                }
                columns.append(Column(oid: oid, name: name))
            }
            self = .columns(id: id, columns)
        case "C":
            guard texts.count >= 2, let tag = texts[0], !tag.isEmpty else { throw wrong("no tag or no count") }
            var count: Int?
            if let text = texts[1] {
                guard let number = Int(text), number >= 0, "\(number)" == text else { throw wrong("bad count") }
                count = number
            }
            self = .complete(id: id, tag: tag, count: count, try Attribute.list(texts.dropFirst(2)))
        case "E":
            guard texts.count >= 4, let state = texts[0], let severity = texts[1], let word = texts[2],
                let message = texts[3]
            else { throw wrong("an E of too few fields") }
            guard let retry = Problem.Retry(rawValue: word) else { throw wrong("no such retry word") }
            guard state.utf8.count == 5 else { throw wrong("no SQLSTATE") }
            self = .failed(
                id: id, Problem(sqlstate: state, severity: severity, retry: retry, message: message),
                try Attribute.list(texts.dropFirst(4)))
        case "N":
            guard texts.count >= 3, let state = texts[0], let severity = texts[1], let message = texts[2],
                state.utf8.count == 5
            else { throw wrong("an N of too few fields") }
            self = .notice(
                id: id, sqlstate: state, severity: severity, message: message, try Attribute.list(texts.dropFirst(3)))
        default:
            throw wrong("unknown line letter")
        }
    }

    /// The five escapes and nothing else; `\N` alone is NULL.
    static func unescape(_ field: ArraySlice<UInt8>) throws -> String? {
        guard field.place(of: 13) == nil, field.place(of: 0) == nil else { throw TestFailure("a bare CR or NUL") }
        guard var place = field.place(of: UInt8(ascii: "\\")) else { return try text(Array(field)) }
        if field.count == 2, field.last == UInt8(ascii: "N") { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(field.count)
        var rest = field
        while true {
            bytes += rest[..<place]
            rest = rest[(place + 1)...]
            switch rest.popFirst() {
            case UInt8(ascii: "\\"): bytes.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "t"): bytes.append(9)
            case UInt8(ascii: "n"): bytes.append(10)
            case UInt8(ascii: "r"): bytes.append(13)
            default: throw TestFailure("an escape that is none")
            }
            guard let next = rest.place(of: UInt8(ascii: "\\")) else { break }
            place = next
        }
        return try text(bytes + rest)
    }

    private static func text(_ bytes: [UInt8]) throws -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw TestFailure("invalid UTF-8") }
        return text
    }
}

extension ArraySlice<UInt8> {
    /// The index of the first such byte. By `memchr(3)`: tests are not optimised, and some values are long.
    package func place(of byte: UInt8) -> Int? {
        withUnsafeBytes { all in
            guard let base = all.baseAddress, let place = memchr(base, Int32(byte), all.count) else { return nil }
            return startIndex + (UnsafeRawPointer(place) - base)
        }
    }

    package func equals(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { wanted in
            withUnsafeBytes { all in
                guard all.count == wanted.count else { return false }
                guard let one = all.baseAddress, let other = wanted.baseAddress else { return true }
                return memcmp(one, other, all.count) == 0
            }
        }
    }
}

/// `key=value` at the end of a C, E or N line.
package struct Attribute: Equatable, Sendable {
    package let key: String
    package let value: String

    static func list(_ fields: ArraySlice<String?>) throws -> [Attribute] {
        var list: [Attribute] = []
        for field in fields {
            guard let field, let equals = field.firstIndex(of: "="), equals != field.startIndex else {
                throw TestFailure("an attribute without key or value: \(field ?? "NULL")")
            }
            let key = String(field[..<equals])
            guard !list.contains(where: { $0.key == key }) else { throw TestFailure("attribute \(key) twice") }
            list.append(Attribute(key: key, value: String(field[field.index(after: equals)...])))
        }
        return list
    }
}

/// What an E line says.
package struct Problem: Equatable, Sendable {
    package enum Retry: String, Sendable {
        case never, now, later, tx, unknown
    }

    package let sqlstate: String
    package let severity: String
    package let retry: Retry
    package let message: String
}

/// The whole reply to one request.
package struct Answer: Equatable, Sendable {
    package enum Ending: Equatable, Sendable {
        case complete(tag: String, count: Int?)
        case failed(Problem)
    }

    package let id: String
    /// Nil when the answer had no T line.
    package internal(set) var columns: [ReplyLine.Column]?
    package internal(set) var rows: [[String?]] = []
    package internal(set) var notices: [String] = []
    package internal(set) var ending: Ending
    package internal(set) var attributes: [Attribute] = []

    package subscript(_ key: String) -> String? { attributes.first { $0.key == key }?.value }

    package var problem: Problem? {
        if case .failed(let problem) = ending { return problem }
        return nil
    }

    package var sqlstate: String? { problem?.sqlstate }

    package var tag: String? {
        if case .complete(let tag, _) = ending { return tag }
        return nil
    }

    package var count: Int? {
        if case .complete(_, let count) = ending { return count }
        return nil
    }

    /// The only value of the only row.
    ///
    /// - Throws: `TestFailure` when it failed, or has another shape.
    package var value: String? {
        get throws {
            guard problem == nil, rows.count == 1, rows[0].count == 1 else {
                throw TestFailure("not one value: \(self)")
            }
            return rows[0][0]
        }
    }

    /// The rows of a table of counters, each as column name to value.
    package var table: [[String: String]] {
        get throws {
            guard problem == nil, let columns else { throw TestFailure("no table: \(self)") }
            return rows.map { row in
                Dictionary(zip(columns.map(\.name), row.map { $0 ?? "" }), uniquingKeysWith: { first, _ in first })
            }
        }
    }
}
