// What an operator wrote about pools and rules, as plain values: the input of RuleSet. Words stay words here, so that every
// mistake in them is found, worded and given a place by one module, this one.

/// What a pool's servers are: the cluster's primary, or standbys of it.
package enum Role: UInt8, Sendable, CaseIterable {
    case primary, standby

    package var word: String { self == .primary ? "primary" : "standby" }

    package init?(word: String) {
        guard let role = Role.allCases.first(where: { $0.word == word }) else { return nil }
        self = role
    }
}

package struct PoolDefinition: Sendable, Equatable {
    package var name: String
    package var cluster: String
    package var role: Role

    package init(name: String, cluster: String = "main", role: Role) {
        self.name = name
        self.cluster = cluster
        self.role = role
    }
}

/// One `[[rule]]`. The matchers that are not empty must all match; within one, any value may. No matcher: it always matches.
package struct RuleDefinition: Sendable, Equatable {
    package var name: String?
    /// Line of the settings file, from 1, that Explanation shows; 0 when there is none.
    package var line: Int

    /// Words of StatementKind.
    package var kind: [String] = []
    /// Globs on the schema of a table or function. A name written without schema counts as in `public`, or as in
    /// `pg_catalog` when it begins with `pg_`.
    package var schema: [String] = []
    /// Globs (`*`, `?`) on table names; one with a dot is matched against `schema.table`.
    package var table: [String] = []
    /// Every table must match `schema` and `table`, instead of any.
    package var all = false
    /// Globs on function names; one with a dot is matched against `schema.function`.
    package var function: [String] = []
    /// RE2 patterns, found anywhere in the normalised text.
    package var regex: [String] = []
    /// Globs on the application's name.
    package var app: [String] = []
    /// Globs on the request's tag; `key=value` is matched against the pairs of a sqlcommenter comment.
    package var tag: [String] = []
    /// Names of listeners.
    package var listen: [String] = []
    /// Fingerprints of statements, as ROUTE shows them: 16 hexadecimal digits.
    package var fingerprint: [String] = []
    /// User ids of the process that connected.
    package var user: [UInt32] = []

    /// `primary` or `standby`.
    package var route: String?
    package var pool: String?
    package var using: String?
    package var reject: Rejection?
    package var effects = RuleEffects()
    /// False when more is known to be wrong with it than can be seen here: then only what is here is judged, and nothing
    /// is said of what is missing.
    package var isWhole = true

    package init(name: String? = nil, line: Int = 0) {
        self.name = name
        self.line = line
    }
}

/// What rules add to a request, wherever it goes. Of several matching rules' values the first counts.
package struct RuleEffects: Sendable, Equatable {
    /// Milliseconds, above 0.
    package var timeout: Int32?
    /// Milliseconds, 0 or more: the oldest data that a read accepts.
    package var maxLag: Int32?
    /// Milliseconds, 0 or more: how long a standby may take to become fresh enough.
    package var wait: Int32?
    /// It never shares a batch.
    package var isExclusive: Bool?
    /// It may be run once more on another server.
    package var mayRerun: Bool?
    package var isLogged: Bool?

    package init() {}

    var isEmpty: Bool { self == RuleEffects() }

    mutating func add(_ later: RuleEffects) {
        timeout = timeout ?? later.timeout
        maxLag = maxLag ?? later.maxLag
        wait = wait ?? later.wait
        isExclusive = isExclusive ?? later.isExclusive
        mayRerun = mayRerun ?? later.mayRerun
        isLogged = isLogged ?? later.isLogged
    }
}

package struct Rejection: Sendable, Equatable {
    package var message: String
    package var sqlstate: String

    package init(message: String, sqlstate: String = "42501") {
        self.message = message
        self.sqlstate = sqlstate
    }
}

/// `[default]`: where reads and writes go when no rule says so.
package struct DefaultRoute: Sendable, Equatable {
    /// `primary` or `standby`.
    package var read: String
    /// `primary`; anything else is a problem.
    package var write: String

    package init(read: String = "standby", write: String = "primary") {
        self.read = read
        self.write = write
    }
}

/// One `[[expect]]`: a statement and what must come of it. At least one of pool, kind, access, rule, sqlstate must be given.
package struct ExpectCase: Sendable, Equatable {
    package var sql: String
    package var app: String?
    package var tag: String?
    package var listen: String?
    package var user: UInt32?
    package var using: String?

    package var pool: String?
    package var kind: String?
    package var access: Access?
    /// The name of the rule that decides.
    package var rule: String?
    /// It is refused with this one.
    package var sqlstate: String?

    package init(sql: String) { self.sql = sql }
}

package struct RoutingDefinition: Sendable, Equatable {
    package var pools: [PoolDefinition]
    package var rules: [RuleDefinition]
    package var defaults: DefaultRoute
    package var expectations: [ExpectCase]
    /// The listeners' names, for checking `listen`; nil: not checked.
    package var listeners: [String]?

    package init(
        pools: [PoolDefinition], rules: [RuleDefinition] = [], defaults: DefaultRoute = DefaultRoute(),
        expectations: [ExpectCase] = [], listeners: [String]? = nil
    ) {
        self.pools = pools
        self.rules = rules
        self.defaults = defaults
        self.expectations = expectations
        self.listeners = listeners
    }
}

/// One mistake in a RoutingDefinition, with enough to find its place in the file.
package struct RoutingProblem: Sendable, Equatable, CustomStringConvertible {
    package enum Subject: Sendable, Equatable {
        case pool(Int), rule(Int), defaults, expectation(Int)
    }
    package var subject: Subject
    /// The key in the settings file: `kind`, `table`, `pool`, …; empty: the whole entry.
    package var field: String
    /// Index in the field's list of values, when it has one.
    package var element: Int?
    package var message: String

    package var description: String { "\(subject) \(field)\(element.map { "[\($0)]" } ?? ""): \(message)" }
}

/// All mistakes of one definition, in the order of the file's sections.
package struct RoutingProblems: Error, Equatable {
    package var problems: [RoutingProblem]
}
