import Glibc

/// What one `read` gave.
package enum ReadOutcome: Equatable, Sendable {
    /// So many bytes, at least one.
    case bytes(Int)
    case wouldBlock
    case endOfFile
    /// The error number.
    case failed(Int32)
}

/// What one `write` left.
package enum WriteOutcome: Equatable, Sendable {
    /// The queue is empty now.
    case drained
    /// The peer's buffer is full; go on when the descriptor can be written.
    case wouldBlock
    /// The error number; EPIPE and ECONNRESET when the peer is gone.
    case failed(Int32)
}

/// Bytes that came in at the tail and leave at the head, in one piece of memory of their own.
///
/// Every byte has a position in the stream, counted from 0 and kept when the memory moves. A queue starts without
/// memory. While it is in use it keeps up to `warmCapacity` bytes; more is given back as soon as the queue is empty,
/// and the rest by `releaseIfEmpty()`.
///
/// Pointers into the queue hold until the next `reserve`, `read`, `shrink` or `releaseIfEmpty`, and, for consumed
/// bytes, until then too, unless the queue became empty.
@usableFromInline package struct ByteQueue: ~Copyable {
    /// What an empty queue keeps while it is in use, in bytes.
    @usableFromInline package static let warmCapacity = 65536
    /// The first allocation, in bytes.
    @usableFromInline static let smallestCapacity = 512

    @usableFromInline var memory: UnsafeMutableRawPointer?
    /// Bytes of memory held.
    @usableFromInline package internal(set) var capacity: Int
    /// Offsets of the first byte and of the first free one.
    @usableFromInline var head: Int
    @usableFromInline var tail: Int
    /// The position of the first byte.
    @usableFromInline package internal(set) var headPosition: UInt64

    package init() {
        memory = nil
        capacity = 0
        head = 0
        tail = 0
        headPosition = 0
    }

    deinit {
        free(memory)
    }

    @inlinable package var count: Int { tail &- head }
    @inlinable package var isEmpty: Bool { tail == head }
    /// The position of the byte that comes next at the tail.
    @inlinable package var tailPosition: UInt64 { headPosition &+ UInt64(truncatingIfNeeded: count) }

    /// All bytes that are in the queue.
    @inlinable package var readable: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: memory.map { $0 + head }, count: count)
    }

    /// The address of the byte at a stream position, which must be in the queue or just behind its last byte.
    @inlinable package func pointer(atPosition position: UInt64) -> UnsafeMutableRawPointer {
        let offset = position &- headPosition
        precondition(offset <= UInt64(truncatingIfNeeded: count), "a position outside the queue")
        guard let memory else { preconditionFailure("a position in a queue without memory") }
        return memory + (head &+ Int(truncatingIfNeeded: offset))
    }

    /// Room for `bytes` more bytes at the tail. Fill it and `commit` what was filled.
    @inlinable package mutating func reserve(_ bytes: Int) -> UnsafeMutableRawPointer {
        if let memory, capacity &- tail >= bytes { return memory + tail }
        return makeRoom(bytes)
    }

    /// Adds to the queue what was written into the reserved room.
    @inlinable package mutating func commit(_ bytes: Int) {
        precondition(bytes >= 0 && bytes <= capacity &- tail, "more than was reserved")
        tail &+= bytes
    }

    /// Removes bytes from the head.
    @inlinable package mutating func consume(_ bytes: Int) {
        precondition(bytes >= 0 && bytes <= count, "more than there is")
        head &+= bytes
        headPosition &+= UInt64(truncatingIfNeeded: bytes)
        if head == tail {
            head = 0
            tail = 0
            if capacity > ByteQueue.warmCapacity { releaseIfEmpty() }
        }
    }

    /// Adds a copy of `bytes`.
    @inlinable package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return }
        memcpy(reserve(bytes.count), start, bytes.count)
        tail &+= bytes.count
    }

    /// Gives all memory back if the queue is empty: what an idle connection does.
    @usableFromInline package mutating func releaseIfEmpty() {
        guard head == tail, memory != nil else { return }
        free(memory)
        memory = nil
        capacity = 0
        head = 0
        tail = 0
    }

    /// Gives back the memory that the bytes in the queue do not need: what a connection does that waits long with half
    /// a line.
    package mutating func shrink() {
        guard head != tail else { return releaseIfEmpty() }
        let wanted = ByteQueue.roundedUp(count)
        if wanted < capacity { move(toCapacity: wanted) }
    }

    // MARK: Memory

    @usableFromInline mutating func makeRoom(_ bytes: Int) -> UnsafeMutableRawPointer {
        precondition(bytes >= 0, "a negative number of bytes")
        let needed = count + bytes
        // Moving the bytes to the front is worth it only when that frees a good part: then every byte is moved three
        // times at most, however small the steps are in which a full queue is emptied and filled.
        if let memory, needed <= capacity, head >= capacity / 4 {
            memmove(memory, memory + head, count)
            tail = count
            head = 0
            return memory + tail
        }
        return move(toCapacity: ByteQueue.roundedUp(max(needed, needed <= capacity ? capacity + 1 : 0)))
    }

    @discardableResult
    private mutating func move(toCapacity wanted: Int) -> UnsafeMutableRawPointer {
        let count = self.count
        let moved: UnsafeMutableRawPointer?
        if head == 0 {
            moved = realloc(memory, wanted)
        } else {
            moved = malloc(wanted)
            if let memory, let moved { memcpy(moved, memory + head, count) }
            free(memory)
        }
        guard let moved else { fatalError("no memory for a buffer of \(wanted) bytes") }
        memory = moved
        capacity = wanted
        head = 0
        tail = count
        return moved + count
    }

    /// The next power of two, so that a growing queue copies each byte twice at most.
    private static func roundedUp(_ bytes: Int) -> Int {
        guard bytes > smallestCapacity else { return smallestCapacity }
        return 1 << (Int.bitWidth - (bytes - 1).leadingZeroBitCount)
    }
}

// MARK: Descriptors

extension ByteQueue {
    /// Reads once, at most `limit` bytes, straight into the queue.
    package mutating func read(from fileDescriptor: Int32, upTo limit: Int) -> ReadOutcome {
        let room = reserve(limit)
        while true {
            let got = Glibc.read(fileDescriptor, room, limit)
            if got > 0 {
                tail &+= got
                return .bytes(got)
            }
            if got == 0 { return .endOfFile }
            let number = errno
            if number == EAGAIN { return .wouldBlock }
            if number != EINTR { return .failed(number) }
        }
    }

    /// Writes once to a socket and consumes what it took. A gone peer is an error here and never a SIGPIPE.
    package mutating func write(to socket: Int32) -> WriteOutcome {
        while !isEmpty {
            let bytes = readable
            let sent = send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            if sent >= 0 {
                consume(sent)
                // A short write means that the socket is full: asking again would only say so.
                return isEmpty ? .drained : .wouldBlock
            }
            let number = errno
            if number == EAGAIN { return .wouldBlock }
            if number != EINTR { return .failed(number) }
        }
        return .drained
    }
}
