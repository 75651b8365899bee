/// One server behind a pool, as its last answer showed it: a row of `STATS nodes`.
package struct NodeStatistics: Sendable {
    package enum State: String, Sendable, CaseIterable {
        /// The primary of the newest timeline that is known.
        case primary
        /// A standby that has all that is known of the primary's log.
        case current
        /// A standby that has not.
        case behind
        /// A standby whose position has stood still while the primary's moved on.
        case orphaned
        /// It did not prove that it follows the primary's timeline: it serves no read with a floor.
        case unproven
        /// No standby, in a standby's place.
        case misplaced
    }

    package let pool: String
    /// `address:port`, or `local`.
    package let node: String
    package let state: State
    /// PostgreSQL's pg_lsn: what a standby has replayed, or what a primary has flushed.
    package let position: String
    /// At most; nil when nothing is known.
    package let lagMilliseconds: Int?
    /// Since its last answer that said where it stands.
    package let seenMillisecondsAgo: Int

    package init(
        pool: String, node: String, state: State, position: String, lagMilliseconds: Int?, seenMillisecondsAgo: Int
    ) {
        self.pool = pool
        self.node = node
        self.state = state
        self.position = position
        self.lagMilliseconds = lagMilliseconds
        self.seenMillisecondsAgo = seenMillisecondsAgo
    }
}

extension StatisticsTable {
    /// `STATS nodes`: a row a server that has answered.
    package static func nodes(_ nodes: [NodeStatistics]) -> StatisticsTable {
        var table = StatisticsTable(columns: [
            Column("pool", .text), Column("node", .text), Column("state", .text), Column("position", .text),
            Column("lag_ms", .integer), Column("seen_ms", .integer),
        ])
        for node in nodes {
            table.append([
                node.pool, node.node, node.state.rawValue, node.position, node.lagMilliseconds.map { String($0) },
                String(node.seenMillisecondsAgo),
            ])
        }
        return table
    }
}
