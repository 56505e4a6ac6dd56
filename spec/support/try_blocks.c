/* Makes, grows and drops blocks of memory as Lua does, each filled with what tells it apart, so
 * that one that is given to two, or is too small, is seen. Ends with 1 at a mistake.
 *
 *   try_blocks SEED STEPS */
#include "base/blocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 300000, LONGEST = 264 };

typedef struct block {
    unsigned char *data;
    size_t size;
} block;

static unsigned long long state;

static size_t pick(size_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(state >> 33) % below;
}

static int mark_of(const block *b) {
    return (int)((size_t)b / sizeof *b % 251);
}

static int is_intact(const block *b, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (b->data[i] != mark_of(b)) return 0;
    return 1;
}

/* To another size, of which 0 drops it. */
static int change(spry_blocks *blocks, block *b, size_t size) {
    size_t same = size < b->size ? size : b->size;
    if (!is_intact(b, b->size)) return 0;
    b->data = spry_blocks_alloc(blocks, b->data, b->data ? b->size : 4 /* a type */, size);
    if (!b->data != !size || !is_intact(b, same)) return 0;
    if (size) memset(b->data, mark_of(b), size);
    b->size = size;
    return 1;
}

int main(int argc, char **argv) {
    static block all[BLOCKS];
    spry_blocks blocks = {0};
    state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    unsigned long steps = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000;
    for (unsigned long i = 0; i < steps; i++) {
        size_t size = pick(3) ? pick(LONGEST) : 0;
        if (!change(&blocks, &all[pick(BLOCKS)], size)) return printf("step %lu\n", i), 1;
        if (pick(100000) == 0) spry_blocks_drop(&blocks);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        if (!change(&blocks, &all[i], 0)) return printf("at the end\n"), 1;
    for (size_t i = 0; i < SPRY_BLOCK_SIZES; i++)
        if (blocks.kept[i] > 10000) return printf("%u kept\n", blocks.kept[i]), 1;
    spry_blocks_drop(&blocks);
    printf("%lu steps\n", steps);
    return 0;
}
