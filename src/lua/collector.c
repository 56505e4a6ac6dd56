/* The choice of a collector, see collector.h. */
#include "lua/collector.h"

#include "lua/allocator.h"
#include "lua/watchdog.h"

#include <malloc.h>
#include <string.h>
#include <time.h>

/* KiB; apart from each other, so that a heap in between is left alone. */
enum { LARGE = 16 * 1024, SMALL = 8 * 1024 };

static void use(lua_State *L, spryl_collector *collector, bool generational) {
    collector->generational = generational;
    if (generational)
        lua_gc(L, LUA_GCGEN, 0, 0);
    else
        lua_gc(L, LUA_GCINC, 0, 0, 0);
}

bool spryl_collector_begin(lua_State *L, spryl_collector *collector, const char *name) {
    bool incremental = name && strcmp(name, "incremental") == 0;
    if (name && !incremental && strcmp(name, "generational") != 0) return false;
    *collector = (spryl_collector){.adaptive = !name};
    use(L, collector, !incremental);
    return true;
}

static spryl_allocator *allocator_of(lua_State *L) {
    void *allocator;
    return lua_getallocf(L, &allocator) == spryl_allocate ? allocator : NULL;
}

static uint64_t monotonic_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The first collection calls finalizers, the second frees what they were for. A finalizer that is
 * refused memory has Lua collect within the first, and ends it: the others are called next time. */
static void pay(lua_State *L, spryl_collector *collector) {
    enum { PAUSE = 4 }; /* times as long as it took */
    uint64_t began = monotonic_ns();
    spryl_door door;
    spryl_door_open(&door, L);
    lua_gc(L, LUA_GCCOLLECT);
    lua_gc(L, LUA_GCCOLLECT);
    spryl_door_close(&door);
    uint64_t ended = monotonic_ns();
    collector->owed = false;
    collector->due = ended + PAUSE * (ended - began);
}

static void look_for_refusals(lua_State *L, spryl_collector *collector) {
    spryl_allocator *allocator = allocator_of(L);
    if (allocator && spryl_allocator_turn(allocator)) collector->owed = true;
    if (collector->owed && monotonic_ns() >= collector->due) pay(L, collector);
}

void spryl_collector_turn(lua_State *L, spryl_collector *collector) {
    look_for_refusals(L, collector);
    if (!collector->adaptive) return;
    int heap = lua_gc(L, LUA_GCCOUNT);
    if (collector->generational ? heap <= LARGE : heap >= SMALL) return;
    spryl_door door; /* finalizers are Lua */
    spryl_door_open(&door, L);
    use(L, collector, !collector->generational);
    spryl_door_close(&door);
}

/* Whether a step of the incremental collector, of some milliseconds, has come to the end of a
 * cycle. */
static bool collect_on(lua_State *L) {
    enum { STEPS = 100 }; /* of 20 to 50 us each */
    for (int i = 0; i < STEPS; i++)
        if (lua_gc(L, LUA_GCSTEP, 0)) return true;
    return false;
}

/* Gives what is free back to the system. True: there is more. */
static bool trim(lua_State *L) {
    spryl_allocator *allocator = allocator_of(L);
    if (allocator && spryl_allocator_trim(allocator)) return true;
    malloc_trim(0);
    return false;
}

/* Whether there is no garbage left. */
static bool collect(lua_State *L, const spryl_collector *collector) {
    if (!collector->generational) return collect_on(L);
    lua_gc(L, LUA_GCCOLLECT);
    return true;
}

bool spryl_collector_rest(lua_State *L, spryl_collector *collector) {
    if (collector->owed) pay(L, collector);
    if (!collector->trimming) {
        spryl_door door;
        spryl_door_open(&door, L);
        bool done = collect(L, collector);
        spryl_door_close(&door);
        if (!done) return true;
    }
    collector->trimming = trim(L);
    return collector->trimming;
}
