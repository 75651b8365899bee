/// Numbers that carry a unit: durations and sizes.
struct QuantityUnit: Sendable {
    let name: String
    let factor: Int

    /// In milliseconds.
    static let durations: [QuantityUnit] = [
        QuantityUnit(name: "ms", factor: 1),
        QuantityUnit(name: "s", factor: 1000),
        QuantityUnit(name: "m", factor: 60 * 1000),
        QuantityUnit(name: "h", factor: 60 * 60 * 1000),
    ]

    static let percentages: [QuantityUnit] = [QuantityUnit(name: "%", factor: 1)]

    /// In bytes. Powers of 1024 only, and said so: `MB` means two things.
    static let sizes: [QuantityUnit] = [
        QuantityUnit(name: "B", factor: 1),
        QuantityUnit(name: "KiB", factor: 1024),
        QuantityUnit(name: "MiB", factor: 1024 * 1024),
        QuantityUnit(name: "GiB", factor: 1024 * 1024 * 1024),
    ]
}

enum Quantity {
    /// "200ms", "5 s": a whole number and a unit. Nil when it is none of these or is too big for an Int.
    static func parse(_ text: String, units: [QuantityUnit]) -> Int? {
        let bytes = Array(text.utf8)
        let digits = bytes.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard !digits.isEmpty, let number = Int(String(decoding: digits, as: UTF8.self)) else { return nil }
        let rest = bytes.dropFirst(digits.count).drop { $0 == UInt8(ascii: " ") }
        guard let unit = units.first(where: { rest.elementsEqual($0.name.utf8) }) else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit.factor)
        return overflow ? nil : product
    }

    /// With the biggest unit that divides it: 120000 is "2m".
    static func render(_ value: Int, units: [QuantityUnit]) -> String {
        // 0 has no natural unit; "0s" and "0B" read best.
        if value == 0, units.count > 1, let unit = units.first(where: { $0.name == "s" || $0.name == "B" }) {
            return "0\(unit.name)"
        }
        let unit = units.last { value % $0.factor == 0 }
        return "\(value / (unit?.factor ?? 1))\(unit?.name ?? "")"
    }

    static func names(of units: [QuantityUnit]) -> String {
        units.map(\.name).joined(separator: ", ")
    }
}

/// "0660", in octal.
enum FileMode {
    static let range = 0...0o777

    static func parse(_ text: String) -> Int? {
        guard (3...4).contains(text.utf8.count), let mode = Int(text, radix: 8), !text.hasPrefix("+"),
            range.contains(mode)
        else { return nil }
        return mode
    }

    static func render(_ mode: Int) -> String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
    }
}
