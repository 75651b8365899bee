/// What later reads must see of earlier writes, for one connection or one session: a position for each cluster, in the era
/// in which it means something.
package struct OwnFloors: Equatable, Sendable {
    package struct Floor: Equatable, Sendable {
        package let position: LogPosition
        package let era: UInt32

        package init(position: LogPosition, era: UInt32) {
            self.position = position
            self.era = era
        }
    }

    /// By cluster; few connections know more than one.
    private var floors: [(cluster: Int, floor: Floor)] = []

    package init() {}

    package subscript(cluster: Int) -> Floor? { floors.first { $0.cluster == cluster }?.floor }

    /// A position behind the last write.
    package mutating func set(_ floor: Floor, of cluster: Int) {
        if let index = floors.firstIndex(where: { $0.cluster == cluster }) {
            floors[index].floor = floor
        } else {
            floors.append((cluster, floor))
        }
    }

    package static func == (left: OwnFloors, right: OwnFloors) -> Bool {
        left.floors.elementsEqual(right.floors) { $0.cluster == $1.cluster && $0.floor == $1.floor }
    }
}

/// Floors by `@session` key, for clients that cannot carry a token: bounded, and never forgotten to the reader's harm. Keys
/// that have to go leave their floor behind in a common one, which every unknown key then gets: it only asks for more than
/// is needed, and as positions grow with time, that is soon nothing.
package struct SessionFloors: Equatable {
    package enum Floor: Equatable {
        case none
        /// It wrote at this time (monotonic nanoseconds), and no position behind that is known; `isUnflushed` when a commit may
        /// have been answered before it was flushed.
        case pending(since: UInt64, isUnflushed: Bool)
        case known(OwnFloors.Floor)

        package var isUnflushed: Bool {
            if case .pending(_, let isUnflushed) = self { isUnflushed } else { false }
        }
    }

    private struct Key: Hashable {
        let cluster: Int
        let name: [UInt8]
    }

    /// Keys remembered one by one, about.
    package static let capacity = 20_000

    private var young: [Key: Floor] = [:]
    private var old: [Key: Floor] = [:]
    private var common: [Int: Floor] = [:]

    package init() {}

    package func floor(of name: UnsafeRawBufferPointer, cluster: Int) -> Floor {
        let key = Key(cluster: cluster, name: Array(name))
        return young[key] ?? old[key] ?? common[cluster] ?? .none
    }

    package mutating func set(_ floor: Floor, of name: [UInt8], cluster: Int) {
        if young.count >= Self.capacity / 2 {
            for (key, floor) in old where young[key] == nil { common[key.cluster] = later(common[key.cluster], floor) }
            old = young
            young = [:]
        }
        young[Key(cluster: cluster, name: name)] = floor
    }

    /// A position of the primary that was asked for at `askedAt` answers for every write before that.
    package mutating func positionKnown(
        _ known: OwnFloors.Floor, of name: UnsafeRawBufferPointer, cluster: Int, askedAt: UInt64
    ) {
        switch floor(of: name, cluster: cluster) {
        case .none: return
        // Times of one turn of the loop are the same.
        case .pending(let since, _): guard since < askedAt else { return }
        // Of an era that is over.
        case .known(let floor): guard floor.era != known.era else { return }
        }
        set(.known(known), of: Array(name), cluster: cluster)
    }

    private func later(_ left: Floor?, _ right: Floor) -> Floor {
        switch (left ?? .none, right) {
        case (.none, let other), (let other, .none): return other
        case (.pending(let a, let one), .pending(let b, let other)):
            return .pending(since: max(a, b), isUnflushed: one || other)
        case (.pending, _): return left ?? right
        case (_, .pending): return right
        case (.known(let a), .known(let b)):
            if a.era != b.era { return a.era > b.era ? .known(a) : .known(b) }
            return .known(OwnFloors.Floor(position: max(a.position, b.position), era: a.era))
        }
    }
}
