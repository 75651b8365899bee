/// How long things took: counts in buckets that are linear inside each power of two.
///
/// Microseconds up to `maximum`; longer ones count as that. Below 64 exact, above within 1/64 (1.6 %) of what was
/// recorded. 8 KiB each, one addition and a handful of instructions a record, no allocation. Confined to the thread of
/// its worker, like a `CounterSet`.
@usableFromInline package struct LatencyHistogram: ~Copyable {
    /// log2 of the buckets in each power of two.
    @usableFromInline static var precision: Int { 5 }
    @usableFromInline static var bucketCount: Int { 1024 }

    /// About 19 hours, in microseconds.
    @inlinable package static var maximum: Int { (1 << 36) - 1 }

    @usableFromInline let buckets: UnsafeMutablePointer<Int>
    /// Number, sum and maximum.
    @usableFromInline let totals: UnsafeMutablePointer<Int>

    package init() {
        buckets = .allocate(capacity: Self.bucketCount + 3)
        buckets.initialize(repeating: 0, count: Self.bucketCount + 3)
        totals = buckets + Self.bucketCount
    }

    deinit {
        buckets.deallocate()
    }

    /// Records one duration in microseconds; a negative one counts as 0.
    @inlinable package func record(microseconds: Int) {
        let value = microseconds < 0 ? 0 : microseconds > Self.maximum ? Self.maximum : microseconds
        buckets[Self.bucket(of: value)] &+= 1
        totals[0] &+= 1
        totals[1] &+= value
        if value > totals[2] { totals[2] = value }
    }

    /// 0 to 63 each have their own; then 32 for each power of two.
    @inlinable static func bucket(of value: Int) -> Int {
        let magnitude = Int.bitWidth &- 1 &- (value | 63).leadingZeroBitCount
        let shift = magnitude &- precision
        return shift &<< precision &+ (value &>> shift)
    }

    /// The durations that share a bucket.
    static func range(ofBucket bucket: Int) -> ClosedRange<Int> {
        if bucket < 64 { return bucket...bucket }
        let shift = bucket >> precision - 1
        let first = (bucket - shift << precision) << shift
        return first...first + (1 << shift) - 1
    }

    /// A copy for views; allocates.
    package func snapshot() -> LatencyValues {
        LatencyValues(
            buckets: Array(UnsafeBufferPointer(start: buckets, count: Self.bucketCount)), count: totals[0],
            sum: totals[1], maximum: totals[2])
    }
}

/// A histogram at one moment.
package struct LatencyValues: Sendable, Equatable {
    private var buckets: [Int]
    package private(set) var count: Int
    /// In microseconds.
    package private(set) var sum: Int
    /// In microseconds, exact.
    package private(set) var maximum: Int

    package init() {
        self.init(buckets: Array(repeating: 0, count: LatencyHistogram.bucketCount), count: 0, sum: 0, maximum: 0)
    }

    fileprivate init(buckets: [Int], count: Int, sum: Int, maximum: Int) {
        self.buckets = buckets
        self.count = count
        self.sum = sum
        self.maximum = maximum
    }

    /// The duration that the given share of all records does not exceed (nearest rank), in microseconds; nil when
    /// nothing was recorded.
    ///
    /// - Parameter share: 0 to 1: 0.99 is p99.
    /// - Returns: Microseconds; the middle of the bucket, at most the longest that was recorded.
    package func quantile(_ share: Double) -> Int? {
        guard count > 0 else { return nil }
        let rank = min(count, max(1, Int((share * Double(count)).rounded(.up))))
        var seen = 0
        for (bucket, number) in buckets.enumerated() {
            seen += number
            if seen >= rank {
                let range = LatencyHistogram.range(ofBucket: bucket)
                return min(maximum, (range.lowerBound + range.upperBound) / 2)
            }
        }
        return maximum
    }

    /// How many records were at most this long, counting whole buckets: for cumulative views.
    package func count(upTo microseconds: Int) -> Int {
        guard microseconds >= 0 else { return 0 }
        let last = LatencyHistogram.bucket(of: min(microseconds, LatencyHistogram.maximum))
        return buckets[...last].reduce(0, +)
    }

    /// Adds what another worker recorded.
    package static func += (left: inout Self, right: Self) {
        for index in left.buckets.indices { left.buckets[index] += right.buckets[index] }
        left.count += right.count
        left.sum += right.sum
        left.maximum = max(left.maximum, right.maximum)
    }
}
