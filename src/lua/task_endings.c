/* What is called at the end of a task: of a request when it is over, of a session when nothing can
 * be sent to it any more. */
#include "lua/boundary.h"
#include "lua/task_run.h"

void spryl_task_at_end(lua_State *L, spry_task *task) {
    if (task->endings == LUA_NOREF) {
        lua_newtable(L);
        task->endings = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->endings);
    lua_insert(L, -2);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pop(L, 1);
}

/* The last one first, as to-be-closed variables do. */
static int call_endings(lua_State *L) {
    const spry_task *task = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->endings);
    for (lua_Integer i = (lua_Integer)lua_rawlen(L, 2); i > 0; i--) {
        lua_rawgeti(L, 2, i);
        if (lua_pcall(L, 0, 0, 0) == LUA_OK) continue;
        spryl_app_push(L, task->app, SPRYL_SESSION_FAILED);
        lua_pushnil(L);
        lua_rotate(L, -3, -1);
        (void)lua_pcall(L, 2, 0, 0);
        lua_settop(L, 2);
    }
    return 0;
}

void spryl_task_endings(lua_State *L, spry_task *task) {
    if (task->endings != LUA_NOREF) spryl_protect(L, call_endings, task);
}

void spryl_session_closed(spry_task *task) {
    spry_app *app = task->app;
    app->depth++;
    spryl_task_endings(app->L, task);
    app->depth--;
    luaL_unref(app->L, LUA_REGISTRYINDEX, task->endings);
    task->endings = LUA_NOREF;
}
