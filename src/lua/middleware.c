/* Middleware: the border below each `next()`, see middleware.h. */
#include "lua/middleware.h"

#include "lua/response.h"

#include <lauxlib.h>

/* User values of a level: one middleware and what is behind it, made at load. INNER is the author's
 * function, or the next level. */
enum { CALL = 1, INNER, SCOPE, INNER_SCOPE, CAPTURE, SETTLED, LEVEL_VALUES = SETTLED };

static int next(lua_State *L);

/* Pushes what runs the entry on top, which it takes away, for the event at `event`, and what that
 * is called with. Returns how many these are. */
static int push_run(lua_State *L, int event) {
    int level = lua_gettop(L);
    if (!lua_isuserdata(L, level)) {
        lua_pushvalue(L, event);
        return 1;
    }
    lua_getiuservalue(L, level, CALL);
    lua_insert(L, level++);
    lua_pushvalue(L, event);
    lua_insert(L, level++);
    lua_pushvalue(L, event);
    lua_pushvalue(L, level);
    lua_pushcclosure(L, next, 2);
    lua_getiuservalue(L, level, SCOPE);
    lua_remove(L, level);
    return 3;
}

static int settled_k(lua_State *L, int status, lua_KContext ctx) {
    (void)L, (void)status, (void)ctx;
    return 1;
}

/* The stack of a `next`. */
enum { EVENT = 1, LEVEL, MESSAGES, RESULT };

static int next_k(lua_State *L, int status, lua_KContext ctx) {
    bool ok = status == LUA_OK || status == LUA_YIELD;
    if (ok && lua_type(L, RESULT) == LUA_TSTRING) {
        spryl_response_push(L, RESULT, SPRYL_TEXT, EVENT);
        return 1;
    }
    if (ok && spryl_response_is_own(L, RESULT, EVENT)) return 1;
    lua_getiuservalue(L, LEVEL, SETTLED);
    lua_pushvalue(L, EVENT);
    lua_pushboolean(L, ok);
    lua_pushvalue(L, RESULT);
    lua_getiuservalue(L, LEVEL, INNER_SCOPE);
    lua_callk(L, 4, 1, ctx, settled_k);
    return 1;
}

/* next(): its upvalues are the event and the level, which it gives away when it is called. */
static int next(lua_State *L) {
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(EVENT));
    lua_pushvalue(L, lua_upvalueindex(LEVEL));
    if (lua_isnil(L, LEVEL))
        return luaL_error(L, "next() was called before: what is behind it runs once for a request");
    lua_pushnil(L);
    lua_replace(L, lua_upvalueindex(LEVEL));
    lua_getiuservalue(L, LEVEL, CAPTURE);
    lua_getiuservalue(L, LEVEL, INNER);
    int n = push_run(L, EVENT);
    return next_k(L, lua_pcallk(L, n, 1, MESSAGES, 0, next_k), 0);
}

/* f(event): its upvalue is the level. */
static int outermost(lua_State *L) {
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    int n = push_run(L, 1);
    lua_callk(L, n, 1, 0, settled_k);
    return 1;
}

int spryl_middleware_around(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newuserdatauv(L, 0, LEVEL_VALUES);
    for (int i = CALL; i <= LEVEL_VALUES; i++) {
        lua_rawgeti(L, 1, i);
        /* One behind the other, they need no call in between. */
        if (i == INNER && lua_tocfunction(L, -1) == outermost) lua_getupvalue(L, -1, 1);
        lua_setiuservalue(L, 2, i);
        lua_settop(L, 2);
    }
    lua_pushcclosure(L, outermost, 1);
    return 1;
}
