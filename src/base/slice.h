/* Borrowed bytes: a slice never owns and is never freed; whoever made it says how long it lives. */
#ifndef SPRY_BASE_SLICE_H
#define SPRY_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct spry_slice {
    const char *data; /* may be NULL when len is 0 */
    size_t len;
} spry_slice;

/* A slice of a string literal. */
#define spry_slice_lit(s) ((spry_slice){(s), sizeof(s) - 1})

static inline spry_slice spry_slice_of(const char *data, size_t len) {
    return (spry_slice){data, len};
}

static inline bool spry_slice_eq(spry_slice a, spry_slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* ASCII lower case; every other byte stays as it is. */
static inline char spry_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline bool spry_slice_eq_nocase(spry_slice a, spry_slice b) {
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (spry_lower(a.data[i]) != spry_lower(b.data[i])) return false;
    return true;
}

/* Without spaces and tabs at both ends (OWS, RFC 9110 section 5.6.3). */
static inline spry_slice spry_slice_trim(spry_slice s) {
    while (s.len && (s.data[0] == ' ' || s.data[0] == '\t')) s.data++, s.len--;
    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) s.len--;
    return s;
}

/* Cuts the next element off a comma-separated list (RFC 9110 section 5.6.1) into `item`, trimmed;
 * empty elements are skipped. False at the end. */
static inline bool spry_slice_next_item(spry_slice *list, spry_slice *item) {
    while (list->len) {
        const char *comma = memchr(list->data, ',', list->len);
        size_t n = comma ? (size_t)(comma - list->data) : list->len;
        *item = spry_slice_trim(spry_slice_of(list->data, n));
        size_t used = comma ? n + 1 : n;
        list->data += used, list->len -= used;
        if (item->len) return true;
    }
    return false;
}

#endif
