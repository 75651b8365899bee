import Freshness

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers for the same seed on every machine, so that a find can be run
/// again.
struct RandomNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number in 0 ..< bound.
    mutating func below(_ bound: Int) -> Int {
        Int(next() % UInt64(bound))
    }

    /// True in `percent` of 100 cases.
    mutating func chance(_ percent: Int) -> Bool {
        below(100) < percent
    }
}

/// The bytes of a text, as the code under test gets them from a line or a row.
func withBytes<Result>(of text: String, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try Array(text.utf8).withUnsafeBytes(body)
}

extension UInt64 {
    /// Milliseconds on the monotonic clock, in nanoseconds.
    static func ms(_ milliseconds: UInt64) -> UInt64 { milliseconds * 1_000_000 }
}

extension ClusterHistory.Report {
    /// A primary's, at a position.
    static func primary(
        _ position: UInt64, inserted: UInt64? = nil, timeline: UInt32 = 1, system: UInt64 = 0x77AA_5F2C_91AA,
        commitsUnflushed: Bool = false
    ) -> Self {
        Self(
            isInRecovery: false, system: system, timeline: timeline, flushed: LogPosition(position),
            inserted: LogPosition(inserted ?? position), commitsUnflushed: commitsUnflushed)
    }

    static func standby(system: UInt64 = 0x77AA_5F2C_91AA) -> Self {
        Self(
            isInRecovery: true, system: system, timeline: 0, flushed: LogPosition(0), inserted: LogPosition(0),
            commitsUnflushed: false)
    }
}

extension ClusterHistory {
    /// One that has heard these reports, a second apart.
    init(_ reports: Report...) {
        self.init()
        for (index, report) in reports.enumerated() { _ = reported(report, askedAt: .ms(1000 * UInt64(index + 1))) }
    }
}
