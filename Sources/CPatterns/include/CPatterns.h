// Patterns for multi-line joining: PCRE2 with match limits, where its header was there at build time and its library is there at run time.
#ifndef C_PATTERNS_H
#define C_PATTERNS_H

#include <stddef.h>
#include <stdint.h>

/// Whether PCRE2 can be used: compiled in, and its library loads.
int32_t pattern_available(void);

typedef struct pattern pattern;
/// Compiles `text`; on failure returns NULL, `*error_position` is the byte in `text` and `message` (of `capacity` bytes) says why.
pattern *pattern_compile(const char *text, size_t length, size_t *error_position, char *message, size_t capacity);
void pattern_destroy(pattern *compiled);
/// 1 when the pattern matches somewhere in the line, 0 when not, -1 when the match limits were met. Not to be used by two threads at once.
int32_t pattern_matches(pattern *compiled, const void *line, size_t length);

#endif
