-- Arguments that functions need to do their work, tried before the plausible ones, by all overloads with so many
-- parameters: a regular expression for the name, and expressions separated by " | ".
CREATE TABLE survey.special (
    number int GENERATED ALWAYS AS IDENTITY, pattern text NOT NULL, list text NOT NULL,
    expressions text[] GENERATED ALWAYS AS (string_to_array(list, ' | ')) STORED);
COPY survey.special (pattern, list) FROM stdin;
_pg_truetypid	(SELECT a FROM pg_attribute a LIMIT 1) | (SELECT t FROM pg_type t LIMIT 1)
_pg_truetypmod	(SELECT a FROM pg_attribute a LIMIT 1) | (SELECT t FROM pg_type t LIMIT 1)
has_(table|any_column)_privilege	'survey.t'::regclass | 'SELECT'
has_(table|any_column)_privilege	'postgres'::regrole | 'survey.t'::regclass | 'SELECT'
has_sequence_privilege	'survey.s'::regclass | 'USAGE'
has_sequence_privilege	'postgres'::regrole | 'survey.s'::regclass | 'USAGE'
has_column_privilege	'survey.t'::regclass | 'id' | 'SELECT'
has_column_privilege	'survey.t'::regclass | 1 | 'SELECT'
has_column_privilege	'postgres'::regrole | 'survey.t'::regclass | 'id' | 'SELECT'
has_column_privilege	'postgres'::regrole | 'survey.t'::regclass | 1 | 'SELECT'
has_database_privilege	'postgres' | 'CONNECT'
has_database_privilege	1 | 'CONNECT'
has_database_privilege	'postgres'::regrole | 'postgres' | 'CONNECT'
has_database_privilege	'postgres'::regrole | 1 | 'CONNECT'
has_schema_privilege	'survey'::regnamespace | 'USAGE'
has_schema_privilege	'postgres'::regrole | 'survey'::regnamespace | 'USAGE'
has_type_privilege	'int4'::regtype | 'USAGE'
has_type_privilege	'postgres'::regrole | 'int4'::regtype | 'USAGE'
has_function_privilege	'abs(int)'::regprocedure | 'EXECUTE'
has_function_privilege	'postgres'::regrole | 'abs(int)'::regprocedure | 'EXECUTE'
has_language_privilege	'sql' | 'USAGE'
has_language_privilege	14 | 'USAGE'
has_language_privilege	'postgres'::regrole | 'sql' | 'USAGE'
has_language_privilege	'postgres'::regrole | 14 | 'USAGE'
has_tablespace_privilege	'pg_default' | 'CREATE'
has_tablespace_privilege	1663 | 'CREATE'
has_tablespace_privilege	'postgres'::regrole | 'pg_default' | 'CREATE'
has_tablespace_privilege	'postgres'::regrole | 1663 | 'CREATE'
has_server_privilege	'survey_server' | 'USAGE'
has_server_privilege	(SELECT oid FROM pg_foreign_server) | 'USAGE'
has_server_privilege	'postgres'::regrole | 'survey_server' | 'USAGE'
has_server_privilege	'postgres'::regrole | (SELECT oid FROM pg_foreign_server) | 'USAGE'
has_foreign_data_wrapper_privilege	'postgres_fdw' | 'USAGE'
has_foreign_data_wrapper_privilege	(SELECT srvfdw FROM pg_foreign_server) | 'USAGE'
has_foreign_data_wrapper_privilege	'postgres'::regrole | 'postgres_fdw' | 'USAGE'
has_foreign_data_wrapper_privilege	'postgres'::regrole | (SELECT srvfdw FROM pg_foreign_server) | 'USAGE'
has_parameter_privilege	'work_mem' | 'SET'
has_parameter_privilege	'postgres'::regrole | 'work_mem' | 'SET'
pg_has_role	'postgres'::regrole | 'MEMBER'
pg_has_role	'postgres'::regrole | 'postgres'::regrole | 'MEMBER'
makeaclitem	10 | 10 | 'SELECT' | false
acldefault	'r' | 10
bt_metap	'survey.t_pkey'
bt_page_items	'survey.t_pkey' | 1
bt_page_items	get_raw_page('survey.t_pkey', 1)
bt_page_stats	'survey.t_pkey' | 1
dblink_build_sql_(insert|update)	'survey.t' | '1' | 1 | ARRAY['1'] | ARRAY['2']
dblink_build_sql_delete	'survey.t' | '1' | 1 | ARRAY['1']
dblink_get_pkey	'survey.t'
get_raw_page	'survey.t' | 0
get_raw_page	'survey.t' | 'main' | 0
pg_get_serial_sequence	'survey.t' | 'id'
pgstatindex	'survey.t_pkey'
pgstatginindex	'survey.t_gin'
pgstathashindex	'survey.t_hash'
pg_relpages	'survey.t'
pgstattuple(_approx)?	'survey.t'
pgrowlocks	'survey.t'
xpath_table	'id' | 'word' | 'survey.t' | '/a' | 'true'
regexp_(count|instr|like|substr)	'a' | 'a' | 'i'
regexp_count	'a' | 'a' | 1 | 'i'
regexp_instr	'a' | 'a' | 1 | 1 | 0 | 'i'
regexp_instr	'a' | 'a' | 1 | 1 | 0 | 'i' | 0
regexp_substr	'a' | 'a' | 1 | 1 | 'i'
regexp_substr	'a' | 'a' | 1 | 1 | 'i' | 0
regexp_match(es)?	'a' | 'a' | 'i'
regexp_replace	'a' | 'a' | 'b' | 'g'
regexp_replace	'a' | 'a' | 'b' | 1 | 1 | 'i'
regexp_split_to_(array|table)	'a' | 'a' | 'i'
brin_(metapage_info|page_type)	get_raw_page('survey.t_brin', 0)
brin_revmap_data	get_raw_page('survey.t_brin', 1)
brin_page_items	get_raw_page('survey.t_brin', 2) | 'survey.t_brin'
fsm_page_contents	get_raw_page('pg_class', 'fsm', 0)
gin_metapage_info	get_raw_page('survey.t_gin', 0)
gin_page_opaque_info	get_raw_page('survey.t_gin', 1)
gist_page_(opaque_info|items_bytea)	get_raw_page('survey.t_gist', 0)
gist_page_items	get_raw_page('survey.t_gist', 0) | 'survey.t_gist'
hash_metapage_info	get_raw_page('survey.t_hash', 0)
hash_page_(type|stats|items)	get_raw_page('survey.t_hash', 1)
page_header	get_raw_page('survey.t', 0)
page_checksum	get_raw_page('survey.t', 0) | 0
heap_page_items	get_raw_page('survey.t', 0)
heap_page_item_attrs	get_raw_page('survey.t', 0) | 'survey.t'
heap_page_item_attrs	get_raw_page('survey.t', 0) | 'survey.t' | true
heap_force_(kill|freeze)	'survey.victim' | ARRAY['(0,1)']
bt_index(_parent)?_check	'survey.t_pkey'
bt_index(_parent)?_check	'survey.t_pkey' | true
bt_index_parent_check	'survey.t_pkey' | true | true
verify_heapam	'survey.t' | false | false | 'none' | 0 | 0
crosstab[234]?	'SELECT ''a''::text, ''b''::text, ''c''::text'
crosstab	'SELECT ''a''::text, ''b''::text, ''c''::text' | 'SELECT ''b''::text'
query_to_xml(schema|_and_xmlschema)?	'SELECT 1' | true | false | ''
ts_stat	'SELECT ''a:1''::tsvector'
ts_stat	'SELECT ''a:1''::tsvector' | 'a'
ts_rewrite	'a' | 'SELECT ''a''::tsquery, ''b''::tsquery'
lo_open	4242 | 262144
lo_(lseek|lseek64)	lo_open(4242, 262144) | 0 | 0
lo_(tell|tell64|close)	lo_open(4242, 262144)
loread	lo_open(4242, 262144) | 1
lowrite	lo_open(4242, 131072) | 'a'
lo_(truncate|truncate64)	lo_open(4242, 131072) | 1
lo_(get|unlink)	4242
lo_get	4242 | 0 | 1
lo_put	4242 | 0 | 'a'
digest	'a' | 'sha256'
hmac	'a' | 'k' | 'sha256'
encrypt	'a' | 'k' | 'aes'
encrypt_iv	'a' | 'k' | 'iv' | 'aes'
decrypt	encrypt('a', 'k', 'aes') | 'k' | 'aes'
decrypt_iv	encrypt_iv('a', 'k', 'iv', 'aes') | 'k' | 'iv' | 'aes'
gen_salt	'bf'
gen_salt	'bf' | 6
pgp_sym_encrypt(_bytea)?	'a' | 'k' | 'compress-algo=1'
pgp_sym_decrypt	pgp_sym_encrypt('a', 'k') | 'k'
pgp_sym_decrypt	pgp_sym_encrypt('a', 'k') | 'k' | 'debug=0'
pgp_sym_decrypt_bytea	pgp_sym_encrypt_bytea('a', 'k') | 'k'
pgp_sym_decrypt_bytea	pgp_sym_encrypt_bytea('a', 'k') | 'k' | 'debug=0'
pgp_key_id	pgp_sym_encrypt('a', 'k')
dearmor|pgp_armor_headers	armor('a')
armor	'a' | ARRAY['a'] | ARRAY['b']
pg_copy_physical_replication_slot	'survey_physical' | 'survey_copy'
pg_copy_physical_replication_slot	'survey_physical' | 'survey_copy' | true
pg_copy_logical_replication_slot	'survey_logical' | 'survey_copy2'
pg_copy_logical_replication_slot	'survey_logical' | 'survey_copy3' | true
pg_copy_logical_replication_slot	'survey_logical' | 'survey_copy4' | true | 'test_decoding'
pg_create_physical_replication_slot	'survey_new' | true | true
pg_create_logical_replication_slot	'survey_new2' | 'test_decoding' | true | false
pg_drop_replication_slot	'survey_dropped'
pg_replication_slot_advance	'survey_physical' | (SELECT checkpoint_lsn FROM pg_control_checkpoint())
pg_logical_slot_(get|peek)_(binary_)?changes	'survey_logical' | NULL | 1 | ARRAY[]
pg_ls_replslotdir	'survey_physical'
pg_stat_reset_replication_slot	'survey_logical'
pg_stat_get_replication_slot	'survey_logical'
pg_replication_origin_(oid|drop|session_setup)	'survey_origin'
pg_replication_origin_advance	'survey_origin' | '0/3000028'
pg_replication_origin_progress	'survey_origin' | false
brin_(desummarize|summarize)_range	'survey.t_brin' | 0
brin_summarize_new_values	'survey.t_brin'
gin_clean_pending_list	'survey.t_gin'
pg_nextoid	'pg_class' | 'oid' | 'pg_class_oid_index'
(int4|int8|num)range	1 | 2 | '[)'
(date|ts|tstz)range	'2020-01-01' | '2020-01-02' | '[)'
(int2|int4)_avg_accum(_inv)?|int2int4_sum	ARRAY[1, 1] | 1
int8_avg|int2int4_sum	ARRAY[1, 1]
float[48]_accum	ARRAY[1, 1, 1] | 1
float8_combine	ARRAY[1, 1, 1] | ARRAY[1, 1, 1]
float8_(avg|var_pop|var_samp|stddev_pop|stddev_samp)	ARRAY[1, 1, 1]
float8_regr_accum	ARRAY[1, 1, 1, 1, 1, 1] | 1 | 1
float8_regr_combine	ARRAY[1, 1, 1, 1, 1, 1] | ARRAY[1, 1, 1, 1, 1, 1]
float8_(regr|corr|covar).*	ARRAY[1, 1, 1, 1, 1, 1]
interval_accum(_inv)?	ARRAY['1 day', '1 day'] | '1 day'
interval_combine	ARRAY['1 day', '1 day'] | ARRAY['1 day', '1 day']
interval_avg	ARRAY['1 day', '1 day']
ts_headline	'"a b"' | 'a' | 'MaxWords=3, MinWords=1'
ts_headline	'english' | '"a b"' | 'a' | 'MaxWords=3, MinWords=1'
ts_rank(_cd)?	'{0.1,0.2,0.4,1}' | 'a:1' | 'a'
ts_rank(_cd)?	'{0.1,0.2,0.4,1}' | 'a:1' | 'a' | 0
ts_parse	3722 | 'a b'
ts_parse	'default' | 'a b'
ts_token_type	3722
ts_token_type	'default'
ts_delete	'a:1' | ARRAY['a']
schema_to_xml(_and_xmlschema|schema)?	'survey_small' | true | false | ''
table_to_xml(_and_xmlschema|schema)?	'survey.victim' | true | false | ''
database_to_xmlschema	true | false | ''
pg_read_(binary_)?file	'PG_VERSION'
pg_read_(binary_)?file(_old)?	'PG_VERSION' | 0 | 1
pg_read_(binary_)?file	'PG_VERSION' | 0 | 1 | true
pg_stat_file	'PG_VERSION'
pg_stat_file	'PG_VERSION' | true
pg_ls_dir	'base'
pg_ls_dir	'base' | true | true
pg_ls_tmpdir	1663
pg_current_logfile	'stderr'
domain_in	'1' | 'information_schema.cardinal_number'::regtype | -1
array_in	'{1}' | 'int4'::regtype | -1
record_in	'(1)' | 'survey.victim'::regtype | -1
range_in	'[1,2)' | 'int4range'::regtype | -1
multirange_in	'{[1,2)}' | 'int4multirange'::regtype | -1
enum_in	'sad' | 'survey.mood'::regtype
to_regoperator	'+(int4,int4)'
to_regprocedure	'abs(int)'
fmgr_sql_validator	'survey.traces'::regproc
fmgr_c_validator	'similarity'::regproc
fmgr_internal_validator	'pg_backend_pid'::regproc
plpgsql_validator	'survey.trigger'::regproc
amvalidate	(SELECT min(oid) FROM pg_opclass)
file_fdw_validator	ARRAY['filename=/x'] | 'pg_foreign_table'::regclass
(postgres|postgresql|dblink)_fdw_validator	ARRAY['host=a'] | 'pg_foreign_server'::regclass
(postgres|postgresql|dblink)_fdw_validator	ARRAY[] | 'pg_foreign_data_wrapper'::regclass
postgres_fdw_disconnect	'survey_server'
pg_tablespace_size	'pg_default'
pg_tablespace_(size|location|databases)	1663
pg_database_size	'postgres'
pg_database_size	1
hstore|json_object|jsonb_object	ARRAY['a', 'b']
pg_(describe_object|identify_object|identify_object_as_address)	'pg_class'::regclass | 'survey.t'::regclass | 0
pg_get_object_address	'table' | ARRAY['survey', 't'] | ARRAY[]
timezone	'1 hour' | '2020-01-01 12:00'
timezone	'1 hour' | '12:00'
timezone	'UTC' | '2020-01-01 12:00'
timezone	'UTC' | '12:00'
(date_part|extract)	'hour' | '12:00'
date_trunc	'hour' | '2020-01-01' | 'UTC'
make_timestamptz	2020 | 1 | 1 | 1 | 1 | 1 | 'UTC'
make_date	2020 | 1 | 1
decode	'YQ==' | 'base64'
encode	'a' | 'base64'
convert	'a' | 'UTF8' | 'LATIN1'
convert_(from|to)	'a' | 'LATIN1'
interval	'1 day' | -1
interval_in	'1 day' | 0 | -1
is_normalized|normalize	'a' | 'NFC'
ismn(13)?	'979-0-060-11561-5'
issn(13)?	'977-1436-452-00-8'
upc	'220356483481'
jsonb?_build_object	'a'::text | 1
jsonb?_populate_record	NULL::survey.victim | '{"n": 1}'
json_populate_record	NULL::survey.victim | '{"n": 1}' | false
jsonb?_populate_recordset	NULL::survey.victim | '[{"n": 1}]'
json_populate_recordset	NULL::survey.victim | '[{"n": 1}]' | false
jsonb?_to_recordset	'[{"a": 1}]'
populate_record	NULL::survey.victim | 'n=>1'
jsonb?_to_tsvector	'{"a": "b"}' | '"all"'
jsonb?_to_tsvector	'english' | '{"a": "b"}' | '"all"'
(bool|bpchar|float4|float8|int2|int4|int8|numeric)	'true'
(float4|float8|int2|int4|int8|numeric)	'1'
current_setting	'work_mem'
current_setting	'work_mem' | true
set_config	'work_mem' | '8MB' | false
line	'(1,2)' | '(3,4)'
macaddr	'08:00:2b:ff:fe:02:03:04'
pg_collation_actual_version	950
pg_database_collation_actual_version	1
pg_sequence_parameters	'survey.s'::regclass
(nextval|currval|pg_sequence_last_value)	'survey.s'
setval	'survey.s' | 5
setval	'survey.s' | 5 | true
pg_stat_get_progress_info	'VACUUM'
pg_stat_have_stats	'relation' | 0 | 0
pg_stat_reset_shared	'bgwriter'
pg_stat_reset_slru	'Notify'
pg_get_publication_tables	'survey_publication'
pg_get_(viewdef|ruledef)	'survey.v'
pg_get_viewdef	'survey.v'::regclass
pg_get_viewdef	'survey.v'::regclass | 80
pg_get_viewdef	'survey.v'::regclass | true
pg_get_indexdef	'survey.t_pkey'::regclass
pg_get_indexdef	'survey.t_pkey'::regclass | 1 | true
pg_get_constraintdef	(SELECT min(oid) FROM pg_constraint)
pg_get_constraintdef	(SELECT min(oid) FROM pg_constraint) | true
pg_get_triggerdef	(SELECT max(oid) FROM pg_trigger)
pg_get_triggerdef	(SELECT max(oid) FROM pg_trigger) | true
pg_get_ruledef	(SELECT max(oid) FROM pg_rewrite)
pg_get_ruledef	(SELECT max(oid) FROM pg_rewrite) | true
pg_get_function.*	'survey.traces'::regproc
pg_get_function_arg_default	'pg_backup_stop'::regproc | 1
pg_get_statisticsobjdef.*	(SELECT max(oid) FROM pg_statistic_ext)
pg_get_partkeydef	'survey.parted'::regclass
pg_get_partition_constraintdef	'survey.part'::regclass
pg_partition_(tree|ancestors|root)	'survey.part'
pg_extension_update_paths	'hstore'
pg_prewarm	'survey.t' | 'buffer' | 'main' | 0 | 0
pg_relation_size	'survey.t' | 'main'
pg_freespace	'survey.t' | 0
satisfies_hash_partition	'survey.parted'::regclass | 2 | 0 | 1
to_ascii	'a' | 'LATIN1'
to_ascii	'a' | 8
to_number	'1' | '9'
to_char	1 | '9'
to_(date|timestamp)	'2020' | 'YYYY'
width_bucket	1 | 0 | 5 | 2
xpath(_exists)?	'/a' | '<a/>' | ARRAY[ARRAY['x', 'http://x']]
xpath_(string|bool|number|nodeset)	'<a/>' | '/a'
xslt_process	'<a/>' | '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>'
xslt_process	'<a/>' | '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>' | 'a=1'
pg_get_wal_record_info	(SELECT checkpoint_lsn FROM pg_control_checkpoint())
pg_get_wal_records_info	(SELECT checkpoint_lsn FROM pg_control_checkpoint()) | (SELECT checkpoint_lsn + 200 FROM pg_control_checkpoint())
pg_get_wal_stats	(SELECT checkpoint_lsn FROM pg_control_checkpoint()) | (SELECT checkpoint_lsn + 200 FROM pg_control_checkpoint()) | true
pg_get_wal_records_info_till_end_of_wal	coalesce(pg_last_wal_replay_lsn() - 8192, (SELECT checkpoint_lsn FROM pg_control_checkpoint()))
pg_get_wal_stats_till_end_of_wal	coalesce(pg_last_wal_replay_lsn() - 8192, (SELECT checkpoint_lsn FROM pg_control_checkpoint())) | true
pg_backup_start	'survey' | true
pg_backup_stop	false
pg_log_backend_memory_contexts	pg_backend_pid()
pg_walfile_name(_offset)?	'0/3000028'
pg_xact_commit_timestamp(_origin)?	(SELECT xmin FROM survey.t LIMIT 1)
txid_status|pg_xact_status	'3'
cursor_to_xml	'c' | 1 | true | false | ''
(int2|oid)vectorin	'1'::cstring
intervaltypmodin	ARRAY['4']
intervaltypmodout	327679
\.
