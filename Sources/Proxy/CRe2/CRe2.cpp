#include "CRe2.h"

#include <new>
#include <re2/re2.h>
#include <string>

struct cre2_pattern {
    cre2_pattern(re2::StringPiece text, const RE2::Options &options)
        : expression(text, options), error(expression.error()) {}
    RE2 expression;
    std::string error;
};

static re2::StringPiece piece(const uint8_t *bytes, size_t count) {
    return re2::StringPiece(reinterpret_cast<const char *>(bytes), count);
}

cre2_pattern *cre2_new(const uint8_t *pattern, size_t count, int64_t max_memory) {
    RE2::Options options;
    options.set_log_errors(false); /* else RE2 writes to stderr by itself */
    options.set_max_mem(max_memory);
    options.set_never_capture(true);
    return new (std::nothrow) cre2_pattern(piece(pattern, count), options);
}

void cre2_free(cre2_pattern *pattern) { delete pattern; }

const char *cre2_error(const cre2_pattern *pattern) {
    return pattern->expression.ok() ? nullptr : pattern->error.c_str();
}

bool cre2_matches(const cre2_pattern *pattern, const uint8_t *text, size_t count) {
    return pattern->expression.ok() && RE2::PartialMatch(piece(text, count), pattern->expression);
}
