// The door to toml++: a whole document as a flat list of plain values, each with the place where it stands.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A parsed document, or the error that ended its parsing. Owns every string that the functions below hand out.
typedef struct CTomlDocument CTomlDocument;

typedef enum CTomlKind {
    CTomlTable,
    CTomlArray,
    CTomlString,
    CTomlInteger,
    CTomlFloat,
    CTomlBoolean,
    /// A date, a time, or both.
    CTomlDateTime
} CTomlKind;

/// Lines and columns start at 1; columns count characters. Both are 0 where there is nothing to point at.
typedef struct CTomlPosition {
    uint32_t line;
    uint32_t column;
} CTomlPosition;

typedef struct CTomlValue {
    CTomlKind kind;
    CTomlPosition position;
    /// The key of a table's entry; NULL for the root and for elements of arrays. UTF-8 and not closed by a NUL.
    const char *key;
    size_t key_length;
    CTomlPosition key_position;
    /// CTomlString only. UTF-8, may hold NUL, not closed by one.
    const char *text;
    size_t text_length;
    /// CTomlInteger only.
    int64_t integer;
    /// CTomlBoolean only.
    bool boolean;
    /// CTomlTable and CTomlArray only: the children are the values first_child ..< first_child + child_count. A table's
    /// children come in the order of their keys in the text, which is the order in which a reader wrote them.
    size_t first_child;
    size_t child_count;
} CTomlValue;

/// Why a text is no TOML. The message may quote keys and numbers of the text, never a string's content.
typedef struct CTomlFailure {
    const char *message;
    size_t message_length;
    CTomlPosition position;
} CTomlFailure;

/// Reads `length` bytes of UTF-8. Never NULL; to be freed with ctoml_free. Ends the process when memory runs out.
CTomlDocument *ctoml_parse(const char *bytes, size_t length);
void ctoml_free(CTomlDocument *document);

/// True when the text could not be parsed; then `failure` says why and the document has no values.
bool ctoml_failed(const CTomlDocument *document, CTomlFailure *failure);

/// The number of values; at least 1 when parsing did not fail.
size_t ctoml_count(const CTomlDocument *document);

/// The value at `index` < ctoml_count; 0 is the root table.
CTomlValue ctoml_value(const CTomlDocument *document, size_t index);

#ifdef __cplusplus
}
#endif
