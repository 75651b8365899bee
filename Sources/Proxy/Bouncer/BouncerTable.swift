/// One answer of PgBouncer's console. Read by column name: versions differ in which columns there are, and where.
package struct BouncerTable: Sendable, Equatable {
    private let columns: [String: Int]
    private let rows: [[String?]]

    /// - Parameters:
    ///   - columns: their names, in the order of the values.
    ///   - rows: as many values each as there are columns; nil is NULL.
    package init(columns: [String], rows: [[String?]]) {
        self.columns = Dictionary(zip(columns, 0...)) { first, _ in first }
        self.rows = rows
    }

    package var count: Int { rows.count }

    /// Nil: NULL, or no such column in this version.
    package subscript(row: Int, column: String) -> String? {
        guard let index = columns[column], index < rows[row].count else { return nil }
        return rows[row][index]
    }

    func number(_ row: Int, _ column: String) -> Int? { self[row, column].flatMap { Int($0) } }

    /// 0 and 1 in all tables but `SHOW STATE`, which has yes and no.
    func isSet(_ row: Int, _ column: String) -> Bool {
        let value = self[row, column]
        return value == "1" || value == "yes"
    }
}
