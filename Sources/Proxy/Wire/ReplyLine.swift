import Glibc

/// A reply as a client reads it.
package enum ReplyLine: Equatable, Sendable {
    package struct Column: Equatable, Sendable {
        package var oid: UInt32
        package var name: String
    }

    /// `key=value` behind a C, E or N; unknown keys are the reader's to ignore.
    package struct Attribute: Equatable, Sendable {
        package var key: String
        package var value: String
    }

    package struct Completion: Equatable, Sendable {
        package var id: String
        package var tag: String
        /// Nil when the command counts none.
        package var rows: UInt64?
        package var attributes: [Attribute]
    }

    package struct Failure: Equatable, Sendable {
        package var id: String
        package var sqlstate: String
        package var severity: String
        package var retry: Retry
        package var message: String
        package var attributes: [Attribute]
    }

    package struct Notice: Equatable, Sendable {
        /// "-" when it belongs to no request.
        package var id: String
        package var sqlstate: String
        package var severity: String
        package var message: String
        package var attributes: [Attribute]
    }

    case columns(id: String, [Column])
    /// One field for each column, nil for NULL.
    case row([String?])
    case completion(Completion)
    case failure(Failure)
    case notice(Notice)

    /// `line` is one whole line, its LF included, as a LineFramer cuts it. Strict: anything that version 1 of the
    /// protocol does not say is an error, so that a reply is never taken for another.
    package static func parse(_ line: UnsafeRawBufferPointer) throws(WireError) -> ReplyLine {
        var fields = try ReplyFields(line)
        switch try fields.letter() {
        case 0x54: return try columns(&fields)
        case 0x44:
            var values: [String?] = []
            while fields.hasMore { values.append(try fields.value()) }
            return .row(values)
        case 0x43:
            let id = try fields.id()
            let tag = try fields.text()
            return .completion(
                Completion(id: id, tag: tag, rows: try fields.rows(), attributes: try fields.attributes()))
        case 0x45:
            let id = try fields.id()
            let sqlstate = try fields.sqlstate()
            let severity = try fields.text()
            let retry = try fields.retry()
            return .failure(
                Failure(
                    id: id, sqlstate: sqlstate, severity: severity, retry: retry, message: try fields.text(),
                    attributes: try fields.attributes()))
        case 0x4E:
            let id = try fields.id()
            let sqlstate = try fields.sqlstate()
            let severity = try fields.text()
            return .notice(
                Notice(
                    id: id, sqlstate: sqlstate, severity: severity, message: try fields.text(),
                    attributes: try fields.attributes()))
        default:
            throw .malformedReply(at: 0)
        }
    }

    private static func columns(_ fields: inout ReplyFields) throws(WireError) -> ReplyLine {
        let id = try fields.id()
        var columns: [Column] = []
        while fields.hasMore {
            let oid = try fields.oid()
            columns.append(Column(oid: oid, name: try fields.text()))
        }
        return .columns(id: id, columns)
    }
}

/// The fields of one reply line from left to right.
private struct ReplyFields {
    private let line: UnsafeRawPointer
    private let end: Int
    private let hasBackslash: Bool
    private var position = 0

    init(_ line: UnsafeRawBufferPointer) throws(WireError) {
        guard line.last == ASCII.lineFeed else { throw .malformedReply(at: Int32(truncatingIfNeeded: line.count)) }
        let content = UnsafeRawBufferPointer(rebasing: line.dropLast())
        guard let base = content.baseAddress else { throw .malformedReply(at: 0) }
        self.line = base
        end = content.count
        let survey = LineSurvey(base, count: end)
        hasBackslash = survey.hasBackslash
        if survey.breaksFraming,
            let offset = content.firstIndex(where: { $0 == 0 || $0 == ASCII.carriageReturn })
        {
            throw .malformedReply(at: Int32(truncatingIfNeeded: offset))
        }
        if !survey.isASCII, let offset = UTF8Check.firstInvalid(content) {
            throw .invalidUTF8(at: Int32(truncatingIfNeeded: offset))
        }
    }

    /// A tab stands here, and behind it a field.
    var hasMore: Bool { position < end }

    private func malformed(_ offset: Int) -> WireError { .malformedReply(at: Int32(truncatingIfNeeded: offset)) }

    mutating func letter() throws(WireError) -> UInt8 {
        guard end > 0, end == 1 || line.load(fromByteOffset: 1, as: UInt8.self) == ASCII.tab else { throw malformed(0) }
        position = 1
        return line.load(as: UInt8.self)
    }

    mutating func value() throws(WireError) -> String? {
        guard hasMore else { throw malformed(position) }
        let start = position + 1
        let tab = memchr(line + start, Int32(ASCII.tab), end - start)
        position = tab.map { UnsafeRawPointer($0) - line } ?? end
        let field = UnsafeRawBufferPointer(start: line + start, count: position - start)
        return hasBackslash ? try Self.unescaped(field, at: start) : String(decoding: field, as: UTF8.self)
    }

    private static func unescaped(_ field: UnsafeRawBufferPointer, at start: Int) throws(WireError) -> String? {
        if field.elementsEqual([ASCII.backslash, ASCII.capitalN]) { return nil }
        guard field.contains(ASCII.backslash) else { return String(decoding: field, as: UTF8.self) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(field.count)
        var index = 0
        while index < field.count {
            var byte = field[index]
            if byte == ASCII.backslash {
                let letter = index + 1 < field.count ? field[index + 1] : 0
                guard let meaning = FieldEscapes.meaning(ofEscape: letter) else {
                    throw .badEscape(letter, at: Int32(truncatingIfNeeded: start + index))
                }
                byte = meaning
                index += 1
            }
            bytes.append(byte)
            index += 1
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A field that is not NULL.
    mutating func text() throws(WireError) -> String {
        let start = position
        guard let text = try value() else { throw malformed(start + 1) }
        return text
    }

    mutating func id() throws(WireError) -> String {
        let start = position
        let id = try text()
        guard (1...RequestReader.longestID).contains(id.utf8.count), id.utf8.allSatisfy(ASCII.isIDCharacter) else {
            throw malformed(start + 1)
        }
        return id
    }

    mutating func sqlstate() throws(WireError) -> String {
        let start = position
        let state = try text()
        let isRight = state.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x41 && $0 <= 0x5A) }
        guard state.utf8.count == 5, isRight else { throw malformed(start + 1) }
        return state
    }

    mutating func retry() throws(WireError) -> Retry {
        let start = position
        let word = try text()
        guard let retry = Retry.allCases.first(where: { "\($0.name)" == word }) else { throw malformed(start + 1) }
        return retry
    }

    mutating func rows() throws(WireError) -> UInt64? {
        let start = position
        guard let digits = try value() else { return nil }
        guard let rows = Self.decimal(digits) else { throw malformed(start + 1) }
        return rows
    }

    mutating func oid() throws(WireError) -> UInt32 {
        let start = position
        guard let number = Self.decimal(try text()), let oid = UInt32(exactly: number) else {
            throw malformed(start + 1)
        }
        return oid
    }

    private static func decimal(_ digits: String) -> UInt64? {
        var digits = digits
        return digits.withUTF8 { ASCII.decimal(UnsafeRawBufferPointer($0)) }
    }

    mutating func attributes() throws(WireError) -> [ReplyLine.Attribute] {
        var attributes: [ReplyLine.Attribute] = []
        while hasMore {
            let start = position
            let field = try text()
            // By scalars: as characters, "=" and a combining mark behind it would be one that is no "=".
            guard let equals = field.unicodeScalars.firstIndex(of: "="), equals != field.startIndex else {
                throw malformed(start + 1)
            }
            attributes.append(
                ReplyLine.Attribute(
                    key: String(field[..<equals]), value: String(field.unicodeScalars[equals...].dropFirst())))
        }
        return attributes
    }
}
