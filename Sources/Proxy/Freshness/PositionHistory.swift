/// Where the primary's log stood at which time: what turns a wish in milliseconds into a position.
///
/// A sample's position was read after its query had been asked, so everything committed before that moment lies below it.
/// Bounded: when it is full every second of the older samples goes, which only makes old wishes a little stricter.
package struct PositionHistory: Equatable {
    package struct Sample: Equatable {
        /// Monotonic nanoseconds: when the query was sent.
        package let askedAt: UInt64
        package let position: LogPosition
    }

    package static let capacity = 256

    /// Oldest first; neither times nor positions ever fall.
    package private(set) var samples: [Sample] = []

    private let spacing: UInt64

    /// - Parameter spacing: between two samples that are kept, in nanoseconds; only the newest one may be nearer. Each read on the
    ///   primary brings a sample, and a busy second of them would leave no room for older ones.
    package init(spacing: UInt64 = 10_000_000) {
        self.spacing = spacing
        samples.reserveCapacity(Self.capacity)
    }

    package var newest: Sample? { samples.last }

    /// Samples of queries that were answered out of order are no news.
    package mutating func record(_ position: LogPosition, askedAt: UInt64) {
        if let newest = samples.last, askedAt <= newest.askedAt || position < newest.position { return }
        if samples.count > 1, samples[samples.count - 1].askedAt &- samples[samples.count - 2].askedAt < spacing {
            samples.removeLast()
        }
        if samples.count == Self.capacity { thin() }
        samples.append(Sample(askedAt: askedAt, position: position))
    }

    private mutating func thin() {
        let older = Self.capacity / 2
        var kept: [Sample] = []
        kept.reserveCapacity(Self.capacity)
        for index in samples.indices where index >= older || index % 2 == 0 { kept.append(samples[index]) }
        samples = kept
    }

    /// The earliest sample that was asked for at `time` or later: what has reached its position has all that was committed
    /// before `time`.
    package func earliest(since time: UInt64) -> Sample? {
        var low = 0
        var high = samples.count
        while low < high {
            let middle = (low + high) / 2
            if samples[middle].askedAt < time { low = middle + 1 } else { high = middle }
        }
        return low < samples.count ? samples[low] : nil
    }

    /// How long ago the first commit was made, at most, that a server at `position` lacks, in nanoseconds: 0 when it lacks
    /// nothing that is known, nil when it is behind everything that is known.
    package func age(of position: LogPosition, now: UInt64) -> UInt64? {
        guard let newest = samples.last else { return nil }
        if position >= newest.position { return 0 }
        var low = 0
        var high = samples.count
        while low < high {
            let middle = (low + high) / 2
            if samples[middle].position <= position { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? now &- samples[low - 1].askedAt : nil
    }
}
