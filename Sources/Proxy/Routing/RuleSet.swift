// The rules in force, compiled: one immutable snapshot that any number of judges may share.

package final class RuleSet: Sendable {
    package struct Pool: Sendable {
        package let name: String
        package let role: Role
        /// Index in `clusters`.
        package let cluster: Int
    }

    package struct Cluster: Sendable {
        package let name: String
        /// Index in `pools`.
        package let primary: Int
        /// Indexes in `pools`, in the order written: the first that is fresh enough and not full serves a read.
        package let standbys: [Int]
    }

    package struct Rule: Sendable {
        /// As given, else `rule 3` by its place.
        package let name: String
        /// Line of the settings file, 0 when it has none.
        package let line: Int
    }

    package let pools: [Pool]
    package let clusters: [Cluster]
    package let rules: [Rule]
    /// The cluster in force when neither a rule nor a request names one: `main`, else the first.
    package let defaultCluster: Int
    let defaultReadRole: Role
    /// A first look at each rule, what it asks, and what it does: apart, so that the usual paths read plain values only.
    let filters: [RuleFilter]
    let matchers: [RuleMatcher]
    let outcomes: [RuleOutcome]
    let rejections: [Refusal?]
    /// Some rule puts tables or schemas into a cluster that is not the default one.
    let placesTables: Bool
    private let expectations: [ExpectCase]

    /// Compiles a definition and runs its expectations.
    /// - Throws: every mistake at once; expectations are only run when there is none besides.
    /// Parses SQL: needs the stack of Parser.
    package convenience init(compiling definition: RoutingDefinition) throws(RoutingProblems) {
        var compiler = RuleCompiler(definition)
        let parts = compiler.compile()
        guard let parts, compiler.problems.isEmpty else { throw RoutingProblems(problems: compiler.problems) }
        self.init(parts, expectations: definition.expectations)
        let failed = failedExpectations()
        if !failed.isEmpty { throw RoutingProblems(problems: failed) }
    }

    init(_ parts: RuleCompiler.Parts, expectations: [ExpectCase]) {
        pools = parts.pools
        clusters = parts.clusters
        rules = parts.rules
        defaultCluster = parts.defaultCluster
        defaultReadRole = parts.defaultReadRole
        filters = parts.matchers.map(\.filter)
        matchers = parts.matchers
        outcomes = parts.outcomes
        rejections = parts.rejections
        placesTables = parts.outcomes.contains { $0.placesTables && $0.cluster != parts.defaultCluster }
        self.expectations = expectations
    }

    package func pool(named name: String) -> Int? { pools.firstIndex { $0.name == name } }
    package func cluster(named name: String) -> Int? { clusters.firstIndex { $0.name == name } }

    func pool(named name: UnsafeRawBufferPointer) -> Int? { index(of: name, in: pools, \.name) }
    func cluster(named name: UnsafeRawBufferPointer) -> Int? { index(of: name, in: clusters, \.name) }

    private func index<Item>(
        of name: UnsafeRawBufferPointer, in items: [Item], _ path: KeyPath<Item, String>
    ) -> Int? {
        items.firstIndex { item in
            let itemName = item[keyPath: path].utf8
            return itemName.count == name.count && itemName.elementsEqual(name)
        }
    }

    /// The first standby pool of a cluster, else its primary.
    func pool(of cluster: Int, for role: Role) -> Int {
        role == .standby ? clusters[cluster].standbys.first ?? clusters[cluster].primary : clusters[cluster].primary
    }

    /// The `[[expect]]` cases that do not come out as written.
    package func failedExpectations() -> [RoutingProblem] {
        let judge = Judge(rules: self, cacheBytes: 1 << 20)
        return expectations.enumerated().compactMap { index, expectation in
            judge.complaint(about: expectation, index: index)
        }
    }
}

/// What a rule does when it matches. Plain values.
struct RuleOutcome: Sendable {
    var role: Role?
    var pool: Int?
    /// From `using`, or the cluster of `pool`.
    var cluster: Int?
    var effects = RuleEffects()
    var rejects = false
    /// The matcher asks for something besides the statement: app, tag, listener or user.
    var asksOfRequest = false
    /// It puts tables into a cluster: `using` or `pool`, with a matcher on schema or table.
    var placesTables = false

    /// The chain of rules ends here.
    var decides: Bool { role != nil || pool != nil || cluster != nil || rejects }
}
