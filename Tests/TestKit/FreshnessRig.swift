/// A cluster of its own with daemons side by side on it, and what may happen to the cluster while they work.
package final class FreshnessRig: Sendable {
    package enum Scenario: String, Sendable, CaseIterable {
        /// Both standbys are two seconds behind.
        case delayed
        /// Nothing is wrong: standbys are behind by what it takes.
        case live
        /// Nothing is wrong, and read-only transactions race with the commits that they must see: `CommitRace`.
        case race
        /// Both standbys receive WAL and apply none.
        case paused
        /// One standby gets no WAL any more; the other one does.
        case orphaned
        /// The primary is gone, one standby was promoted, the other follows it, PgBouncer knows.
        case promoted
        /// The primary is gone and the standby was promoted that had got less of its WAL. The other one, the only
        /// standby now, is ahead of it by the number, on the old timeline: it will never get what is written now.
        case branched

        package var kinds: [PairKind] {
            (self == .race ? [.readOnly, .repeatableRead, .repeatableRead] : PairKind.told) + [.careless]
        }
    }

    package let cluster: Cluster
    package let daemons: [DaemonProcess]
    package let table: String

    /// - Parameters:
    ///   - count: how many daemons.
    ///   - adjust: changes what is written into their settings.
    /// - Throws: `TestFailure` when something of it does not start.
    package init(daemons count: Int = 2, _ adjust: (inout DaemonSettings) -> Void = { _ in }) throws {
        let cluster = try Cluster()
        self.cluster = cluster
        daemons = try (0..<count).map { _ in
            var settings = try DaemonSettings(cluster)
            settings.primary[0] = "size = 8"
            settings.standby[0] = "size = 8"
            adjust(&settings)
            return try DaemonProcess(settings)
        }
        table = try PairLoad.makeTable(in: cluster)
    }

    /// Pairs over all daemons, not begun yet.
    package func load(
        _ kinds: [PairKind] = PairKind.told, pairs: Int, within duration: Duration,
        _ adjust: (inout PairLoad.Plan) -> Void = { _ in }
    ) -> PairLoad {
        var plan = PairLoad.Plan(
            sockets: daemons.map(\.settings.appSocket), kinds: kinds, pairs: pairs, duration: duration)
        adjust(&plan)
        return PairLoad(plan, table: table)
    }

    /// Makes it so. The daemons should have worked before: what they knew must not mislead them.
    ///
    /// - Parameters:
    ///   - scenario: what happens to the cluster.
    ///   - pairs: how many will follow; what is ahead in `branched` stays so.
    /// - Throws: `TestFailure` when a server does not do as told.
    package func bring(about scenario: Scenario, forPairs pairs: Int) throws {
        switch scenario {
        case .live, .race: break
        case .delayed: try cluster.delayReplay(by: .seconds(2))
        case .paused:
            try cluster.pauseReplay(.standby1)
            try cluster.pauseReplay(.standby2)
        case .orphaned: try cluster.orphan(.standby2)
        case .promoted:
            try cluster.waitForReplay()
            try cluster.stop(.primary, .kill)
            try cluster.promote(.standby1)
            try cluster.follow(.standby2, .standby1)
            try cluster.waitForReplay(on: [.standby2], of: .standby1)
            try cluster.point(.readWrite, to: .standby1)
            try cluster.point(.readOnly, to: .standby2)
            // A plain role sees which timeline a standby follows at its next restartpoint, minutes later.
            try cluster.sql("CHECKPOINT", on: .standby1)
            try cluster.waitForReplay(on: [.standby2], of: .standby1)
            try cluster.sql("CHECKPOINT", on: .standby2)
        case .branched:
            try cluster.orphan(.standby2)
            // An update, its commit, what a checkpoint adds: about 400 bytes of WAL.
            try cluster.sql(
                """
                SELECT count(pg_logical_emit_message(false, 'ahead', repeat('x', 1 << 20)))
                FROM generate_series(1, \(16 + pairs * 400 >> 20))
                """)
            try cluster.waitForReplay(on: [.standby1])
            try cluster.stop(.primary, .kill)
            try cluster.promote(.standby2)
            try cluster.point(.readWrite, to: .standby2)
            try cluster.point(.readOnly, to: .standby1)
        }
    }

    /// A counter of all daemons together, such as `fences_total` with the labels `result=failed`.
    package func counted(_ name: String, _ labels: String = "") throws -> Int {
        try daemons.reduce(0) { try $0 + $1.counted(name, labels) }
    }
}
