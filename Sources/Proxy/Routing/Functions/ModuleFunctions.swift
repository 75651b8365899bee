// The functions of the contrib modules.

extension FunctionGroup {
    /// From adminpack to ltree.
    static let modulesToL: [FunctionGroup] = [
        .init(
            .primaryOnly, module: "adminpack", "the files of the server that runs it",
            """
            pg_file_rename pg_file_sync pg_file_unlink pg_file_write pg_logdir_ls
            """),
        .init(
            .primaryOnly, module: "amcheck", "locks the table against writes, which a standby refuses",
            """
            bt_index_parent_check
            """),
        .init(
            .harmless, module: "amcheck", "checks pages as the server that answers has them",
            """
            bt_index_check verify_heapam
            """),
        .init(.pure, module: "btree_gin", "what its indexes call", "gin_enum_cmp gin_numeric_cmp"),
        .init(
            .pure, module: "btree_gist", "distances, and what its indexes call",
            """
            cash_dist date_dist float4_dist float8_dist gbtreekey16_in gbtreekey16_out gbtreekey2_in gbtreekey2_out
            gbtreekey32_in gbtreekey32_out gbtreekey4_in gbtreekey4_out gbtreekey8_in gbtreekey8_out
            gbtreekey_var_in gbtreekey_var_out int2_dist int4_dist int8_dist interval_dist oid_dist time_dist
            ts_dist tstz_dist
            """),
        .init(
            .pure, module: "citext", "text without regard to case",
            """
            citext citext_cmp citext_eq citext_ge citext_gt citext_hash citext_hash_extended citext_larger citext_le
            citext_lt citext_ne citext_pattern_cmp citext_pattern_ge citext_pattern_gt citext_pattern_le
            citext_pattern_lt citext_smaller citextin citextout citextsend
            """),
        .init(
            .pure, module: "cube", "cubes",
            """
            cube cube_cmp cube_contained cube_contains cube_coord cube_coord_llur cube_dim cube_distance
            cube_enlarge cube_eq cube_ge cube_gt cube_in cube_inter cube_is_point cube_le cube_ll_coord cube_lt
            cube_ne cube_out cube_overlap cube_send cube_size cube_subset cube_union cube_ur_coord
            distance_chebyshev distance_taxicab
            """),
        .init(
            .primaryOnly, module: "dblink", "runs SQL given as a text, on another server",
            """
            dblink dblink_exec dblink_open dblink_send_query
            """),
        .init(
            .primaryOnly, module: "dblink", "a connection of the session to another server",
            """
            dblink_cancel_query dblink_close dblink_connect dblink_connect_u dblink_disconnect dblink_error_message
            dblink_fetch dblink_get_connections dblink_get_notify dblink_get_result dblink_is_busy
            """),
        .init(
            .harmless, module: "dblink",
            "reads the session, the catalogues, or a row of a relation that only its arguments name",
            """
            dblink_build_sql_delete dblink_build_sql_insert dblink_build_sql_update dblink_current_query
            dblink_fdw_validator dblink_get_pkey
            """),
        .init(
            .pure, module: "earthdistance", "distances on a sphere",
            """
            earth earth_box earth_distance gc_to_sec geo_distance latitude ll_to_earth longitude sec_to_gc
            """),
        .init(.harmless, module: "file_fdw", "checks a definition in the catalogues", "file_fdw_validator"),
        .init(
            .pure, module: "fuzzystrmatch", "likeness of words",
            """
            difference dmetaphone dmetaphone_alt levenshtein levenshtein_less_equal metaphone soundex text_soundex
            """),
        .init(
            .pure, module: "hstore", "sets of keys and values",
            """
            akeys avals defined delete each exist exists_all exists_any fetchval ghstore_in ghstore_out hs_concat
            hs_contained hs_contains hstore hstore_cmp hstore_eq hstore_ge hstore_gt hstore_hash
            hstore_hash_extended hstore_in hstore_le hstore_lt hstore_ne hstore_out hstore_send hstore_to_array
            hstore_to_json hstore_to_json_loose hstore_to_jsonb hstore_to_jsonb_loose hstore_to_matrix
            hstore_version_diag isdefined isexists populate_record skeys slice slice_array svals tconvert
            """),
        .init(.pure, module: "intagg", "arrays of integers", "int_array_aggregate int_array_enum"),
        .init(
            .pure, module: "intarray", "arrays of integers",
            """
            _int_contained _int_contains _int_different _int_inter _int_overlap _int_same _int_union _intbig_in
            _intbig_out boolop bqarr_in bqarr_out icount idx intarray_del_elem intarray_push_array
            intarray_push_elem intset intset_subtract intset_union_elem rboolop sort sort_asc sort_desc subarray
            uniq
            """),
        .init(.primaryOnly, module: "isn", "changes, or reads, a switch of the session", "isn_weak"),
        .init(
            .pure, module: "isn", "product numbers",
            """
            btean13cmp btisbn13cmp btisbncmp btismn13cmp btismncmp btissn13cmp btissncmp btupccmp ean13_in ean13_out
            hashean13 hashisbn hashisbn13 hashismn hashismn13 hashissn hashissn13 hashupc is_valid isbn isbn13
            isbn13_in isbn_in ismn ismn13 ismn13_in ismn_in isn_out isneq isnge isngt isnle isnlt isnne issn issn13
            issn13_in issn_in make_valid upc upc_in
            """),
        .init(.pure, module: "lo", "a large object's id", "lo_oid"),
        .init(
            .pure, module: "ltree", "paths of labels",
            """
            _lt_q_regex _lt_q_rregex _ltq_extract_regex _ltq_regex _ltq_rregex _ltree_extract_isparent
            _ltree_extract_risparent _ltree_isparent _ltree_r_isparent _ltree_r_risparent _ltree_risparent
            _ltxtq_exec _ltxtq_extract_exec _ltxtq_rexec index lca lquery_in lquery_out lquery_send lt_q_regex
            lt_q_rregex ltq_regex ltq_rregex ltree2text ltree_addltree ltree_addtext ltree_cmp ltree_eq ltree_ge
            ltree_gist_in ltree_gist_out ltree_gt ltree_in ltree_isparent ltree_le ltree_lt ltree_ne ltree_out
            ltree_risparent ltree_send ltree_textadd ltxtq_exec ltxtq_in ltxtq_out ltxtq_rexec ltxtq_send nlevel
            subltree subpath text2ltree
            """),
    ]

    /// From old_snapshot to xml2.
    static let modulesFromM: [FunctionGroup] = [
        .init(
            .primaryOnly, module: "old_snapshot", "transaction ids by the time of the primary's snapshots",
            """
            pg_old_snapshot_time_mapping
            """),
        .init(
            .harmless, module: "pageinspect", "reads pages as the server that answers has them, or takes one apart",
            """
            brin_metapage_info brin_page_items brin_page_type brin_revmap_data bt_metap bt_page_items bt_page_stats
            fsm_page_contents get_raw_page gin_leafpage_items gin_metapage_info gin_page_opaque_info gist_page_items
            gist_page_items_bytea gist_page_opaque_info hash_bitmap_info hash_metapage_info hash_page_items
            hash_page_stats hash_page_type heap_page_item_attrs heap_page_items heap_tuple_infomask_flags
            page_checksum page_header tuple_data_split
            """),
        .init(.harmless, module: "pg_buffercache", "the buffers of the server that answers", "pg_buffercache_pages"),
        .init(.harmless, module: "pg_freespacemap", "reads pages as the server that answers has them", "pg_freespace"),
        .init(
            .primaryOnly, module: "pg_prewarm",
            "changes the buffers, or what is kept of them, of the server that runs it",
            """
            autoprewarm_dump_now autoprewarm_start_worker pg_prewarm
            """),
        .init(
            .primaryOnly, module: "pg_stat_statements", "resets the statistics of the server that runs it",
            """
            pg_stat_statements_reset
            """),
        .init(
            .harmless, module: "pg_stat_statements", "statistics of the server that answers",
            """
            pg_stat_statements pg_stat_statements_info
            """),
        .init(.primaryOnly, module: "pg_surgery", "changes pages of a table", "heap_force_freeze heap_force_kill"),
        .init(.primaryOnly, module: "pg_trgm", "changes a setting of the session", "set_limit"),
        .init(.harmless, module: "pg_trgm", "asks for a setting of the session", "show_limit"),
        .init(
            .pure, module: "pg_trgm", "likeness of texts",
            """
            gtrgm_in gtrgm_out show_trgm similarity similarity_dist similarity_op strict_word_similarity
            strict_word_similarity_commutator_op strict_word_similarity_dist_commutator_op
            strict_word_similarity_dist_op strict_word_similarity_op word_similarity word_similarity_commutator_op
            word_similarity_dist_commutator_op word_similarity_dist_op word_similarity_op
            """),
        .init(.primaryOnly, module: "pg_visibility", "changes the visibility map", "pg_truncate_visibility_map"),
        .init(
            .harmless, module: "pg_visibility", "reads pages as the server that answers has them",
            """
            pg_check_frozen pg_check_visible pg_visibility pg_visibility_map pg_visibility_map_summary
            """),
        .init(
            .harmless, module: "pg_walinspect", "reads the WAL that the server that answers has",
            """
            pg_get_wal_record_info pg_get_wal_records_info pg_get_wal_records_info_till_end_of_wal pg_get_wal_stats
            pg_get_wal_stats_till_end_of_wal
            """),
        .init(
            .harmless, module: "pgcrypto", "random",
            """
            gen_random_bytes gen_salt pgp_pub_encrypt pgp_pub_encrypt_bytea pgp_sym_encrypt pgp_sym_encrypt_bytea
            """),
        .init(
            .pure, module: "pgcrypto", "hashes and decryption with a given key",
            """
            armor crypt dearmor decrypt decrypt_iv digest encrypt encrypt_iv hmac pgp_armor_headers pgp_key_id
            pgp_pub_decrypt pgp_pub_decrypt_bytea pgp_sym_decrypt pgp_sym_decrypt_bytea
            """),
        .init(
            .primaryOnly, module: "pgrowlocks", "the row locks of transactions, which only the primary has",
            """
            pgrowlocks
            """),
        .init(
            .harmless, module: "pgstattuple", "reads pages as the server that answers has them",
            """
            pg_relpages pgstatginindex pgstathashindex pgstatindex pgstattuple pgstattuple_approx
            """),
        .init(
            .primaryOnly, module: "postgres_fdw", "the session's connections to other servers",
            """
            postgres_fdw_disconnect postgres_fdw_disconnect_all postgres_fdw_get_connections
            """),
        .init(.harmless, module: "postgres_fdw", "checks a definition in the catalogues", "postgres_fdw_validator"),
        .init(
            .pure, module: "seg", "intervals of numbers",
            """
            seg_center seg_cmp seg_contained seg_contains seg_different seg_ge seg_gt seg_in seg_inter seg_le
            seg_left seg_lower seg_lt seg_out seg_over_left seg_over_right seg_overlap seg_right seg_same seg_size
            seg_union seg_upper
            """),
        .init(
            .harmless, module: "sslinfo", "asks about the connection of the session",
            """
            ssl_cipher ssl_client_cert_present ssl_client_dn ssl_client_dn_field ssl_client_serial
            ssl_extension_info ssl_is_used ssl_issuer_dn ssl_issuer_field ssl_version
            """),
        .init(
            .primaryOnly, module: "tablefunc", "runs SQL given as a text, which cannot be judged",
            """
            connectby crosstab crosstab2 crosstab3 crosstab4
            """),
        .init(.harmless, module: "tablefunc", "random", "normal_rand"),
        .init(.pure, module: "unaccent", "text without accents", "unaccent"),
        .init(
            .harmless, module: "uuid-ossp", "random, or the clock and the address of the server that answers",
            """
            uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4
            """),
        .init(
            .pure, module: "uuid-ossp", "UUIDs of given names",
            """
            uuid_generate_v3 uuid_generate_v5 uuid_nil uuid_ns_dns uuid_ns_oid uuid_ns_url uuid_ns_x500
            """),
        .init(.primaryOnly, module: "xml2", "runs SQL made of its arguments, which cannot be judged", "xpath_table"),
        .init(.harmless, module: "xml2", "runs a style sheet, given as a text", "xslt_process"),
        .init(
            .pure, module: "xml2", "XML from its arguments",
            """
            xml_encode_special_chars xml_valid xpath_bool xpath_list xpath_nodeset xpath_number xpath_string
            """),
    ]
}
