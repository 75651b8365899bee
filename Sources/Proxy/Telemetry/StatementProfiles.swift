/// What is counted for each statement that the caller tells apart by a key. Bounded: beyond `maximumCount` one that was not
/// called for long makes room, and what it counted is added to `others`, so that nothing is lost from the sums.
///
/// `Sample` is what the caller keeps of a call, to show the statement or to judge it again.
package struct StatementProfiles<Sample> {
    package struct Profile {
        package let key: UInt64
        /// Of the last call.
        package var sample: Sample
        package fileprivate(set) var counts: StatementCounts
        /// Called again since the hand came by: then it is passed over once.
        fileprivate var wasUsed: Bool
    }

    package let maximumCount: Int
    /// In no order that means anything.
    package private(set) var profiles: [Profile] = []
    /// The sums of those that made room.
    package private(set) var others = StatementCounts()
    private var indexes: [UInt64: Int] = [:]
    private var hand = 0

    /// - Parameter maximumCount: 1 or more.
    package init(maximumCount: Int) {
        precondition(maximumCount >= 1)
        self.maximumCount = maximumCount
    }

    /// Counts one call. Allocates nothing for a statement that is known.
    ///
    /// - Parameters:
    ///   - key: what tells it from others.
    ///   - call: what came of it.
    ///   - renew: makes the sample of this call from that of the last one; nil: there was none.
    package mutating func record(_ key: UInt64, _ call: StatementCounts, renew: (inout Sample?) -> Void) {
        if let index = indexes[key] {
            profiles[index].counts.add(call)
            profiles[index].wasUsed = true
            var sample: Sample? = profiles[index].sample
            renew(&sample)
            if let sample { profiles[index].sample = sample }
            return
        }
        var sample: Sample?
        renew(&sample)
        guard let sample else { return }
        let profile = Profile(key: key, sample: sample, counts: call, wasUsed: false)
        if profiles.count < maximumCount {
            indexes[key] = profiles.count
            profiles.append(profile)
        } else {
            let index = indexToReplace()
            others.add(profiles[index].counts)
            indexes[profiles[index].key] = nil
            indexes[key] = index
            profiles[index] = profile
        }
    }

    private mutating func indexToReplace() -> Int {
        while true {
            hand = (hand + 1) % profiles.count
            guard profiles[hand].wasUsed else { return hand }
            profiles[hand].wasUsed = false
        }
    }
}

/// What calls of a statement came to.
package struct StatementCounts: Sendable, Equatable {
    package var calls = 0
    package var errors = 0
    package var rows = 0
    /// Calls that a server which holds them to reading answered: they did not write.
    package var proven = 0
    /// From the line read to the answer written, summed and at most.
    package var totalMicroseconds = 0
    package var maximumMicroseconds = 0

    package init() {}

    /// One call.
    package init(isError: Bool, isProven: Bool = false, rows: Int, microseconds: Int) {
        calls = 1
        proven = isProven ? 1 : 0
        errors = isError ? 1 : 0
        self.rows = rows
        totalMicroseconds = microseconds
        maximumMicroseconds = microseconds
    }

    package var meanMicroseconds: Int { calls == 0 ? 0 : totalMicroseconds / calls }

    package mutating func add(_ other: StatementCounts) {
        calls += other.calls
        errors += other.errors
        rows += other.rows
        proven += other.proven
        totalMicroseconds += other.totalMicroseconds
        maximumMicroseconds = max(maximumMicroseconds, other.maximumMicroseconds)
    }
}

/// One row of `STATS statements`.
package struct StatementStatistics: Sendable {
    /// nil for what has none: texts that were not parsed, and the sum of those that made room.
    package let fingerprint: String?
    package let kind: String?
    /// `read` or `write`.
    package let access: String?
    /// Where the last call went, and why.
    package let pool: String?
    package let reason: String?
    package let counts: StatementCounts
    /// Normalised: no constants.
    package let statement: String

    package init(
        fingerprint: String?, kind: String?, access: String?, pool: String?, reason: String?, counts: StatementCounts,
        statement: String
    ) {
        self.fingerprint = fingerprint
        self.kind = kind
        self.access = access
        self.pool = pool
        self.reason = reason
        self.counts = counts
        self.statement = statement
    }
}

/// One row of `STATS learned`.
package struct LearnedStatistics: Sendable {
    package let fingerprint: String
    package let sqlstate: String
    package let statement: String

    package init(fingerprint: String, sqlstate: String, statement: String) {
        self.fingerprint = fingerprint
        self.sqlstate = sqlstate
        self.statement = statement
    }

    /// What a settings file says to know it from the start.
    var rule: String {
        """
        [[rule]]
        name = "learned \(fingerprint)"
        fingerprint = ["\(fingerprint)"]
        route = "primary"
        """
    }
}

extension StatisticsTable {
    /// `STATS learned`: a row a statement that a standby refused, with a rule that says the same.
    package static func learned(_ statements: [LearnedStatistics]) -> StatisticsTable {
        var table = StatisticsTable(columns: [
            Column("fingerprint", .text), Column("sqlstate", .text), Column("statement", .text), Column("rule", .text),
        ])
        for statement in statements {
            table.append([statement.fingerprint, statement.sqlstate, statement.statement, statement.rule])
        }
        return table
    }

    /// `STATS statements`: a row a distinct statement.
    package static func statements(_ statements: [StatementStatistics]) -> StatisticsTable {
        var table = StatisticsTable(columns: [
            Column("fingerprint", .text), Column("kind", .text), Column("access", .text), Column("pool", .text),
            Column("reason", .text), Column("calls", .integer), Column("errors", .integer),
            Column("proven", .integer), Column("rows", .integer),
            Column("mean_us", .integer), Column("max_us", .integer), Column("total_us", .integer),
            Column("statement", .text),
        ])
        for statement in statements {
            let counts = statement.counts
            table.append([
                statement.fingerprint, statement.kind, statement.access, statement.pool, statement.reason,
                String(counts.calls), String(counts.errors), String(counts.proven), String(counts.rows),
                String(counts.meanMicroseconds), String(counts.maximumMicroseconds), String(counts.totalMicroseconds),
                statement.statement,
            ])
        }
        return table
    }
}
