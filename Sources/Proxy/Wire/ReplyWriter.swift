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
    private let start: UnsafeMutableRawPointer
    private let limit: UnsafeMutableRawPointer
    private var cursor: UnsafeMutableRawPointer

    package init(_ memory: UnsafeMutableRawBufferPointer) {
        guard let base = memory.baseAddress else { preconditionFailure("memory for a reply has an address") }
        start = base
        cursor = base
        limit = base + memory.count
    }

    /// Bytes written so far.
    package var count: Int { cursor - start }

    // MARK: Worst cases, in bytes

    /// A whole D line: `valueBytes` is the sum of the lengths of its values, NULL counting 0.
    package static func boundOfRow(columns: Int, valueBytes: Int) -> Int { 2 &+ 3 &* columns &+ 2 &* valueBytes }

    /// A whole T line: `nameBytes` is the sum of the lengths of its columns' names.
    package static func boundOfColumns(_ columns: Int, nameBytes: Int, idBytes: Int) -> Int {
        3 &+ idBytes &+ 12 &* columns &+ 2 &* nameBytes
    }

    /// A C line without its attributes.
    package static func boundOfCompletion(idBytes: Int, tagBytes: Int) -> Int { 26 &+ idBytes &+ 2 &* tagBytes }

    /// An E or N line without its attributes.
    package static func boundOfError(idBytes: Int, severityBytes: Int, messageBytes: Int) -> Int {
        26 &+ idBytes &+ 2 &* severityBytes &+ 2 &* messageBytes
    }

    /// One attribute of a C, E or N line. A number takes at most 20 bytes.
    package static func boundOfAttribute(keyBytes: Int, valueBytes: Int) -> Int {
        2 &+ keyBytes &+ 2 &* valueBytes
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
        guard let rows else { return null() }
        reserve(21)
        put(ASCII.tab)
        putDecimal(rows)
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
        putField(retry.name)
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

    package mutating func attribute(_ key: StaticString, _ value: StaticString) {
        attribute(key, UnsafeRawBufferPointer(start: value.utf8Start, count: value.utf8CodeUnitCount))
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

    private mutating func putField(_ text: StaticString) {
        putField(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    private mutating func putField(_ bytes: UnsafeRawBufferPointer) {
        reserve(1 &+ 2 &* bytes.count)
        put(ASCII.tab)
        putEscaped(bytes)
    }

    /// Copies eight bytes at a time as long as none of them needs an escape. Twice the bytes are reserved.
    @inline(__always)
    private mutating func putEscaped(_ bytes: UnsafeRawBufferPointer) {
        guard var source = bytes.baseAddress else { return }
        let end = source + bytes.count
        while end - source >= 8 {
            let word = source.loadUnaligned(as: UInt64.self)
            let found =
                ASCII.matches(word, ASCII.backslash) | ASCII.matches(word, ASCII.tab)
                | ASCII.matches(word, ASCII.lineFeed) | ASCII.matches(word, ASCII.carriageReturn)
            if found == 0 {
                cursor.storeBytes(of: word, as: UInt64.self)
                cursor += 8
                source += 8
            } else {
                for _ in 0..<8 {
                    putEscaped(source.load(as: UInt8.self))
                    source += 1
                }
            }
        }
        while source < end {
            putEscaped(source.load(as: UInt8.self))
            source += 1
        }
    }

    @inline(__always)
    private mutating func putEscaped(_ byte: UInt8) {
        guard let letter = FieldEscapes.letter(for: byte) else { return put(byte) }
        put(ASCII.backslash)
        put(letter)
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
