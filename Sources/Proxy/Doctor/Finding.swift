/// One thing that should be changed, with what was seen and the line to change.
package struct Finding: Sendable, Equatable {
    package enum Level: String, Sendable {
        /// Requests fail, wait too long or get wrong answers by it, now or at the next fault.
        case wrong
        /// It works; this would work better.
        case advice
    }

    /// What was looked at, by the name that people and programs see.
    package enum Check: String, Sendable, CaseIterable {
        case connection, console, passfile, paused, disabled
        case role, system, hosts, readOnly = "read-only", isolation, conflicts
        case poolMode = "pool-mode", roundRobin = "round-robin"
        case loginRetry = "login-retry", waitTimeout = "wait-timeout", timeouts
        case poolSize = "pool-size", clientLimit = "client-limit", connectionLimit = "connection-limit"
        case preparedStatements = "prepared-statements"
    }

    /// The line to change.
    package struct Change: Sendable, Equatable {
        /// The file; a shell or a console, for what stands in no file.
        package let place: String
        /// Nil: not known, or not there yet.
        package let line: Int?
        /// What to write there.
        package let text: String

        package init(_ place: String, line: Int? = nil, _ text: String) {
            self.place = place
            self.line = line
            self.text = text
        }

        package var description: String { "\(place)\(line.map { ":\($0)" } ?? ""): \(text)" }
    }

    package let level: Level
    package let check: Check
    /// Nil: it concerns all of them.
    package let pool: String?
    package let message: String
    package let evidence: String
    package let change: Change
}

extension Finding {
    /// The columns of `fields`.
    package static let columns = ["level", "check", "pool", "message", "evidence", "file", "line", "change"]

    /// For programs.
    package var fields: [String?] {
        [
            level.rawValue, check.rawValue, pool, message, evidence, change.place, change.line.map { String($0) },
            change.text,
        ]
    }

    /// For people.
    package var text: String {
        """
        \(level.rawValue) (\(check.rawValue))\(pool.map { ", pool \"\($0)\"" } ?? ""): \(message)
          seen    \(evidence)
          change  \(change.description)
        """
    }
}
