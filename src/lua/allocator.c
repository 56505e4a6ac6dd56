/* Slabs of equally large blocks, see allocator.h. */
#include "lua/allocator.h"

#include "base/list.h"
#include "base/spry.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef SPRYL_SMALL
#ifdef __SANITIZE_ADDRESS__
#define SPRYL_SMALL 0 /* the sanitizer's own malloc knows who uses a block that was freed */
#else
#define SPRYL_SMALL 256 /* bytes; of more, a slab would hold too few */
#endif
#endif

enum {
    STEP = 8, /* between sizes, and the alignment that Lua's types need */
    SIZES = SPRYL_SMALL / STEP + 1,
    SLAB = 4096,
    REGION = 64,          /* slabs that are asked for at once */
    RESERVE = 256 * 1024, /* bytes beyond the limit, for reporting that it was met */
};

/* A free block. */
typedef struct block {
    struct block *next;
} block;

/* The head of a slab; its blocks are behind it. */
typedef struct slab {
    spry_list link; /* among those of the same size that have room */
    block *free;    /* blocks that were given back */
    size_t
        fresh; /* where the first block begins that was never used: such memory stays untouched */
    unsigned size; /* of a block */
    unsigned used; /* blocks */
} slab;

struct spryl_allocator {
    spry_list open[SIZES]; /* slabs that have room, by size in steps */
    void **spare;          /* empty slabs, with room for all that there are */
    size_t spare_count;
    size_t returned; /* so many of them, from the first on, were given back to the system */
    char **regions;
    size_t region_count;
    struct spryl_watchdog *watchdog;
    size_t used;    /* bytes of blocks */
    size_t most;    /* that there may be, SIZE_MAX - 2 * RESERVE when any number may */
    size_t refused; /* the growth that was refused last, 0 when there was another since */
    bool reporting; /* the reserve is open */
    bool lent;      /* another reserve is */
    bool sheltered; /* there is no limit now */
    bool pressed;   /* something was refused, since the last turn of the loop */
};

/* ---- slabs ---- */

/* Asks the system for more. False: it has no memory. */
static bool add_region(spryl_allocator *a) {
    size_t count = a->region_count + 1;
    char **regions = realloc(a->regions, count * sizeof *regions);
    if (!regions) return false;
    a->regions = regions;
    void **spare = realloc(a->spare, count * REGION * sizeof *spare);
    if (!spare) return false;
    a->spare = spare;
    char *region = mmap(NULL, (size_t)REGION * SLAB, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region == MAP_FAILED) return false;
    a->regions[a->region_count++] = region;
    for (size_t i = REGION; i > 0; i--) a->spare[a->spare_count++] = region + (i - 1) * SLAB;
    return true;
}

/* A slab with room for blocks of so many steps; NULL when there is no memory. */
static slab *open_slab(spryl_allocator *a, size_t steps) {
    if (!a->spare_count && !add_region(a)) return NULL;
    slab *s = a->spare[--a->spare_count];
    if (a->returned > a->spare_count) a->returned = a->spare_count;
    *s = (slab){.fresh = sizeof *s, .size = (unsigned)(steps * STEP)};
    spry_list_init(&s->link);
    spry_list_push(&a->open[steps], &s->link);
    return s;
}

static bool is_full(const slab *s) {
    return !s->free && s->fresh + s->size > SLAB;
}

static slab *slab_of(void *at) {
    return (slab *)((char *)at - (uintptr_t)at % SLAB);
}

/* ---- small blocks ---- */

static size_t steps_of(size_t size) {
    return (size + STEP - 1) / STEP;
}

static void *take(spryl_allocator *a, size_t size) {
    size_t steps = steps_of(size);
    spry_list *open = &a->open[steps];
    slab *s =
        spry_list_empty(open) ? open_slab(a, steps) : spry_container_of(open->prev, slab, link);
    if (!s) return NULL;
    void *taken = s->free;
    if (taken) {
        s->free = s->free->next;
    } else {
        taken = (char *)s + s->fresh;
        s->fresh += s->size;
    }
    s->used++;
    if (is_full(s)) spry_list_remove(&s->link);
    return taken;
}

static void give(spryl_allocator *a, void *given) {
    slab *s = slab_of(given);
    if (is_full(s)) spry_list_push(&a->open[s->size / STEP], &s->link);
    block *b = given;
    b->next = s->free;
    s->free = b;
    if (--s->used) return;
    spry_list_remove(&s->link);
    a->spare[a->spare_count++] = s;
}

/* ---- for Lua ---- */

static bool is_small(size_t size) {
    return size <= SPRYL_SMALL;
}

static void *make(spryl_allocator *a, size_t size) {
    return is_small(size) ? take(a, size) : malloc(size);
}

static void drop(spryl_allocator *a, void *at, size_t size) {
    if (is_small(size))
        give(a, at);
    else
        free(at);
}

/* To another size, of which at least one is small. */
static void *move(spryl_allocator *a, void *from, size_t old_size, size_t new_size) {
    if (is_small(old_size) && is_small(new_size) && steps_of(old_size) == steps_of(new_size))
        return from;
    void *to = make(a, new_size);
    if (!to) return NULL;
    memcpy(to, from, old_size < new_size ? old_size : new_size);
    drop(a, from, old_size);
    return to;
}

/* A block of another size; `at` is NULL, or `new_size` 0, when there is none before or after. */
static void *resize(spryl_allocator *a, void *at, size_t old_size, size_t new_size) {
    if (!at) return new_size ? make(a, new_size) : NULL;
    if (!new_size) {
        drop(a, at, old_size);
        return NULL;
    }
    if (is_small(old_size) || is_small(new_size)) return move(a, at, old_size, new_size);
    return realloc(at, new_size);
}

/* ---- the limit ---- */

static bool has_room(const spryl_allocator *a, size_t growth, size_t most) {
    return most >= a->used && growth <= most - a->used;
}

/* The limit is reached. Refused twice in a row, Lua has collected in vain and raises an error. */
static bool may_use_reserve(spryl_allocator *a, size_t growth) {
    size_t reserve = (size_t)(a->reporting + a->lent) * RESERVE;
    if (has_room(a, growth, a->most + reserve)) return true;
    a->reporting = a->reporting || growth == a->refused;
    a->refused = growth, a->pressed = true;
    return false;
}

static bool may_grow(spryl_allocator *a, size_t growth) {
    if (a->sheltered) return true;
    if (!has_room(a, growth, a->most)) return may_use_reserve(a, growth);
    a->refused = 0;
    return true;
}

void *spryl_allocate(void *allocator, void *at, size_t old_size, size_t new_size) {
    spryl_allocator *a = allocator;
    if (!at) old_size = 0; /* it said what the block is for */
    if (new_size > old_size && !may_grow(a, new_size - old_size)) return NULL;
    void *to = resize(a, at, old_size, new_size);
    if (to || !new_size) a->used = a->used - old_size + new_size;
    return to;
}

void spryl_allocator_limit(spryl_allocator *a, size_t most) {
    a->most = most && most < SIZE_MAX - 2 * RESERVE ? most : SIZE_MAX - 2 * RESERVE;
}

bool spryl_allocator_turn(spryl_allocator *a) {
    bool pressed = a->pressed;
    a->reporting = a->pressed = false;
    return pressed;
}

void spryl_allocator_lend(spryl_allocator *a, bool lent) {
    a->lent = lent;
}

bool spryl_allocator_shelter(spryl_allocator *a, bool sheltered) {
    bool before = a->sheltered;
    a->sheltered = sheltered;
    return before;
}

struct spryl_watchdog **spryl_allocator_watchdog(spryl_allocator *a) {
    return &a->watchdog;
}

bool spryl_allocator_trim(spryl_allocator *a) {
    enum { MOST = 2048 }; /* of 1 us each */
    for (size_t i = 0; i < MOST && a->returned < a->spare_count; i++, a->returned++)
        madvise(a->spare[a->returned], SLAB, MADV_DONTNEED);
    return a->returned < a->spare_count;
}

spryl_allocator *spryl_allocator_new(void) {
    spryl_allocator *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    for (size_t i = 0; i < SIZES; i++) spry_list_init(&a->open[i]);
    spryl_allocator_limit(a, 0);
    return a;
}

void spryl_allocator_free(spryl_allocator *a) {
    for (size_t i = 0; i < a->region_count; i++) munmap(a->regions[i], (size_t)REGION * SLAB);
    free(a->regions);
    free(a->spare);
    free(a);
}
