// Bytes to requests and replies to bytes: framing, escapes, limits. No I/O, no clock.
//
//   bytes of a client -> LineFramer -> one line -> RequestParser -> Request (offsets into that line)
//   rows and outcomes -> ReplyWriter -> bytes for the client
//   a client's side:     RequestLine -> bytes,  bytes -> LineFramer -> ReplyLine

/// What one request may cost. Over a limit is a defined reply (54000), never growth.
package struct WireLimits: Equatable, Sendable {
    /// The longest line that any setting allows, in bytes. Offsets of options are kept in 24 bits because of it.
    package static let largestLine = 16 << 20

    /// Bytes of one line, its LF included: 64 to `largestLine`.
    package let maxLine: Int
    /// Values behind one statement: 0 to 65,535, what PostgreSQL's Bind message can carry.
    package let maxParameters: Int
    /// Options of one request: 0 to 255.
    package let maxOptions: Int

    package init(maxLine: Int = 1 << 20, maxParameters: Int = 1024, maxOptions: Int = 16) {
        precondition((64...Self.largestLine).contains(maxLine), "maxLine is 64 bytes to 16 MiB")
        precondition((0...65_535).contains(maxParameters), "maxParameters is 0 to 65,535")
        precondition((0...255).contains(maxOptions), "maxOptions is 0 to 255")
        self.maxLine = maxLine
        self.maxParameters = maxParameters
        self.maxOptions = maxOptions
    }
}

/// A field inside a line: `count` bytes from `offset`, both counted from the first byte of the line.
package struct ByteRange: Equatable, Sendable {
    package let offset: Int32
    package let count: Int32

    package static let empty = ByteRange(offset: 0, count: 0)

    package init(offset: Int32, count: Int32) {
        self.offset = offset
        self.count = count
    }

    package init(from start: Int, to end: Int) {
        offset = Int32(truncatingIfNeeded: start)
        count = Int32(truncatingIfNeeded: end &- start)
    }

    package var isEmpty: Bool { count == 0 }

    /// The field's bytes in the line that it was parsed from.
    package func bytes(in line: UnsafeRawPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: line + Int(offset), count: Int(count))
    }
}
