/// What the console is asked.
package enum BouncerQuestion: Sendable, CaseIterable {
    case version, config, state, databases, pools, stats

    package var command: String {
        switch self {
        case .version: "SHOW VERSION"
        case .config: "SHOW CONFIG"
        case .state: "SHOW STATE"
        case .databases: "SHOW DATABASES"
        case .pools: "SHOW POOLS"
        case .stats: "SHOW STATS"
        }
    }

    /// One round.
    ///
    /// - Parameters:
    ///   - version: nil: not known yet, as in the first round of a connection.
    ///   - withSettings: they change only by RELOAD and SET, so that not each round needs to ask for them.
    /// - Returns: what to ask, in this order.
    package static func round(_ version: BouncerVersion?, withSettings: Bool) -> [BouncerQuestion] {
        var round: [BouncerQuestion] = []
        if let version {
            if withSettings { round.append(.config) }
            // Added in 1.19. Before that only a database's own PAUSE can be seen, not one of the whole PgBouncer.
            if version >= BouncerVersion(1, 19) { round.append(.state) }
        } else {
            round += [.version, .config]
        }
        return round + [.databases, .pools, .stats]
    }

    /// Lets PgBouncer replace its connections to the servers of a database, each when it is free.
    package static func reconnectCommand(_ database: String) -> String {
        var quoted = "\""
        for character in database {
            quoted.append(character)
            if character == "\"" { quoted.append(character) }
        }
        return "RECONNECT \(quoted)\""
    }
}
