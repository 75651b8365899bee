// Views of PostgreSQL 15's pg_catalog that mean something only on the primary.

/// Those whose definition, through other views too, calls a function that is `primaryOnly`, and no others:
/// Tests/FunctionSurvey derives them from a server's catalogue and compares. Neither information_schema nor a contrib module
/// has one.
struct PrimaryViews {
    /// A function that they call, whose reason is theirs.
    let function: String
    private let list: String

    private init(calling function: String, _ list: String) {
        self.function = function
        self.list = list
    }

    var names: [String] { list.split(whereSeparator: \.isWhitespace).map(String.init) }

    static let all: [PrimaryViews] = [
        .init(calling: "pg_cursor", "pg_cursors"),
        .init(calling: "pg_get_replication_slots", "pg_replication_slots pg_stat_replication_slots"),
        .init(calling: "pg_prepared_statement", "pg_prepared_statements"),
        .init(calling: "pg_prepared_xact", "pg_prepared_xacts"),
        .init(calling: "pg_sequence_last_value", "pg_sequences"),
        .init(calling: "pg_show_replication_origin_status", "pg_replication_origin_status"),
        .init(calling: "pg_stat_get_live_tuples", "pg_stat_all_tables pg_stat_sys_tables pg_stat_user_tables"),
        .init(
            calling: "pg_stat_get_progress_info",
            """
            pg_stat_progress_analyze pg_stat_progress_basebackup pg_stat_progress_cluster pg_stat_progress_copy
            pg_stat_progress_create_index pg_stat_progress_vacuum
            """),
        .init(calling: "pg_stat_get_subscription", "pg_stat_subscription"),
        .init(calling: "pg_stat_get_subscription_stats", "pg_stat_subscription_stats"),
        .init(calling: "pg_stat_get_wal_senders", "pg_stat_replication"),
    ]

    static let names = all.flatMap(\.names)
}
