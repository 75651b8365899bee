import Testing

@testable import Telemetry

struct LatencyHistogramTests {
    @Test func bucketsCoverEveryDurationOnce() {
        var next = 0
        for bucket in 0..<LatencyHistogram.bucketCount {
            let range = LatencyHistogram.range(ofBucket: bucket)
            #expect(range.lowerBound == next)
            #expect(LatencyHistogram.bucket(of: range.lowerBound) == bucket)
            #expect(LatencyHistogram.bucket(of: range.upperBound) == bucket)
            // The middle is at most 1/64 away from anything in the bucket.
            #expect((range.upperBound - range.lowerBound + 1) * 32 <= max(32, range.lowerBound))
            next = range.upperBound + 1
        }
        #expect(next == LatencyHistogram.maximum + 1)
    }

    @Test func durationsBelow64MicrosecondsAreExact() {
        let histogram = LatencyHistogram()
        for value in 0..<64 { histogram.record(microseconds: value) }
        let values = histogram.snapshot()
        for value in 0..<64 { #expect(values.quantile(Double(value + 1) / 64) == value) }
    }

    /// Against the exact nearest-rank quantiles of the same numbers, over eight powers of ten.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func quantilesAreWithinTheStatedError(_ seed: UInt64) throws {
        let histogram = LatencyHistogram()
        var state = seed
        var exact: [Int] = []
        for _ in 0..<20_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let value = Int(state >> 33) >> Int(state >> 27 & 31)
            exact.append(value)
            histogram.record(microseconds: value)
        }
        exact.sort()
        let values = histogram.snapshot()
        for share in [0.0, 0.001, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
            let rank = max(1, Int((share * Double(exact.count)).rounded(.up)))
            let expected = exact[rank - 1]
            let found = try #require(values.quantile(share))
            #expect(abs(found - expected) * 64 <= expected, "p\(share): \(found) instead of \(expected)")
        }
        #expect(values.count == exact.count)
        #expect(values.sum == exact.reduce(0, +))
        #expect(values.maximum == exact.last)
    }

    @Test func extremesAreClamped() {
        let histogram = LatencyHistogram()
        histogram.record(microseconds: -5)
        histogram.record(microseconds: .min)
        histogram.record(microseconds: .max)
        histogram.record(microseconds: LatencyHistogram.maximum)
        let values = histogram.snapshot()
        #expect(values.count == 4)
        #expect(values.quantile(0.5) == 0)
        #expect(values.maximum == LatencyHistogram.maximum)
        #expect(values.sum == 2 * LatencyHistogram.maximum)
        #expect(values.count(upTo: -1) == 0)
        #expect(values.count(upTo: 0) == 2)
        #expect(values.count(upTo: .max) == 4)
    }

    @Test func anEmptyOneHasNoQuantiles() {
        let values = LatencyHistogram().snapshot()
        #expect(values == LatencyValues())
        #expect(values.quantile(0.5) == nil)
        #expect(values.count(upTo: 1000) == 0)
    }

    /// 2^20 begins its bucket, whose middle is longer.
    @Test func aQuantileIsNeverLongerThanTheLongest() {
        let histogram = LatencyHistogram()
        histogram.record(microseconds: 1 << 20)
        #expect(histogram.snapshot().quantile(0.999) == 1 << 20)
        histogram.record(microseconds: 1 << 21)
        #expect(histogram.snapshot().quantile(0.5) == (1 << 20) + (1 << 14) - 1)
    }

    @Test func whatSeveralWorkersRecordedIsAdded() {
        let first = LatencyHistogram()
        let second = LatencyHistogram()
        for _ in 0..<99 { first.record(microseconds: 10) }
        second.record(microseconds: 5000)
        var sum = first.snapshot()
        sum += second.snapshot()
        #expect(sum.count == 100)
        #expect(sum.sum == 5990)
        #expect(sum.maximum == 5000)
        #expect(sum.quantile(0.99) == 10)
        #expect(sum.quantile(0.999).map { (4922...5000).contains($0) } == true)
        #expect(sum.count(upTo: 10) == 99)
    }
}
