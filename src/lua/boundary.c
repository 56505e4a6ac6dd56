/* The doors into Lua, see boundary.h. */
#include "lua/boundary.h"

#include "lua/watchdog.h"

#include <lauxlib.h>

int spryl_protect(lua_State *L, lua_CFunction fn, void *ud) {
    if (!lua_checkstack(L, 4)) return LUA_ERRMEM;
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, ud);
    spryl_door door;
    spryl_door_open(&door, L);
    int status = lua_pcall(L, 1, 0, 0);
    spryl_door_close(&door);
    if (status != LUA_OK) lua_pop(L, 1);
    return status;
}

int spryl_msgh(lua_State *L) {
    lua_settop(L, 1);
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, 2, 1);
    if (!(lua_istable(L, 1) && lua_getmetatable(L, 1))) {
        luaL_traceback(L, L, NULL, 1);
        lua_rawseti(L, 2, 2);
    }
    lua_settop(L, 2);
    return 1;
}

void spryl_unpack_error(lua_State *L) {
    if (!lua_istable(L, -1)) { /* no memory for the message handler, or it failed itself */
        lua_pushnil(L);
        return;
    }
    int at = lua_gettop(L);
    lua_rawgeti(L, at, 1);
    lua_rawgeti(L, at, 2);
    lua_remove(L, at);
}

bool spryl_close_thread(lua_State *co, lua_State *from) {
#if LUA_VERSION_RELEASE_NUM >= 50406
    bool closed = lua_closethread(co, from) == LUA_OK;
#else
    (void)from;
    bool closed = lua_resetthread(co) == LUA_OK;
#endif
    if (closed) lua_settop(co, 0);
    return closed;
}
