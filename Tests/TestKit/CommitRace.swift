import Foundation
import Synchronization

/// Commits one after another, and transactions that begin the moment each is done and must see it: their check meets a
/// standby just as it applies the commit. What it sees and what the transaction's snapshot shows are then easily two things.
///
/// The writer goes straight to the primary and makes its tokens itself: a daemon's token would come a round trip too late.
package final class CommitRace: Sendable {
    private struct Mark {
        var value = 0
        var token = ""
        var isOver = false
    }

    private let rig: FreshnessRig
    private let kinds: [PairKind]
    private let mark = Mutex(Mark())
    private let published = NSCondition()
    private let end: Deadline
    private let wanted: Int
    private let done = Atomic<Int>(0)
    private let stale = Atomic<Int>(0)

    /// - Parameters:
    ///   - rig: with a primary and standbys as they were made.
    ///   - kinds: `readOnly`, `repeatableRead` or `careless`.
    ///   - reads: how many at most.
    ///   - duration: for how long at most.
    package init(_ rig: FreshnessRig, _ kinds: [PairKind], reads: Int, within duration: Duration) {
        self.rig = rig
        self.kinds = kinds
        wanted = reads
        end = Deadline(after: duration)
    }

    /// Reads that are done, and stale ones among them; for who watches.
    package var progress: (done: Int, stale: Int) {
        (done.load(ordering: .relaxed), stale.load(ordering: .relaxed))
    }

    package func run(readers: Int = 6) throws -> PairTally {
        let sum = Mutex(PairTally())
        try concurrently(readers + 1) { [self] number in
            defer { finish() }
            guard number > 0 else { return try write() }
            let tally = try read(rig.daemons[number % rig.daemons.count])
            sum.withLock { $0.add(tally) }
        }
        return sum.withLock { $0 }
    }

    private var isOver: Bool { end.hasPassed || done.load(ordering: .relaxed) >= wanted }

    /// Whoever ends first ends it for all: nobody waits for a mark that nobody makes.
    private func finish() { publish { $0.isOver = true } }

    private func publish(_ change: (inout Mark) -> Void) {
        published.lock()
        mark.withLock { change(&$0) }
        published.broadcast()
        published.unlock()
    }

    private func write() throws {
        let session = try DirectSession(try rig.cluster.direct(.primary))
        let identity = session.run(
            """
            SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int,
                lpad(to_hex(system_identifier & x'ffffffff'::bigint), 8, '0') FROM pg_control_system()
            """)
        guard let fields = identity.lines.last?.split(separator: "\u{1f}"), fields.count == 2 else {
            throw TestFailure("no timeline and system: \(identity)")
        }
        var value = 1
        while !isOver, !mark.withLock({ $0.isOver }) {
            let outcome = session.run(
                """
                BEGIN; UPDATE msgsvr.\(rig.table) SET value = \(value) WHERE slot = 0; COMMIT;
                SELECT pg_current_wal_flush_lsn()
                """)
            guard outcome.failure == nil, let position = outcome.lines.last else {
                throw TestFailure("the race's writer: \(outcome)")
            }
            publish {
                $0.value = value
                $0.token = "\(fields[0]).\(position).\(fields[1])"
            }
            value += 1
        }
    }

    /// The next mark behind a value, nil at the end.
    private func next(behind value: Int) -> Mark? {
        published.lock()
        defer { published.unlock() }
        while true {
            let current = mark.withLock { $0 }
            if current.isOver { return nil }
            if current.value > value { return current }
            published.wait()
        }
    }

    private func read(_ daemon: DaemonProcess) throws -> PairTally {
        var tally = PairTally()
        var last = 0
        let client = try daemon.client()
        while let mark = next(behind: last), let kind = kinds.randomElement() {
            last = mark.value
            let start = ContinuousClock.now
            let select = "SELECT value FROM \(rig.table) WHERE slot = 0"
            let answer: Answer
            if kind == .careless {
                answer = try client.query(select)
            } else {
                answer = try client.first(select, ofReadOnly: kind, after: "@after=\(mark.token)")
            }
            let isStale = tally.count(answer, kind, since: start, floor: mark.token) { seen in
                (seen ?? -1) >= mark.value ? nil : "committed \(mark.value), read \(seen ?? -1)"
            }
            done.add(1, ordering: .relaxed)
            if isStale { stale.add(1, ordering: .relaxed) }
        }
        return tally
    }
}

extension LineClient {
    /// The answer to the first statement of a read-only transaction, or to its BEGIN when that failed.
    func first(_ sql: String, _ values: [String?] = [], ofReadOnly kind: PairKind, after floor: String) throws -> Answer
    {
        let isolation = kind == .repeatableRead ? " @iso=rr" : ""
        let ids = (0..<3).map { _ in freshID() }
        try send(
            LineClient.request("BEGIN", ids[0], "@ro\(isolation) \(floor)")
                + LineClient.request("Q", ids[1], "", sql, values) + LineClient.request("COMMIT", ids[2]))
        let answers = try ids.map { try answer(to: $0) }
        return answers[0].problem == nil ? answers[1] : answers[0]
    }
}
