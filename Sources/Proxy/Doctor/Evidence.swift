import Bouncer
import Settings

/// What was seen: of PgBouncer by its console, and of the servers through each pool.
package struct Evidence: Sendable {
    /// PgBouncer by itself.
    package struct Console: Sendable {
        /// The way to it: pools that go another way may lead to another PgBouncer.
        package var target: ConnectionTarget
        package var state: BouncerState
        /// Where its settings stand: the path it names, and the file when it can be read here.
        package var path: String
        package var file: IniFile?

        package init(target: ConnectionTarget, state: BouncerState, path: String, file: IniFile?) {
            self.target = target
            self.state = state
            self.path = path
            self.file = file
        }
    }

    /// One server, as a statement of a pool saw it.
    package struct Server: Sendable, Equatable {
        package var address: String
        package var port: String
        package var isInRecovery: Bool
        package var systemIdentifier: String
        package var isReadOnlyByDefault: Bool
        package var defaultIsolation: String
        package var hotStandbyFeedback: Bool
        /// Statements that replay has cancelled since the statistics were reset.
        package var conflicts: Int

        package init(
            address: String, port: String, isInRecovery: Bool, systemIdentifier: String, isReadOnlyByDefault: Bool,
            defaultIsolation: String, hotStandbyFeedback: Bool, conflicts: Int
        ) {
            self.address = address
            self.port = port
            self.isInRecovery = isInRecovery
            self.systemIdentifier = systemIdentifier
            self.isReadOnlyByDefault = isReadOnlyByDefault
            self.defaultIsolation = defaultIsolation
            self.hotStandbyFeedback = hotStandbyFeedback
            self.conflicts = conflicts
        }

        var name: String { port.isEmpty ? address : "\(address):\(port)" }
    }

    package struct Pool: Sendable {
        package var settings: PoolSettings
        /// Each server once, in the order they were met.
        package var servers: [Server] = []
        /// Why nothing could be asked; nil when something could.
        package var error: String?
        /// What is wrong with its password file.
        package var passfileProblem: String?

        package init(settings: PoolSettings) {
            self.settings = settings
        }
    }

    /// Nil: not asked, because the settings name none, or it did not answer.
    package var console: Console?
    package var consoleError: String?
    package var consolePassfileProblem: String?
    package var pools: [Pool]

    package init(pools: [Pool]) {
        self.pools = pools
    }
}
