-- What the survey of functions needs on a primary: every contrib module, objects for arguments to name, and the table
-- survey.attempt with one statement for each way of calling each function, which FunctionSurveyTests of Tests/DaemonTests
-- sends to a primary and to a standby. For an empty database in a cluster that is thrown away.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE SCHEMA survey;

SELECT format('CREATE EXTENSION IF NOT EXISTS %I CASCADE', name) FROM pg_available_extensions ORDER BY name \gexec

-- Objects for arguments to name.
CREATE TYPE survey.mood AS ENUM ('sad', 'happy');
CREATE TABLE survey.t (id int PRIMARY KEY, word text DEFAULT 'a', parent int REFERENCES survey.t, tags text[], at date)
    WITH (autovacuum_enabled = off);
INSERT INTO survey.t SELECT n, 'a b', 1, '{x,y}', '2020-01-01' FROM generate_series(1, 50) n;
CREATE INDEX t_brin ON survey.t USING brin (id) WITH (pages_per_range = 1);
CREATE INDEX t_gin ON survey.t USING gin (tags) WITH (fastupdate = on);
CREATE INDEX t_hash ON survey.t USING hash (id);
CREATE INDEX t_gist ON survey.t USING gist (daterange(at, at, '[]'));
CREATE STATISTICS survey.t_statistics (ndistinct, dependencies, mcv) ON word, parent FROM survey.t;
CREATE TABLE survey.victim AS SELECT n FROM generate_series(1, 3) n;
CREATE TABLE survey.parted (n int) PARTITION BY HASH (n);
CREATE TABLE survey.part PARTITION OF survey.parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE VIEW survey.v AS SELECT id, word FROM survey.t;
CREATE SEQUENCE survey.s;
SELECT nextval('survey.s');
CREATE FUNCTION survey.trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER tr BEFORE INSERT ON survey.t FOR EACH ROW EXECUTE FUNCTION survey.trigger();
SELECT lo_from_bytea(4242, 'large');
SELECT pg_replication_origin_create('survey_origin');
SELECT pg_create_physical_replication_slot(name, true) FROM unnest('{survey_physical,survey_dropped}'::name[]) name;
SELECT pg_create_logical_replication_slot('survey_logical', 'test_decoding');
CREATE SERVER survey_server FOREIGN DATA WRAPPER postgres_fdw;
CREATE SCHEMA survey_small;
CREATE TABLE survey_small.t AS SELECT 1 AS n;
CREATE PUBLICATION survey_publication FOR TABLE survey.t;
VACUUM ANALYZE survey.t;

-- Functions that are not called, with the reason of each.
CREATE TABLE survey.denied (pattern text PRIMARY KEY, reason text NOT NULL);
INSERT INTO survey.denied VALUES
    ('pg_promote', 'ends the standby'),
    ('pg_terminate_backend|pg_cancel_backend', 'signals sessions, the survey''s own among them'),
    ('pg_sleep.*', 'waits'),
    ('pg_wal_replay_(pause|resume)', 'stops the standby'),
    ('pg_reload_conf|pg_rotate_logfile(_old)?', 'signals the postmaster and the logger'),
    ('autoprewarm_start_worker', 'starts a background worker that stays'),
    ('pg_file_(write|rename|unlink|sync)|lo_(import|export)', 'changes or reads any file of the host'),
    ('pg_stop_making_pinned_objects', 'moves the counter of object ids for good'),
    ('database_to_xml(_and_xmlschema)?', 'writes out the whole database');

-- Arguments for functions: plausible ones for each type, and those that some functions need.
\ir plausible.sql
\ir special.sql

-- What nobody can call is left out: it takes or gives internal, is a trigger's, or is a handler that the server calls.
CREATE VIEW survey.callable AS
SELECT p.oid, p.proname, p.prokind, p.provolatile, p.pronargs, p.proargtypes, p.provariadic, p.prorettype,
    p.proargmodes, format('%I.%I', n.nspname, p.proname) AS name
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname <> 'survey' AND 'internal'::regtype <> ALL (p.proargtypes)
    AND p.prorettype <> ALL ('{internal, trigger, event_trigger, fdw_handler, index_am_handler, table_am_handler,
        tsm_handler, language_handler}'::regtype[]);

-- An expression as an argument of that type. Only expressions for pseudo-types have their type themselves.
CREATE FUNCTION survey.argument(expression text, wanted regtype) RETURNS text STABLE LANGUAGE sql AS $$
    SELECT CASE typtype WHEN 'p' THEN expression ELSE format('(%s)::%s', expression, wanted) END
    FROM pg_type WHERE oid = wanted
$$;

-- The plausible argument for a parameter at that try; NULL when there is none. A type's input function gets a text that
-- it can read.
CREATE FUNCTION survey.plausible(wanted regtype, try int, called oid) RETURNS text STABLE LANGUAGE plpgsql AS $$
DECLARE
    base regtype := wanted;
    element regtype;
    expressions text[];
    chosen text;
BEGIN
    IF wanted = 'cstring'::regtype THEN
        SELECT type INTO base FROM pg_type t JOIN survey.plausible p ON p.type = t.oid
        WHERE typinput = called AND t.oid <> wanted LIMIT 1;
        IF base IS NULL THEN
            RETURN (ARRAY['''1''::cstring', '''a''::cstring', '''{1}''::cstring'])[1 + (try - 1) % 3];
        END IF;
    END IF;
    SELECT typelem INTO element FROM pg_type WHERE oid = base AND typcategory = 'A' AND typlen = -1 AND typelem <> 0;
    SELECT array_agg(expression ORDER BY number) INTO expressions
    FROM survey.plausible WHERE type = coalesce(element, base);
    chosen := expressions[1 + (try - 1) % cardinality(expressions)];
    RETURN CASE
        WHEN wanted = 'cstring'::regtype THEN format('textout((%s)::%s::text)', chosen, base)
        WHEN element IS NOT NULL THEN survey.argument('ARRAY[' || chosen || ']', base)
        ELSE survey.argument(chosen, base)
    END;
END $$;

-- The arguments of each function, in the order in which they are tried, one element for each.
CREATE TABLE survey.try AS
SELECT c.oid, try, ARRAY(SELECT survey.plausible(type, try::int, c.oid)
    FROM unnest(c.proargtypes) WITH ORDINALITY a (type, place) ORDER BY place) AS arguments
FROM survey.callable c, generate_series(1, 4) try
UNION ALL
-- SQL in place of every text: whoever runs it assigns a transaction id, and is refused by a standby.
SELECT c.oid, 100, ARRAY(
    SELECT CASE WHEN type = ANY (texts) THEN format('(%L)::%s', 'SELECT setval(''survey.s'', 1)', type::regtype)
        ELSE survey.plausible(type, 1, c.oid) END
    FROM unnest(c.proargtypes) WITH ORDINALITY a (type, place) ORDER BY place)
FROM survey.callable c, CAST('{text, varchar, bpchar, name, refcursor}' AS regtype[]) texts
WHERE c.proargtypes::oid[] && texts::oid[]
UNION ALL
SELECT c.oid, s.number - 1000, ARRAY(
    SELECT survey.argument(expression, coalesce(c.proargtypes[place - 1], '"any"'::regtype))
    FROM unnest(s.expressions) WITH ORDINALITY e (expression, place) ORDER BY place)
FROM survey.special s CROSS JOIN LATERAL (
    -- OFFSET 0 makes this the inner loop: each pattern is compiled once.
    SELECT * FROM survey.callable WHERE proname ~ ('^(' || s.pattern || ')$') OFFSET 0) c
WHERE c.pronargs = cardinality(s.expressions)
    OR c.provariadic = '"any"'::regtype AND c.pronargs < cardinality(s.expressions);

-- One statement for each attempt to call a function: they are made in order until one succeeds, and always those with
-- SQL as an argument.
CREATE TABLE survey.attempt AS
SELECT c.oid, c.proname, row_number() OVER (PARTITION BY c.oid ORDER BY t.try) AS try, t.try = 100 AS always, CASE
    WHEN a.aggkind = 'o' THEN format('SELECT %s(%s) WITHIN GROUP (ORDER BY %s) FROM generate_series(1, 3)', c.name,
        array_to_string(arguments[:a.aggnumdirectargs], ', '),
        array_to_string(arguments[a.aggnumdirectargs + 1:], ', '))
    WHEN a.aggkind = 'h'
        THEN format('SELECT %s(%s) WITHIN GROUP (ORDER BY %2$s) FROM generate_series(1, 3)', c.name, list)
    WHEN c.prokind = 'a'
        THEN format('SELECT %s(%s) FROM generate_series(1, 3)', c.name, coalesce(nullif(list, ''), '*'))
    WHEN c.prokind = 'w' THEN format('SELECT %s(%s) OVER (ORDER BY g) FROM generate_series(1, 3) g', c.name, list)
    WHEN c.prorettype = 'record'::regtype AND c.proargmodes IS NULL
        THEN format('SELECT * FROM %s(%s) AS x (a text, b text)', c.name, list)
    ELSE format('SELECT %s(%s)', c.name, list) END AS statement
FROM survey.callable c
JOIN survey.try t USING (oid)
CROSS JOIN LATERAL (SELECT CASE WHEN c.provariadic IN (0, '"any"'::regtype) THEN array_to_string(arguments, ', ')
    ELSE array_to_string(arguments[:c.pronargs - 1] || ('VARIADIC ' || arguments[c.pronargs]), ', ') END) l (list)
LEFT JOIN pg_aggregate a ON a.aggfnoid = c.oid
WHERE array_position(arguments, NULL) IS NULL
    AND NOT EXISTS (SELECT FROM survey.denied WHERE c.proname ~ ('^(' || pattern || ')$'));

-- Every function that a view calls, itself or through other views, by name or by an operator. Not from pg_depend, which
-- does not name the functions that initdb made.
CREATE VIEW survey.view_function AS
WITH RECURSIVE rule AS (
    SELECT c.oid, r.ev_action::text AS action FROM pg_class c JOIN pg_rewrite r ON r.ev_class = c.oid
    WHERE c.relkind IN ('v', 'm') AND r.rulename = '_RETURN' AND c.relnamespace <> 'survey'::regnamespace
), called AS (
    SELECT oid, match[1]::oid AS function
    FROM rule, regexp_matches(action, ':(?:funcid|aggfnoid|winfnoid) (\d+)', 'g') match
    UNION
    SELECT rule.oid, o.oprcode
    FROM rule, regexp_matches(action, ':opno (\d+)', 'g') match JOIN pg_operator o ON o.oid = match[1]::oid
), used AS (
    SELECT oid, match[1]::oid AS view FROM rule, regexp_matches(action, ':relid (\d+)', 'g') match
), reached AS (
    SELECT oid AS top, oid AS view FROM rule
    UNION
    SELECT reached.top, used.view FROM reached JOIN used ON used.oid = reached.view
)
SELECT DISTINCT c.relnamespace::regnamespace::text AS schema, c.relname AS view, p.proname AS function
FROM reached r JOIN called ON called.oid = r.view JOIN pg_class c ON c.oid = r.top
JOIN pg_proc p ON p.oid = called.function;

-- Functions that run without being named: behind operators, casts and types.
CREATE VIEW survey.unnamed_function AS
SELECT DISTINCT p.proname AS function
FROM pg_proc p
WHERE p.oid IN (SELECT oprcode FROM pg_operator UNION SELECT castfunc FROM pg_cast UNION SELECT typinput FROM pg_type
    UNION SELECT typoutput FROM pg_type UNION SELECT typsend FROM pg_type UNION SELECT typmodin FROM pg_type
    UNION SELECT typmodout FROM pg_type)
    AND p.oid IN (SELECT oid FROM survey.callable);

-- What a call has left behind, seen from inside its transaction: a transaction id, advisory locks, changed settings (as
-- a hash of all), bytes of WAL since that position (of all sessions: others write now and then).
CREATE FUNCTION survey.traces(since pg_lsn, OUT xid bool, OUT locks bigint, OUT settings text, OUT wal numeric)
LANGUAGE sql AS $$
    SELECT pg_current_xact_id_if_assigned() IS NOT NULL,
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
        (SELECT md5(string_agg(name || '=' || setting, ',' ORDER BY name)) FROM pg_settings),
        pg_current_wal_insert_lsn() - since
$$;

CHECKPOINT;
