/* The only growing memory: bytes that are appended at the end.
 * A buf owns its memory; spry_buf_free releases it. A zeroed buf is an empty one. Every function
 * that can fail leaves the buf as it was when it does. */
#ifndef SPRY_BASE_BUF_H
#define SPRY_BASE_BUF_H

#include "base/slice.h"
#include "base/spry.h"

typedef struct spry_buf {
    char *data; /* NULL while nothing was ever appended */
    size_t len; /* bytes held */
    size_t cap; /* bytes allocated */
} spry_buf;

/* For spry_buf_reserve, when there is not enough room. */
int spry_buf_grow(spry_buf *b, size_t more) SPRY_MUST_CHECK;

/* Makes room for `more` bytes behind the end. 0 or SPRY_ENOMEM. */
static inline SPRY_MUST_CHECK int spry_buf_reserve(spry_buf *b, size_t more) {
    return b->cap - b->len >= more ? SPRY_OK : spry_buf_grow(b, more);
}

/* Copies `n` bytes to the end. 0 or SPRY_ENOMEM. */
int spry_buf_append(spry_buf *b, const void *data, size_t n) SPRY_MUST_CHECK;

/* Appends formatted text. 0 or SPRY_ENOMEM. */
int spry_buf_printf(spry_buf *b, const char *format, ...) SPRY_PRINTF(2, 3) SPRY_MUST_CHECK;

void spry_buf_swap(spry_buf *a, spry_buf *b);

/* Releases the memory; the buf is empty and usable afterwards. */
void spry_buf_free(spry_buf *b);

static inline spry_slice spry_buf_slice(const spry_buf *b) {
    return spry_slice_of(b->data, b->len);
}

#endif
