/* Memory for Lua, which makes and drops very many small blocks: of each size, some that were freed
 * are kept for those who want one next. A collector frees thousands at a time, more than malloc's
 * own caches take, and joining and splitting them costs a tenth of what a short message does.
 *
 * What is kept is bounded, and is given back when there is nothing to do (lua/collector.c). */
#ifndef SPRY_BASE_BLOCKS_H
#define SPRY_BASE_BLOCKS_H

#include <stddef.h>

enum { SPRY_BLOCK_SIZES = 16 }; /* up to 248 bytes; larger ones are not kept */

typedef struct spry_block {
    struct spry_block *next;
} spry_block;

typedef struct spry_blocks {
    spry_block *spare[SPRY_BLOCK_SIZES];
    unsigned kept[SPRY_BLOCK_SIZES]; /* how many */
} spry_blocks;

/* A lua_Alloc. `blocks` is a spry_blocks, which is zeroed in the beginning. */
void *spry_blocks_alloc(void *blocks, void *block, size_t old_size, size_t size);

/* Gives back what is kept. */
void spry_blocks_drop(spry_blocks *blocks);

#endif
