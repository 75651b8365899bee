#pragma once
/* RE2, the regular expressions that take linear time, behind an opaque pointer and plain values. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cre2_pattern cre2_pattern;

/* Compiles a pattern of count bytes (UTF-8), using at most max_memory bytes for it and its automata. Never NULL unless out of
   memory; ask cre2_error whether it compiled. Matching does not change the pattern as seen from outside: any number of threads
   may match at once. */
cre2_pattern *cre2_new(const uint8_t *pattern, size_t count, int64_t max_memory);
void cre2_free(cre2_pattern *pattern);
/* NULL, or why the pattern does not compile, in RE2's words. */
const char *cre2_error(const cre2_pattern *pattern);
/* Whether the pattern matches anywhere in count bytes of text. False for a pattern that did not compile. */
bool cre2_matches(const cre2_pattern *pattern, const uint8_t *text, size_t count);

#ifdef __cplusplus
}
#endif
