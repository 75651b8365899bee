#include "CPgQuery.h"

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>
#include <stdlib.h>
#include <string.h>

struct cpgquery_parse {
    PgQueryProtobufParseResult result;
};

cpgquery_parse *cpgquery_parse_new(const char *sql) {
    cpgquery_parse *parse = malloc(sizeof *parse);
    if (parse == NULL) return NULL;
    parse->result = pg_query_parse_protobuf(sql);
    return parse;
}

void cpgquery_parse_free(cpgquery_parse *parse) {
    if (parse == NULL) return;
    pg_query_free_protobuf_parse_result(parse->result);
    free(parse);
}

const uint8_t *cpgquery_parse_bytes(const cpgquery_parse *parse) {
    return (const uint8_t *)parse->result.parse_tree.data;
}

size_t cpgquery_parse_count(const cpgquery_parse *parse) {
    return parse->result.error != NULL ? 0 : parse->result.parse_tree.len;
}

const char *cpgquery_parse_error(const cpgquery_parse *parse) {
    return parse->result.error != NULL ? parse->result.error->message : NULL;
}

bool cpgquery_fingerprint(const char *sql, uint64_t *fingerprint) {
    PgQueryFingerprintResult result = pg_query_fingerprint(sql);
    bool parsed = result.error == NULL;
    if (parsed) *fingerprint = result.fingerprint;
    pg_query_free_fingerprint_result(result);
    return parsed;
}

char *cpgquery_normalise(const char *sql) {
    PgQueryNormalizeResult result = pg_query_normalize(sql);
    char *text = result.error == NULL && result.normalized_query != NULL ? strdup(result.normalized_query) : NULL;
    pg_query_free_normalize_result(result);
    return text;
}

void cpgquery_text_free(char *text) { free(text); }

static const ProtobufCMessageDescriptor *descriptor(const cpgquery_message *message) {
    return (const ProtobufCMessageDescriptor *)message;
}

const cpgquery_message *cpgquery_root_message(void) {
    /* The descriptor is no exported symbol of Debian's build; an initialised message carries it. */
    PgQuery__ParseResult result;
    pg_query__parse_result__init(&result);
    return (const cpgquery_message *)result.base.descriptor;
}

const char *cpgquery_message_name(const cpgquery_message *message) { return descriptor(message)->short_name; }

uint32_t cpgquery_message_field_count(const cpgquery_message *message) { return descriptor(message)->n_fields; }

cpgquery_field cpgquery_message_field(const cpgquery_message *message, uint32_t index) {
    const ProtobufCFieldDescriptor *field = &descriptor(message)->fields[index];
    cpgquery_field out = {field->name, field->id, NULL};
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) out.message = (const cpgquery_message *)field->descriptor;
    return out;
}
