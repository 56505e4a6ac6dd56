/* Doors, ticks and hooks, see watchdog.h. The handler of the signal does what lua.c's own does,
 * lua_sethook, and nothing else of Lua's: what it interrupts may be in the middle of anything. */
#include "lua/watchdog.h"

#include "lua/allocator.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    SIGNAL = SIGVTALRM,
    BITE_AT = 4,   /* ticks; a tick is a quarter of the time */
    DIE_AT = 12,   /* ticks */
    GRACE = 10000, /* instructions after the first error, for those who report it */
    DIE_WITH = 70, /* what the process ends with */
    HOOK_EVERYTHING = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT,
};

static spryl_watchdog *watchdog_of(lua_State *L) {
    void *allocator;
    return lua_getallocf(L, &allocator) == spryl_allocate ? *spryl_allocator_watchdog(allocator)
                                                          : NULL;
}

/* ---- doors ---- */

void spryl_door_open(spryl_door *door, lua_State *L) {
    spryl_watchdog *w = door->watchdog = watchdog_of(L);
    if (!w) return;
    door->L = L, door->outer = w->inside;
    if (!door->outer) w->serial++;
    atomic_signal_fence(memory_order_release); /* the door is whole when the handler sees it */
    w->inside = door;
}

void spryl_door_close(spryl_door *door) {
    spryl_watchdog *w = door->watchdog;
    if (!w) return;
    w->inside = door->outer;
    if (!w->biting) return;
    lua_sethook(door->L, NULL, 0, 0);
    if (!door->outer) w->biting = 0, w->bites = 0;
}

enum spryl_pace spryl_watchdog_pace(lua_State *L, enum spryl_pace pace) {
    spryl_watchdog *w = watchdog_of(L);
    if (!w) return SPRYL_COUNTS;
    enum spryl_pace before = (enum spryl_pace)w->pace;
    w->pace = (sig_atomic_t)pace;
    return before;
}

bool spryl_watchdog_calm(lua_State *L) {
    spryl_watchdog *w = watchdog_of(L);
    if (!w || !w->biting) return false;
    w->serial++;
    w->biting = 0, w->bites = 0;
    for (spryl_door *door = w->inside; door; door = door->outer) lua_sethook(door->L, NULL, 0, 0);
    return true;
}

int spryl_watchdog_interrupted(lua_State *L) {
    lua_pushboolean(L, spryl_watchdog_calm(L));
    return 1;
}

/* ---- the error ---- */

/* Pushes where Lua is: below a C function, where it was called. */
static void push_position(lua_State *L) {
    lua_Debug at;
    for (int level = 0; lua_getstack(L, level, &at); level++) {
        lua_getinfo(L, "Sl", &at);
        if (at.currentline <= 0) continue;
        lua_pushfstring(L, "%s:%d: ", at.short_src, at.currentline);
        return;
    }
    lua_pushliteral(L, "");
}

/* Raises, here and in those that wait for this coroutine. What catches the first error can report
 * it; what goes on after that meets the next ones at each instruction, so that no loop around a
 * pcall survives. */
static void bite(lua_State *L, lua_Debug *event) {
    (void)event;
    spryl_watchdog *w = watchdog_of(L);
    if (!w || !w->biting) { /* inherited from who made this coroutine */
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    if (w->pace == SPRYL_SHELTERED) return; /* it will be called again */
    bool first = w->bites++ == 0;
    for (spryl_door *door = w->inside; door; door = door->outer)
        lua_sethook(door->L, bite, first ? LUA_MASKCOUNT : HOOK_EVERYTHING, first ? GRACE : 1);
    push_position(L);
    lua_pushfstring(L, "ran for longer than limits.cpuTime (%f s) without a wait", w->seconds);
    lua_concat(L, 2);
    lua_error(L);
}

void spryl_watchdog_guard(lua_State *L, int index) {
    const spryl_watchdog *w = watchdog_of(L);
    if (!w || lua_iscfunction(L, index)) return;
    index = lua_absindex(L, index);
    lua_rawgeti(L, LUA_REGISTRYINDEX, w->guard);
    lua_pushvalue(L, index);
    lua_call(L, 1, 1);
    lua_replace(L, index);
}

/* ---- ticks ---- */

/* C code that does not return, a finalizer (Lua runs no hooks there), or Lua that defies errors. */
static void give_up(const spryl_watchdog *w) {
    static const char message[] =
        "error: something has run for three times limits.cpuTime and could not be interrupted\n";
    ssize_t ignored = write(STDERR_FILENO, message, sizeof message - 1);
    (void)ignored;
    if (w->expendable) _exit(DIE_WITH);
}

static void on_tick(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    spryl_watchdog *w = info->si_value.sival_ptr;
    spryl_door *door = w->inside;
    if (!door || w->serial != w->seen) {
        w->seen = w->serial, w->ticks = w->waits = 0;
        return;
    }
    if (w->pace == SPRYL_SHELTERED) return;
    if (w->pace == SPRYL_WAITS && w->waits++ < 2 * BITE_AT) return;
    w->ticks++;
    if (w->ticks == DIE_AT) give_up(w);
    if (w->ticks < BITE_AT) return;
    w->biting = 1;
    lua_sethook(door->L, bite, HOOK_EVERYTHING, 1);
}

static struct timespec quarter_of(double seconds) {
    double quarter = seconds / BITE_AT;
    time_t whole = (time_t)quarter;
    return (struct timespec){whole, (long)((quarter - (double)whole) * 1e9)};
}

bool spryl_watchdog_arm(spryl_watchdog *w, lua_State *L, double seconds, bool expendable,
                        int guard) {
    void *allocator;
    if (lua_getallocf(L, &allocator) != spryl_allocate) return false;
    struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGNAL, &action, NULL)) return false;
    *w = (spryl_watchdog){.L = L, .seconds = seconds, .expendable = expendable, .guard = guard};
    /* For this thread: luv's others must not run the handler beside it. */
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGNAL};
    event.sigev_value.sival_ptr = w;
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    if (timer_create(CLOCK_MONOTONIC, &event, &w->timer)) return false;
    struct timespec quarter = quarter_of(seconds);
    struct itimerspec every = {quarter, quarter};
    if (timer_settime(w->timer, 0, &every, NULL)) {
        timer_delete(w->timer);
        return false;
    }
    *spryl_allocator_watchdog(allocator) = w;
    return true;
}

void spryl_watchdog_disarm(spryl_watchdog *w) {
    if (!w->L || watchdog_of(w->L) != w) return;
    void *allocator;
    lua_getallocf(w->L, &allocator);
    timer_delete(w->timer);
    *spryl_allocator_watchdog(allocator) = NULL;
}
