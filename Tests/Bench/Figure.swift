/// One figure as it was measured: the median of its rounds, and what it has to reach.
struct Figure {
    let id: String
    let name: String
    let unit: String
    let reach: Double
    /// At most `reach` is good; else at least.
    let isCeiling: Bool
    let rounds: [Double]
    /// What the ratio was made of, for people.
    let detail: String

    var value: Double { median(rounds) }
    var isReached: Bool { isCeiling ? value <= reach : value >= reach }

    /// A member of bench.json's "figures".
    var json: String {
        let numbers = rounds.map { decimal($0, digits: 4) }.joined(separator: ", ")
        return "\"\(id)\": {\"value\": \(decimal(value, digits: 4)), \"unit\": \"\(unit)\", "
            + "\"reach\": \(decimal(reach, digits: 4)), \"rounds\": [\(numbers)]}"
    }

    /// A line of the table.
    var row: String {
        let range = "\(decimal(rounds.min() ?? 0)) … \(decimal(rounds.max() ?? 0))"
        return padded(id, 8) + padded(name, 44) + padded("\(decimal(value)) \(unit)", 20)
            + padded("\(isCeiling ? "≤" : "≥") \(decimal(reach))", 9) + padded(isReached ? "reached" : "missed", 9)
            + padded(range, 18) + detail
    }

    static var header: String {
        padded("id", 8) + padded("figure", 44) + padded("median", 20) + padded("reach", 9) + padded("", 9)
            + padded("rounds", 18) + "from"
    }
}

func median(_ numbers: [Double]) -> Double {
    guard !numbers.isEmpty else { return 0 }
    let sorted = numbers.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// Fixed-point text without Foundation.
func decimal(_ number: Double, digits: Int = 2) -> String {
    guard number.isFinite, number.magnitude < 1e12 else { return "0" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((number.magnitude * scale).rounded())
    let whole = scaled / Int(scale)
    var fraction = String(scaled % Int(scale))
    while fraction.count < digits { fraction = "0" + fraction }
    return (number < 0 && scaled != 0 ? "-" : "") + (digits == 0 ? "\(whole)" : "\(whole).\(fraction)")
}

func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
}
