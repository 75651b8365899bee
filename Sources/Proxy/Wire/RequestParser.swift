import Glibc

/// A line of a client becomes a Request. Parses in place and allocates nothing: fields are unescaped and packed to the
/// left inside the line.
package enum RequestParser {
    /// `line` is one whole line, its LF included and no other LF in it, as a LineFramer cuts it. Its bytes are changed;
    /// nothing outside of it is read or written.
    package static func parse(_ line: UnsafeMutableRawBufferPointer, limits: WireLimits) -> Request {
        guard let base = line.baseAddress, line[line.count - 1] == ASCII.lineFeed,
            line.count <= WireLimits.largestLine
        else { preconditionFailure("a line ends with its LF") }
        var reader = RequestReader(base, line.count, limits)
        do throws(WireError) {
            try reader.read()
        } catch {
            reader.request.error = error
        }
        return reader.request
    }

    /// The id in the first bytes of a line that is refused for its length, so that even this E can be told apart;
    /// empty when there is none.
    package static func id(inUnfinished bytes: UnsafeRawBufferPointer) -> ByteRange {
        var position = 0
        while position < bytes.count, bytes[position] != ASCII.space { position += 1 }
        while position < bytes.count, bytes[position] == ASCII.space { position += 1 }
        let start = position
        while position < bytes.count, ASCII.isIDCharacter(bytes[position]) { position += 1 }
        guard position < bytes.count, bytes[position] == ASCII.space || bytes[position] == ASCII.tab,
            position - start <= RequestReader.longestID
        else { return .empty }
        return ByteRange(from: start, to: position)
    }
}

/// One parse: a position that only moves forward, and the request so far.
struct RequestReader {
    static let longestID = 32
    static let longestOptionValue = 64

    private let line: UnsafeMutableRawPointer
    /// Where the line's content ends: the offset of its LF, or of the CR before it. That byte may be overwritten.
    private let end: Int
    private let limits: WireLimits
    private var position = 0
    private var form = VerbForm(.none, [])
    private var hasBackslash = false
    var request = Request()

    @inline(__always)
    init(_ line: UnsafeMutableRawPointer, _ count: Int, _ limits: WireLimits) {
        self.line = line
        self.limits = limits
        var end = count &- 1
        if end > 0, line.load(fromByteOffset: end &- 1, as: UInt8.self) == ASCII.carriageReturn { end &-= 1 }
        self.end = end
        request.byteCount = Int32(truncatingIfNeeded: count)
    }

    /// The order of the checks decides which error a line with several gets: what closes the connection comes first,
    /// and the id is read before anything is refused.
    @inline(__always)
    mutating func read() throws(WireError) {
        let survey = LineSurvey(line, count: end)
        hasBackslash = survey.hasBackslash
        let verbEnd = tokenEnd(from: 0)
        let verb = readVerb(to: verbEnd)
        position = verbEnd
        let idStart = readID()
        if survey.breaksFraming { try refuseFraming() }
        guard let verb else {
            throw .unknownVerb(PackedName(UnsafeRawBufferPointer(start: line, count: verbEnd)))
        }
        request.verb = verb
        form = verb.form
        guard !request.id.isEmpty else { throw .badID(at: Int32(truncatingIfNeeded: idStart)) }
        if !survey.isASCII, let offset = UTF8Check.firstInvalid(UnsafeRawBufferPointer(start: line, count: end)) {
            throw .invalidUTF8(at: Int32(truncatingIfNeeded: offset))
        }
        if byte(position) == ASCII.space { try readOptions() }
        let textEnd = try readText()
        try readValues(behind: textEnd)
    }

    // MARK: Head

    @inline(__always)
    private func byte(_ offset: Int) -> UInt8 { line.load(fromByteOffset: offset, as: UInt8.self) }

    /// The first space or tab from `start`, or the end of the line.
    @inline(__always)
    private func tokenEnd(from start: Int) -> Int {
        var offset = start
        while offset < end, byte(offset) != ASCII.space, byte(offset) != ASCII.tab { offset &+= 1 }
        return offset
    }

    /// The verb, or nil when there is none of that name.
    @inline(__always)
    private func readVerb(to verbEnd: Int) -> Verb? {
        guard (1...8).contains(verbEnd) else { return nil }
        var name: UInt64 = 0
        var offset = verbEnd
        while offset > 0 {
            offset &-= 1
            // Bit 5 tells the cases of a letter apart; without it only letters lie in A to Z.
            let upper = byte(offset) & 0xDF
            guard upper &- 0x41 < 26 else { return nil }
            name = name &<< 8 | UInt64(upper)
        }
        return Verb(PackedName(low: name))
    }

    /// Reads the id and stands behind it; where it starts, or should.
    @inline(__always)
    private mutating func readID() -> Int {
        // What stands behind no verb is no id.
        guard position > 0 else { return 0 }
        while position < end, byte(position) == ASCII.space { position &+= 1 }
        let start = position
        while position < end, ASCII.isIDCharacter(byte(position)) { position &+= 1 }
        let isEnded = position == end || byte(position) == ASCII.space || byte(position) == ASCII.tab
        guard isEnded, (1...Self.longestID).contains(position &- start) else { return start }
        request.id = ByteRange(from: start, to: position)
        return start
    }

    @inline(never)
    private func refuseFraming() throws(WireError) {
        let bytes = UnsafeRawBufferPointer(start: line, count: end)
        for (offset, byte) in bytes.enumerated() {
            if byte == 0 { throw .nulByte(at: Int32(truncatingIfNeeded: offset)) }
            if byte == ASCII.carriageReturn { throw .carriageReturn(at: Int32(truncatingIfNeeded: offset)) }
        }
    }

    // MARK: Options

    /// Reads what stands between the id and the text; the space that ends a field becomes the field's NUL.
    private mutating func readOptions() throws(WireError) {
        var count = 0
        var regionStart = 0
        while position < end, byte(position) == ASCII.space {
            line.storeBytes(of: 0, toByteOffset: position, as: UInt8.self)
            position &+= 1
            while position < end, byte(position) == ASCII.space { position &+= 1 }
            guard position < end, byte(position) != ASCII.tab else {
                // A verb that needs a text has none then; any other has a space too many.
                if form.text.isRequired { break }
                throw .trailingSpace(at: Int32(truncatingIfNeeded: position &- 1))
            }
            guard byte(position) == ASCII.at else { break }
            if count == 0 { regionStart = position }
            count &+= 1
            guard count <= limits.maxOptions else {
                throw .tooManyOptions(limit: Int32(truncatingIfNeeded: limits.maxOptions))
            }
            try readOption()
            request.options.region = ByteRange(from: regionStart, to: position)
        }
        let pair = request.options.present.intersection([.conn, .key])
        if pair == .conn { throw .optionAlone(.conn) }
        if pair == .key { throw .optionAlone(.key) }
    }

    /// Reads one option and stands behind it, at a space, a tab or the end.
    private mutating func readOption() throws(WireError) {
        let start = position
        position &+= 1
        while position < end, ASCII.isOptionCharacter(byte(position)) { position &+= 1 }
        let nameLength = position &- start &- 1
        let hasValue = position < end && byte(position) == ASCII.equals
        guard (1...16).contains(nameLength),
            hasValue || position == end || byte(position) == ASCII.space || byte(position) == ASCII.tab
        else { throw .malformedOption(at: Int32(truncatingIfNeeded: start)) }
        let name = PackedName(name: line + start + 1, count: nameLength)
        guard let key = OptionKey(name) else {
            throw .unknownOption(name, of: request.verb, at: Int32(truncatingIfNeeded: start))
        }
        guard form.options.contains(OptionKeys(key)) else { throw .optionRefused(key, of: request.verb) }
        guard request.options.present.insert(OptionKeys(key)).inserted || key == .after else {
            throw .optionRepeated(key)
        }
        let valueStart = hasValue ? position &+ 1 : position
        if hasValue {
            position = valueStart
            while position < end, ASCII.isVisible(byte(position)) { position &+= 1 }
        }
        let isEnded = position == end || byte(position) == ASCII.space || byte(position) == ASCII.tab
        guard isEnded, decode(key, hasValue: hasValue, from: valueStart, to: position) else {
            throw .badOptionValue(key, at: Int32(truncatingIfNeeded: start))
        }
    }

    /// Takes over the value of `key`; false when it is not written as `key` wants it.
    private mutating func decode(_ key: OptionKey, hasValue: Bool, from start: Int, to end: Int) -> Bool {
        let value = UnsafeRawBufferPointer(start: line + start, count: end &- start)
        switch key.value {
        case .none:
            return !hasValue
        case .text:
            guard (1...Self.longestOptionValue).contains(value.count) else { return false }
            request.options.keep(ShortSpan(from: start, to: end), as: key)
        case .salt:
            guard (1...16).contains(value.count), value.allSatisfy(ASCII.isIDCharacter) else { return false }
            request.options.keep(ShortSpan(from: start, to: end), as: key)
        case .milliseconds(let range):
            guard let number = ASCII.decimal(value), let milliseconds = Int32(exactly: number),
                range.contains(milliseconds)
            else { return false }
            request.options.keep(milliseconds, as: key)
        case .role:
            guard let role = RequestOptions.Role(value) else { return false }
            request.options.role = role
        case .isolation:
            guard let isolation = RequestOptions.Isolation(value) else { return false }
            request.options.isolation = isolation
        case .connection:
            guard let number = ASCII.decimal(value), number > 0 else { return false }
            request.options.connectionNumber = number
        case .hexadecimal:
            guard let number = ASCII.hexadecimal(value) else { return false }
            request.options.cancelKey = number
        }
        return true
    }

    // MARK: Text and values

    /// The next tab from `start`, or the end of the line.
    @inline(__always)
    private func fieldEnd(from start: Int) -> Int {
        guard let tab = memchr(line + start, Int32(ASCII.tab), end &- start) else { return end }
        return UnsafeMutableRawPointer(tab) - line
    }

    /// Reads the text, if there is one, and stands behind its field; where the unescaped text ends, with its NUL.
    @inline(__always)
    private mutating func readText() throws(WireError) -> Int {
        let start = position
        position = fieldEnd(from: start)
        var textEnd = position
        if hasBackslash {
            textEnd = try FieldEscapes.unescape(line, from: start, to: position, into: start)
        }
        line.storeBytes(of: 0, toByteOffset: textEnd, as: UInt8.self)
        if textEnd > start { request.text = ByteRange(from: start, to: textEnd) }
        if textEnd == start || !form.text.isStatement { try checkText(at: start) }
        return textEnd
    }

    /// Whether the text is one that the verb takes.
    private func checkText(at start: Int) throws(WireError) {
        let text = request.text.bytes(in: line)
        let isRight: Bool
        switch form.text {
        case .none:
            guard text.isEmpty else { throw .textRefused(request.verb, at: Int32(truncatingIfNeeded: start)) }
            return
        case .optionalName:
            return
        case .statement, .name:
            isRight = true
        case .version:
            isRight = ASCII.decimal(text).map { (1...999_999_999).contains($0) } ?? false
        case .connection:
            isRight = (ASCII.decimal(text) ?? 0) > 0
        case .request:
            isRight = text.count <= Self.longestID && text.allSatisfy(ASCII.isIDCharacter)
        }
        guard !text.isEmpty else { throw .textMissing(request.verb) }
        guard isRight else { throw .badText(request.verb, at: Int32(truncatingIfNeeded: start)) }
    }

    /// Reads the values and packs them one behind the other, each with a NUL; NULL is the byte FF and a NUL.
    @inline(__always)
    private mutating func readValues(behind textEnd: Int) throws(WireError) {
        var target = textEnd &+ 1
        request.parametersOffset = Int32(truncatingIfNeeded: target)
        guard position < end else { return }
        guard form.takesValues else {
            throw .valueRefused(request.verb, at: Int32(truncatingIfNeeded: position))
        }
        var count = 0
        while position < end {
            let start = position &+ 1
            position = fieldEnd(from: start)
            guard count < limits.maxParameters else {
                throw .tooManyParameters(limit: Int32(truncatingIfNeeded: limits.maxParameters))
            }
            count &+= 1
            if !hasBackslash {
                FieldEscapes.move(line, from: start, to: position, into: target)
                target &+= position &- start
            } else if position &- start == 2, byte(start) == ASCII.backslash, byte(start &+ 1) == ASCII.capitalN {
                line.storeBytes(of: ASCII.nullMark, toByteOffset: target, as: UInt8.self)
                target &+= 1
            } else {
                target = try FieldEscapes.unescape(line, from: start, to: position, into: target)
            }
            line.storeBytes(of: 0, toByteOffset: target, as: UInt8.self)
            target &+= 1
        }
        request.parameterCount = Int32(truncatingIfNeeded: count)
    }
}

extension RequestOptions {
    fileprivate mutating func keep(_ span: ShortSpan, as key: OptionKey) {
        switch key {
        case .using: usingSpan = span
        case .pool: poolSpan = span
        case .tag: tagSpan = span
        case .tp: traceparentSpan = span
        case .session: sessionSpan = span
        case .app: appSpan = span
        case .salt: saltSpan = span
        // Each `@after` is found again in the region.
        default: break
        }
    }

    fileprivate mutating func keep(_ milliseconds: Int32, as key: OptionKey) {
        switch key {
        case .lag: lagMilliseconds = milliseconds
        case .wait: waitMilliseconds = milliseconds
        default: timeoutMilliseconds = milliseconds
        }
    }
}

extension RequestOptions.Role {
    fileprivate init?(_ word: UnsafeRawBufferPointer) {
        switch PackedName(word).low {
        case PackedName.constant("primary") where word.count == 7: self = .primary
        case PackedName.constant("standby") where word.count == 7: self = .standby
        default: return nil
        }
    }
}

extension RequestOptions.Isolation {
    fileprivate init?(_ word: UnsafeRawBufferPointer) {
        switch PackedName(word).low {
        case PackedName.constant("rc"): self = .readCommitted
        case PackedName.constant("rr"): self = .repeatableRead
        case PackedName.constant("ser"): self = .serializable
        default: return nil
        }
    }
}
