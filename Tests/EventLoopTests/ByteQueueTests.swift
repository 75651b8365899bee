import Glibc
import Testing

@testable import EventLoop

@Suite struct ByteQueueTests {
    @Test func startsWithoutMemory() {
        let queue = ByteQueue()
        let (count, capacity, position) = (queue.count, queue.capacity, queue.headPosition)
        #expect(count == 0)
        #expect(capacity == 0)
        #expect(position == 0)
        let (isEmpty, readable) = (queue.isEmpty, queue.readable.count)
        #expect(isEmpty)
        #expect(readable == 0)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func behavesLikeAnArray(seed: UInt64) {
        var random = SplitMix(state: seed)
        var queue = ByteQueue()
        // The whole stream; those at `consumed` and behind it are in the queue.
        var stream: [UInt8] = []
        var consumed = 0
        for _ in 0..<1000 {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<45:
                let size = random.size()
                let room = queue.reserve(size + Int.random(in: 0...100, using: &random))
                let first = UInt8.random(in: 0...255, using: &random)
                let bytes = (0..<size).map { first &+ UInt8(truncatingIfNeeded: $0) }
                bytes.withUnsafeBytes { if let start = $0.baseAddress, size > 0 { memcpy(room, start, size) } }
                queue.commit(size)
                stream += bytes
            case 45..<85:
                let size = min(random.size(), stream.count - consumed)
                queue.consume(size)
                consumed += size
            case 85..<90:
                queue.consume(queue.count)
                consumed = stream.count
            case 90..<95: queue.releaseIfEmpty()
            default: queue.shrink()
            }
            guard matches(queue, stream, consumed) else { return }
        }
    }

    private func matches(_ queue: borrowing ByteQueue, _ stream: [UInt8], _ consumed: Int) -> Bool {
        let isEqual = stream.withUnsafeBytes { bytes in
            guard let start = queue.readable.baseAddress, let all = bytes.baseAddress else { return queue.isEmpty }
            return queue.count == bytes.count - consumed && memcmp(start, all + consumed, queue.count) == 0
        }
        let positions = (queue.headPosition, queue.tailPosition)
        let (count, capacity) = (queue.count, queue.capacity)
        #expect(isEqual)
        #expect(positions == (UInt64(consumed), UInt64(stream.count)))
        #expect(count == stream.count - consumed)
        #expect(capacity >= count)
        // An empty queue keeps little.
        if count == 0 { #expect(capacity <= ByteQueue.warmCapacity || consumed == 0) }
        guard count > 0 else { return isEqual }
        let middle = UInt64(consumed + count / 2)
        let byte = queue.pointer(atPosition: middle).load(as: UInt8.self)
        #expect(byte == stream[Int(middle)])
        let end = queue.pointer(atPosition: queue.tailPosition) - queue.pointer(atPosition: queue.headPosition)
        #expect(end == count)
        return isEqual
    }

    @Test func memoryIsGivenBackWhenEmpty() {
        var queue = ByteQueue()
        _ = queue.reserve(1 << 20)
        queue.commit(1 << 20)
        queue.consume(1 << 20)
        var capacity = queue.capacity
        #expect(capacity == 0)
        // A small buffer stays warm until the connection idles.
        _ = queue.reserve(100)
        queue.commit(100)
        queue.consume(100)
        capacity = queue.capacity
        #expect(capacity == ByteQueue.smallestCapacity)
        queue.releaseIfEmpty()
        capacity = queue.capacity
        #expect(capacity == 0)
        let position = queue.headPosition
        #expect(position == (1 << 20) + 100)
        // Half a line after a big one.
        _ = queue.reserve(1 << 20)
        queue.commit(1 << 20)
        queue.consume((1 << 20) - 10)
        queue.releaseIfEmpty()
        capacity = queue.capacity
        #expect(capacity == 1 << 20)
        queue.shrink()
        capacity = queue.capacity
        #expect(capacity == ByteQueue.smallestCapacity)
        let count = queue.count
        #expect(count == 10)
    }

    @Test func aSlidingWindowCopiesLittle() {
        // A queue that is never empty and never grows: 4 MB flow through it in small steps.
        var queue = ByteQueue()
        queue.commitZeroes(900)
        var moves = 0
        var last = queue.readable.baseAddress
        for _ in 0..<40_000 {
            queue.commitZeroes(100)
            queue.consume(100)
            if let now = queue.readable.baseAddress, let before = last, now != before + 100 { moves += 1 }
            last = queue.readable.baseAddress
        }
        let capacity = queue.capacity
        #expect(capacity <= 4096)
        // Each move carries 1000 bytes and comes after at least a quarter of the capacity.
        #expect(moves <= 40_000 * 100 / (capacity / 4) + 10)
        #expect(moves > 0)
    }

    @Test func readsAndWritesSockets() throws {
        let pair = try SocketPair()
        var output = ByteQueue()
        var input = ByteQueue()
        var outcome = input.read(from: pair.right, upTo: 100)
        #expect(outcome == .wouldBlock)
        Array("hello".utf8).withUnsafeBytes { output.append($0) }
        var written = output.write(to: pair.left)
        #expect(written == .drained)
        written = output.write(to: pair.left)
        #expect(written == .drained)
        outcome = input.read(from: pair.right, upTo: 3)
        #expect(outcome == .bytes(3))
        outcome = input.read(from: pair.right, upTo: 100)
        #expect(outcome == .bytes(2))
        let text = String(decoding: input.readable, as: UTF8.self)
        #expect(text == "hello")
        pair.closeRight()
        Array("lost".utf8).withUnsafeBytes { output.append($0) }
        // No SIGPIPE: this process would end.
        written = output.write(to: pair.left)
        #expect(written == .failed(EPIPE))
        outcome = input.read(from: pair.left, upTo: 100)
        #expect(outcome == .endOfFile)
        outcome = input.read(from: -1, upTo: 100)
        #expect(outcome == .failed(EBADF))
    }

    @Test func aFullSocketKeepsTheRest() throws {
        let pair = try SocketPair()
        var output = ByteQueue()
        let total = 1 << 20
        let bytes = (0..<total).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        bytes.withUnsafeBytes { output.append($0) }
        var input = ByteQueue()
        while !output.isEmpty {
            let outcome = output.write(to: pair.left)
            let rest = output.count
            #expect(outcome == (rest == 0 ? .drained : .wouldBlock))
            while case .bytes = input.read(from: pair.right, upTo: 50_000) {}
        }
        let isEqual = Array(input.readable) == bytes
        #expect(isEqual)
    }

    @Test func misuseIsCaught() async {
        await #expect(processExitsWith: .failure) {
            dieQuietly()
            var queue = ByteQueue()
            queue.consume(1)
        }
        await #expect(processExitsWith: .failure) {
            dieQuietly()
            var queue = ByteQueue()
            _ = queue.reserve(10)
            queue.commit(queue.capacity + 1)
        }
        await #expect(processExitsWith: .failure) {
            dieQuietly()
            var queue = ByteQueue()
            queue.commitZeroes(10)
            queue.consume(5)
            _ = queue.pointer(atPosition: 4)
        }
    }
}

extension ByteQueue {
    fileprivate mutating func commitZeroes(_ count: Int) {
        memset(reserve(count), 0, count)
        commit(count)
    }
}

/// Lets this process end at a trap without the backtrace that takes seconds to print.
private func dieQuietly() {
    for number in [SIGILL, SIGTRAP, SIGABRT] { signal(number, SIG_DFL) }
}

/// A generator whose runs can be repeated.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Mostly small, sometimes large.
    mutating func size() -> Int {
        switch Int.random(in: 0..<10, using: &self) {
        case 0..<6: Int.random(in: 0...60, using: &self)
        case 6..<9: Int.random(in: 0...2000, using: &self)
        default: Int.random(in: 0...20_000, using: &self)
        }
    }
}
