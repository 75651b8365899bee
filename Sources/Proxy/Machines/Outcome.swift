/// What an error means for whoever asked: may it be tried again? A truth table over where the request stood and what
/// the server, or PgBouncer in its name, said.
///
/// Sources: PostgreSQL 15 manual, appendix A (error codes); PgBouncer 1.18 `src/objects.c` and `src/client.c` for the
/// texts, all of which come as FATAL 08P01 and do not say by their code whether the statement ran.
package enum Outcome {
    /// The protocol's retry word.
    package enum Retry: String, Equatable, CaseIterable, Sendable {
        /// The same answer again.
        case never
        /// It did not run, or had no effect: try again.
        case now
        /// It did not run: wait, then try again.
        case later
        /// Rolled back: start again from BEGIN.
        case tx
        /// It was sent and the server vanished: it may have been applied.
        case unknown
    }

    /// What was asked for.
    package enum Effect: Equatable, CaseIterable, Sendable {
        /// Reads, and could not have written.
        case read
        /// Autocommit, and may have written.
        case write
        /// Commits on the way (CALL, DO, VACUUM, CONCURRENTLY): even an error may leave effects.
        case commitsOnTheWay
        /// Inside a transaction whose COMMIT was not sent, BEGIN included.
        case inTransaction
        /// COMMIT itself.
        case commit
    }

    /// Where the request stood when it ended.
    package enum Stage: Equatable, CaseIterable, Sendable {
        /// No byte of it was handed to the connection.
        case notSent
        /// At least one byte may have left.
        case sent
        /// The server answered with an ERROR and lived on.
        case answered
    }

    /// How the retry word follows from an error that the server reported in the request's own slot: its five-character
    /// SQLSTATE, whether the connection ends with it (severity FATAL or PANIC), and the primary message, by which
    /// PgBouncer's own errors are told apart.
    package static func retry(
        afterError sqlstate: String, isFatal: Bool, message: String, effect: Effect
    ) -> Retry {
        if isFatal {
            if sqlstate == "08P01" && isBeforeForwarding(message) {
                return effect == .inTransaction || effect == .commit ? .tx : .later
            }
            // The server is starting, or has no connection to give: the next one would end alike.
            if effect == .read && word(for: sqlstate) == .later { return .later }
            return retryAfterLoss(stage: .sent, effect: effect)
        }
        switch effect {
        case .commitsOnTheWay:
            // A syntax error or a missing privilege is final; anything retryable may come after a part was committed.
            return word(for: sqlstate) == .never ? .never : .unknown
        case .inTransaction, .commit:
            // Behind a failed statement (25P02) only a new transaction helps.
            return word(for: sqlstate) == .never && sqlstate != "25P02" ? .never : .tx
        case .read, .write:
            return word(for: sqlstate)
        }
    }

    /// How the retry word follows from a connection that ended without an answer.
    package static func retryAfterLoss(stage: Stage, effect: Effect) -> Retry {
        switch effect {
        case .read: return .now
        case .inTransaction: return .tx
        case .write, .commitsOnTheWay:
            return stage == .notSent ? .now : .unknown
        case .commit:
            return stage == .notSent ? .tx : .unknown
        }
    }

    /// The SQLSTATE for a request whose connection ended without an answer: 08007 when its outcome is unknown, else
    /// 08006 (class 08, Connection Exception).
    package static func sqlstateAfterLoss(_ retry: Retry) -> String {
        retry == .unknown ? "08007" : "08006"
    }

    /// Whether an error means that a standby cannot run the statement, but the primary can: it writes, or needs what only the
    /// primary has. Besides 25006 the codes are general ones, told apart by PostgreSQL's text ("cannot access temporary or
    /// unlogged relations during recovery", "recovery is in progress", "cannot assign OIDs during recovery"), which is
    /// English only where lc_messages is.
    package static func isRefusalOfStandby(_ sqlstate: String, message: String) -> Bool {
        switch sqlstate {
        case "25006": true
        case "0A000", "55000", "XX000":
            message.hasSuffix("during recovery") || message == "recovery is in progress"
        default: false
        }
    }

    /// From the server's SQLSTATE: 40xxx now; 53xxx, 55P03, 57P03, 57014 later; all else never.
    package static func word(for sqlstate: String) -> Retry {
        if sqlstate.hasPrefix("40") { return .now }
        if sqlstate.hasPrefix("53") { return .later }
        switch sqlstate {
        case "55P03", "57P03", "57014": return .later
        default: return .never
        }
    }

    /// PgBouncer's texts that prove that the request in the first slot of a batch was not forwarded.
    package static func isBeforeForwarding(_ message: String) -> Bool {
        beforeForwarding.contains { message.hasPrefix($0) } || isDisabledDatabase(message)
    }

    private static let beforeForwarding = [
        "query_wait_timeout", "no more connections allowed", "server login has been failing",
        "client_login_timeout (server down)", "no such database", "pgbouncer cannot connect to server",
    ]

    private static func isDisabledDatabase(_ message: String) -> Bool {
        message.hasPrefix("database \"") && message.hasSuffix("is disabled")
    }
}
