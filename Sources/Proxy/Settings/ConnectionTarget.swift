/// Where a connection string leads, as far as it says so.
package struct ConnectionTarget: Sendable, Equatable {
    /// A name, an address or a socket folder. Nil: libpq's default, a socket folder.
    package let host: String?
    package let port: String
    /// What is not said is libpq's default: the user's name.
    package let database: String?
    package let user: String?
    package let passfile: String?

    /// - Parameter conninfo: as the settings have it; of one that was complained about, nothing is known.
    package init(_ conninfo: String) {
        let parameters = (try? ConnectionString(conninfo))?.parameters ?? []
        func value(_ keyword: String) -> String? { parameters.last { $0.keyword == keyword }?.value }
        // libpq connects to hostaddr when both are given (manual, 34.1.2).
        host = value("hostaddr") ?? value("host")
        port = value("port") ?? "5432"
        user = value("user")
        database = value("dbname") ?? user
        passfile = value("passfile")
    }

    private var isSocket: Bool { host.map { $0.hasPrefix("/") || $0.hasPrefix("@") } ?? true }

    /// Whether both may lead to one PgBouncer: it has one port for TCP and for its socket, so a pool's connections and
    /// the console's may go different ways to it.
    package func maySharePgBouncer(with other: ConnectionTarget) -> Bool {
        port == other.port && (isSocket != other.isSocket || host == other.host)
    }
}

extension PoolSettings {
    package var target: ConnectionTarget { ConnectionTarget(conninfo.value) }
}

extension PgBouncerSettings {
    package var target: ConnectionTarget { ConnectionTarget(admin.value) }
}
