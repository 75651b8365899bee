import Glibc

/// What an error's client may do next; the third word of an E line.
package enum Retry: UInt8, CaseIterable, Sendable {
    /// The same answer again.
    case never
    /// It did not run: try again.
    case now
    /// It did not run: wait `after_ms`, then try again.
    case later
    /// Rolled back: start again from BEGIN.
    case tx
    /// It was sent and the server vanished: it may have been applied.
    case unknown

    /// The word on the wire.
    package var name: StaticString {
        switch self {
        case .never: "never"
        case .now: "now"
        case .later: "later"
        case .tx: "tx"
        case .unknown: "unknown"
        }
    }
}

/// Writes reply lines into memory that the caller reserved, at about the speed of memcpy and without allocation.
///
/// The caller reserves by the `bound…` functions, which give the worst case (every byte escaped), writes whole lines,
/// and then takes over `count` bytes. Writing past the memory is a mistake of the caller and ends the process.
///
///     var writer = ReplyWriter(queue.reserve(ReplyWriter.boundOfRow(columns: 2, valueBytes: 40)))
///     writer.beginRow()
///     writer.value(bytes, count: n)
///     writer.null()
///     writer.endLine()
package struct ReplyWriter: ~Copyable {
    /// Bytes that may be stored behind the cursor without counting, since fields end in stores of whole words.
    private static let slack = 8

    private let start: UnsafeMutableRawPointer
    /// Where the last counted byte may end.
    private let limit: UnsafeMutableRawPointer
    private var cursor: UnsafeMutableRawPointer

    package init(_ memory: UnsafeMutableRawBufferPointer) {
        guard let base = memory.baseAddress, memory.count >= Self.slack else {
            preconditionFailure("memory for a reply is reserved by the bounds")
        }
        start = base
        cursor = base
        limit = base + (memory.count &- Self.slack)
    }

    /// Bytes written so far.
    package var count: Int { cursor - start }

    // MARK: Worst cases, in bytes

    /// A whole D line: `valueBytes` is the sum of the lengths of its values, NULL counting 0, a number at most 20.
    package static func boundOfRow(columns: Int, valueBytes: Int) -> Int {
        2 &+ 3 &* columns &+ 2 &* valueBytes &+ slack
    }

    /// A whole T line: `nameBytes` is the sum of the lengths of its columns' names.
    package static func boundOfColumns(_ columns: Int, nameBytes: Int, idBytes: Int) -> Int {
        4 &+ idBytes &+ 12 &* columns &+ 2 &* nameBytes &+ slack
    }

    /// A C line without its attributes.
    package static func boundOfCompletion(idBytes: Int, tagBytes: Int) -> Int {
        26 &+ idBytes &+ 2 &* tagBytes &+ slack
    }

    /// An E or N line without its attributes.
    package static func boundOfError(idBytes: Int, severityBytes: Int, messageBytes: Int) -> Int {
        32 &+ idBytes &+ 2 &* severityBytes &+ 2 &* messageBytes &+ slack
    }

    /// One attribute of a C, E or N line. A number takes at most 20 bytes.
    package static func boundOfAttribute(keyBytes: Int, valueBytes: Int) -> Int {
        2 &+ keyBytes &+ 2 &* valueBytes &+ slack
    }

    // MARK: Lines

    /// T: then `column` for each, then `endLine`.
    package mutating func beginColumns(id: UnsafeRawBufferPointer) {
        begin(0x54, id)
    }

    package mutating func column(oid: UInt32, name: UnsafeRawBufferPointer) {
        reserve(11)
        put(ASCII.tab)
        putDecimal(UInt64(oid))
        putField(name)
    }

    /// D: then `value` or `null` for each column, then `endLine`.
    package mutating func beginRow() {
        reserve(1)
        put(0x44)
    }

    package mutating func value(_ bytes: UnsafeRawPointer, count: Int) {
        putField(UnsafeRawBufferPointer(start: bytes, count: count))
    }

    package mutating func value(_ bytes: UnsafeRawBufferPointer) {
        putField(bytes)
    }

    package mutating func value(_ number: UInt64) {
        reserve(21)
        put(ASCII.tab)
        putDecimal(number)
    }

    package mutating func null() {
        reserve(3)
        put(ASCII.tab)
        put(ASCII.backslash)
        put(ASCII.capitalN)
    }

    /// C: then `attribute` for each, then `endLine`. `rows` is nil for a tag that counts none.
    package mutating func beginCompletion(id: UnsafeRawBufferPointer, tag: UnsafeRawBufferPointer, rows: UInt64?) {
        begin(0x43, id)
        putField(tag)
        if let rows { value(rows) } else { null() }
    }

    /// C from a command status as PQcmdStatus gives it: "INSERT 0 1" is INSERT and 1, "CREATE TABLE" counts nothing.
    package mutating func beginCompletion(id: UnsafeRawBufferPointer, commandStatus: UnsafeRawBufferPointer) {
        var tagEnd = commandStatus.count
        var rows: UInt64?
        // The last number is the rows; one before it, of INSERT, is an object id that PostgreSQL 12 and later leave 0.
        while let space = commandStatus[..<tagEnd].lastIndex(of: ASCII.space),
            let number = ASCII.decimal(UnsafeRawBufferPointer(rebasing: commandStatus[(space + 1)..<tagEnd]))
        {
            if rows == nil { rows = number }
            tagEnd = space
        }
        beginCompletion(id: id, tag: UnsafeRawBufferPointer(rebasing: commandStatus[..<tagEnd]), rows: rows)
    }

    /// E: then `attribute` for each, then `endLine`. An empty `id` is written as "-". `sqlstate` has five characters.
    package mutating func beginError(
        id: UnsafeRawBufferPointer, sqlstate: UnsafeRawBufferPointer, severity: UnsafeRawBufferPointer, retry: Retry,
        message: UnsafeRawBufferPointer
    ) {
        begin(0x45, id)
        putField(sqlstate)
        putField(severity)
        putField(retry.name.bytes)
        putField(message)
    }

    /// N: then `attribute` for each, then `endLine`. An empty `id` is written as "-".
    package mutating func beginNotice(
        id: UnsafeRawBufferPointer, sqlstate: UnsafeRawBufferPointer, severity: UnsafeRawBufferPointer,
        message: UnsafeRawBufferPointer
    ) {
        begin(0x4E, id)
        putField(sqlstate)
        putField(severity)
        putField(message)
    }

    package mutating func attribute(_ key: StaticString, _ value: UnsafeRawBufferPointer) {
        putKey(key)
        reserve(2 &* value.count)
        putEscaped(value)
    }

    package mutating func attribute(_ key: StaticString, _ value: UInt64) {
        putKey(key)
        reserve(20)
        putDecimal(value)
    }

    package mutating func endLine() {
        reserve(1)
        put(ASCII.lineFeed)
    }

    // MARK: Fields

    @inline(__always)
    private func reserve(_ bytes: Int) {
        precondition(bytes <= limit - cursor, "a reply passes the memory reserved for it")
    }

    @inline(__always)
    private mutating func put(_ byte: UInt8) {
        cursor.storeBytes(of: byte, as: UInt8.self)
        cursor += 1
    }

    private mutating func begin(_ letter: UInt8, _ id: UnsafeRawBufferPointer) {
        reserve(3 &+ id.count)
        put(letter)
        put(ASCII.tab)
        guard let bytes = id.baseAddress, !id.isEmpty else { return put(ASCII.hyphen) }
        cursor.copyMemory(from: bytes, byteCount: id.count)
        cursor += id.count
    }

    private mutating func putKey(_ key: StaticString) {
        reserve(2 &+ key.utf8CodeUnitCount)
        put(ASCII.tab)
        cursor.copyMemory(from: key.utf8Start, byteCount: key.utf8CodeUnitCount)
        cursor += key.utf8CodeUnitCount
        put(ASCII.equals)
    }

    @inline(__always)
    private mutating func putField(_ bytes: UnsafeRawBufferPointer) {
        reserve(1 &+ 2 &* bytes.count)
        put(ASCII.tab)
        putEscaped(bytes)
    }

    /// Copies 64, then 16, then 8 bytes at a time as long as none of them needs an escape.
    @inline(__always)
    private mutating func putEscaped(_ bytes: UnsafeRawBufferPointer) {
        guard var source = bytes.baseAddress else { return }
        var rest = bytes.count
        while rest >= 16 {
            let plain = Words.copyPlain(from: source, count: rest, to: cursor)
            cursor += plain
            source += plain
            rest &-= plain
            guard rest >= 16 else { break }
            putEscaped(word: source.loadUnaligned(as: UInt64.self), count: 8)
            putEscaped(word: source.loadUnaligned(fromByteOffset: 8, as: UInt64.self), count: 8)
            source += 16
            rest &-= 16
        }
        if rest >= 8 {
            putEscaped(word: source.loadUnaligned(as: UInt64.self), count: 8)
            source += 8
            rest &-= 8
        }
        if rest > 0 { putEscaped(word: Words.load(source, count: rest), count: rest) }
    }

    /// The first `count` bytes of `word`, the bytes above being zero. Always stores eight, some of them behind the
    /// cursor: `slack` is there for that.
    @inline(__always)
    private mutating func putEscaped(word: UInt64, count: Int) {
        var word = word
        var rest = count
        while true {
            let found = Words.escapes(word)
            cursor.storeBytes(of: word, as: UInt64.self)
            guard found != 0 else { break }
            let index = found.trailingZeroBitCount / 8
            cursor += index
            put(ASCII.backslash)
            put(FieldEscapes.letter(for: UInt8(truncatingIfNeeded: word &>> (8 &* UInt64(index)))) ?? 0)
            word = (word &>> (8 &* UInt64(index))) &>> 8
            rest &-= index &+ 1
        }
        cursor += rest
    }

    /// At most 20 digits.
    @inline(__always)
    private mutating func putDecimal(_ number: UInt64) {
        var digits = 1
        var rest = number
        while rest >= 10 {
            rest /= 10
            digits &+= 1
        }
        rest = number
        var index = digits
        while index > 0 {
            index &-= 1
            let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10)
            let digit = ASCII.zero &+ UInt8(truncatingIfNeeded: remainder)
            cursor.storeBytes(of: digit, toByteOffset: index, as: UInt8.self)
            rest = quotient
        }
        cursor += digits
    }
}
