/* Blocks of all sizes, made, resized and given back in random order, and now and then all of them:
 * each keeps what was written into it, none lies on another, and what is given back is used again.
 *
 *   fuzz_allocator SEED COUNT   does COUNT things from SEED on, and ends with 1 at a mistake */
#include "lua/allocator.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { BLOCKS = 20000, LARGEST = 400, ALIGNMENT = 8 };

typedef struct block {
    unsigned char *at;
    size_t size;
    unsigned char fill;
} block;

typedef struct world {
    spryl_allocator *allocator;
    block blocks[BLOCKS];
    uint64_t random;
} world;

static size_t below(world *w, size_t limit) {
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(w->random >> 33) % limit;
}

static bool holds(const block *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (b->at[i] != b->fill) return false;
    return true;
}

/* Makes, resizes or (to 0) gives back. */
static bool resize(world *w, block *b, size_t size) {
    if (b->at && !holds(b, b->size)) return false;
    b->at = spryl_allocate(w->allocator, b->at, b->at ? b->size : 5, size);
    if (!size) return b->size = 0, !b->at;
    if (!b->at || (uintptr_t)b->at % ALIGNMENT || !holds(b, b->size < size ? b->size : size))
        return false;
    b->size = size;
    b->fill = (unsigned char)below(w, 256);
    memset(b->at, b->fill, size);
    return true;
}

static bool empty(world *w) {
    for (size_t i = 0; i < BLOCKS; i++)
        if (!resize(w, &w->blocks[i], 0)) return false;
    spryl_allocator_trim(w->allocator);
    return true;
}

static bool act(world *w) {
    if (below(w, BLOCKS * 4) == 0 && !empty(w)) return false;
    if (below(w, 1000) == 0) spryl_allocator_trim(w->allocator);
    size_t size = below(w, 3) ? below(w, 10) * 8 : below(w, LARGEST);
    return resize(w, &w->blocks[below(w, BLOCKS)], size);
}

int main(int argc, char **argv) {
    static world w;
    unsigned long count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    w.random = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    w.allocator = spryl_allocator_new();
    bool right = w.allocator != NULL;
    for (unsigned long i = 0; right && i < count; i++) right = act(&w);
    right = right && empty(&w);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    if (w.allocator) spryl_allocator_free(w.allocator);
    printf("%lu things, %s, at most %ld KiB\n", count, right ? "right" : "wrong", usage.ru_maxrss);
    return !right;
}
