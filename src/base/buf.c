/* Growing memory, see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_CAP = 1024 };

int spry_buf_grow(spry_buf *b, size_t more) {
    if (more > SIZE_MAX / 2 - b->len) return SPRY_ENOMEM;
    size_t cap = b->cap ? b->cap : FIRST_CAP;
    while (cap - b->len < more) cap *= 2;
    char *data = realloc(b->data, cap);
    if (!data) return SPRY_ENOMEM;
    b->data = data, b->cap = cap;
    return SPRY_OK;
}

int spry_buf_append(spry_buf *b, const void *data, size_t n) {
    if (n == 0) return SPRY_OK;
    if (spry_buf_reserve(b, n)) return SPRY_ENOMEM;
    memcpy(b->data + b->len, data, n);
    b->len += n;
    return SPRY_OK;
}

int spry_buf_printf(spry_buf *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || spry_buf_reserve(b, (size_t)n + 1)) return SPRY_ENOMEM;
    va_start(args, format);
    vsnprintf(b->data + b->len, (size_t)n + 1, format, args);
    va_end(args);
    b->len += (size_t)n;
    return SPRY_OK;
}

void spry_buf_swap(spry_buf *a, spry_buf *b) {
    spry_buf held = *a;
    *a = *b;
    *b = held;
}

void spry_buf_free(spry_buf *b) {
    free(b->data);
    *b = (spry_buf){0};
}
