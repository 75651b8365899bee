/// The clusters that a connection, or its open transaction, has written to, or may have, at positions that are not known:
/// numbers of the caller's choice,
/// 0 to 63.
package struct WrittenClusters: Equatable, Sendable {
    package private(set) var bits: UInt64 = 0

    package init() {}

    package var isEmpty: Bool { bits == 0 }

    package func contains(_ cluster: Int) -> Bool { bits & Self.bit(cluster) != 0 }

    package mutating func insert(_ cluster: Int) { bits |= Self.bit(cluster) }

    package mutating func remove(_ cluster: Int) { bits &= ~Self.bit(cluster) }

    mutating func formUnion(_ other: WrittenClusters) { bits |= other.bits }

    private static func bit(_ cluster: Int) -> UInt64 {
        precondition((0..<UInt64.bitWidth).contains(cluster))
        return 1 << UInt64(cluster)
    }
}
