/// A view: what STATS answers, as columns and rows.
package struct StatisticsTable: Sendable, Equatable {
    package enum ColumnType: Sendable {
        case text, integer
    }

    package struct Column: Sendable, Equatable {
        package let name: String
        package let type: ColumnType

        package init(_ name: String, _ type: ColumnType) {
            self.name = name
            self.type = type
        }
    }

    package let columns: [Column]
    /// As many values as there are columns; nil is SQL's NULL.
    package private(set) var rows: [[String?]] = []

    package init(columns: [Column]) {
        self.columns = columns
    }

    package mutating func append(_ row: [String?]) {
        precondition(row.count == columns.count, "a row of \(row.count) values for \(columns.count) columns")
        rows.append(row)
    }
}

/// A column of a view, and the counters whose sum it shows.
struct CounterColumn {
    let column: StatisticsTable.Column
    let indexes: [Int]
}

extension CounterTable {
    /// The columns that a scope's counters make: one for a counter without labels, else one for each value of each
    /// label, with the sum over the others.
    static var columns: [CounterColumn] {
        var result: [CounterColumn] = []
        var done: Set<String> = []
        for (index, row) in table.enumerated() where row.definition.isColumn {
            guard done.insert(row.definition.name).inserted else { continue }
            let name = columnName(row.definition)
            if row.definition.labels.isEmpty {
                result.append(CounterColumn(column: .init(name, .integer), indexes: [index]))
            }
            let family = table.enumerated().filter { $0.element.definition.name == row.definition.name }
            for position in row.definition.labels.indices {
                var columns: [(value: String, indexes: [Int])] = []
                for (index, member) in family {
                    let value = member.definition.labels[position].value
                    if let known = columns.firstIndex(where: { $0.value == value }) {
                        columns[known].indexes.append(index)
                    } else {
                        columns.append((value, [index]))
                    }
                }
                result += columns.map { value, indexes in
                    CounterColumn(column: .init("\(name)_\(value)", .integer), indexes: indexes)
                }
            }
        }
        return result
    }

    /// The name without the scope, which the whole table has, and without Prometheus' ending: `rule_hits_total` is
    /// `hits` among the rules.
    private static func columnName(_ definition: CounterDefinition) -> String {
        var name = definition.name[...]
        if let scope, name.hasPrefix("\(scope)_") { name = name.dropFirst(scope.count + 1) }
        if name.hasSuffix("_total") { name = name.dropLast("_total".count) }
        return String(name)
    }
}

extension CounterValues {
    /// The values of some columns of this table.
    func cells(_ columns: [CounterColumn]) -> [String?] {
        columns.map { String(sum($0.indexes)) }
    }
}
