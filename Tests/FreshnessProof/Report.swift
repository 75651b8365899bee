import Foundation
import TestKit

/// What one scenario came to: a line of the table, an object of the JSON file.
struct Report: Encodable {
    let scenario: String
    let pairs: Int
    let stale: Int
    let staleExamples: [String]
    /// Pairs whose reads were told nothing, and how many of those were stale.
    let careless: Int
    let carelessStale: Int
    /// Reads that a standby's pool served, of those that were told.
    let standbyReads: Int
    let pairsByKind: [String: Int]
    let readsByNode: [String: Int]
    let reruns: [String: Int]
    let failures: [String: Int]
    let withoutToken: Int
    let p50Milliseconds: Double
    let p99Milliseconds: Double
    let seconds: Double

    init(_ scenario: FreshnessRig.Scenario, _ tally: PairTally, took: Duration) {
        self.scenario = scenario.rawValue
        pairs = tally.total
        stale = tally.stale
        careless = tally.careless
        carelessStale = tally.carelessStale
        staleExamples = tally.staleExamples
        standbyReads = tally.served(by: "standby")
        pairsByKind = Dictionary(uniqueKeysWithValues: tally.pairs.map { ($0.key.rawValue, $0.value) })
        readsByNode = tally.nodes
        reruns = tally.reruns
        failures = tally.failures
        withoutToken = tally.withoutToken
        p50Milliseconds = tally.latency(at: 0.5)
        p99Milliseconds = tally.latency(at: 0.99)
        seconds = Double(took.milliseconds) / 1000
    }

    static let header = cells(
        "scenario", "pairs", "stale", "untold stale", "by standbys", "run again", "failed", "p50 ms", "p99 ms",
        "pairs/s")

    var line: String {
        let share = { (part: Int, all: Int) in decimal(all == 0 ? 0 : 100 * Double(part) / Double(all), 1) }
        return Self.cells(
            scenario, "\(pairs)", "\(stale)", "\(share(carelessStale, careless)) %",
            "\(standbyReads) (\(share(standbyReads, pairs)) %)",
            "\(reruns.values.reduce(0, +))", "\(failures.values.reduce(0, +))", decimal(p50Milliseconds, 2),
            decimal(p99Milliseconds, 2), decimal(seconds == 0 ? 0 : Double(pairs) / seconds, 0))
    }

    /// What the table has no room for; empty when there is nothing.
    var remarks: [String] {
        var remarks = staleExamples.map { "stale: \($0)" }
        for (what, number) in failures.sorted(by: { $0.key < $1.key }) { remarks.append("\(number) times: \(what)") }
        if withoutToken > 0 { remarks.append("\(withoutToken) writes without the token that they asked for") }
        return remarks.map { "  \(scenario): \($0)" }
    }

    private static func cells(_ first: String, _ others: String...) -> String {
        first.padding(toLength: 10, withPad: " ", startingAt: 0)
            + zip(others, [10, 7, 14, 18, 10, 8, 8, 8, 9]).map { text, width in
                String(repeating: " ", count: max(1, width - text.count)) + text
            }.joined()
    }

    private func decimal(_ number: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", number) }
}
