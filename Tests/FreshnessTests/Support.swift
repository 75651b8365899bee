import Freshness

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
