// The typed values of each section, and the checks that reach over several keys or sections.

extension SettingsParser {
    mutating func serverSettings(_ values: SectionValues) -> ServerSettings {
        if let workers = values.optionalNumber("workers"), workers.value > 1 {
            reader.complain("more than 1 worker is not in this version", at: workers.position)
        }
        note(values, as: "server")
        return ServerSettings(
            workers: values.number("workers"),
            logFormat: values.word("log_format", as: LogFormat.self),
            logLevel: values.word("log_level", as: LogLevel.self),
            drainTimeoutMilliseconds: values.number("drain_timeout"),
            clientWriteTimeoutMilliseconds: values.number("client_write_timeout"),
            lineTimeoutMilliseconds: values.number("line_timeout"),
            transactionIdleTimeoutMilliseconds: values.number("transaction_idle_timeout"),
            maxClients: values.number("max_clients"),
            maxLineBytes: values.number("max_line"),
            maxParameters: values.number("max_parameters"),
            maxInflight: values.number("max_inflight"),
            statementCacheBytes: values.number("statement_cache"),
            stateFolder: values.text("state_dir")?.value)
    }

    mutating func listenerSettings(_ sections: [SectionValues]) -> [ListenerSettings] {
        var paths: [String: SourcePosition] = [:]
        var result: [ListenerSettings] = []
        for values in sections {
            if let name = values.text("name") { claim(name, as: .listener) }
            if let path = values.text("unix") {
                if let first = paths[path.value] {
                    reader.complain("this path is taken by the listener of line \(first.line)", at: path.position)
                } else {
                    paths[path.value] = path.position
                }
            }
            guard let name = values.text("name") else { continue }
            note(values, as: "listen.\(name.value)")
            result.append(
                ListenerSettings(
                    name: name,
                    unix: values.text("unix") ?? Located("", at: values.position),
                    mode: UInt16(values.number("mode")),
                    group: values.text("group"),
                    level: values.word("level", as: ListenerLevel.self),
                    requireSalt: values.flag("require_salt"),
                    allowUsers: values.texts("allow_users"),
                    position: values.position))
        }
        return result
    }

    mutating func poolSettings(_ sections: [(name: Located<String>, values: SectionValues)]) -> [PoolSettings] {
        var result: [PoolSettings] = []
        var clusters = Clusters()
        // A role that cannot be read is taken, in the draft, for the one that the cluster lacks.
        let withPrimary = Set(
            sections.filter { $0.values.text("role")?.value == PoolRole.primary.rawValue }
                .map { $0.values.text("cluster")?.value ?? Settings.mainCluster })
        for (name, values) in sections {
            register(name, as: .pool)
            if let conninfo = values.text("conninfo") { check(conninfo, as: "conninfo") }
            let cluster = values.text("cluster") ?? Located(Settings.mainCluster, at: values.position)
            let role = values.optionalWord("role", as: PoolRole.self)
            // Known even when its role is not: one mistake is one complaint.
            register(cluster, as: .cluster)
            if let role, !values.isBroken("cluster") {
                clusters.add(name.value, to: cluster.value, as: role.value, at: values.position)
            } else {
                clusters.isUnclear = true
            }
            if role?.value == .primary, let mode = values.text("mode"), mode.value == PoolMode.prove.rawValue {
                reader.complain(
                    "`mode` = \"prove\" is for standby pools: it runs their reads on the primary", at: mode.position)
            }
            note(values, as: "pool.\(name.value)")
            result.append(
                PoolSettings(
                    name: name, cluster: cluster,
                    conninfo: values.text("conninfo") ?? Located("", at: values.position),
                    role: role
                        ?? Located(withPrimary.contains(cluster.value) ? .standby : .primary, at: values.position),
                    size: values.number("size"),
                    queue: values.number("queue"),
                    queueTimeoutMilliseconds: values.number("queue_timeout"),
                    timeoutMilliseconds: values.number("timeout"),
                    connectTimeoutMilliseconds: values.number("connect_timeout"),
                    maxLagMilliseconds: values.optionalNumber("max_lag")?.value,
                    spillPercent: values.number("spill"),
                    mode: values.word("mode", as: PoolMode.self),
                    position: values.position))
        }
        check(clusters)
        return result
    }

    /// The pools of each cluster.
    private struct Clusters {
        struct Cluster {
            let name: String
            let position: SourcePosition
            var primaries: [(name: String, position: SourcePosition)] = []
        }

        /// In the order of the file.
        private(set) var all: [Cluster] = []
        private var indexes: [String: Int] = [:]
        /// A role or a cluster could not be read: nothing can be said about what is missing.
        var isUnclear = false

        mutating func add(
            _ pool: String, to name: String, as role: PoolRole, at position: SourcePosition
        ) {
            let index = indexes[name] ?? all.count
            if index == all.count { all.append(Cluster(name: name, position: position)) }
            indexes[name] = index
            if role == .primary { all[index].primaries.append((pool, position)) }
        }
    }

    private mutating func check(_ clusters: Clusters) {
        for cluster in clusters.all {
            guard let first = cluster.primaries.first else {
                if !clusters.isUnclear {
                    reader.complain(
                        "the cluster `\(cluster.name)` has no pool with role = \"primary\"", at: cluster.position)
                }
                continue
            }
            for other in cluster.primaries.dropFirst() {
                reader.complain(
                    "the cluster `\(cluster.name)` has a primary already: `\(first.name)` of line "
                        + "\(first.position.line)", at: other.position)
            }
        }
        if let first = clusters.all.first, !clusters.isUnclear, !isKnown(Settings.mainCluster, as: .cluster) {
            reader.complain(
                "no pool is in the cluster `\(Settings.mainCluster)`, which requests without `using` go to",
                at: first.position)
        }
    }

    private mutating func check(_ conninfo: Located<String>, as name: String) {
        do {
            for problem in try ConnectionString(conninfo.value).problems {
                reader.complain("`\(name)` \(problem)", at: conninfo.position)
            }
        } catch {
            reader.complain("`\(name)` \(error.message)", at: conninfo.position)
        }
    }

    mutating func pgbouncerSettings(_ sections: FileSections) -> PgBouncerSettings? {
        guard sections.contains(where: { $0.setting.name == "pgbouncer" }) else { return nil }
        let values = single(sections, .pgbouncer, "pgbouncer")
        note(values, as: "pgbouncer")
        guard let admin = values.text("admin") else { return nil }
        check(admin, as: "admin")
        return PgBouncerSettings(
            admin: admin, intervalMilliseconds: values.number("interval"), reconnect: values.flag("reconnect"),
            position: values.position)
    }

    mutating func defaultRouteSettings(_ values: SectionValues) -> DefaultRouteSettings {
        note(values, as: "default")
        return DefaultRouteSettings(
            read: values.word("read", as: PoolRole.self), write: values.word("write", as: PoolRole.self))
    }
}
