// Views of PostgreSQL 15's pg_catalog that mean something only on the primary.

/// Those whose definition, through other views too, calls a function that is `primaryOnly`, and no others:
/// Tests/FunctionSurvey derives them from a server's catalogue and compares. Neither information_schema nor a contrib module
/// has one.
enum PrimaryViews {
    static let names = list.split(whereSeparator: \.isWhitespace).map(String.init)

    private static let list = """
        pg_cursors pg_prepared_statements pg_prepared_xacts pg_replication_origin_status pg_replication_slots
        pg_sequences pg_stat_all_tables pg_stat_progress_analyze pg_stat_progress_basebackup
        pg_stat_progress_cluster pg_stat_progress_copy pg_stat_progress_create_index pg_stat_progress_vacuum
        pg_stat_replication pg_stat_replication_slots pg_stat_subscription pg_stat_subscription_stats
        pg_stat_sys_tables pg_stat_user_tables
        """
}
