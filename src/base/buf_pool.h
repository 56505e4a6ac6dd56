/* Buffers that are empty and wait for their next use: to take one costs less than malloc. Sizes are
 * whatever they had; the one that was given last is taken first. Owns the memory of what waits. A
 * zeroed pool is an empty one. */
#ifndef SPRY_BASE_BUF_POOL_H
#define SPRY_BASE_BUF_POOL_H

#include "base/buf.h"

typedef struct spry_buf_pool {
    struct spry_spare_buf *first;
    size_t bytes; /* that all of them have */
} spry_buf_pool;

/* Gives memory to a buf that has none; when none is spare, it stays without. */
void spry_buf_pool_take(spry_buf_pool *pool, spry_buf *buf);

/* Takes the memory of a buf, and its bytes with it. It is freed if that made more than `most` bytes
 * in all. */
void spry_buf_pool_give(spry_buf_pool *pool, spry_buf *buf, size_t most);

/* Frees what waits; the pool is empty and usable afterwards. */
void spry_buf_pool_clear(spry_buf_pool *pool);

#endif
