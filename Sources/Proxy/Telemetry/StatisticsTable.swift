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

extension CounterTable {
    /// The columns that a scope's counters make: one for a counter without labels, else one for each value of each
    /// label, with the sum over the others.
    static var columns: [(column: StatisticsTable.Column, name: String, label: CounterLabel?)] {
        var result: [(column: StatisticsTable.Column, name: String, label: CounterLabel?)] = []
        var done: Set<String> = []
        for (_, definition) in table where definition.isColumn && done.insert(definition.name).inserted {
            let family = table.filter { $0.definition.name == definition.name }.map(\.definition)
            let short = definition.columnName
            if definition.labels.isEmpty {
                result.append((.init(short, .integer), definition.name, nil))
                continue
            }
            for position in definition.labels.indices {
                var labels: [CounterLabel] = []
                for label in family.map({ $0.labels[position] }) where !labels.contains(label) { labels.append(label) }
                result += labels.map { (.init("\(short)_\($0.value)", .integer), definition.name, $0) }
            }
        }
        return result
    }
}

extension CounterDefinition {
    /// The name without Prometheus' ending.
    var columnName: String {
        name.hasSuffix("_total") ? String(name.dropLast("_total".count)) : name
    }
}

extension CounterValues {
    /// The values of `Table.columns`.
    var cells: [String?] {
        Table.columns.map { String(sum($0.name, where: $0.label)) }
    }
}
