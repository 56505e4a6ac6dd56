/* Which of Lua's two collectors works. The generational one looks at what is new only, which is
 * cheap and keeps memory warm, but collects everything at one go when the heap has doubled: that
 * takes about a millisecond for 2 MiB. So it is for small heaps; for large ones the incremental one
 * goes on in steps. */
#ifndef SPRY_LUA_COLLECTOR_H
#define SPRY_LUA_COLLECTOR_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct spryl_collector {
    bool adaptive;
    bool generational; /* which one it is now */
    bool trimming;     /* at rest: all is collected, and goes back to the system */
    bool owed;         /* memory was refused, and nothing has been collected in full since */
    uint64_t due;      /* ns, from when on what is owed may be done */
} spryl_collector;

/* Starts with the one of that name, and keeps it; NULL: with the generational one, and changes with
 * the heap. False: there is none of that name. */
bool spryl_collector_begin(lua_State *L, spryl_collector *collector, const char *name);

/* Changes if it is time. Called in every turn of the loop. What Lua collects when memory is refused
 * runs no finalizers, and its own next cycle may never come below the limit: so this collects in
 * full then, for a fifth of the time at most. -- never raises */
void spryl_collector_turn(lua_State *L, spryl_collector *collector);

/* There is time: collects, and gives memory back to the system; much of it some milliseconds at a
 * time. True: it is not at the end. -- never raises */
bool spryl_collector_rest(lua_State *L, spryl_collector *collector);

#endif
