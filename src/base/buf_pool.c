/* Spare buffers, see buf_pool.h. */
#include "base/buf_pool.h"

#include <stdlib.h>

/* Kept at the front of the spare memory itself: no buf is smaller. */
typedef struct spry_spare_buf {
    struct spry_spare_buf *next;
    size_t cap;
} spry_spare_buf;

void spry_buf_pool_take(spry_buf_pool *pool, spry_buf *buf) {
    spry_spare_buf *spare = pool->first;
    if (!spare) return;
    pool->first = spare->next;
    pool->bytes -= spare->cap;
    *buf = (spry_buf){(char *)spare, 0, spare->cap};
}

void spry_buf_pool_give(spry_buf_pool *pool, spry_buf *buf, size_t most) {
    if (buf->cap < sizeof(spry_spare_buf) || pool->bytes + buf->cap > most) {
        spry_buf_free(buf);
        return;
    }
    spry_spare_buf *spare = (spry_spare_buf *)(void *)buf->data; /* malloc's, so it is aligned */
    *spare = (spry_spare_buf){pool->first, buf->cap};
    pool->first = spare;
    pool->bytes += buf->cap;
    *buf = (spry_buf){0};
}

void spry_buf_pool_clear(spry_buf_pool *pool) {
    for (spry_buf buf = {0}; pool->first; spry_buf_free(&buf)) spry_buf_pool_take(pool, &buf);
}
