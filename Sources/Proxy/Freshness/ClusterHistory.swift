/// What is known of one cluster's history: its system, the newest timeline that its primary proved, and where that primary's
/// log stood when.
///
/// Positions compare only inside one system and timeline. When either changes, a new *era* begins: what was known before of
/// positions, of standbys and of a connection's own writes is void.
package struct ClusterHistory: Equatable {
    /// What a server said of itself that claims to be the primary.
    package struct Report: Equatable {
        package var isInRecovery: Bool
        package var system: UInt64
        /// 0 when it is in recovery: only a primary can say.
        package var timeline: UInt32
        package var flushed: LogPosition
        package var inserted: LogPosition
        /// `synchronous_commit` is off for this pool's sessions: a commit may be answered before it is flushed.
        package var commitsUnflushed: Bool

        package init(
            isInRecovery: Bool, system: UInt64, timeline: UInt32, flushed: LogPosition, inserted: LogPosition,
            commitsUnflushed: Bool
        ) {
            self.isInRecovery = isInRecovery
            self.system = system
            self.timeline = timeline
            self.flushed = flushed
            self.inserted = inserted
            self.commitsUnflushed = commitsUnflushed
        }

        /// A position that all commits of now lie below. The flush position where commits wait for it: the insert position may lie
        /// far ahead of what standbys can get, in another session's unfinished work. With `unflushed` it covers a commit that did
        /// not wait for its flush.
        package func position(coveringUnflushed unflushed: Bool) -> LogPosition {
            unflushed || commitsUnflushed ? inserted.withoutPageHeader() : flushed
        }
    }

    package enum Verdict: Equatable {
        /// It is the primary; `isNewEra` when its system or timeline is another than before.
        case primary(isNewEra: Bool)
        /// A standby, or a primary of the past: nothing that it says counts.
        case notPrimary
    }

    package private(set) var system: UInt64?
    /// 0 before the first report.
    package private(set) var timeline: UInt32 = 0
    /// Grows with each change of system or timeline; 0 before the first report.
    package private(set) var era: UInt32 = 0
    package private(set) var positions = PositionHistory()

    package init() {}

    /// A report of a query sent at `askedAt`.
    package mutating func reported(_ report: Report, askedAt: UInt64) -> Verdict {
        guard !report.isInRecovery else { return .notPrimary }
        if system == report.system, report.timeline < timeline { return .notPrimary }
        let isNewEra = system != report.system || report.timeline != timeline
        if isNewEra {
            // What goes before the first report has nothing to void.
            system = report.system
            timeline = report.timeline
            era += 1
            positions = PositionHistory()
        }
        positions.record(report.position(coveringUnflushed: false), askedAt: askedAt)
        return .primary(isNewEra: isNewEra)
    }

    // MARK: Tokens

    package func token(at position: LogPosition) -> CommitToken? {
        guard let system else { return nil }
        return CommitToken(timeline: timeline, position: position, system: UInt32(truncatingIfNeeded: system))
    }

    package enum TokenVerdict: Equatable {
        /// A position of this era; `isAhead` when the primary is not known to have got there: another daemon may know more.
        case floor(LogPosition, isAhead: Bool)
        /// The primary's own word is needed: a timeline that is newer than what is known, or nothing is known yet.
        case unknown
        /// A timeline of the past: its positions may have been lost or used again.
        case oldTimeline
        case otherSystem
    }

    package func verdict(on token: CommitToken) -> TokenVerdict {
        guard let system else { return .unknown }
        guard UInt32(truncatingIfNeeded: system) == token.system else { return .otherSystem }
        if token.timeline > timeline { return .unknown }
        if token.timeline < timeline { return .oldTimeline }
        return .floor(token.position, isAhead: positions.newest.map { token.position > $0.position } ?? true)
    }
}
