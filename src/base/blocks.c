/* Small blocks, see blocks.h. */
#include "base/blocks.h"

#include <stdbool.h>
#include <stdlib.h>

enum { STEP = 16, KEPT_MAX = 8192 /* of each size */ };

/* Sizes are 8, 24, 40, …: what malloc makes of smaller ones in any case. */
static size_t class_of(size_t size) {
    return (size + STEP / 2 - 1) / STEP;
}

static size_t room_of(size_t class) {
    return class * STEP + STEP / 2;
}

/* A sanitizer wants to see each block made and dropped, in its own size. */
static bool is_small(size_t class) {
#if defined(__SANITIZE_ADDRESS__)
    (void)class;
    return false;
#else
    return class < SPRY_BLOCK_SIZES;
#endif
}

static void *from_system(spry_blocks *b, void *old, size_t size) {
    void *block = realloc(old, size);
    if (block) return block;
    spry_blocks_drop(b);
    return realloc(old, size);
}

static void *take(spry_blocks *b, size_t size) {
    size_t class = class_of(size);
    if (!is_small(class)) return from_system(b, NULL, size);
    spry_block *block = b->spare[class];
    if (!block) return from_system(b, NULL, room_of(class));
    b->spare[class] = block->next;
    b->kept[class]--;
    return block;
}

static void give(spry_blocks *b, void *old, size_t size) {
    size_t class = class_of(size);
    if (!is_small(class) || b->kept[class] >= KEPT_MAX) {
        free(old);
        return;
    }
    spry_block *block = old;
    block->next = b->spare[class];
    b->spare[class] = block;
    b->kept[class]++;
}

void *spry_blocks_alloc(void *blocks, void *block, size_t old_size, size_t size) {
    if (!size) {
        if (block) give(blocks, block, old_size);
        return NULL;
    }
    if (!block) return take(blocks, size);
    size_t class = class_of(size);
    if (!is_small(class)) return from_system(blocks, block, size);
    return class == class_of(old_size) ? block : from_system(blocks, block, room_of(class));
}

void spry_blocks_drop(spry_blocks *b) {
    for (size_t i = 0; i < SPRY_BLOCK_SIZES; i++) {
        for (spry_block *block; (block = b->spare[i]);) {
            b->spare[i] = block->next;
            free(block);
        }
        b->kept[i] = 0;
    }
}
