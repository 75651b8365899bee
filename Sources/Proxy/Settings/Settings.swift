/// Everything that one settings file says, with defaults filled in: plain values, nothing resolved, nothing opened.
///
/// Names of rules, pools, clusters and listeners are checked against each other here. What needs the system or the
/// router (a group's id, a regular expression, whether an expectation holds) is judged by others, who find the place
/// to complain about beside each value.
package struct Settings: Sendable, Equatable {
    /// The path that was given to `parse`, for complaints.
    package let file: String
    package let server: ServerSettings
    /// In the order of the file, at least one.
    package let listeners: [ListenerSettings]
    /// In the order of the file: the standbys of a cluster are tried in this order.
    package let pools: [PoolSettings]
    /// Nil when the file has no `[pgbouncer]`.
    package let pgbouncer: PgBouncerSettings?
    /// In the order of the file: the first matching rule decides.
    package let rules: [RuleSettings]
    package let defaultRoute: DefaultRouteSettings
    package let expectations: [ExpectationSettings]
    /// Every setting in force, one row each, defaults included.
    package let entries: [SettingEntry]

    /// The cluster of a pool that names none, and of a request that names none.
    package static let mainCluster = "main"
}

/// `[server]`
package struct ServerSettings: Sendable, Equatable {
    /// Threads that serve clients, each with its own event loop.
    package let workers: Int
    package let logFormat: LogFormat
    package let logLevel: LogLevel
    /// How long a drain waits for what was sent.
    package let drainTimeoutMilliseconds: Int
    /// How long a client may leave its replies unread before it is cut.
    package let clientWriteTimeoutMilliseconds: Int
    /// How long a client may take to finish a line that it began.
    package let lineTimeoutMilliseconds: Int
    /// An open transaction without a request ends after this, with 25P03.
    package let transactionIdleTimeoutMilliseconds: Int
    package let maxClients: Int
    /// Longest request line with its LF, in bytes.
    package let maxLineBytes: Int
    package let maxParameters: Int
    /// Unanswered requests of one connection before it is no longer read.
    package let maxInflight: Int
    /// Room for the verdicts of statements already seen, in bytes.
    package let statementCacheBytes: Int
    /// Where what was learned is kept; nil: nowhere.
    package let stateFolder: String?
}

package enum LogFormat: String, Sendable, CaseIterable {
    /// journald priorities and logfmt under systemd, else logfmt.
    case auto, logfmt, json
}

package enum LogLevel: String, Sendable, CaseIterable {
    case trace, debug, info, notice, warning, error, critical
}

/// `[[listen]]`
package struct ListenerSettings: Sendable, Equatable {
    package let name: Located<String>
    /// An absolute path of at most 107 bytes.
    package let unix: Located<String>
    /// Permission bits of the socket file.
    package let mode: UInt16
    /// The group that the socket file is given: a name or a number.
    package let group: Located<String>?
    package let level: ListenerLevel
    /// Each connection must begin with a HELLO that carries `@salt`.
    package let requireSalt: Bool
    /// Peers that may connect, by SO_PEERCRED: user names or numbers. Empty: whoever the file's mode lets in.
    package let allowUsers: [Located<String>]
    /// Where `[[listen]]` stands.
    package let position: SourcePosition
}

package enum ListenerLevel: String, Sendable, CaseIterable {
    case app, `operator`
}

/// `[pool.NAME]`
package struct PoolSettings: Sendable, Equatable {
    package let name: Located<String>
    package let cluster: Located<String>
    /// libpq's keyword form, without a password.
    package let conninfo: Located<String>
    package let role: Located<PoolRole>
    /// Server connections at most.
    package let size: Int
    /// Requests that may wait at most.
    package let queue: Int
    package let queueTimeoutMilliseconds: Int
    /// Deadline of a request that brings none.
    package let timeoutMilliseconds: Int
    package let connectTimeoutMilliseconds: Int
    /// The oldest data that reads accept there; nil: any.
    package let maxLagMilliseconds: Int?
    /// Percent of the primary's connections that may serve reads of this pool because it cannot.
    package let spillPercent: Int
    package let mode: PoolMode
    /// Where `[pool.NAME]` stands.
    package let position: SourcePosition
}

package enum PoolMode: String, Sendable, CaseIterable {
    /// It serves what it is asked.
    case serve
    /// Its reads run on the primary, held to reading.
    case prove
}

package enum PoolRole: String, Sendable, CaseIterable {
    case primary, standby
}

/// `[pgbouncer]`
package struct PgBouncerSettings: Sendable, Equatable {
    /// libpq's keyword form, without a password.
    package let admin: Located<String>
    /// From the end of one round of questions to the next.
    package let intervalMilliseconds: Int
    /// RECONNECT may be sent.
    package let reconnect: Bool
    /// Where `[pgbouncer]` stands.
    package let position: SourcePosition
}

/// `[[rule]]`. Matchers AND together, the values of one list OR; an empty list matches everything.
package struct RuleSettings: Sendable, Equatable {
    package let name: Located<String>
    package let kinds: [Located<String>]
    package let schemas: [Located<String>]
    package let tables: [Located<String>]
    /// Every table of the statement must match, not only one.
    package let all: Located<Bool>?
    package let functions: [Located<String>]
    package let regexes: [Located<String>]
    package let apps: [Located<String>]
    package let tags: [Located<String>]
    package let listeners: [Located<String>]
    /// Names or numbers.
    package let users: [Located<String>]
    package let fingerprints: [Located<String>]

    /// The cluster that the statement goes to.
    package let using: Located<String>?
    package let route: Located<PoolRole>?
    package let pool: Located<String>?
    package let reject: RejectionSettings?
    package let timeoutMilliseconds: Located<Int>?
    package let maxLagMilliseconds: Located<Int>?
    package let waitMilliseconds: Located<Int>?
    package let exclusive: Located<Bool>?
    package let rerun: Located<Bool>?
    package let log: Located<Bool>?
    /// False only in a draft: something in it was complained about, and is not here.
    package let isWhole: Bool
    /// Where `[[rule]]` stands.
    package let position: SourcePosition
}

/// `reject = { message = "…", sqlstate = "…" }`
package struct RejectionSettings: Sendable, Equatable {
    package let message: Located<String>
    /// Five characters of 0-9 and A-Z.
    package let sqlstate: String
    package let position: SourcePosition
}

/// `[default]`
package struct DefaultRouteSettings: Sendable, Equatable {
    package let read: PoolRole
    package let write: PoolRole
}

/// `[[expect]]`: a request, and what must become of it. Everything that is set after `kind` must hold.
package struct ExpectationSettings: Sendable, Equatable {
    package let sql: Located<String>
    package let app: Located<String>?
    package let tag: Located<String>?
    package let listener: Located<String>?
    /// A name or a number.
    package let user: Located<String>?
    package let using: Located<String>?

    package let kind: Located<String>?
    package let access: Located<ExpectedAccess>?
    package let pool: Located<String>?
    /// The name of the rule that decides.
    package let rule: Located<String>?
    /// The SQLSTATE of the refusal.
    package let refused: Located<String>?
    /// Where `[[expect]]` stands.
    package let position: SourcePosition
}

package enum ExpectedAccess: String, Sendable, CaseIterable {
    case read, write
}

/// One setting in force, for `STATS settings`.
package struct SettingEntry: Sendable, Equatable {
    /// As the file would say it: `server.workers`, `pool.primary.size`, `rule.1.route`.
    package let name: String
    /// Of a connection string only host, port, dbname and user.
    package let value: String
    /// Nil when the setting has none.
    package let defaultValue: String?
    /// Nil when the default is in force.
    package let position: SourcePosition?
    /// Not changed by a reload.
    package let needsRestart: Bool
    /// What two files are compared by: the whole value.
    let comparison: String
}

/// What `Settings.parse` makes of a file.
package struct ParsedSettings: Sendable {
    /// What could be read, so that the router can judge the rest in the same run: of rules with a mistake what is left of
    /// them, and with any mistake no expectations; listeners and pools are there as far as their names are known, with something
    /// harmless for what is missing. Nil when the text is no TOML. Only fit to run with when there are no complaints: see
    /// `settings`.
    package let draft: Settings?
    /// In the order of the file.
    package let complaints: [Complaint]

    /// The settings, when there is nothing to complain about.
    package var settings: Settings? { complaints.isEmpty ? draft : nil }
}
