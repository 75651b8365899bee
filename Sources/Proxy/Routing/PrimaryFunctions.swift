// PostgreSQL 15's own functions, and those of its contrib modules, that must not run on a standby, each with its reason.

struct PrimaryFunctions {
    let meaning: KnownFunctions.Meaning
    /// What a call does that a standby refuses, or does with another meaning.
    let reason: String
    /// Separated by blanks.
    let names: String

    static let groups: [PrimaryFunctions] = [
        .init(
            meaning: .setConfig, reason: "changes the session",
            names: "set_config"),
        .init(
            meaning: .sessionLock,
            reason: "locks for the session: on a standby it succeeds and locks nobody out, in a pool it stays behind",
            names: """
                pg_advisory_lock pg_advisory_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared \
                pg_advisory_unlock pg_advisory_unlock_shared pg_advisory_unlock_all
                """),
        .init(
            meaning: .primaryOnly, reason: "locks for the transaction: on a standby it succeeds and locks nobody out",
            names: """
                pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_xact_lock \
                pg_try_advisory_xact_lock_shared
                """),
        .init(
            meaning: .primaryOnly, reason: "a sequence's state",
            names: "nextval setval currval lastval pg_sequence_last_value"),
        .init(
            meaning: .primaryOnly, reason: "assigns or reads the transaction's id, or the primary's record of commits",
            names: """
                txid_current txid_current_if_assigned txid_current_snapshot txid_status pg_current_xact_id \
                pg_current_xact_id_if_assigned pg_current_snapshot pg_xact_status pg_last_committed_xact \
                pg_xact_commit_timestamp pg_xact_commit_timestamp_origin
                """),
        .init(
            meaning: .primaryOnly, reason: "the primary's notifications", names: "pg_notify pg_notification_queue_usage"
        ),
        .init(
            meaning: .primaryOnly, reason: "a large object: writes, or opens a descriptor of the transaction",
            names: """
                lo_creat lo_create lo_import lo_export lo_unlink lo_from_bytea lo_put lo_open lo_close lo_lseek lo_lseek64 \
                lo_tell lo_tell64 lo_truncate lo_truncate64 loread lowrite
                """),
        .init(
            meaning: .primaryOnly, reason: "resets the statistics of the server that runs it",
            names: """
                pg_stat_reset pg_stat_reset_shared pg_stat_reset_single_table_counters \
                pg_stat_reset_single_function_counters pg_stat_reset_slru pg_stat_reset_replication_slot \
                pg_stat_reset_subscription_stats pg_stat_statements_reset
                """),
        .init(
            meaning: .primaryOnly, reason: "a snapshot that only its own server knows",
            names: "pg_export_snapshot"),
        .init(
            meaning: .primaryOnly, reason: "signals another session of the server that runs it",
            names: "pg_terminate_backend pg_cancel_backend pg_log_backend_memory_contexts"),
        .init(
            meaning: .primaryOnly, reason: "the primary's position in the WAL",
            names: """
                pg_current_wal_lsn pg_current_wal_insert_lsn pg_current_wal_flush_lsn pg_walfile_name \
                pg_walfile_name_offset
                """),
        .init(
            meaning: .primaryOnly, reason: "writes WAL, or controls WAL, backup or the server",
            names: """
                pg_switch_wal pg_create_restore_point pg_backup_start pg_backup_stop pg_start_backup pg_stop_backup \
                pg_promote pg_wal_replay_pause pg_wal_replay_resume pg_reload_conf pg_rotate_logfile pg_rotate_logfile_old \
                pg_logical_emit_message pg_log_standby_snapshot
                """),
        .init(
            meaning: .primaryOnly, reason: "a replication slot",
            names: """
                pg_create_physical_replication_slot pg_create_logical_replication_slot pg_drop_replication_slot \
                pg_copy_physical_replication_slot pg_copy_logical_replication_slot pg_replication_slot_advance \
                pg_logical_slot_get_changes pg_logical_slot_get_binary_changes pg_logical_slot_peek_changes \
                pg_logical_slot_peek_binary_changes pg_sync_replication_slots
                """),
        .init(
            meaning: .primaryOnly, reason: "a replication origin",
            names: """
                pg_replication_origin_create pg_replication_origin_drop pg_replication_origin_advance \
                pg_replication_origin_progress pg_replication_origin_session_setup \
                pg_replication_origin_session_reset pg_replication_origin_session_is_setup \
                pg_replication_origin_session_progress pg_replication_origin_xact_setup \
                pg_replication_origin_xact_reset
                """),
        .init(
            meaning: .primaryOnly, reason: "changes an index, a catalogue or the planner's statistics",
            names: """
                brin_summarize_new_values brin_summarize_range brin_desummarize_range gin_clean_pending_list \
                pg_import_system_collations pg_extension_config_dump pg_nextoid pg_stop_making_pinned_objects \
                pg_restore_relation_stats pg_restore_attribute_stats pg_clear_relation_stats pg_clear_attribute_stats
                """),
        .init(
            meaning: .primaryOnly, reason: "runs SQL given as a text, which cannot be judged",
            names: """
                query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema \
                ts_stat ts_rewrite dblink dblink_exec dblink_send_query dblink_open connectby crosstab crosstab2 crosstab3 crosstab4
                """),
        .init(
            meaning: .primaryOnly, reason: "a connection of the session to another server",
            names: """
                dblink_connect dblink_connect_u dblink_disconnect dblink_get_connections dblink_get_result dblink_fetch \
                dblink_close dblink_cancel_query dblink_is_busy dblink_error_message dblink_get_notify \
                postgres_fdw_disconnect postgres_fdw_disconnect_all
                """),
        .init(
            meaning: .primaryOnly, reason: "writes or reads the files or the buffers of the server that runs it",
            names: """
                pg_file_write pg_file_rename pg_file_unlink pg_file_sync pg_logdir_ls pg_read_file pg_read_file_old \
                pg_read_binary_file pg_ls_dir pg_ls_logdir pg_ls_waldir pg_ls_archive_statusdir pg_ls_tmpdir \
                pg_ls_logicalsnapdir pg_ls_logicalmapdir pg_ls_replslotdir pg_stat_file pg_current_logfile \
                pg_prewarm autoprewarm_start_worker autoprewarm_dump_now pg_truncate_visibility_map heap_force_kill \
                heap_force_freeze
                """),
        .init(
            meaning: .primaryOnly, reason: "pg_upgrade's own, which change catalogues",
            names: """
                binary_upgrade_create_empty_extension binary_upgrade_set_missing_value \
                binary_upgrade_set_record_init_privs binary_upgrade_set_next_heap_relfilenode
                """),
    ]
}
