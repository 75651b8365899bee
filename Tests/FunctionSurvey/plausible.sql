-- Plausible arguments for a parameter of each type, in the order of trying. An array's are made of its elements'.
CREATE TABLE survey.plausible (
    number int GENERATED ALWAYS AS IDENTITY, type regtype NOT NULL, expression text NOT NULL);
COPY survey.plausible (type, expression) FROM stdin;
bool	true
bool	false
"char"	'a'
int2	1
int2	0
int4	1
int4	0
int4	2
int8	1
int8	0
int8	2
float4	0.5
float4	2
float8	0.5
float8	2
numeric	0.5
numeric	2
money	1.5
text	'a'
text	'1'
text	'survey.t'
text	'year'
varchar	'a'
varchar	'1'
bpchar	'a'
bpchar	'1'
name	'UTF8'
name	'postgres'
name	'pg_class'
bytea	'a'
refcursor	'c'
bit	'1'
varbit	'101'
uuid	'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
date	'2020-01-01'
time	'12:00'
timetz	'12:00+00'
timestamp	'2020-01-01 12:00'
timestamptz	'2020-01-01 12:00+00'
interval	'1 day'
json	'{"a": 1}'
json	'[{"a": 1}]'
json	'1'
jsonb	'{"a": 1}'
jsonb	'[{"a": 1}]'
jsonb	'"all"'
jsonpath	'$.a == 1'
jsonpath	'$.a'
xml	'<a/>'
point	'(1,2)'
box	'(1,2),(3,4)'
path	'((1,2),(3,4))'
path	'[(1,2),(3,4)]'
polygon	'((0,0),(4,0),(4,4))'
circle	'<(1,2),3>'
line	'{1,2,3}'
lseg	'[(1,2),(3,4)]'
inet	'10.0.0.1'
cidr	'10.0.0.0/8'
macaddr	'08:00:2b:01:02:03'
macaddr8	'08:00:2b:01:02:03:04:05'
tsvector	'a:1'
tsquery	'a & b'
oid	'survey.t'::regclass
oid	23
oid	4242
oid	'survey.t_pkey'::regclass
oidvector	'23'
int2vector	'1'
tid	'(0,1)'
xid	'3'
xid8	'3'
cid	'0'
pg_lsn	'0/3000028'
pg_lsn	'0/0'
pg_snapshot	'10:20:10,14'
txid_snapshot	'10:20:10,14'
aclitem	'postgres=r/postgres'
regclass	'survey.t'
regclass	'survey.t_pkey'
regclass	'survey.s'
regproc	'now'
regprocedure	'abs(int)'
regoper	'||/'
regoperator	'+(int4,int4)'
regtype	'int4'
regrole	'postgres'
regnamespace	'survey'
regconfig	'english'
regdictionary	'simple'
regcollation	'"C"'
int4range	'[1,5)'
int8range	'[1,5)'
numrange	'[1,5)'
tsrange	'[2020-01-01,2020-01-02)'
tstzrange	'[2020-01-01,2020-01-02)'
daterange	'[2020-01-01,2020-01-02)'
int4multirange	'{[1,5)}'
int8multirange	'{[1,5)}'
nummultirange	'{[1,5)}'
tsmultirange	'{[2020-01-01,2020-01-02)}'
tstzmultirange	'{[2020-01-01,2020-01-02)}'
datemultirange	'{[2020-01-01,2020-01-02)}'
pg_node_tree	(SELECT adbin FROM pg_attrdef WHERE adrelid = 'survey.t'::regclass)
pg_mcv_list	(SELECT stxdmcv FROM pg_statistic_ext_data)
pg_ndistinct	(SELECT stxdndistinct FROM pg_statistic_ext_data)
pg_dependencies	(SELECT stxddependencies FROM pg_statistic_ext_data)
record	ROW(1, 'a'::text)
"any"	'a'::text
"any"	1
anyelement	1
anyelement	'a'::text
anynonarray	1
anycompatible	1
anycompatiblenonarray	1
anyarray	ARRAY[1, 2]
anyarray	ARRAY['a', 'b']
anycompatiblearray	ARRAY[1, 2]
anyenum	'sad'::survey.mood
anyrange	int4range(1, 5)
anycompatiblerange	int4range(1, 5)
anymultirange	int4multirange(int4range(1, 5))
anycompatiblemultirange	int4multirange(int4range(1, 5))
citext	'a'
hstore	'a=>1'
cube	'(1,2),(3,4)'
seg	'1 .. 2'
ltree	'a.b'
lquery	'a.*'
ltxtquery	'a'
query_int	'1&2'
lo	4242
earth	ll_to_earth(1, 2)
ean13	'978-0-393-04002-9'
isbn13	'978-0-393-04002-9'
isbn	'0-393-04002-X'
ismn13	'979-0-060-11561-5'
ismn	'M-060-11561-5'
issn13	'977-1436-452-00-8'
issn	'1436-4522'
upc	'220356483481'
cstring	'5'
\.
