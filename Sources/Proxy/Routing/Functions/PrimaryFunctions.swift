// PostgreSQL's own functions that must not run on a standby.

extension FunctionGroup {
    static let primary: [FunctionGroup] = [
        .init(.setConfig, "changes the session unless its third argument is true", "set_config"),
        .init(
            .sessionLock,
            "locks for the session: on a standby it succeeds and locks nobody out, in a pool it stays behind",
            """
            pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all
            pg_advisory_unlock_shared pg_try_advisory_lock pg_try_advisory_lock_shared
            """),
        .init(
            .primaryOnly, "locks for the transaction: on a standby it succeeds and locks nobody out",
            """
            pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_xact_lock
            pg_try_advisory_xact_lock_shared
            """),
        .init(.primaryOnly, "leaves a seed behind in the session: its next random numbers depend on it", "setseed"),
        .init(
            .primaryOnly, "a sequence's state, or the session's last value of one",
            """
            currval lastval nextval pg_sequence_last_value setval
            """),
        .init(
            .primaryOnly,
            "transaction ids, which only the primary assigns; snapshots, which only the server that made one knows",
            """
            pg_current_snapshot pg_current_xact_id pg_current_xact_id_if_assigned pg_export_snapshot
            pg_get_multixact_members txid_current txid_current_if_assigned txid_current_snapshot
            """),
        .init(
            .primaryOnly, "the primary's record of commits and of prepared transactions",
            """
            pg_last_committed_xact pg_prepared_xact pg_xact_commit_timestamp pg_xact_commit_timestamp_origin
            pg_xact_status txid_status
            """),
        .init(
            .primaryOnly, "notifications: only the primary has them, and a session that listens",
            """
            pg_listening_channels pg_notification_queue_usage pg_notify
            """),
        .init(
            .primaryOnly, "a large object: writes, or a descriptor of the transaction",
            """
            lo_close lo_creat lo_create lo_export lo_from_bytea lo_import lo_lseek lo_lseek64 lo_open lo_put lo_tell
            lo_tell64 lo_truncate lo_truncate64 lo_unlink loread lowrite
            """),
        .init(.primaryOnly, "the cursors and prepared statements of the session", "pg_cursor pg_prepared_statement"),
        .init(
            .primaryOnly, "resets the statistics of the server that runs it",
            """
            pg_stat_reset pg_stat_reset_replication_slot pg_stat_reset_shared pg_stat_reset_single_function_counters
            pg_stat_reset_single_table_counters pg_stat_reset_slru pg_stat_reset_subscription_stats
            """),
        .init(
            .primaryOnly,
            "what only the primary counts of a table: rows written, live and dead, VACUUM, ANALYZE; 0 on a standby",
            """
            pg_stat_get_analyze_count pg_stat_get_autoanalyze_count pg_stat_get_autovacuum_count
            pg_stat_get_dead_tuples pg_stat_get_ins_since_vacuum pg_stat_get_last_analyze_time
            pg_stat_get_last_autoanalyze_time pg_stat_get_last_autovacuum_time pg_stat_get_last_vacuum_time
            pg_stat_get_live_tuples pg_stat_get_mod_since_analyze pg_stat_get_tuples_deleted
            pg_stat_get_tuples_hot_updated pg_stat_get_tuples_inserted pg_stat_get_tuples_updated
            pg_stat_get_vacuum_count
            """),
        .init(
            .primaryOnly, "the progress of maintenance commands, which only the primary runs",
            """
            pg_stat_get_progress_info
            """),
        .init(
            .primaryOnly, "signals another session of the server that runs it",
            """
            pg_cancel_backend pg_log_backend_memory_contexts pg_terminate_backend
            """),
        .init(
            .primaryOnly, "the primary's position in the WAL",
            """
            pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn pg_walfile_name
            pg_walfile_name_offset
            """),
        .init(
            .primaryOnly, "writes WAL, or controls WAL, backup, replay or the server",
            """
            pg_backup_start pg_backup_stop pg_create_restore_point pg_logical_emit_message pg_promote pg_reload_conf
            pg_rotate_logfile pg_rotate_logfile_old pg_switch_wal pg_wal_replay_pause pg_wal_replay_resume
            """),
        .init(
            .primaryOnly, "replication slots, senders and subscriptions: the primary's",
            """
            pg_copy_logical_replication_slot pg_copy_physical_replication_slot pg_create_logical_replication_slot
            pg_create_physical_replication_slot pg_drop_replication_slot pg_get_replication_slots
            pg_logical_slot_get_binary_changes pg_logical_slot_get_changes pg_logical_slot_peek_binary_changes
            pg_logical_slot_peek_changes pg_replication_slot_advance pg_stat_get_replication_slot
            pg_stat_get_subscription pg_stat_get_subscription_stats pg_stat_get_wal_senders
            """),
        .init(
            .primaryOnly, "replication origins: the primary's, or the session's",
            """
            pg_replication_origin_advance pg_replication_origin_create pg_replication_origin_drop
            pg_replication_origin_oid pg_replication_origin_progress pg_replication_origin_session_is_setup
            pg_replication_origin_session_progress pg_replication_origin_session_reset
            pg_replication_origin_session_setup pg_replication_origin_xact_reset pg_replication_origin_xact_setup
            pg_show_replication_origin_status
            """),
        .init(
            .primaryOnly, "changes an index, a catalogue or what protects one",
            """
            brin_desummarize_range brin_summarize_new_values brin_summarize_range gin_clean_pending_list
            pg_extension_config_dump pg_import_system_collations pg_nextoid pg_stop_making_pinned_objects
            """),
        .init(
            .primaryOnly, "runs SQL given as a text, or the query of a session's cursor, which cannot be judged",
            """
            cursor_to_xml cursor_to_xmlschema query_to_xml query_to_xml_and_xmlschema query_to_xmlschema ts_rewrite
            ts_stat
            """),
        .init(
            .primaryOnly,
            "the files of the server that runs it: whoever reads one means the server where it was written",
            """
            pg_current_logfile pg_ls_archive_statusdir pg_ls_dir pg_ls_logdir pg_ls_logicalmapdir
            pg_ls_logicalsnapdir pg_ls_replslotdir pg_ls_tmpdir pg_ls_waldir pg_read_binary_file pg_read_file
            pg_read_file_old pg_stat_file
            """),
        .init(
            .primaryOnly, "pg_upgrade's own, which change catalogues",
            """
            binary_upgrade_create_empty_extension binary_upgrade_set_missing_value
            binary_upgrade_set_next_array_pg_type_oid binary_upgrade_set_next_heap_pg_class_oid
            binary_upgrade_set_next_heap_relfilenode binary_upgrade_set_next_index_pg_class_oid
            binary_upgrade_set_next_index_relfilenode binary_upgrade_set_next_multirange_array_pg_type_oid
            binary_upgrade_set_next_multirange_pg_type_oid binary_upgrade_set_next_pg_authid_oid
            binary_upgrade_set_next_pg_enum_oid binary_upgrade_set_next_pg_tablespace_oid
            binary_upgrade_set_next_pg_type_oid binary_upgrade_set_next_toast_pg_class_oid
            binary_upgrade_set_next_toast_relfilenode binary_upgrade_set_record_init_privs
            """),
    ]
}
