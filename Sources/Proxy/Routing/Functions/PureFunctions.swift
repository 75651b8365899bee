// PostgreSQL's own pure functions that statements call by name, by subject.

extension FunctionGroup {
    static let pure: [FunctionGroup] = [
        .init(
            .pure, "numbers",
            """
            abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cash_words cbrt ceil ceiling cos
            cosd cosh cot cotd degrees dexp div dlog1 dlog10 dround dtrunc exp factorial floor gcd generate_series
            lcm ln log log10 min_scale mod numeric_div_trunc numeric_exp numeric_ln numeric_log numeric_sqrt pi pow
            power radians round scale sign sin sind sinh sqrt tan tand tanh to_char to_number trim_scale trunc
            width_bucket
            """),
        .init(
            .pure, "texts",
            """
            ascii bit_length btrim char_length character_length chr concat concat_ws convert convert_from convert_to
            format initcap is_normalized left length like like_escape lower lpad ltrim md5 normalize notlike
            octet_length overlay parse_ident pg_char_to_encoding pg_encoding_max_length pg_encoding_to_char
            pg_size_bytes pg_size_pretty position quote_ident quote_literal quote_nullable regexp_count regexp_instr
            regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table
            regexp_substr repeat replace reverse right rpad rtrim similar_escape similar_to_escape split_part
            starts_with string_to_array string_to_table strpos substr substring to_ascii to_hex translate unistr
            upper
            """),
        .init(
            .pure, "strings of bits and bytes, and their digests",
            """
            bit_count decode encode get_bit get_byte set_bit set_byte sha224 sha256 sha384 sha512
            """),
        .init(
            .pure, "dates and times; now() and its kin are of the transaction or the statement",
            """
            age date_bin date_part date_trunc extract isfinite justify_days justify_hours justify_interval make_date
            make_interval make_time make_timestamp make_timestamptz now overlaps statement_timestamp timezone
            to_date to_timestamp transaction_timestamp
            """),
        .init(
            .pure, "JSON",
            """
            array_to_json json_array_elements json_array_elements_text json_array_length json_build_array
            json_build_object json_each json_each_text json_extract_path json_extract_path_text json_object
            json_object_keys json_strip_nulls json_typeof jsonb_array_elements jsonb_array_elements_text
            jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path
            jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys jsonb_path_exists
            jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query jsonb_path_query_array
            jsonb_path_query_array_tz jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz
            jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_typeof row_to_json to_json to_jsonb
            """),
        .init(
            .pure, "XML",
            """
            xml_is_well_formed xml_is_well_formed_content xml_is_well_formed_document xmlcomment xmlexists
            xmlvalidate xpath xpath_exists
            """),
        .init(
            .pure, "arrays",
            """
            array_append array_dims array_fill array_length array_lower array_ndims array_position array_positions
            array_prepend array_remove array_replace array_to_string array_upper cardinality generate_subscripts
            trim_array unnest
            """),
        .init(.pure, "ranges", "isempty lower_inc lower_inf range_merge upper_inc upper_inf"),
        .init(
            .pure, "values of any type, and what is known of them",
            """
            num_nonnulls num_nulls pg_collation_for pg_column_compression pg_column_size pg_typeof
            """),
        .init(
            .pure, "text search, with the dictionaries of the catalogue",
            """
            array_to_tsvector json_to_tsvector jsonb_to_tsvector numnode phraseto_tsquery plainto_tsquery querytree
            setweight strip to_tsquery to_tsvector ts_debug ts_delete ts_filter ts_headline ts_lexize ts_parse
            ts_rank ts_rank_cd ts_token_type tsquery_phrase tsvector_to_array websearch_to_tsquery
            """),
        .init(
            .pure, "geometry",
            """
            area bound_box center diagonal diameter height isclosed ishorizontal isopen isparallel isperp isvertical
            line npoints pclose popen radius slope width
            """),
        .init(
            .pure, "network addresses",
            """
            abbrev broadcast family host hostmask inet_merge inet_same_family macaddr8_set7bit masklen netmask
            network set_masklen
            """),
        .init(
            .pure, "privileges, enums, ids and snapshots given as values, statistics given as values",
            """
            aclcontains acldefault aclexplode aclinsert aclremove enum_first enum_last enum_range makeaclitem
            nameconcatoid pg_indexam_progress_phasename pg_mcv_list_items pg_options_to_table pg_snapshot_xip
            pg_snapshot_xmax pg_snapshot_xmin pg_visible_in_snapshot pg_wal_lsn_diff txid_snapshot_xip
            txid_snapshot_xmax txid_snapshot_xmin txid_visible_in_snapshot
            """),
        .init(
            .pure, "what the views of information_schema call",
            """
            _pg_char_max_length _pg_char_octet_length _pg_datetime_precision _pg_expandarray _pg_interval_type
            _pg_numeric_precision _pg_numeric_precision_radix _pg_numeric_scale _pg_truetypid _pg_truetypmod
            """),
    ]

    static let pureAggregates: [FunctionGroup] = [
        .init(
            .pure, "aggregates of their arguments",
            """
            array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp every json_agg
            json_object_agg jsonb_agg jsonb_object_agg max min mode percentile_cont percentile_disc range_agg
            range_intersect_agg regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy
            regr_syy stddev stddev_pop stddev_samp string_agg sum var_pop var_samp variance xmlagg
            """),
        .init(
            .pure, "window functions",
            """
            cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
            """),
    ]

    static let pureConversions: [FunctionGroup] = [
        .init(
            .pure, "conversions, named after the type that they make",
            """
            bit bool box bpchar char cidr circle date datemultirange daterange float4 float8 int2 int4
            int4multirange int4range int8 int8multirange int8range interval lseg macaddr macaddr8 money multirange
            name numeric nummultirange numrange oid path pg_lsn point polygon text time timestamp timestamptz timetz
            tsmultirange tsrange tstzmultirange tstzrange varbit varchar xid xml
            """)
    ]
}
