/* Message handlers of xpcall are guarded (lua/watchdog.h): the linker is told to put this function
 * in place of Lua's (--wrap). */
#include "lua/watchdog.h"

// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names
int __real_lua_pcallk(lua_State *L, int nargs, int nresults, int handler, lua_KContext ctx,
                      lua_KFunction k);
int __wrap_lua_pcallk(lua_State *L, int nargs, int nresults, int handler, lua_KContext ctx,
                      lua_KFunction k);

/* Apart, and left as it is by the compiler, so that other calls cost three instructions more. */
__attribute__((noipa)) static int guarded(lua_State *L, int nargs, int nresults, int handler,
                                          lua_KContext ctx, lua_KFunction k) {
    spryl_watchdog_guard(L, handler);
    return __real_lua_pcallk(L, nargs, nresults, handler, ctx, k);
}

int __wrap_lua_pcallk(lua_State *L, int nargs, int nresults, int handler, lua_KContext ctx,
                      lua_KFunction k) {
    /* Our own calls know how many results they want. */
    if (nresults == LUA_MULTRET && handler != 0)
        return guarded(L, nargs, nresults, handler, ctx, k);
    return __real_lua_pcallk(L, nargs, nresults, handler, ctx, k);
}
// NOLINTEND(bugprone-reserved-identifier)
