#pragma once
/* PostgreSQL's own parser (libpg_query), behind opaque pointers and plain values.
   Only the calls that never recurse over the finished tree are here: unpacking it (pg_query__parse_result__unpack) overflows
   an 8 MB stack on 8.4 KB of SQL, so callers walk the protobuf bytes themselves, guided by the descriptors below. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A parsed text. Release with cpgquery_parse_free. */
typedef struct cpgquery_parse cpgquery_parse;

/* Parses a NUL-terminated text. The parser needs up to 172 bytes of stack per byte of SQL. NULL only when out of memory. */
cpgquery_parse *cpgquery_parse_new(const char *sql);
void cpgquery_parse_free(cpgquery_parse *parse);
/* The tree as protobuf bytes (message ParseResult); valid until the parse is freed. Empty after an error. */
const uint8_t *cpgquery_parse_bytes(const cpgquery_parse *parse);
size_t cpgquery_parse_count(const cpgquery_parse *parse);
/* NULL, or why the parser refused the text; it may quote all of the text. */
const char *cpgquery_parse_error(const cpgquery_parse *parse);

/* The fingerprint that ignores constants, white space and the length of lists. False when the text does not parse. */
bool cpgquery_fingerprint(const char *sql, uint64_t *fingerprint);
/* The text with constants replaced by $n. NULL when the text does not parse. Release with cpgquery_text_free. */
char *cpgquery_normalise(const char *sql);
void cpgquery_text_free(char *text);

/* One message type of the tree: its name and its fields, as the library itself describes them. */
typedef struct cpgquery_message cpgquery_message;
typedef struct {
    const char *name;
    uint32_t number;
    /* The type of the field when it is a message, else NULL. */
    const cpgquery_message *message;
} cpgquery_field;

const cpgquery_message *cpgquery_root_message(void);
const char *cpgquery_message_name(const cpgquery_message *message);
uint32_t cpgquery_message_field_count(const cpgquery_message *message);
/* The index counts from 0 and must be below the field count. */
cpgquery_field cpgquery_message_field(const cpgquery_message *message, uint32_t index);

#ifdef __cplusplus
}
#endif
