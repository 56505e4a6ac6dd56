/* Middleware: the border below each `next()`, see middleware.h. */
#include "lua/middleware.h"

#include "lua/response.h"
#include "lua/views.h"
#include "lua/watchdog.h"

#include <lauxlib.h>

/* User values of a level, behind the metatables: one middleware and what is behind it, made at
 * load. INNER is the author's function, or the next level. */
enum {
    CALL = SPRYL_METAS + 1,
    INNER,
    SCOPE,
    INNER_SCOPE,
    CAPTURE,
    SETTLED,
    LEVEL_VALUES = SETTLED
};

static int next(lua_State *L);

/* Pushes a level's middleware, and the three values that it is called with. */
static void push_middleware(lua_State *L, int level, int event) {
    lua_getiuservalue(L, level, CALL);
    lua_pushvalue(L, event);
    lua_pushvalue(L, event);
    lua_pushvalue(L, level);
    lua_pushcclosure(L, next, 2);
    lua_getiuservalue(L, level, SCOPE);
}

static int settled_k(lua_State *L, int status, lua_KContext ctx) {
    (void)L, (void)status, (void)ctx;
    return 1;
}

/* The stack of a `next`. */
enum { EVENT = 1, LEVEL, MESSAGES, BEHIND, RESULT };

static int next_k(lua_State *L, int status, lua_KContext ctx) {
    bool ok = status == LUA_OK || status == LUA_YIELD;
    if (ok && lua_type(L, RESULT) == LUA_TSTRING) {
        spryl_response_push(L, LEVEL, RESULT, SPRYL_TEXT, EVENT);
        return 1;
    }
    if (!ok) spryl_watchdog_calm(L);
    if (ok && spryl_response_is_own(L, LEVEL, RESULT, EVENT)) return 1;
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
    if (spryl_event_is_over(L, EVENT))
        return luaL_error(L, "next() is called when its request is over");
    lua_pushnil(L);
    lua_replace(L, lua_upvalueindex(LEVEL));
    lua_getiuservalue(L, LEVEL, CAPTURE);
    lua_getiuservalue(L, LEVEL, INNER);
    bool is_level = lua_isuserdata(L, BEHIND);
    if (is_level) {
        push_middleware(L, BEHIND, EVENT);
    } else {
        lua_pushvalue(L, BEHIND);
        lua_pushvalue(L, EVENT);
    }
    return next_k(L, lua_pcallk(L, is_level ? 3 : 1, 1, MESSAGES, 0, next_k), 0);
}

/* f(event): its upvalue is the level. */
static int outermost(lua_State *L) {
    lua_settop(L, 1);
    push_middleware(L, lua_upvalueindex(1), 1);
    lua_callk(L, 3, 1, 0, settled_k);
    return 1;
}

int spryl_middleware_around(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newuserdatauv(L, 0, LEVEL_VALUES);
    spryl_response_give_metas(L, 2);
    for (int value = CALL; value <= LEVEL_VALUES; value++) {
        lua_rawgeti(L, 1, value - SPRYL_METAS);
        /* One behind the other, they need no call in between. */
        if (value == INNER && lua_tocfunction(L, -1) == outermost) lua_getupvalue(L, -1, 1);
        lua_setiuservalue(L, 2, value);
        lua_settop(L, 2);
    }
    lua_pushcclosure(L, outermost, 1);
    return 1;
}
