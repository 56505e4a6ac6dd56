/* Every resume of a coroutine opens a door (lua/watchdog.h), those of Lua's own library too: the
 * linker is told to put these functions in place of Lua's (--wrap), which they call. */
#include "lua/watchdog.h"

// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names
int __real_lua_resume(lua_State *co, lua_State *from, int nargs, int *nresults);
int __wrap_lua_resume(lua_State *co, lua_State *from, int nargs, int *nresults);

int __wrap_lua_resume(lua_State *co, lua_State *from, int nargs, int *nresults) {
    spryl_door door;
    spryl_door_open(&door, co);
    int status = __real_lua_resume(co, from, nargs, nresults);
    spryl_door_close(&door);
    return status;
}

/* Closing runs to-be-closed variables. */
#if LUA_VERSION_RELEASE_NUM >= 50406
int __real_lua_closethread(lua_State *co, lua_State *from);
int __wrap_lua_closethread(lua_State *co, lua_State *from);

int __wrap_lua_closethread(lua_State *co, lua_State *from) {
    spryl_door door;
    spryl_door_open(&door, co);
    int status = __real_lua_closethread(co, from);
    spryl_door_close(&door);
    return status;
}
#else
int __real_lua_resetthread(lua_State *co);
int __wrap_lua_resetthread(lua_State *co);

int __wrap_lua_resetthread(lua_State *co) {
    spryl_door door;
    spryl_door_open(&door, co);
    int status = __real_lua_resetthread(co);
    spryl_door_close(&door);
    return status;
}
#endif
// NOLINTEND(bugprone-reserved-identifier)
