/// Whether a read that a standby could not serve may run once more, and where: a truth table over what the server said.
///
/// Only for reads outside a transaction that *the server* held to read-only, and of which no row was delivered: nothing that
/// may have had an effect is ever run twice.
package enum Rerun {
    /// Why it runs again: the receipt's `rerun` and the counter's label.
    package enum Reason: UInt8, Equatable, CaseIterable, Sendable {
        /// The standby had not replayed what the read must see.
        case stale
        /// 25006: it writes.
        case writes
        /// Another refusal that only a server in recovery gives.
        case recovery
        /// A relation, column or function is missing: the standby may lag behind a change of the schema.
        case schema
        /// Replay cancelled it.
        case conflict
        /// The server was shut down, or an administrator ended the connection.
        case shutdown
        /// The connection ended, or PgBouncer had no server to give.
        case lost

        package var word: String {
            switch self {
            case .stale: "stale"
            case .writes: "writes"
            case .recovery: "recovery"
            case .schema: "schema"
            case .conflict: "conflict"
            case .shutdown: "shutdown"
            case .lost: "lost"
            }
        }

        /// Only the primary can do better; else another standby's connection is asked first.
        package var needsPrimary: Bool {
            switch self {
            case .stale, .writes, .recovery, .schema: true
            case .conflict, .shutdown, .lost: false
            }
        }

        /// It was refused because of what it does: the same statement need not be tried on a standby again.
        package var teaches: Bool { self == .writes || self == .recovery }
    }

    /// From an error that a standby pool answered, in the request's own slot.
    ///
    /// Sources: PostgreSQL 15 manual, 27.4.2 "Handling Query Conflicts" and appendix A; a read of an autocommit batch meets
    /// 40001 and 40P01 on a standby only by replay, because standbys refuse serializable transactions.
    package static func reason(sqlstate: String, message: String, isFatal: Bool) -> Reason? {
        if sqlstate == "25006" { return .writes }
        if Outcome.isRefusalOfStandby(sqlstate, message: message) { return .recovery }
        switch sqlstate {
        case "42P01", "42703", "42883": return .schema
        case "40001", "40P01": return .conflict
        case "57P01", "57P02", "57P03", "57P04": return .shutdown
        // PgBouncer's own words: it has no server, lost it, or ends. A limit of its own would be met again.
        case "08P01": return isFatal && !limits.contains { message.hasPrefix($0) } ? .lost : nil
        default: return nil
        }
    }

    /// PgBouncer's limits on what a client may take (`src/objects.c`, `src/janitor.c`, 1.18 and 1.25).
    private static let limits = ["query timeout", "query_timeout", "transaction timeout", "client_idle_timeout"]
}
