private let kibibyte = 1024
private let mebibyte = 1024 * 1024
private let gibibyte = 1024 * 1024 * 1024
private let second = 1000
private let minute = 60 * 1000
private let hour = 60 * 60 * 1000

extension Setting {
    /// Every key of the file, in the order of the reference.
    static let table: [Setting] = file + server + listen + pool + pgbouncer + rule + reject + defaultRoute + expect

    static let statementKinds = [
        "select", "insert", "update", "delete", "merge", "copy", "ddl", "utility", "transaction", "session", "unknown",
    ]

    private static let file: [Setting] = [
        Setting(.file, "version", .integer(1...1), .required, restart: true, "The version of this format."),
        Setting(.file, "server", .section(.server), .optional, "The process as a whole."),
        Setting(.file, "listen", .sections(.listen), .required, restart: true, "A socket for clients."),
        Setting(.file, "pool", .namedSections(.pool), .required, "Connections to one PgBouncer database."),
        Setting(.file, "pgbouncer", .section(.pgbouncer), .optional, "PgBouncer's admin console."),
        Setting(.file, "rule", .sections(.rule), .optional, "Where statements go; the first that decides wins."),
        Setting(.file, "default", .section(.defaultRoute), .optional, "Where statements go that no rule decides."),
        Setting(.file, "expect", .sections(.expect), .optional, "A test of the rules, run by every check and reload."),
    ]

    private static let server: [Setting] = [
        Setting(
            .server, "workers", .integer(1...256), .defaults(.number(1)), restart: true,
            "Threads that serve clients. More than 1 is not in this version."),
        Setting(
            .server, "log_format", .word(LogFormat.allCases.map(\.rawValue)), .defaults(.text("auto")), restart: true,
            "`auto` is logfmt, with journald priorities under systemd."),
        Setting(
            .server, "log_level", .word(LogLevel.allCases.map(\.rawValue)), .defaults(.text("info")),
            "The least severe level that is logged."),
        Setting(
            .server, "drain_timeout", .duration(0...hour), .defaults(.number(30 * second)),
            "How long a drain waits for answers to what was sent."),
        Setting(
            .server, "client_write_timeout", .duration(100...hour), .defaults(.number(30 * second)),
            "A client that takes no bytes of its replies for this long is cut: it holds a server connection."),
        Setting(
            .server, "line_timeout", .duration(100...hour), .defaults(.number(10 * second)),
            "How long a client may take to finish a line that it began."),
        Setting(
            .server, "transaction_idle_timeout", .duration(100...24 * hour), .defaults(.number(minute)),
            "An open transaction that gets no request for this long is rolled back, with 25P03."),
        Setting(
            .server, "max_clients", .integer(1...1_000_000), .defaults(.number(10_000)),
            "Client connections at once; one more is answered 53300 and closed."),
        Setting(
            .server, "max_line", .size(4 * kibibyte...16 * mebibyte), .defaults(.number(mebibyte)), restart: true,
            "The longest request line; a longer one is answered 54000 and its connection closed."),
        Setting(
            .server, "max_parameters", .integer(0...65_535), .defaults(.number(1024)), restart: true,
            "Parameters of one statement; 65535 is the limit of PostgreSQL's protocol."),
        Setting(
            .server, "max_inflight", .integer(1...65_536), .defaults(.number(1024)), restart: true,
            "Unanswered requests of one connection before the daemon stops reading from it."),
        Setting(
            .server, "statement_cache", .size(64 * kibibyte...gibibyte), .defaults(.number(16 * mebibyte)),
            "Memory for the verdicts on statements already seen."),
        later(.server, "slow_query"),
        Setting(
            .server, "state_dir", .folder, .optional, restart: true,
            "A folder that the daemon may write to: what it learned of statements survives a restart there."),
    ]

    private static let listen: [Setting] = [
        Setting(.listen, "name", .name, .required, restart: true, "What rules, statistics and logs call it."),
        Setting(
            .listen, "unix", .socketPath, .required, restart: true,
            "The socket file: an absolute path of at most 107 bytes."),
        Setting(
            .listen, "mode", .fileMode, .defaults(.number(0o660)), restart: true,
            "Permission bits of the socket file; writing is connecting."),
        Setting(
            .listen, "group", .line(64), .optional, restart: true,
            "The group of the socket file, by name or number; without it the daemon's own."),
        Setting(
            .listen, "level", .word(ListenerLevel.allCases.map(\.rawValue)), .defaults(.text("app")), restart: true,
            "`operator` may also use RELOAD, PAUSE, DRAIN and the like."),
        Setting(
            .listen, "require_salt", .boolean, .defaults(.boolean(false)), restart: true,
            "A connection must begin with a HELLO that carries @salt."),
        Setting(
            .listen, "allow_users", .list(.line(64)), .optional, restart: true,
            "Users, by name or number, who may connect (SO_PEERCRED); without it whoever the mode lets in."),
        later(.listen, "http"),
    ]

    private static let pool: [Setting] = [
        Setting(
            .pool, "cluster", .name, .defaults(.text(Settings.mainCluster)), restart: true,
            "The database that it belongs to: one primary pool and any number of standby pools."),
        Setting(
            .pool, "conninfo", .connection, .required,
            "The PgBouncer database, in libpq's keyword form. Never a password: use passfile."),
        Setting(
            .pool, "role", .word(PoolRole.allCases.map(\.rawValue)), .required, restart: true,
            "Which servers PgBouncer has behind it."),
        Setting(
            .pool, "size", .integer(1...10_000), .defaults(.number(10)),
            "Connections to PgBouncer at most; keep it at or below PgBouncer's pool size."),
        Setting(
            .pool, "queue", .integer(0...1_000_000), .defaults(.number(200)),
            "Requests that may wait for a connection; one more is answered 53300."),
        Setting(
            .pool, "queue_timeout", .duration(1...hour), .defaults(.number(2 * second)),
            "How long a request may wait for a connection; then it is answered 53300."),
        Setting(
            .pool, "timeout", .duration(1...24 * hour), .defaults(.number(10 * second)),
            "The deadline of a request that brings none and that no rule gives one."),
        Setting(
            .pool, "connect_timeout", .duration(10...5 * minute), .defaults(.number(5 * second)),
            "How long opening a connection may take, login included."),
        Setting(
            .pool, "max_lag", .duration(0...24 * hour), .optional,
            "The oldest data that reads of a standby pool accept; they go to the primary when its standbys are further behind."
        ),
        Setting(
            .pool, "spill", .percentage, .defaults(.number(10)),
            "Of the primary's connections, how many may serve reads of this standby pool only because it cannot, or is further "
                + "behind than `max_lag`: at least one, but with `0%` none. What is beyond that is answered 57P03, later."
        ),
        Setting(
            .pool, "mode", .word(PoolMode.allCases.map(\.rawValue)), .defaults(.text("serve")),
            "Of a standby pool: `prove` runs its reads on the primary, held to reading, so that PostgreSQL proves before the cut-over "
                + "which of them do not write; `STATS statements` counts them."),
    ]

    private static let pgbouncer: [Setting] = [
        Setting(
            .pgbouncer, "admin", .connection, .required,
            "The console's connection string, `dbname=pgbouncer`, without a password, as that of a pool. The user needs to "
                + "be one of PgBouncer's `stats_users`, or of its `admin_users` for `reconnect`."),
        Setting(
            .pgbouncer, "interval", .duration(100...minute), .defaults(.number(second)),
            "How often the console is asked. A paused database is noticed, and its end, this much later at most."),
        Setting(
            .pgbouncer, "reconnect", .boolean, .defaults(.boolean(false)),
            "Whether RECONNECT may be sent for a pool's database when the server behind it has lost its role, so that "
                + "PgBouncer lets go of that server at once."),
    ]

    private static let rule: [Setting] = [
        Setting(.rule, "name", .line(64), .required, "What receipts, statistics and logs call it."),
        Setting(
            .rule, "kind", .list(.word(statementKinds)), .optional,
            "Matches statements of these kinds. Texts that were not parsed are `unknown`, and have no tables or functions."
        ),
        Setting(
            .rule, "schema", .list(.line(128)), .optional,
            "Matches statements that name something in one of these schemas, or the schema itself; `*` and `?` are wild. A table "
                + "without a schema counts as in `public`."),
        Setting(
            .rule, "table", .list(.line(256)), .optional,
            "Matches statements that name one of these tables, with or without schema; `*` and `?` are wild."),
        Setting(
            .rule, "all", .boolean, .optional,
            "With `table` or `schema`: every table of the statement must match, not only one."),
        Setting(
            .rule, "function", .list(.line(256)), .optional,
            "Matches statements that call one of these functions; `*` and `?` are wild."),
        Setting(
            .rule, "regex", .list(.text(4096)), .optional,
            "Matches statements whose normalised SQL has one of these expressions (RE2's syntax)."),
        Setting(
            .rule, "app", .list(.line(128)), .optional,
            "Matches connections whose HELLO named one of these; `*` and `?` are wild."),
        Setting(
            .rule, "tag", .list(.line(128)), .optional,
            "Matches requests with one of these as @tag, or as `key=value` in an sqlcommenter comment; `*` and `?` are wild."
        ),
        Setting(.rule, "listen", .list(.name), .optional, "Matches connections to these listeners."),
        Setting(
            .rule, "user", .list(.line(64)), .optional,
            "Matches connections of processes that run as one of these users, by name or number (SO_PEERCRED)."),
        Setting(
            .rule, "fingerprint", .list(.line(16)), .optional,
            "Matches statements with one of these fingerprints, as `pointsman route` and STATS show them."),
        Setting(.rule, "using", .name, .optional, "Decides: the cluster."),
        Setting(
            .rule, "route", .word(PoolRole.allCases.map(\.rawValue)), .optional,
            "Decides: the role, in the cluster in force."),
        Setting(.rule, "pool", .name, .optional, "Decides: the pool. What writes never runs on a standby."),
        Setting(.rule, "reject", .section(.reject), .optional, "Decides: an error for the client."),
        Setting(
            .rule, "timeout", .duration(1...24 * hour), .optional,
            "The deadline of matching requests that bring none; the first rule that has one gives it."),
        Setting(
            .rule, "max_lag", .duration(0...24 * hour), .optional,
            "The oldest data that matching reads accept; they go to the primary when the standby is further behind."),
        Setting(
            .rule, "wait", .duration(0...hour), .optional,
            "How long a standby may take to become fresh enough for matching reads, before they go to the primary."),
        Setting(
            .rule, "exclusive", .boolean, .optional,
            "Matching statements never share a batch with others. In this version none do."),
        Setting(
            .rule, "rerun", .boolean, .optional,
            "Whether a matching read that a standby could not serve may run once more elsewhere; say false where it has effects "
                + "that no server sees."),
        Setting(
            .rule, "log", .boolean, .optional,
            "Every matching statement is logged when it ends: normalised, never its parameters."),
    ]

    private static let reject: [Setting] = [
        Setting(.reject, "message", .line(1024), .required, "The error's text."),
        Setting(.reject, "sqlstate", .sqlstate, .defaults(.text("42501")), "The error's code."),
    ]

    private static let defaultRoute: [Setting] = [
        Setting(
            .defaultRoute, "read", .word(PoolRole.allCases.map(\.rawValue)), .defaults(.text("standby")),
            "The role that reads go to, in the cluster in force."),
        Setting(
            .defaultRoute, "write", .word([PoolRole.primary.rawValue]), .defaults(.text("primary")),
            "The role that everything else goes to."),
    ]

    private static let expect: [Setting] = [
        Setting(.expect, "sql", .text(65_536), .required, "The statement."),
        Setting(.expect, "app", .line(128), .optional, "The app that the connection named."),
        Setting(.expect, "tag", .line(128), .optional, "The request's @tag."),
        Setting(.expect, "listen", .name, .optional, "The listener that it came through."),
        Setting(.expect, "user", .line(64), .optional, "The user, by name or number, of the process that asks."),
        Setting(.expect, "using", .name, .optional, "The request's @using: a cluster."),
        Setting(.expect, "kind", .word(statementKinds), .optional, "Expected: the kind."),
        Setting(
            .expect, "access", .word(ExpectedAccess.allCases.map(\.rawValue)), .optional,
            "Expected: whether it is taken for a read or a write."),
        Setting(.expect, "pool", .name, .optional, "Expected: the pool that it goes to."),
        Setting(.expect, "rule", .line(64), .optional, "Expected: the rule that decides."),
        Setting(.expect, "refused", .sqlstate, .optional, "Expected: it is refused with this SQLSTATE."),
    ]
}
