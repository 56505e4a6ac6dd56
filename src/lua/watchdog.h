/* Interrupts Lua that does not return to the loop in time. A timer's signal looks four times in
 * that time whether the same call from the loop is still inside; then whatever runs there gets a
 * hook that raises. All of it is of one thread, and of a state whose memory is a spryl_allocator.
 *
 * Who enters Lua opens a door, also when one is open already: every coroutine has its own hook, so
 * the innermost has to be known. Doors lie on the C stack, and cost some stores. */
#ifndef SPRY_LUA_WATCHDOG_H
#define SPRY_LUA_WATCHDOG_H

#include <lua.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

struct spryl_watchdog;

/* What the time of a call means. */
enum spryl_pace {
    SPRYL_COUNTS,    /* it counts */
    SPRYL_WAITS,     /* a wait for others, which is free up to twice the time that Lua has */
    SPRYL_SHELTERED, /* it does not count, and nothing is interrupted */
};

typedef struct spryl_door {
    struct spryl_watchdog *watchdog; /* NULL: nobody watches */
    lua_State *L;                    /* what runs behind it */
    struct spryl_door *outer;        /* NULL: the loop */
} spryl_door;

/* Embedded by its owner, who keeps it until it is disarmed. What is volatile is shared with the
 * handler of the signal, which runs in the same thread. */
typedef struct spryl_watchdog {
    lua_State *L;
    timer_t timer;
    double seconds;               /* the time that Lua has */
    bool expendable;              /* the process ends when that does not help */
    int guard;                    /* registry: see spryl_watchdog_guard */
    spryl_door *volatile inside;  /* the innermost open door; NULL: the loop has the turn */
    volatile unsigned serial;     /* of the call from the loop */
    volatile sig_atomic_t biting; /* hooks are set */
    unsigned bites;               /* errors that were raised in this call */
    unsigned seen;                /* the serial at the last tick, and how often it was the same */
    int ticks;
    volatile sig_atomic_t pace; /* an enum spryl_pace */
    int waits;                  /* ticks that were free in this call */
} spryl_watchdog;

/* From now on Lua has `seconds` each time. A process that is expendable ends when something can't
 * be interrupted: another one takes its place. `guard` is a reference in the registry, which is
 * kept. False: the system has no timer for it. */
bool spryl_watchdog_arm(spryl_watchdog *watchdog, lua_State *L, double seconds, bool expendable,
                        int guard);

/* Harmless when it is not armed. No door is open. */
void spryl_watchdog_disarm(spryl_watchdog *watchdog);

/* Lua is about to run in L, and has returned. -- never raise */
void spryl_door_open(spryl_door *door, lua_State *L);
void spryl_door_close(spryl_door *door);

/* Changes what the time of this call means. What it meant before. -- never raises */
enum spryl_pace spryl_watchdog_pace(lua_State *L, enum spryl_pace pace);

/* A message handler that is called for what a hook raises can't be interrupted: no hook runs inside
 * another. So the function at `index`, when it is one of Lua, is replaced by what `guard` makes of
 * it. -- may raise */
void spryl_watchdog_guard(lua_State *L, int index);

/* Somebody has caught what a hook raised, and is about to report it: it may take its time again.
 * False: nothing was raised since the loop has entered Lua. -- never raises */
bool spryl_watchdog_calm(lua_State *L);

/* The same for Lua: interrupted() -> boolean. */
int spryl_watchdog_interrupted(lua_State *L);

#endif
