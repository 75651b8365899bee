// Statements by their exact text. One cache per Judge, on one thread.

/// What the cache did and holds; the counts only grow.
package struct StatementCacheCounters: Sendable, Equatable {
    package var hits: UInt64 = 0
    package var misses: UInt64 = 0
    package var evictions: UInt64 = 0
    package var statements = 0
    package var bytes = 0
}

/// A hash table with chains by index, bounded in bytes. What goes first is what was not asked for since the clock's hand last
/// passed ("second chance"): a hit then costs a store of one flag, not a list to reorder.
struct StatementCache: ~Copyable {
    private struct Entry {
        var hash: UInt64
        var next: Int32
        var weight: Int32
        var count: Int32
        var wasUsed: Bool
    }

    /// More than the heaviest statement can need, so that the bound holds; not many, so that a cache that was made smaller
    /// shrinks with each insertion instead of stopping the loop at once.
    private static let evictionsAtOnce = 128

    var maximumBytes: Int
    private let seed: UInt64
    private var buckets: [Int32]
    private var entries: [Entry] = []
    private var statements: [Statement?] = []
    private var free: [Int32] = []
    private var hand = 0
    private(set) var counters = StatementCacheCounters()

    init(maximumBytes: Int) {
        self.maximumBytes = maximumBytes
        // Random per process: nobody can choose texts that share a bucket.
        seed = UInt64.random(in: .min ... .max)
        buckets = [Int32](repeating: -1, count: 1024)
    }

    @inline(__always)
    func hash(_ text: UnsafeRawBufferPointer) -> UInt64 { textHash(text, seed: seed) }

    /// Allocates nothing.
    mutating func find(_ text: UnsafeRawBufferPointer, hash: UInt64) -> Statement? {
        var index = buckets[Int(truncatingIfNeeded: hash) & (buckets.count - 1)]
        while index >= 0 {
            let entry = entries[Int(index)]
            if entry.hash == hash, Int(entry.count) == text.count, let statement = statements[Int(index)],
                sameBytes(statement.text, text)
            {
                entries[Int(index)].wasUsed = true
                counters.hits &+= 1
                return statement
            }
            index = entry.next
        }
        counters.misses &+= 1
        return nil
    }

    /// A statement too heavy for the whole bound is not kept.
    mutating func insert(_ statement: Statement, hash: UInt64) {
        let weight = statement.weight
        guard weight <= maximumBytes else { return }
        for _ in 0..<Self.evictionsAtOnce where counters.bytes + weight > maximumBytes && counters.statements > 0 {
            evictOne()
        }
        if counters.statements >= buckets.count { grow() }
        let bucket = Int(truncatingIfNeeded: hash) & (buckets.count - 1)
        let entry = Entry(
            hash: hash, next: buckets[bucket], weight: Int32(weight), count: Int32(statement.text.count), wasUsed: false
        )
        let index: Int32
        if let reused = free.popLast() {
            index = reused
            entries[Int(index)] = entry
            statements[Int(index)] = statement
        } else {
            index = Int32(entries.count)
            entries.append(entry)
            statements.append(statement)
        }
        buckets[bucket] = index
        counters.bytes += weight
        counters.statements += 1
    }

    private mutating func evictOne() {
        while true {
            if hand >= entries.count { hand = 0 }
            let index = hand
            hand += 1
            guard statements[index] != nil else { continue }
            if entries[index].wasUsed {
                entries[index].wasUsed = false
                continue
            }
            remove(Int32(index))
            counters.evictions &+= 1
            return
        }
    }

    private mutating func remove(_ index: Int32) {
        let entry = entries[Int(index)]
        let bucket = Int(truncatingIfNeeded: entry.hash) & (buckets.count - 1)
        if buckets[bucket] == index {
            buckets[bucket] = entry.next
        } else {
            var before = buckets[bucket]
            while before >= 0, entries[Int(before)].next != index { before = entries[Int(before)].next }
            if before >= 0 { entries[Int(before)].next = entry.next }
        }
        statements[Int(index)] = nil
        free.append(index)
        counters.bytes -= Int(entry.weight)
        counters.statements -= 1
    }

    private mutating func grow() {
        buckets = [Int32](repeating: -1, count: buckets.count * 2)
        for index in entries.indices where statements[index] != nil {
            let bucket = Int(truncatingIfNeeded: entries[index].hash) & (buckets.count - 1)
            entries[index].next = buckets[bucket]
            buckets[bucket] = Int32(index)
        }
    }
}
