// From a definition's words to a RuleSet's parts, with every mistake named at its place.

struct RuleCompiler {
    struct Parts {
        var pools: [RuleSet.Pool] = []
        var clusters: [RuleSet.Cluster] = []
        var rules: [RuleSet.Rule] = []
        var defaultCluster = 0
        var defaultReadRole = Role.standby
        var matchers: [RuleMatcher] = []
        var outcomes: [RuleOutcome] = []
        var rejections: [Refusal?] = []
    }

    private let definition: RoutingDefinition
    private(set) var problems: [RoutingProblem] = []
    private var poolIndexes: [String: Int] = [:]
    private var clusterIndexes: [String: Int] = [:]
    private var clusterNames: [String] = []

    init(_ definition: RoutingDefinition) { self.definition = definition }

    /// nil when there are problems.
    mutating func compile() -> Parts? {
        var parts = Parts()
        compilePools(&parts)
        compileDefaults(&parts)
        compileRules(&parts)
        for problem in RuleLint(definition.rules, parts).problems { problems.append(problem) }
        checkExpectations()
        return problems.isEmpty ? parts : nil
    }

    private mutating func complain(
        _ subject: RoutingProblem.Subject, _ field: String, _ message: String, element: Int? = nil
    ) {
        problems.append(RoutingProblem(subject: subject, field: field, element: element, message: message))
    }

    // MARK: Pools and clusters

    private mutating func compilePools(_ parts: inout Parts) {
        var primaries: [Int?] = []
        var standbys: [[Int]] = []
        for (index, pool) in definition.pools.enumerated() {
            if poolIndexes[pool.name] != nil {
                complain(.pool(index), "name", "a pool \"\(pool.name)\" is already there")
            } else {
                poolIndexes[pool.name] = index
            }
            let cluster = clusterIndexes[pool.cluster] ?? clusterNames.count
            if cluster == clusterNames.count {
                clusterIndexes[pool.cluster] = cluster
                clusterNames.append(pool.cluster)
                primaries.append(nil)
                standbys.append([])
            }
            switch pool.role {
            case .standby: standbys[cluster].append(index)
            case .primary:
                if let other = primaries[cluster] {
                    complain(
                        .pool(index), "role",
                        "cluster \"\(pool.cluster)\" already has a primary pool, \"\(definition.pools[other].name)\"")
                } else {
                    primaries[cluster] = index
                }
            }
            parts.pools.append(RuleSet.Pool(name: pool.name, role: pool.role, cluster: cluster))
        }
        for (cluster, name) in clusterNames.enumerated() {
            if let primary = primaries[cluster] {
                parts.clusters.append(RuleSet.Cluster(name: name, primary: primary, standbys: standbys[cluster]))
            } else if let first = definition.pools.firstIndex(where: { $0.cluster == name }) {
                complain(.pool(first), "cluster", "cluster \"\(name)\" has no pool with the role primary")
            }
        }
        if definition.pools.isEmpty { complain(.defaults, "", "there is no pool") }
        if clusterNames.count > ClusterSet.maximumCount {
            complain(.defaults, "", "at most \(ClusterSet.maximumCount) clusters")
        }
        parts.defaultCluster = clusterIndexes["main"] ?? 0
    }

    private mutating func compileDefaults(_ parts: inout Parts) {
        let roles = Role.allCases.map(\.word)
        if let role = Role(word: definition.defaults.read) {
            parts.defaultReadRole = role
        } else {
            let word = definition.defaults.read
            complain(.defaults, "read", "no role \"\(word)\"\(Suggestion.text(for: word, among: roles))")
        }
        let write = definition.defaults.write
        if write == Role.standby.word {
            complain(.defaults, "write", "a standby cannot write; \"primary\" is the only value")
        } else if write != Role.primary.word {
            complain(.defaults, "write", "no role \"\(write)\"\(Suggestion.text(for: write, among: ["primary"]))")
        }
    }

    // MARK: Rules

    private mutating func compileRules(_ parts: inout Parts) {
        var names: [String: Int] = [:]
        for (index, rule) in definition.rules.enumerated() {
            if let name = rule.name, let other = names.updateValue(index, forKey: name) {
                complain(.rule(index), "name", "rule \(other + 1) is also called \"\(name)\"")
            }
            let matcher = matcher(rule, index)
            var outcome = outcome(rule, index)
            outcome.asksOfRequest = matcher.asksOfRequest
            outcome.placesTables = outcome.cluster != nil && !(rule.schema.isEmpty && rule.table.isEmpty)
            parts.rules.append(RuleSet.Rule(name: rule.name ?? "rule \(index + 1)", line: rule.line))
            parts.matchers.append(matcher)
            parts.outcomes.append(outcome)
            parts.rejections.append(rule.reject.map { Refusal($0.sqlstate, $0.message) })
        }
    }

    private mutating func matcher(_ rule: RuleDefinition, _ index: Int) -> RuleMatcher {
        var kinds: UInt32 = 0
        var expressions: [RegularExpression] = []
        var fingerprints: [UInt64] = []
        for (element, word) in rule.kind.enumerated() {
            if let kind = StatementKind(word: word) {
                kinds |= 1 << UInt32(kind.rawValue)
            } else {
                let known = StatementKind.allCases.map(\.word)
                complain(
                    .rule(index), "kind", "no kind \"\(word)\"\(Suggestion.text(for: word, among: known))",
                    element: element)
            }
        }
        for (element, pattern) in rule.regex.enumerated() {
            do throws(RegularExpression.BadPattern) {
                expressions.append(try RegularExpression(pattern))
            } catch {
                complain(.rule(index), "regex", error.message, element: element)
            }
        }
        for (element, text) in rule.fingerprint.enumerated() {
            if let fingerprint = Fingerprint.number(text) {
                fingerprints.append(fingerprint)
            } else {
                complain(
                    .rule(index), "fingerprint",
                    "\"\(text)\" is no fingerprint: 16 hexadecimal digits, as `pointsman route` shows them",
                    element: element)
            }
        }
        if let listeners = definition.listeners {
            for (element, name) in rule.listen.enumerated() where !listeners.contains(name) {
                let message = "no listener \"\(name)\"\(Suggestion.text(for: name, among: listeners))"
                complain(.rule(index), "listen", message, element: element)
            }
        }
        let lists = [
            ("schema", rule.schema), ("table", rule.table), ("function", rule.function), ("regex", rule.regex),
            ("app", rule.app), ("tag", rule.tag),
        ]
        for (field, values) in lists {
            for (element, value) in values.enumerated() where value.isEmpty {
                complain(.rule(index), field, "an empty text", element: element)
            }
        }
        if rule.all, rule.table.isEmpty, rule.schema.isEmpty, rule.isWhole {
            complain(.rule(index), "all", "\"all\" says how \"table\" or \"schema\" match, and there is neither")
        }
        return RuleMatcher(rule, kinds: kinds, expressions: expressions, fingerprints: fingerprints)
    }

    private mutating func outcome(_ rule: RuleDefinition, _ index: Int) -> RuleOutcome {
        var outcome = RuleOutcome()
        if let word = rule.route {
            outcome.role = Role(word: word)
            if outcome.role == nil {
                let known = Role.allCases.map(\.word)
                let isPool = poolIndexes[word] != nil ? "; to name a pool, use pool = \"\(word)\"" : ""
                complain(
                    .rule(index), "route", "no role \"\(word)\"\(Suggestion.text(for: word, among: known))\(isPool)")
            }
        }
        if let name = rule.using {
            outcome.cluster = clusterIndexes[name]
            if outcome.cluster == nil {
                complain(
                    .rule(index), "using", "no cluster \"\(name)\"\(Suggestion.text(for: name, among: clusterNames))")
            }
        }
        if let name = rule.pool { compilePool(name, &outcome, rule, index) }
        if rule.route != nil, rule.pool != nil {
            complain(.rule(index), "pool", "\"route\" and \"pool\" both say where it goes; keep one")
        }
        if let reject = rule.reject {
            outcome.rejects = true
            if rule.route != nil || rule.pool != nil || rule.using != nil {
                complain(.rule(index), "reject", "a rejected statement goes nowhere; drop route, pool and using")
            }
            if !isSQLState(reject.sqlstate) {
                complain(
                    .rule(index), "reject", "\"\(reject.sqlstate)\" is no SQLSTATE: five of 0-9 and A-Z, not 00000")
            }
        }
        outcome.effects = rule.effects
        if let timeout = rule.effects.timeout, timeout <= 0 {
            complain(.rule(index), "timeout", "a timeout must be above 0")
        }
        let names = [rule.route, rule.pool, rule.using]
        if rule.isWhole, !outcome.decides, rule.effects.isEmpty, names.allSatisfy({ $0 == nil }) {
            complain(
                .rule(index), "",
                "the rule does nothing: it has none of route, pool, using, reject, timeout, max_lag, wait, log, "
                    + "exclusive, rerun")
        }
        return outcome
    }

    private mutating func compilePool(
        _ name: String, _ outcome: inout RuleOutcome, _ rule: RuleDefinition, _ index: Int
    ) {
        guard let pool = poolIndexes[name] else {
            let known = definition.pools.map(\.name)
            return complain(.rule(index), "pool", "no pool \"\(name)\"\(Suggestion.text(for: name, among: known))")
        }
        let cluster = definition.pools[pool].cluster
        if let using = rule.using, using != cluster, clusterIndexes[using] != nil {
            complain(.rule(index), "pool", "pool \"\(name)\" is in cluster \"\(cluster)\", not in \"\(using)\"")
        }
        outcome.pool = pool
        outcome.cluster = clusterIndexes[cluster]
    }

    private func isSQLState(_ text: String) -> Bool {
        text.utf8.count == 5 && text != "00000"
            && text.utf8.allSatisfy {
                ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9"))
                    || ($0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z"))
            }
    }

    // MARK: Expectations

    private mutating func checkExpectations() {
        for (index, expectation) in definition.expectations.enumerated() {
            let subject = RoutingProblem.Subject.expectation(index)
            if let name = expectation.pool, poolIndexes[name] == nil {
                let known = definition.pools.map(\.name)
                complain(subject, "pool", "no pool \"\(name)\"\(Suggestion.text(for: name, among: known))")
            }
            if let name = expectation.using, clusterIndexes[name] == nil {
                complain(subject, "using", "no cluster \"\(name)\"\(Suggestion.text(for: name, among: clusterNames))")
            }
            if let word = expectation.kind, StatementKind(word: word) == nil {
                let known = StatementKind.allCases.map(\.word)
                complain(subject, "kind", "no kind \"\(word)\"\(Suggestion.text(for: word, among: known))")
            }
            if let name = expectation.rule {
                let known = definition.rules.compactMap(\.name)
                if !known.contains(name) {
                    complain(subject, "rule", "no rule \"\(name)\"\(Suggestion.text(for: name, among: known))")
                }
            }
            if let name = expectation.listen, let listeners = definition.listeners, !listeners.contains(name) {
                complain(subject, "listen", "no listener \"\(name)\"\(Suggestion.text(for: name, among: listeners))")
            }
            let expected = [expectation.pool, expectation.kind, expectation.rule, expectation.sqlstate]
            if expected.allSatisfy({ $0 == nil }), expectation.access == nil {
                complain(subject, "", "nothing is expected: give pool, kind, access, rule or refused")
            }
            if expectation.sqlstate != nil, expectation.pool != nil {
                complain(subject, "pool", "a refused statement has no pool")
            }
        }
    }
}
