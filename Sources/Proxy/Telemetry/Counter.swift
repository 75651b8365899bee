/// A counter only grows; a gauge is set.
package enum CounterKind: String, Sendable {
    case counter, gauge
}

/// One label of a counter: `kind="read"`.
package struct CounterLabel: Sendable, Hashable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// What a counter is called, and what it means, in every view.
package struct CounterDefinition: Sendable {
    /// Unique over all scopes but for labels. A counter ends in `_total`; times are in microseconds and end in `_us`.
    package let name: String
    package let kind: CounterKind
    package let help: String
    /// Counters of one name differ in these.
    package let labels: [CounterLabel]
    /// Stands as a column in the table of its scope; the rest is seen only in the list of all counters.
    package let isColumn: Bool

    init(_ name: String, _ kind: CounterKind, _ help: String, labels: [CounterLabel] = [], isColumn: Bool = true) {
        self.name = name
        self.kind = kind
        self.help = help
        self.labels = labels
        self.isColumn = isColumn
    }
}

/// A counter's place among those of its scope: all that counting needs.
@usableFromInline package protocol CounterPlace: Hashable, Sendable {
    /// The position in `CounterTable.table`. A switch over constants, because counting must cost one addition.
    var index: Int { get }
}

/// The counters of one scope: an enum whose `table` is what storage and every view are made from.
package protocol CounterTable: CounterPlace {
    /// The label that tells sets of one scope apart: `pool`, `listener`; nil for the process.
    static var scope: String? { get }
    /// Every counter, in the order of views.
    static var table: [(counter: Self, definition: CounterDefinition)] { get }
}

/// The values of one scope, for one pool, listener or client: plain integers next to each other.
///
/// Confined to the thread of its worker. Counting is one addition in memory: no atomics, no allocation, no reference
/// counting, and as a `let` of a class no run-time check of exclusive access.
///
/// `@usableFromInline` on a `package` type is what lets Swift 6.3 inline its members into another module; `@inlinable`
/// on the members alone is silently in vain.
@usableFromInline package struct CounterSet<Counter: CounterPlace>: ~Copyable {
    @usableFromInline let values: UnsafeMutablePointer<Int>

    package init() where Counter: CounterTable {
        values = .allocate(capacity: Counter.table.count)
        values.initialize(repeating: 0, count: Counter.table.count)
    }

    deinit {
        values.deallocate()
    }

    /// Adds to a counter. Wraps after 2^63, which no counter reaches.
    @inlinable package func add(_ counter: Counter, _ amount: Int) {
        values[counter.index] &+= amount
    }

    @inlinable package func add(_ counter: Counter) {
        values[counter.index] &+= 1
    }

    /// Sets a gauge.
    @inlinable package func set(_ gauge: Counter, to value: Int) {
        values[gauge.index] = value
    }

    @inlinable package subscript(_ counter: Counter) -> Int {
        values[counter.index]
    }

    /// A copy for views; allocates.
    package func snapshot() -> CounterValues<Counter> where Counter: CounterTable {
        CounterValues(values: Array(UnsafeBufferPointer(start: values, count: Counter.table.count)))
    }
}

/// The values of a set at one moment.
package struct CounterValues<Table: CounterTable>: Sendable, Equatable {
    fileprivate var values: [Int]

    package init() {
        values = Array(repeating: 0, count: Table.table.count)
    }

    fileprivate init(values: [Int]) {
        self.values = values
    }

    package subscript(_ counter: Table) -> Int {
        get { values[counter.index] }
        set { values[counter.index] = newValue }
    }

    /// The sum of the counters at some positions of the table.
    func sum(_ indexes: [Int]) -> Int {
        indexes.reduce(0) { $0 &+ values[$1] }
    }

    /// Adds what another worker counted.
    package static func += (left: inout Self, right: Self) {
        for index in left.values.indices { left.values[index] &+= right.values[index] }
    }
}
