#include "CPatterns.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

// SLUICE_WITHOUT_PCRE2 builds as on a machine without its header.
#if !defined(SLUICE_WITHOUT_PCRE2) && __has_include(<pcre2.h>)
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { MATCH_LIMIT = 200000, DEPTH_LIMIT = 2000, HEAP_LIMIT_KIB = 4096 };

static struct {
    __typeof__(&pcre2_compile) compile;
    __typeof__(&pcre2_code_free) code_free;
    __typeof__(&pcre2_match) match;
    __typeof__(&pcre2_match_data_create_from_pattern) match_data_create;
    __typeof__(&pcre2_match_data_free) match_data_free;
    __typeof__(&pcre2_match_context_create) match_context_create;
    __typeof__(&pcre2_match_context_free) match_context_free;
    __typeof__(&pcre2_set_match_limit) set_match_limit;
    __typeof__(&pcre2_set_depth_limit) set_depth_limit;
    __typeof__(&pcre2_set_heap_limit) set_heap_limit;
    __typeof__(&pcre2_get_error_message) get_error_message;
    int usable;
} pcre2;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define RESOLVE(field, symbol) (*(void **)&pcre2.field = dlsym(library, TEXT(symbol)))

static void load(void) {
    void *library = dlopen("libpcre2-8.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    pcre2.usable = RESOLVE(compile, pcre2_compile) && RESOLVE(code_free, pcre2_code_free) && RESOLVE(match, pcre2_match) &&
                   RESOLVE(match_data_create, pcre2_match_data_create_from_pattern) && RESOLVE(match_data_free, pcre2_match_data_free) &&
                   RESOLVE(match_context_create, pcre2_match_context_create) && RESOLVE(match_context_free, pcre2_match_context_free) &&
                   RESOLVE(set_match_limit, pcre2_set_match_limit) && RESOLVE(set_depth_limit, pcre2_set_depth_limit) &&
                   RESOLVE(set_heap_limit, pcre2_set_heap_limit) && RESOLVE(get_error_message, pcre2_get_error_message);
}

struct pattern {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

int32_t pattern_available(void) {
    pthread_once(&once, load);
    return pcre2.usable;
}

void pattern_destroy(pattern *compiled) {
    if (!compiled) return;
    if (compiled->context) pcre2.match_context_free(compiled->context);
    if (compiled->data) pcre2.match_data_free(compiled->data);
    if (compiled->code) pcre2.code_free(compiled->code);
    free(compiled);
}

pattern *pattern_compile(const char *text, size_t length, size_t *error_position, char *message, size_t capacity) {
    *error_position = 0;
    if (!pattern_available()) {
        snprintf(message, capacity, "PCRE2 is not installed");
        return NULL;
    }
    int code = 0;
    PCRE2_SIZE where = 0;
    pattern *compiled = calloc(1, sizeof *compiled);
    if (!compiled) return NULL;
    compiled->code = pcre2.compile((PCRE2_SPTR)text, length, PCRE2_NEVER_BACKSLASH_C, &code, &where, NULL);
    if (!compiled->code) {
        *error_position = where;
        if (pcre2.get_error_message(code, (PCRE2_UCHAR *)message, capacity) < 0) snprintf(message, capacity, "error %d", code);
        free(compiled);
        return NULL;
    }
    compiled->data = pcre2.match_data_create(compiled->code, NULL);
    compiled->context = pcre2.match_context_create(NULL);
    if (!compiled->data || !compiled->context) {
        pattern_destroy(compiled);
        snprintf(message, capacity, "out of memory");
        return NULL;
    }
    pcre2.set_match_limit(compiled->context, MATCH_LIMIT);
    pcre2.set_depth_limit(compiled->context, DEPTH_LIMIT);
    pcre2.set_heap_limit(compiled->context, HEAP_LIMIT_KIB);
    return compiled;
}

int32_t pattern_matches(pattern *compiled, const void *line, size_t length) {
    int result = pcre2.match(compiled->code, line, length, 0, 0, compiled->data, compiled->context);
    if (result >= 0) return 1;
    return result == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

#else

int32_t pattern_available(void) { return 0; }
pattern *pattern_compile(const char *text, size_t length, size_t *error_position, char *message, size_t capacity) {
    (void)text, (void)length;
    *error_position = 0;
    snprintf(message, capacity, "PCRE2's header was not there when Sluice was built");
    return NULL;
}
void pattern_destroy(pattern *compiled) { (void)compiled; }
int32_t pattern_matches(pattern *compiled, const void *line, size_t length) {
    (void)compiled, (void)line, (void)length;
    return -1;
}

#endif
