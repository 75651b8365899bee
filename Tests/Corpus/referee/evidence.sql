-- What a statement leaves on a server, asked of PostgreSQL itself: each row is a trace and its value. The referee reads
-- these views before and after a statement; a value that changed is evidence.

CREATE SCHEMA evidence;

-- A large object's descriptor lives in the backend and in no view. Number 0 is the first one that a transaction opens.
CREATE FUNCTION evidence.large_object_is_open() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM lo_tell64(0);
  RETURN true;
EXCEPTION WHEN undefined_object THEN
  RETURN false;
END $$;

-- What ends with the transaction.
CREATE VIEW evidence.in_transaction AS
SELECT 'transaction id' AS trace, pg_current_xact_id_if_assigned()::text AS value
UNION ALL
SELECT 'advisory lock', string_agg(concat_ws('/', classid, objid, objsubid, mode), ' ' ORDER BY classid, objid, mode)
FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'
UNION ALL
-- A SELECT takes ACCESS SHARE; a stronger lock on a table keeps others out, on this server only. Catalogues and sequences
-- apart: pg_sequences locks all sequences, to read them.
SELECT 'table lock', string_agg(concat_ws(' ', relname, mode), ', ' ORDER BY relname, mode)
FROM pg_locks JOIN pg_class c ON c.oid = relation
WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation >= 16384 AND mode <> 'AccessShareLock'
  AND relkind <> 'S'
UNION ALL
SELECT 'exported snapshot', nullif(count(*), 0)::text FROM pg_ls_dir('pg_snapshots')
UNION ALL
SELECT 'large object descriptor', CASE WHEN evidence.large_object_is_open() THEN 'open' END;

-- What stays behind: in the session, or on the server.
CREATE VIEW evidence.afterwards AS
-- By their source, not by their value: SET to what was there before lasts too, and a library that is loaded brings its own.
SELECT 'settings' AS trace, string_agg(concat_ws('=', name, setting), ' ' ORDER BY name) AS value
FROM pg_settings WHERE source = 'session'
UNION ALL
SELECT 'prepared statement', string_agg(name, ' ' ORDER BY name) FROM pg_prepared_statements
UNION ALL
SELECT 'cursor', string_agg(name, ' ' ORDER BY name) FROM pg_cursors
UNION ALL
SELECT 'listening', string_agg(channel, ' ' ORDER BY channel) FROM pg_listening_channels() AS channel
UNION ALL
SELECT 'temporary schema', nullif(pg_my_temp_schema(), 0)::text
UNION ALL
SELECT 'session advisory lock', string_agg(concat_ws('/', classid, objid, objsubid, mode), ' ' ORDER BY classid, objid, mode)
FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'
UNION ALL
SELECT 'statistics reset', concat_ws(' ',
  (SELECT max(stats_reset) FROM pg_stat_database), (SELECT stats_reset FROM pg_stat_bgwriter),
  (SELECT stats_reset FROM pg_stat_archiver), (SELECT stats_reset FROM pg_stat_wal),
  (SELECT max(stats_reset) FROM pg_stat_slru), (SELECT stats_reset FROM pg_stat_recovery_prefetch))
UNION ALL
SELECT 'settings file', string_agg(concat_ws('=', name, setting), ' ' ORDER BY name)
FROM pg_file_settings WHERE sourcefile LIKE '%/postgresql.auto.conf'
UNION ALL
SELECT 'replication slot', string_agg(slot_name, ' ' ORDER BY slot_name) FROM pg_replication_slots
UNION ALL
SELECT 'file', nullif(count(*), 0)::text FROM pg_ls_dir('.') AS name WHERE name LIKE 'referee%'
UNION ALL
-- Two runs that both leave the same next random number have set the session's seed.
SELECT 'random', random()::text
UNION ALL
SELECT 'WAL', CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_insert_lsn()::text END;

-- For the roles that statements take, too.
GRANT USAGE ON SCHEMA evidence TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA evidence TO PUBLIC;
GRANT EXECUTE ON FUNCTION pg_ls_dir(text), pg_show_all_file_settings() TO PUBLIC;
