// PostgreSQL's own functions that run on a standby with the same meaning, but not beside another client's statement.

extension FunctionGroup {
    static let harmless: [FunctionGroup] = [
        .init(
            .harmless, "random, or the clock at the moment of the call",
            """
            clock_timestamp gen_random_uuid random timeofday
            """),
        .init(.harmless, "waits", "pg_sleep pg_sleep_for pg_sleep_until"),
        .init(
            .harmless, "asks about the session: its user, database, address, settings, statement or transaction",
            """
            current_database current_query current_schema current_schemas current_setting current_user
            get_current_ts_config getdatabaseencoding getpgusername inet_client_addr inet_client_port pg_backend_pid
            pg_client_encoding pg_get_backend_memory_contexts pg_is_other_temp_schema pg_my_temp_schema
            pg_settings_get_flags pg_show_all_settings pg_stat_clear_snapshot pg_stat_force_next_flush
            pg_stat_get_xact_blocks_fetched pg_stat_get_xact_blocks_hit pg_stat_get_xact_function_calls
            pg_stat_get_xact_function_self_time pg_stat_get_xact_function_total_time pg_stat_get_xact_numscans
            pg_stat_get_xact_tuples_deleted pg_stat_get_xact_tuples_fetched pg_stat_get_xact_tuples_hot_updated
            pg_stat_get_xact_tuples_inserted pg_stat_get_xact_tuples_returned pg_stat_get_xact_tuples_updated
            pg_trigger_depth row_security_active session_user
            """),
        .init(
            .harmless, "asks about privileges, mostly the current user's",
            """
            has_any_column_privilege has_column_privilege has_database_privilege has_foreign_data_wrapper_privilege
            has_function_privilege has_language_privilege has_parameter_privilege has_schema_privilege
            has_sequence_privilege has_server_privilege has_table_privilege has_tablespace_privilege
            has_type_privilege pg_has_role
            """),
        .init(
            .harmless, "names of objects: what they mean depends on the session's search path",
            """
            format_type pg_collation_is_visible pg_conversion_is_visible pg_function_is_visible
            pg_opclass_is_visible pg_operator_is_visible pg_opfamily_is_visible pg_statistics_obj_is_visible
            pg_table_is_visible pg_ts_config_is_visible pg_ts_dict_is_visible pg_ts_parser_is_visible
            pg_ts_template_is_visible pg_type_is_visible regclass regclassin regclassout regclasssend regcollationin
            regcollationout regcollationsend regconfigin regconfigout regconfigsend regdictionaryin regdictionaryout
            regdictionarysend regnamespacein regnamespaceout regnamespacesend regoperatorin regoperatorout
            regoperatorsend regoperin regoperout regopersend regprocedurein regprocedureout regproceduresend
            regprocin regprocout regprocsend regrolein regroleout regrolesend regtypein regtypeout regtypesend
            to_regclass to_regcollation to_regnamespace to_regoper to_regoperator to_regproc to_regprocedure
            to_regrole to_regtype
            """),
        .init(
            .harmless, "reads catalogues, which a snapshot of its own may show newer than the statement does",
            """
            _pg_index_position col_description obj_description oidvectortypes pg_available_extension_versions
            pg_available_extensions pg_collation_actual_version pg_column_is_updatable pg_describe_object
            pg_extension_update_paths pg_get_catalog_foreign_keys pg_get_constraintdef pg_get_expr
            pg_get_function_arg_default pg_get_function_arguments pg_get_function_identity_arguments
            pg_get_function_result pg_get_function_sqlbody pg_get_functiondef pg_get_indexdef pg_get_keywords
            pg_get_object_address pg_get_partition_constraintdef pg_get_partkeydef pg_get_publication_tables
            pg_get_replica_identity_index pg_get_ruledef pg_get_serial_sequence pg_get_statisticsobjdef
            pg_get_statisticsobjdef_columns pg_get_statisticsobjdef_expressions pg_get_triggerdef pg_get_userbyid
            pg_get_viewdef pg_identify_object pg_identify_object_as_address pg_index_column_has_property
            pg_index_has_property pg_indexam_has_property pg_partition_ancestors pg_partition_root pg_partition_tree
            pg_relation_is_publishable pg_relation_is_updatable pg_sequence_parameters pg_tablespace_databases
            satisfies_hash_partition shobj_description
            """),
        .init(
            .harmless, "checks a definition in the catalogues",
            """
            amvalidate fmgr_c_validator fmgr_internal_validator fmgr_sql_validator plpgsql_validator
            postgresql_fdw_validator
            """),
        .init(
            .harmless, "files and sizes of relations, as the server that answers has them",
            """
            currtid2 pg_database_size pg_filenode_relation pg_indexes_size pg_relation_filenode pg_relation_filepath
            pg_relation_size pg_table_size pg_tablespace_location pg_tablespace_size pg_total_relation_size
            """),
        .init(
            .harmless,
            "asks about the server that answers: its version, role, recovery, settings, memory, locks or clock tables",
            """
            inet_server_addr inet_server_port mxid_age pg_blocking_pids pg_conf_load_time pg_config
            pg_control_checkpoint pg_control_init pg_control_recovery pg_control_system
            pg_database_collation_actual_version pg_get_shmem_allocations pg_get_wal_replay_pause_state
            pg_get_wal_resource_managers pg_hba_file_rules pg_ident_file_mappings pg_is_in_recovery
            pg_is_wal_replay_paused pg_isolation_test_session_is_blocked pg_jit_available pg_last_wal_receive_lsn
            pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_lock_status pg_postmaster_start_time
            pg_safe_snapshot_blocking_pids pg_show_all_file_settings pg_timezone_abbrevs pg_timezone_names version
            """),
        .init(
            .harmless, "statistics of the server that answers",
            """
            pg_stat_get_activity pg_stat_get_archiver pg_stat_get_backend_activity
            pg_stat_get_backend_activity_start pg_stat_get_backend_client_addr pg_stat_get_backend_client_port
            pg_stat_get_backend_dbid pg_stat_get_backend_idset pg_stat_get_backend_pid pg_stat_get_backend_start
            pg_stat_get_backend_userid pg_stat_get_backend_wait_event pg_stat_get_backend_wait_event_type
            pg_stat_get_backend_xact_start pg_stat_get_bgwriter_buf_written_checkpoints
            pg_stat_get_bgwriter_buf_written_clean pg_stat_get_bgwriter_maxwritten_clean
            pg_stat_get_bgwriter_requested_checkpoints pg_stat_get_bgwriter_stat_reset_time
            pg_stat_get_bgwriter_timed_checkpoints pg_stat_get_blocks_fetched pg_stat_get_blocks_hit
            pg_stat_get_buf_alloc pg_stat_get_buf_fsync_backend pg_stat_get_buf_written_backend
            pg_stat_get_checkpoint_sync_time pg_stat_get_checkpoint_write_time pg_stat_get_db_active_time
            pg_stat_get_db_blk_read_time pg_stat_get_db_blk_write_time pg_stat_get_db_blocks_fetched
            pg_stat_get_db_blocks_hit pg_stat_get_db_checksum_failures pg_stat_get_db_checksum_last_failure
            pg_stat_get_db_conflict_all pg_stat_get_db_conflict_bufferpin pg_stat_get_db_conflict_lock
            pg_stat_get_db_conflict_snapshot pg_stat_get_db_conflict_startup_deadlock
            pg_stat_get_db_conflict_tablespace pg_stat_get_db_deadlocks pg_stat_get_db_idle_in_transaction_time
            pg_stat_get_db_numbackends pg_stat_get_db_session_time pg_stat_get_db_sessions
            pg_stat_get_db_sessions_abandoned pg_stat_get_db_sessions_fatal pg_stat_get_db_sessions_killed
            pg_stat_get_db_stat_reset_time pg_stat_get_db_temp_bytes pg_stat_get_db_temp_files
            pg_stat_get_db_tuples_deleted pg_stat_get_db_tuples_fetched pg_stat_get_db_tuples_inserted
            pg_stat_get_db_tuples_returned pg_stat_get_db_tuples_updated pg_stat_get_db_xact_commit
            pg_stat_get_db_xact_rollback pg_stat_get_function_calls pg_stat_get_function_self_time
            pg_stat_get_function_total_time pg_stat_get_numscans pg_stat_get_recovery_prefetch pg_stat_get_slru
            pg_stat_get_snapshot_timestamp pg_stat_get_tuples_fetched pg_stat_get_tuples_returned pg_stat_get_wal
            pg_stat_get_wal_receiver pg_stat_have_stats
            """),
        .init(
            .harmless, "asks about the event trigger in whose call it stands; an error anywhere else",
            """
            pg_event_trigger_ddl_commands pg_event_trigger_dropped_objects pg_event_trigger_table_rewrite_oid
            pg_event_trigger_table_rewrite_reason
            """),
        .init(
            .harmless, "reads whole relations that only its arguments name",
            """
            database_to_xml database_to_xml_and_xmlschema database_to_xmlschema schema_to_xml
            schema_to_xml_and_xmlschema schema_to_xmlschema table_to_xml table_to_xml_and_xmlschema
            table_to_xmlschema
            """),
        .init(.harmless, "reads a large object", "lo_get"),
        .init(
            .harmless, "makes a value of a type that only its arguments name: the checks of domains in it run",
            """
            array_in domain_in json_populate_record json_populate_recordset json_to_record json_to_recordset
            jsonb_populate_record jsonb_populate_recordset jsonb_to_record jsonb_to_recordset multirange_in range_in
            record_in
            """),
    ]
}
