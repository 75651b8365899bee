import Glibc

/// What the bytes at hand are, seen from the first byte of the unfinished line.
package enum Frame: Equatable, Sendable {
    /// No line end yet, and still within the limit.
    case needMore
    /// One whole line of `length` bytes, its LF included.
    case line(length: Int)
    /// The line passes the limit. The framer stays there: whoever sends such a line is answered and closed.
    case tooLong
}

/// Finds line ends in a growing buffer and remembers how far it has looked, so that a line that arrives in many small
/// pieces is searched once (a client that sends byte by byte would otherwise cost the square of the line's length).
package struct LineFramer: Sendable {
    /// Bytes of the longest line, its LF included.
    package let maxLine: Int
    private var searched = 0

    package init(maxLine: Int) {
        self.maxLine = maxLine
    }

    /// `bytes` starts at the first byte of the current unfinished line and may hold more than that line. After `.line`
    /// the next call must start behind it; after `.needMore` it must start at the same byte and may have grown.
    package mutating func next(_ bytes: UnsafeRawBufferPointer) -> Frame {
        let limit = min(bytes.count, maxLine)
        guard let base = bytes.baseAddress, searched < limit else {
            return bytes.count < maxLine ? .needMore : .tooLong
        }
        guard let found = memchr(base + searched, Int32(ASCII.lineFeed), limit &- searched) else {
            searched = limit
            return limit < maxLine ? .needMore : .tooLong
        }
        searched = 0
        return .line(length: UnsafeRawPointer(found) - base &+ 1)
    }
}
