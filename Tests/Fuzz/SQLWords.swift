/// What texts are mutated with.
enum SQLWords {
    static let all = [keywords, names, signs, parts].flatMap { $0.split(separator: "\n").flatMap(split) }

    /// Around a piece of text.
    static let pairs: [(String, String)] = [
        ("(", ")"), ("/*", "*/"), ("--", "\n"), ("'", "'"), ("E'", "'"), ("\"", "\""), ("U&\"", "\""), ("U&'", "'"),
        ("$$", "$$"), ("$a$", "$a$"), ("(SELECT ", ")"), ("WITH x AS (", ") SELECT 1"), ("EXPLAIN ", ""),
        ("EXPLAIN ANALYZE ", ""), ("EXPLAIN (ANALYZE off) ", ""), ("ARRAY[", "]"), ("CASE WHEN ", " THEN 1 END"),
        ("CAST(", " AS int)"), ("DECLARE c CURSOR FOR ", ""), ("CREATE TABLE x AS ", ""), ("COPY (", ") TO STDOUT"),
        ("PREPARE p AS ", ""), ("ROW(", ")"), ("VALUES (", ")"), ("coalesce(", ", 1)"), ("EXISTS (", ")"),
    ]

    private static func split(_ line: Substring) -> [String] { line.split(separator: " ").map(String.init) }

    private static let keywords = """
        SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT OFFSET FETCH FIRST ROWS ONLY DISTINCT ALL AS ON USING JOIN LEFT CROSS
        NATURAL LATERAL UNION INTERSECT EXCEPT WITH RECURSIVE MATERIALIZED SEARCH CYCLE INSERT INTO VALUES DEFAULT RETURNING
        CONFLICT DO NOTHING UPDATE SET DELETE MERGE MATCHED THEN WHEN TABLE TRUNCATE LOCK CALL NOTIFY LISTEN UNLISTEN
        FOR SHARE NO KEY OF NOWAIT SKIP LOCKED CREATE OR REPLACE TEMP TEMPORARY LOCAL GLOBAL UNLOGGED VIEW SEQUENCE
        INDEX CONCURRENTLY FUNCTION SCHEMA TYPE COMMIT DROP PRESERVE ALTER RESET BEGIN START TRANSACTION END ROLLBACK TO
        SAVEPOINT RELEASE PREPARE PREPARED EXECUTE DEALLOCATE DISCARD LOAD DECLARE CURSOR HOLD WITHOUT CLOSE MOVE COPY
        STDIN STDOUT PROGRAM EXPLAIN ANALYZE ANALYSE VERBOSE SHOW VACUUM REINDEX CLUSTER CHECKPOINT COMMENT IS NULL NOT AND
        ISNULL COLLATE ESCAPE UESCAPE LIKE ILIKE SIMILAR BETWEEN IN ANY SOME CASE ELSE CAST TRUE FALSE OVER PARTITION
        WINDOW FILTER WITHIN GROUPING SETS CUBE ROLLUP ORDINALITY TABLESAMPLE ROW ARRAY AT TIME ZONE INTERVAL VARIADIC
        SESSION CHARACTERISTICS CONSTRAINTS DEFERRED ISOLATION LEVEL SERIALIZABLE READ WRITE NAMES off on REFRESH
        """

    private static let names = """
        a b t x auth_user django_session public accounts pg_catalog pg_temp accounts.t public.t pg_temp.t pg_class a.b.c
        set_config( pg_catalog.set_config( nextval( currval( lastval() pg_advisory_lock( pg_advisory_xact_lock(
        pg_try_advisory_lock( pg_advisory_unlock_all() pg_notify( txid_current() pg_export_snapshot() lo_create( lo_get(
        now() random() count(*) f( generate_series( dblink( query_to_xml( pg_stat_activity pg_sequences client_encoding
        standard_conforming_strings setting_name new_value is_local
        """

    private static let signs = """
        ( ) [ ] , ; ;; . .. : :: := => + - * / % ^ < > = <> != <= >= || | & # ~ ! @ ? @> -> ->> #>> && ## `
        ' '' " "" E' e'\\ \\' \\ U&" U&' u&" $$ $a$ $1 $2 $0 $65536 $2147483647 $2147483648 -- --+ /* */ /*/ /**/ {} %
        """

    private static let parts = """
        'x' 'true' true false null 0 1 -1 1.5 1e9 .5 2147483648 b'01' x'ff' n'x' E'\\'' U&"set!005fconfig" UESCAPE'!' '!'
        U&"\\0061" "T" "set_config"( "local" "temp" a=1 a=$1 ,a (1) (a) [1] ::int ::text[] /*k='v'*/ /*route='x',b='%41'*/
        (ANALYZE) (ANALYZE,BUFFERS) (FORMAT json) is_local=>true ,'a',true) ,'a',false) 'a','b',false) ('a','b',true)
        """
}
