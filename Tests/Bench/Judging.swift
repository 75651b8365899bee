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
        let none = try samples(rules: 0)
        var figures: [Figure] = []
        if ids.contains("F7") {
            figures.append(
                Figure(
                    id: "F7.cached", name: "judging a statement that was seen before", unit: "ns", reach: 200,
                    isCeiling: true, rounds: none.map(\.cached), detail: "no rules"))
            figures.append(
                Figure(
                    id: "F7.first", name: "judging a SELECT of 100 bytes at first sight", unit: "µs", reach: 30,
                    isCeiling: true, rounds: none.map { $0.first / 1000 }, detail: "no rules"))
        }
        guard ids.contains("F14") else { return figures }
        for count in [1, 100, 1000] {
            let some = try samples(rules: count)
            let pairs = Array(zip(some, none))
            figures.append(
                Figure(
                    id: "F14.\(count)c", name: "\(count) rules: more for a statement seen before", unit: "ns",
                    reach: 10,
                    isCeiling: true, rounds: pairs.map { $0.0.cached - $0.1.cached },
                    detail: "\(decimal(median(some.map(\.cached)), digits: 0)) ns altogether"))
            figures.append(
                Figure(
                    id: "F14.\(count)f", name: "\(count) rules: more at first sight", unit: "µs",
                    reach: max(0.1, 2 * Double(count) / 100), isCeiling: true,
                    rounds: pairs.map { ($0.0.first - $0.1.first) / 1000 },
                    detail: "\(decimal(median(some.map(\.first)) / 1000)) µs altogether"))
        }
        return figures
    }

    /// Nanoseconds.
    private struct Sample {
        var cached: Double
        var first: Double
    }

    private func samples(rules count: Int) throws(BenchError) -> [Sample] {
        let judge = Judge(rules: try rules(count), cacheBytes: 1 << 20)
        let origin = RouteOrigin(app: "bench", listener: "app")
        var samples: [Sample] = []
        var next = 0
        let known = Self.statement(0)
        for _ in 0..<rounds {
            let texts = (0..<2000).map { Self.statement(next + $0) }
            next += texts.count
            var reads = 0
            func judged(_ text: [UInt8]) {
                text.withUnsafeBytes { text in
                    if judge.decide(text, RouteRequest(), origin).access == .read { reads += 1 }
                }
            }
            let start = Clock.now
            for text in texts { judged(text) }
            let middle = Clock.now
            judged(known)
            let warm = Clock.now
            for _ in 0..<100_000 { judged(known) }
            let end = Clock.now
            guard reads == texts.count + 100_001 else { throw BenchError("a SELECT was judged a write") }
            samples.append(
                Sample(cached: Double(end - warm) / 100_000, first: Double(middle - start) / Double(texts.count)))
        }
        return samples
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
