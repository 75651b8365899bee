import Foundation

/// What pairs of a write and a read of it came to.
package struct PairTally: Sendable {
    /// Pairs whose read was answered with a row, by kind. What follows is about all but the careless ones.
    package internal(set) var pairs: [PairKind: Int] = [:]
    /// Reads that did not see the write of their pair, though they were told of it.
    package internal(set) var stale = 0
    /// Careless reads that did not see it: what the others were kept from.
    package internal(set) var carelessStale = 0
    /// The first of them in words.
    package internal(set) var staleExamples: [String] = []
    /// Answered reads by pool, as their receipts say.
    package internal(set) var pools: [String: Int] = [:]
    /// Answered reads by server, for those whose receipts name one.
    package internal(set) var nodes: [String: Int] = [:]
    /// Answered reads that were run again, by `rerun=`.
    package internal(set) var reruns: [String: Int] = [:]
    /// Requests that failed, such as `write 57P03 later`.
    package internal(set) var failures: [String: Int] = [:]
    /// Writes that succeeded and asked for a token, but got none.
    package internal(set) var withoutToken = 0
    /// How long answered reads took, in microseconds, as their clients saw it.
    package internal(set) var latencies: [UInt32] = []

    package init() {}

    /// Pairs whose read was told of the write.
    package var total: Int { pairs.values.reduce(0, +) - careless }
    package var careless: Int { pairs[.careless] ?? 0 }

    /// Answered reads that a pool of this name served.
    package func served(by pool: String) -> Int { pools[pool] ?? 0 }

    /// Answered reads whose receipts name this server of a cluster.
    package func served(by node: Cluster.Node, of cluster: Cluster) throws -> Int {
        let address = try cluster.address(node)
        return nodes[address] ?? 0
    }

    /// In milliseconds; `share` is 0.5 for the median.
    package func latency(at share: Double) -> Double {
        guard !latencies.isEmpty else { return 0 }
        let sorted = latencies.sorted()
        return Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]) / 1000
    }

    /// A read's answer; true when it is stale and should not have been.
    ///
    /// - Parameters:
    ///   - answer: C or E.
    ///   - kind: how it was told.
    ///   - start: when it was sent.
    ///   - floor: what it was told.
    ///   - wrong: what is wrong with the value that it saw, nil when nothing is.
    /// - Returns: false for careless reads and for failed ones.
    mutating func count(
        _ answer: Answer, _ kind: PairKind, since start: ContinuousClock.Instant, floor: String,
        _ wrong: (Int?) -> String?
    ) -> Bool {
        if let problem = answer.problem {
            failed(problem, "read")
            return false
        }
        pairs[kind, default: 0] += 1
        let complaint = wrong((answer.rows.first?.first ?? nil).flatMap { Int($0) })
        if kind == .careless {
            if complaint != nil { carelessStale += 1 }
            return false
        }
        let took = (ContinuousClock.now - start).components
        latencies.append(
            UInt32(clamping: took.seconds * 1_000_000 + took.attoseconds / 1_000_000_000_000))
        pools[answer["pool"] ?? "?", default: 0] += 1
        if let node = answer["node"] { nodes[node, default: 0] += 1 }
        if let reason = answer["rerun"] { reruns[reason, default: 0] += 1 }
        guard let complaint else { return false }
        stale += 1
        if staleExamples.count < 5 {
            let attributes = answer.attributes.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
            staleExamples.append("\(kind.rawValue) \(floor): \(complaint), \(attributes)")
        }
        return true
    }

    /// Whoever is told to come later does.
    mutating func failed(_ problem: Problem, _ what: String) {
        failures["\(what) \(problem.sqlstate) \(problem.retry.rawValue)", default: 0] += 1
        if problem.retry == .later { usleep(20_000) }
    }

    package mutating func add(_ other: PairTally) {
        pairs.merge(other.pairs, uniquingKeysWith: +)
        stale += other.stale
        carelessStale += other.carelessStale
        staleExamples = Array((staleExamples + other.staleExamples).prefix(5))
        pools.merge(other.pools, uniquingKeysWith: +)
        nodes.merge(other.nodes, uniquingKeysWith: +)
        reruns.merge(other.reruns, uniquingKeysWith: +)
        failures.merge(other.failures, uniquingKeysWith: +)
        withoutToken += other.withoutToken
        latencies += other.latencies
    }
}

/// How a read is told what it must see.
package enum PairKind: String, Sendable {
    /// An autocommit write with `@token`; `@after` on another connection, of any daemon.
    case token
    /// The same with a write inside BEGIN and COMMIT.
    case transaction
    /// As `token`, but the read comes a while later: standbys may have got there, or be about to.
    case late
    /// Write and read on one connection, without a word about it; half of them sent together.
    case ownWrite
    /// `@session` on two connections of one daemon.
    case session
    /// The read is the first statement of `BEGIN @ro @after`.
    case readOnly
    /// The read is the first statement of `BEGIN @ro @iso=rr @after`.
    case repeatableRead
    /// The read is told nothing, and may be stale: a load that never sees that proves nothing.
    case careless

    /// All that must never be stale.
    package static let told: [PairKind] = [
        .token, .transaction, .late, .ownWrite, .session, .readOnly, .repeatableRead,
    ]
}
