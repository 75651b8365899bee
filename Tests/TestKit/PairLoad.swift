import Foundation
import Synchronization

/// Writes a value over one connection and reads it over another, again and again, on many threads and over several
/// daemons. Nobody else touches a row while its pair is open, so any other value than the one written is a stale one.
///
/// Who reads has never written: a connection's own writes would hold back its reads even if their tokens did not.
package final class PairLoad: Sendable {
    package struct Plan: Sendable {
        /// The app's sockets of the daemons.
        package var sockets: [String]
        package var kinds: [PairKind]
        /// How many pairs at most that are told of their write; the careless ones beside them do not count.
        package var pairs: Int
        /// For how long at most; late reads that are open then are still done.
        package var duration: Duration
        package var threads = 16
        /// How long after its write a late read comes, in milliseconds.
        package var lateness = 1_500...2_600
        /// `@wait` of the reads with a token, in milliseconds.
        package var wait: Int?

        package init(sockets: [String], kinds: [PairKind], pairs: Int, duration: Duration) {
            self.sockets = sockets
            self.kinds = kinds
            self.pairs = pairs
            self.duration = duration
        }
    }

    /// Rows that a thread has for its pairs; a late read keeps its row until it is done.
    static let rowsPerThread = 512
    /// No two pairs of this process write the same value.
    private static let values = Atomic<Int>(0)

    package let plan: Plan
    let table: String
    private let end: Deadline
    private let begun = Atomic<Int>(0)
    private let done = Atomic<Int>(0)
    private let staleSoFar = Atomic<Int>(0)

    /// - Parameters:
    ///   - plan: what is done.
    ///   - table: one that `makeTable` made, for no other load at the same time.
    package init(_ plan: Plan, table: String) {
        self.plan = plan
        self.table = table
        end = Deadline(after: plan.duration)
    }

    /// Makes a table with a row for every pair that can be open at the same time.
    package static func makeTable(in cluster: Cluster, threads: Int = 32) throws -> String {
        let name = Workplace.uniqueTable()
        // Half-empty pages: new versions of a row find room beside the old ones.
        try cluster.makeTables(
            """
            CREATE TABLE \(name)(slot int PRIMARY KEY, value bigint NOT NULL) WITH (fillfactor = 50);
            INSERT INTO \(name) SELECT slot, 0 FROM generate_series(0, \(threads * rowsPerThread - 1)) AS slot
            """)
        return name
    }

    /// Pairs that are done, and stale reads among them; for who watches.
    package var progress: (done: Int, stale: Int) {
        (done.load(ordering: .relaxed), staleSoFar.load(ordering: .relaxed))
    }

    /// Runs all of it.
    ///
    /// - Throws: `TestFailure` when a daemon closes a connection or does not answer.
    package func run() throws -> PairTally {
        let sum = Mutex(PairTally())
        try concurrently(plan.threads) { [self] index in
            var thread = try PairThread(self, index)
            let tally = try thread.run()
            sum.withLock { $0.add(tally) }
        }
        return sum.withLock { $0 }
    }

    /// The value of the next pair, nil when there shall be no more.
    func nextValue(for kind: PairKind) -> Int? {
        let counted = kind == .careless ? 0 : 1
        guard !end.hasPassed, begun.add(counted, ordering: .relaxed).newValue <= plan.pairs else { return nil }
        return Self.values.add(1, ordering: .relaxed).newValue
    }

    func countPair(stale: Bool) {
        done.add(1, ordering: .relaxed)
        if stale { staleSoFar.add(1, ordering: .relaxed) }
    }
}
