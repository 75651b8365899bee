import Glibc

/// One request, as offsets into the line that it was parsed from: no references, so it costs a copy of some words and
/// stays valid when the line's bytes are moved as a whole.
///
/// Inside the line every field is unescaped and followed by a NUL, so that SQL and parameters are C strings in place.
package struct Request: Sendable {
    /// `.query` where it could not be read: look at `error` first.
    package internal(set) var verb = Verb.query
    /// Empty when it could not be read; the reply then says "-".
    package internal(set) var id = ByteRange.empty
    /// SQL, or what else the verb takes; empty when absent.
    package internal(set) var text = ByteRange.empty
    /// Where the first value starts.
    package internal(set) var parametersOffset: Int32 = 0
    package internal(set) var parameterCount: Int32 = 0
    /// The whole line, its LF included.
    package internal(set) var byteCount: Int32 = 0
    package internal(set) var options = RequestOptions()
    /// Why the request cannot be served. Then nothing but `id`, `byteCount` and, for an error that keeps the connection
    /// open, `verb` means anything.
    package internal(set) var error: WireError?

    package init() {}

    /// A line that never ended: too long, or begun and left. Its id is read when it is there, so that even this error
    /// can be told apart; `error` is nil where the reason is not one of the line's own.
    package init(unfinished bytes: UnsafeRawBufferPointer, error: WireError?) {
        id = RequestParser.id(inUnfinished: bytes)
        byteCount = Int32(truncatingIfNeeded: bytes.count)
        self.error = error
    }

    /// Whether the id starts with `salt`, as each id behind `HELLO @salt=` must. A request whose id could not be read
    /// does not. To be asked also when `error` is set: a breach closes, most errors do not.
    package func idStarts(with salt: UnsafeRawBufferPointer, in line: UnsafeRawPointer) -> Bool {
        guard let bytes = salt.baseAddress, !salt.isEmpty else { return true }
        return Int(id.count) >= salt.count && memcmp(line + Int(id.offset), bytes, salt.count) == 0
    }

    /// Fills libpq's array of parameter values, which has room for `parameterCount`: a pointer into the line for each
    /// value, nil for NULL.
    package func fillParameters(
        in line: UnsafeRawPointer, into values: UnsafeMutablePointer<UnsafePointer<CChar>?>
    ) {
        var value = (line + Int(parametersOffset)).assumingMemoryBound(to: CChar.self)
        for index in 0..<Int(parameterCount) {
            let isNull = UInt8(bitPattern: value.pointee) == ASCII.nullMark
            values[index] = isNull ? nil : value
            value += strlen(value) + 1
        }
    }

    /// The text as a decimal number: the version of HELLO, the connection of KILL. Nil for any other text.
    package func number(in line: UnsafeRawPointer) -> UInt64? {
        ASCII.decimal(text.bytes(in: line))
    }
}
