/* Sharing the loop with luv, see luv.h. The guards are there because luv 1.44 does not protect a
 * loop that it shares: its walk aborts on foreign handles, and its run would nest. */
#include "net/luv.h"

#include "lua/boundary.h"
#include "lua/watchdog.h"

#include <lauxlib.h>
#include <luv/luv.h>
#include <signal.h>
#include <unistd.h>

#define REAL_WALK "sprylua.luv.walk"

/* Logs cause and traceback. The cause may be anything, also what can't be made a text of. */
static int log_error(lua_State *L) {
    const char *traceback = lua_tostring(L, 2);
    lua_writestringerror("error: a luv callback raised: %s\n", luaL_tolstring(L, 1, NULL));
    lua_writestringerror("%s\n", traceback ? traceback : "");
    return 0;
}

/* Logs the error of spryl_msgh that is on top, and pops it. -- never raises */
static void report(lua_State *L) {
    spryl_unpack_error(L);
    lua_pushcfunction(L, log_error);
    lua_insert(L, -3);
    if (lua_pcall(L, 2, 0, 0) == LUA_OK) return;
    lua_writestringerror("error: %s\n", "a luv callback raised what has no text");
    lua_pop(L, 1);
}

/* Calls a callback for luv. Its own way would end the process on an error. */
static int call(lua_State *L, int nargs, int nresults, int flags) {
    (void)flags;
    int at = lua_gettop(L) - nargs;
    lua_pushcfunction(L, spryl_msgh);
    lua_insert(L, at);
    spryl_door door;
    spryl_door_open(&door, L);
    int status = lua_pcall(L, nargs, nresults, at);
    if (status != LUA_OK) {
        spryl_watchdog_calm(L);
        report(L);
    }
    spryl_door_close(&door);
    lua_remove(L, at);
    return status == LUA_OK ? lua_gettop(L) - at + 1 : -status;
}

void spryl_luv_share(lua_State *L, uv_loop_t *loop) {
    luv_set_loop(L, loop);
    luv_set_callback(L, call);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, luaopen_luv);
    lua_setfield(L, -2, "luv");
    lua_pop(L, 1);
}

static int refuse(lua_State *L) {
    return luaL_error(L,
                      "uv.%s is the server's own business: its loop is running, and has handles "
                      "that are not luv's",
                      lua_tostring(L, lua_upvalueindex(1)));
}

/* uv.stop: as if somebody had asked the server to stop. */
static int stop(lua_State *L) {
    (void)L;
    kill(getpid(), SIGTERM);
    return 0;
}

void spryl_luv_guard(lua_State *L) {
    static const char *const refused[] = {"walk", "run", "loop_close"};
    lua_getglobal(L, "require");
    lua_pushliteral(L, "luv");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "walk");
    lua_setfield(L, LUA_REGISTRYINDEX, REAL_WALK);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        lua_pushstring(L, refused[i]);
        lua_pushcclosure(L, refuse, 1);
        lua_setfield(L, -2, refused[i]);
    }
    lua_pushcfunction(L, stop);
    lua_setfield(L, -2, "stop");
    lua_pop(L, 1);
}

static int close_one(lua_State *L) {
    lua_getfield(L, 1, "is_closing");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_toboolean(L, -1)) return 0;
    lua_getfield(L, 1, "close");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 0);
    return 0;
}

static int close_all(lua_State *L) {
    if (lua_getfield(L, LUA_REGISTRYINDEX, REAL_WALK) == LUA_TNIL) {
        luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
        if (lua_getfield(L, -1, "luv") != LUA_TTABLE) return 0; /* nobody has required it */
        lua_getfield(L, -1, "walk");
    }
    lua_pushcfunction(L, close_one);
    lua_call(L, 1, 0);
    return 0;
}

void spryl_luv_close(lua_State *L) {
    spryl_protect(L, close_all, NULL);
}
