import Routing

/// What judging costs, without a server: F7, and F14's part about rules.
struct Judging {
    let rounds: Int

    /// Statements of 100 bytes, each another one by its constant.
    private static func statement(_ number: Int) -> [UInt8] {
        let digits = String(number)
        let key = String(repeating: "0", count: 9 - digits.utf8.count) + digits
        return Array(
            "SELECT id, msg_text, msg_time FROM msgs_msg WHERE id > 1\(key) ORDER BY msg_time DESC, id LIMIT 10".utf8)
    }

    func figures(_ ids: [String]) throws(BenchError) -> [Figure] {
        let counts = ids.contains("F14") ? [0, 1, 100, 1000] : [0]
        var judges: [Judge] = []
        for count in counts { judges.append(Judge(rules: try rules(count), cacheBytes: 1 << 20)) }
        // In turn, so that a shared machine's noise hits all alike.
        var samples = [[Sample]](repeating: [], count: counts.count)
        for round in 0..<rounds {
            for (index, judge) in judges.enumerated() { samples[index].append(try sample(judge, round)) }
        }
        var figures: [Figure] = []
        if ids.contains("F7") {
            figures.append(
                Figure(
                    id: "F7.cached", name: "judging a statement that was seen before", unit: "ns", reach: 200,
                    isCeiling: true, rounds: samples[0].map(\.cached), detail: "no rules"))
            figures.append(
                Figure(
                    id: "F7.first", name: "judging a SELECT of 100 bytes at first sight", unit: "µs", reach: 30,
                    isCeiling: true, rounds: samples[0].map { $0.first / 1000 }, detail: "no rules"))
        }
        for (index, count) in counts.enumerated().dropFirst() {
            let pairs = Array(zip(samples[index], samples[0]))
            figures.append(
                Figure(
                    id: "F14.\(count)c", name: "\(count) rules: more for one seen before", unit: "ns", reach: 10,
                    isCeiling: true, rounds: pairs.map { $0.0.cached - $0.1.cached },
                    detail: "\(decimal(median(samples[index].map(\.cached)), digits: 0)) ns altogether"))
            figures.append(
                Figure(
                    id: "F14.\(count)f", name: "\(count) rules: more at first sight", unit: "µs",
                    reach: max(2, 2 * Double(count) / 100), isCeiling: true,
                    rounds: pairs.map { ($0.0.first - $0.1.first) / 1000 },
                    detail: "\(decimal(median(samples[index].map(\.first)) / 1000)) µs altogether"))
        }
        return figures
    }

    /// Nanoseconds of processor time.
    private struct Sample {
        var cached: Double
        var first: Double
    }

    private func sample(_ judge: Judge, _ round: Int) throws(BenchError) -> Sample {
        let origin = RouteOrigin(app: "bench", listener: "app")
        let texts = (0..<2000).map { Self.statement(1 + round * 2000 + $0) }
        let known = Self.statement(0)
        var reads = 0
        func judged(_ text: [UInt8]) {
            text.withUnsafeBytes { text in
                if judge.decide(text, RouteRequest(), origin).access == .read { reads += 1 }
            }
        }
        let start = Clock.processor
        for text in texts { judged(text) }
        let middle = Clock.processor
        judged(known)
        let warm = Clock.processor
        for _ in 0..<100_000 { judged(known) }
        let end = Clock.processor
        guard reads == texts.count + 100_001 else { throw BenchError("a SELECT was judged a write") }
        return Sample(cached: Double(end - warm) / 100_000, first: Double(middle - start) / Double(texts.count))
    }

    /// Rules as people write them, none of which matches: so that all are asked.
    private func rules(_ count: Int) throws(BenchError) -> RuleSet {
        let rules = (0..<count).map { number in
            var rule = RuleDefinition(name: "rule \(number)")
            switch number % 4 {
            case 0: rule.table = ["app\(number)_*", "other\(number).log"]
            case 1: rule.function = ["report_\(number)"]
            case 2: rule.schema = ["tenant_\(number)"]
            default:
                rule.kind = ["insert", "update"]
                rule.tag = ["tag\(number)"]
            }
            rule.route = "primary"
            return rule
        }
        let pools = [PoolDefinition(name: "primary", role: .primary), PoolDefinition(name: "standby", role: .standby)]
        do throws(RoutingProblems) {
            return try RuleSet(compiling: RoutingDefinition(pools: pools, rules: rules))
        } catch {
            throw BenchError("\(error.problems)")
        }
    }
}
