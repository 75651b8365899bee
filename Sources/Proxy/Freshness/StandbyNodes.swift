/// The servers behind one standby pool, as their answers showed them: which of them may be trusted with a position, how far
/// each had replayed when it was last seen, and whether a floor is worth a try.
///
/// PgBouncer picks the server, so a read never knows where it will land; what it met it learns from the check in its batch.
package struct StandbyNodes: Equatable {
    /// What a server said in a check.
    package struct Report {
        /// Address, port and start of the server process, with spaces between: the same for as long as the server runs. The
        /// bytes must outlive the call that gets them.
        package var identity: UnsafeRawBufferPointer
        package var isInRecovery: Bool
        /// Nil on a server that never was a standby.
        package var replayed: LogPosition?
        /// The check and the statement behind it took snapshots of their own. Else what the check saw says nothing about what
        /// the statement sees.
        package var isReadCommitted: Bool
        /// What the server proved of its history, when it was asked.
        package var proof: Proof?

        package init(
            identity: UnsafeRawBufferPointer, isInRecovery: Bool, replayed: LogPosition?, isReadCommitted: Bool,
            proof: Proof?
        ) {
            self.identity = identity
            self.isInRecovery = isInRecovery
            self.replayed = replayed
            self.isReadCommitted = isReadCommitted
            self.proof = proof
        }
    }

    /// The system, and the newest timeline that the server is known to have followed: of its last restartpoint, of its
    /// recovery's end, or of what it receives (the last only for members of pg_read_all_stats).
    package struct Proof: Equatable {
        package var system: UInt64
        package var timeline: UInt32

        package init(system: UInt64, timeline: UInt32) {
            self.system = system
            self.timeline = timeline
        }
    }

    package struct Node: Equatable {
        package let identity: [UInt8]
        /// `address:port` as receipts write it; `local` for one that PgBouncer reaches by a Unix socket.
        package let name: [UInt8]
        package fileprivate(set) var isInRecovery = true
        /// The era in which it proved that it belongs to the cluster's history; nil when it never did. A standby of the right
        /// system that stayed on an old timeline may have replayed further than the new primary has written, and lack all of
        /// it: positions alone do not tell.
        package fileprivate(set) var provenEra: UInt32?
        package fileprivate(set) var replayed = LogPosition(0)
        package fileprivate(set) var seenAt: UInt64 = 0
        /// When its position was seen to move.
        package fileprivate(set) var movedAt: UInt64 = 0
        /// Bytes a second, smoothed; 0 until it was seen to move.
        fileprivate var rate: Double = 0

        /// Where it should be by now, carefully: it may stand still.
        func expected(now: UInt64) -> LogPosition {
            let seconds = min(Double(now &- seenAt) / 1e9, StandbyNodes.foresight)
            return LogPosition(replayed.bytes &+ UInt64(min(rate * seconds * 0.9, 1e15)))
        }
    }

    /// How far ahead positions are guessed, in seconds.
    private static let foresight = 2.0
    /// Servers known at once; the one seen longest ago goes.
    package static let capacity = 64
    private static let shortestPause: UInt64 = 2_000_000
    private static let longestPause: UInt64 = 500_000_000

    package private(set) var nodes: [Node] = []
    /// A server without proof was met: the next checks ask for it. Monotonic nanoseconds, 0 when none was.
    private var unprovenSeenAt: UInt64 = 0
    private var pausedUntil: UInt64 = 0
    private var pause = StandbyNodes.shortestPause

    package init() {}

    /// Whether the next check should ask for proof, which costs the server three times as much as the check alone.
    package func asksForProof(era: UInt32, now: UInt64) -> Bool {
        if unprovenSeenAt != 0, now &- unprovenSeenAt < 10_000_000_000 { return true }
        return !nodes.contains { $0.provenEra == era }
    }

    package struct Met: Equatable {
        /// Its place in `nodes`.
        package let node: Int
        /// What it has replayed, when that may be compared with positions of this era.
        package let position: LogPosition?
    }

    /// Takes what a check said.
    package mutating func reported(_ report: Report, history: ClusterHistory, now: UInt64) -> Met {
        let index = place(of: report.identity, now: now)
        nodes[index].isInRecovery = report.isInRecovery
        if let proof = report.proof {
            let belongs = proof.system == history.system && proof.timeline == history.timeline
            nodes[index].provenEra = belongs && report.isInRecovery ? history.era : nil
        }
        if let replayed = report.replayed { move(index, to: replayed, now: now) }
        nodes[index].seenAt = now
        let isProven = nodes[index].provenEra == history.era && history.era > 0
        if !isProven {
            unprovenSeenAt = now
        } else if nodes.allSatisfy({ $0.provenEra == history.era }) {
            unprovenSeenAt = 0
        }
        let counts = isProven && report.isInRecovery && report.isReadCommitted
        return Met(node: index, position: counts ? report.replayed : nil)
    }

    private mutating func place(of identity: UnsafeRawBufferPointer, now: UInt64) -> Int {
        if let known = nodes.firstIndex(where: { $0.identity.elementsEqual(identity) }) { return known }
        let node = Node(identity: Array(identity), name: Self.name(of: identity))
        // The same address under another start: the server was started again, and the old process is no more.
        if let gone = nodes.firstIndex(where: { $0.name == node.name && node.name != Self.local }) {
            nodes[gone] = node
            return gone
        }
        if nodes.count == Self.capacity, let oldest = nodes.indices.min(by: { nodes[$0].seenAt < nodes[$1].seenAt }) {
            nodes[oldest] = node
            return oldest
        }
        nodes.append(node)
        return nodes.count - 1
    }

    package static let local = Array("local".utf8)

    /// `127.0.0.11 5433 1763836800.5` → `127.0.0.11:5433`; an IPv6 address in brackets.
    package static func name(of identity: UnsafeRawBufferPointer) -> [UInt8] {
        let parts = identity.split(separator: UInt8(ascii: " "))
        guard parts.count >= 3 else { return local }
        let address = Array(parts[0])
        let port = Array(parts[1])
        guard address.contains(UInt8(ascii: ":")) else { return address + [UInt8(ascii: ":")] + port }
        return [UInt8(ascii: "[")] + address + Array("]:".utf8) + port
    }

    private mutating func move(_ index: Int, to replayed: LogPosition, now: UInt64) {
        let before = nodes[index]
        // Answers of two connections may come out of order.
        guard replayed > before.replayed else { return }
        let seconds = Double(now &- before.movedAt) / 1e9
        if before.movedAt > 0, seconds > 0 {
            let rate = Double(replayed.bytes - before.replayed.bytes) / seconds
            nodes[index].rate = before.rate == 0 ? rate : before.rate * 0.8 + rate * 0.2
        }
        nodes[index].replayed = replayed
        nodes[index].movedAt = now
    }

    // MARK: Is a try worth it?

    /// Whether a read with this floor should be tried on a standby: one of them should have it by now, or the pause behind the
    /// last miss is over.
    package func isWorthTrying(_ floor: LogPosition, era: UInt32, now: UInt64) -> Bool {
        now >= pausedUntil || nodes.contains { $0.provenEra == era && $0.expected(now: now) >= floor }
    }

    /// A read met a standby that had not got there. The pause doubles from 2 ms to half a second while misses follow each other.
    package mutating func missed(now: UInt64) {
        guard now >= pausedUntil else { return }
        pausedUntil = now &+ pause
        pause = min(pause * 2, Self.longestPause)
    }

    /// A read that was tried behind a pause got there.
    package mutating func reached(now: UInt64) {
        if now >= pausedUntil { pause = Self.shortestPause }
    }

    /// How long a standby needs from where it was last seen to a position, in nanoseconds; at most half a second, and 2 ms when
    /// its rate is not known.
    package func timeToReach(_ floor: LogPosition, from node: Int) -> UInt64 {
        let node = nodes[node]
        guard node.rate > 0, floor > node.replayed else { return Self.shortestPause }
        let seconds = Double(floor.bytes - node.replayed.bytes) / node.rate
        guard seconds < 0.5 else { return Self.longestPause }
        return max(1_000_000, UInt64(seconds * 1e9))
    }
}
