// Functions that PostgreSQL 15 does not have, but others that a cluster may run do.

extension FunctionGroup {
    static let otherVersions: [FunctionGroup] = [
        .init(
            .primaryOnly, "PostgreSQL 12 to 14: backups in the older way",
            """
            pg_backup_start_time pg_is_in_backup pg_start_backup pg_stop_backup
            """),
        .init(
            .primaryOnly,
            "PostgreSQL 16 to 18: writes WAL, changes slots, catalogues, buffers or the planner's statistics",
            """
            binary_upgrade_add_sub_rel_state binary_upgrade_create_conflict_detection_slot
            binary_upgrade_logical_slot_has_caught_up binary_upgrade_replorigin_advance pg_buffercache_evict
            pg_buffercache_evict_all pg_buffercache_evict_relation pg_clear_attribute_stats pg_clear_relation_stats
            pg_log_standby_snapshot pg_restore_attribute_stats pg_restore_relation_stats pg_set_attribute_stats
            pg_set_relation_stats pg_stat_reset_backend_stats pg_sync_replication_slots
            """),
        .init(
            .primaryOnly, "PostgreSQL 16 to 18: what only the primary counts of a table",
            """
            pg_stat_get_total_analyze_time pg_stat_get_total_autoanalyze_time pg_stat_get_total_autovacuum_time
            pg_stat_get_total_vacuum_time pg_stat_get_tuples_newpage_updated
            """),
        .init(
            .harmless, "PostgreSQL 16 to 18: random, the clock, or the session",
            """
            array_sample array_shuffle random_normal system_user uuidv4 uuidv7
            """),
        .init(
            .pure, "PostgreSQL 16 to 18: of their arguments",
            """
            any_value array_reverse array_sort casefold crc32 crc32c date_add date_subtract erf erfc gamma lgamma
            pg_input_error_info pg_input_is_valid to_bin to_oct uuid_extract_timestamp uuid_extract_version xmltext
            """),
    ]
}
