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

/// The counters of one scope: an enum whose `table` is what storage and every view are made from.
package protocol CounterTable: Hashable, Sendable {
    /// The label that tells sets of one scope apart: `pool`, `listener`; nil for the process.
    static var scope: String? { get }
    /// Every counter, in the order of views.
    static var table: [(counter: Self, definition: CounterDefinition)] { get }
    /// The position in `table`. A switch over constants, because counting must cost one addition.
    var index: Int { get }
}

/// The values of one scope, for one pool, listener or client: plain integers next to each other.
///
/// Confined to the thread of its worker. Counting is one addition in memory: no atomics, no allocation, no reference
/// counting, and as a `let` of a class no run-time check of exclusive access.
package struct CounterSet<Table: CounterTable>: ~Copyable {
    @usableFromInline let values: UnsafeMutablePointer<Int>

    package init() {
        values = .allocate(capacity: Table.table.count)
        values.initialize(repeating: 0, count: Table.table.count)
    }

    deinit {
        values.deallocate()
    }

    /// Adds to a counter. Wraps after 2^63, which no counter reaches.
    @inlinable package func add(_ counter: Table, _ amount: Int = 1) {
        values[counter.index] &+= amount
    }

    /// Sets a gauge.
    @inlinable package func set(_ gauge: Table, to value: Int) {
        values[gauge.index] = value
    }

    @inlinable package subscript(_ counter: Table) -> Int {
        values[counter.index]
    }

    /// A copy for views; allocates.
    package func snapshot() -> CounterValues<Table> {
        CounterValues(values: Array(UnsafeBufferPointer(start: values, count: Table.table.count)))
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
