// The closed lists of words that label the counters of freshness. Raw values are positions inside their family.

/// Whether a standby had what a read must see.
@usableFromInline package enum FenceResult: Int, CaseIterable, Sendable {
    case passed, failed

    package var word: String {
        switch self {
        case .passed: "passed"
        case .failed: "failed"
        }
    }
}

/// Why a read ran once more.
@usableFromInline package enum RerunReason: Int, CaseIterable, Sendable {
    case stale, writes, recovery, schema, conflict, shutdown, lost

    package var word: String {
        switch self {
        case .stale: "stale"
        case .writes: "writes"
        case .recovery: "recovery"
        case .schema: "schema"
        case .conflict: "conflict"
        case .shutdown: "shutdown"
        case .lost: "lost"
        }
    }
}

/// What became of reads that standbys could not serve.
@usableFromInline package enum SpillResult: Int, CaseIterable, Sendable {
    case served, refused

    package var word: String {
        switch self {
        case .served: "served"
        case .refused: "refused"
        }
    }
}

/// Whether a commit got the token that was asked for.
@usableFromInline package enum TokenResult: Int, CaseIterable, Sendable {
    case given, unavailable

    package var word: String {
        switch self {
        case .given: "given"
        case .unavailable: "unavailable"
        }
    }
}

/// Why a token could not be compared with a standby's position.
@usableFromInline package enum TokenRefusal: Int, CaseIterable, Sendable {
    /// Of a system that is none of the clusters known.
    case foreign
    /// Of a timeline before a promotion.
    case timeline
    /// Beyond the primary's position.
    case future
    case malformed

    package var word: String {
        switch self {
        case .foreign: "foreign"
        case .timeline: "timeline"
        case .future: "future"
        case .malformed: "malformed"
        }
    }
}
