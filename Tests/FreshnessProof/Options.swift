import TestKit

/// What `deploy/freshness` was told.
struct Options {
    var pairs = 100_000
    var seconds = 600
    var scenarios = FreshnessRig.Scenario.allCases
    var json: String?

    static let usage = """
        usage: deploy/freshness [--pairs N] [--seconds S] [--scenario NAME]… [--json FILE]
        scenarios: \(FreshnessRig.Scenario.allCases.map(\.rawValue).joined(separator: " "))
        """

    struct Wrong: Error {
        let description: String
    }

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        var chosen: [FreshnessRig.Scenario] = []
        while let option = rest.popFirst() {
            guard let value = rest.popFirst() else { throw Wrong(description: "\(option) wants a value") }
            switch option {
            case "--pairs": pairs = try Self.number(option, value)
            case "--seconds": seconds = try Self.number(option, value)
            case "--json": json = value
            case "--scenario":
                guard let scenario = FreshnessRig.Scenario(rawValue: value) else {
                    throw Wrong(description: "no scenario \(value)")
                }
                chosen.append(scenario)
            default: throw Wrong(description: "unknown option \(option)")
            }
        }
        if !chosen.isEmpty { scenarios = chosen }
    }

    private static func number(_ option: String, _ value: String) throws -> Int {
        guard let number = Int(value), 1...1_000_000_000 ~= number else {
            throw Wrong(description: "\(option): not a number from 1 on: \(value)")
        }
        return number
    }
}
