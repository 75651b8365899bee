/// Rows for people: columns padded to one width, numbers to the right.
struct TextTable {
    private let lines: [[String]]
    private let rightAligned: [Bool]

    init(_ columns: [String], _ rows: [[String?]]) {
        lines = [columns] + rows.map { $0.map { Self.shown($0) } }
        rightAligned = columns.indices.map { column in
            rows.allSatisfy { row in row[column].map { Double($0) != nil } ?? true } && !rows.isEmpty
        }
    }

    /// Control characters would move the cursor: they are shown as escapes.
    private static func shown(_ value: String?) -> String {
        guard let value else { return "NULL" }
        var text = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            case "\r": text += "\\r"
            case let control where control.value < 0x20 || (0x7F...0x9F).contains(control.value):
                text += "\\x" + String(control.value, radix: 16)
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    var text: String {
        guard let header = lines.first else { return "" }
        let widths = header.indices.map { column in lines.reduce(0) { max($0, $1[column].count) } }
        var result = ""
        for (index, line) in lines.enumerated() {
            let cells = line.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                let isRight = rightAligned[column] && index > 0
                let isLast = column == line.count - 1
                return isRight ? padding + cell : (isLast ? cell : cell + padding)
            }
            result += cells.joined(separator: "  ") + "\n"
            if index == 0 { result += widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ") + "\n" }
        }
        return result
    }
}

/// JSON without a library: arrays of objects of strings and nulls is all that is written here.
enum JSON {
    static func array(_ columns: [String], _ rows: [[String?]]) -> String {
        "[" + rows.map { object(columns, $0) }.joined(separator: ",\n ") + "]"
    }

    static func object(_ columns: [String], _ row: [String?]) -> String {
        let pairs = zip(columns, row).map { "\(string($0)): \($1.map(string) ?? "null")" }
        return "{" + pairs.joined(separator: ", ") + "}"
    }

    static func string(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case let control where control.value < 0x20:
                let hex = String(control.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
