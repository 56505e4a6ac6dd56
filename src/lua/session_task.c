/* The coroutine that runs a session, from its bottom (session_entry) to its report. */
#include "lua/boundary.h"
#include "lua/task_run.h"
#include "lua/views.h"

/* The session function is over: the closing handshake begins, if it has not already. */
void spryl_session_ended(spry_task *task, uint16_t code) {
    spry_session_over(task->conn, code);
    spryl_task_end(task);
}

static int session_k(lua_State *L, int status, lua_KContext ctx) {
    (void)ctx;
    spry_task *task = lua_touserdata(L, 2);
    uint16_t code = SPRY_CLOSE_NORMAL;
    if (status != LUA_OK && status != LUA_YIELD) {
        code = SPRY_CLOSE_INTERNAL;
        spryl_unpack_error(L);
        lua_getiuservalue(L, 1, SPRYL_SESSION_FAILED);
        lua_insert(L, -3);
        lua_pushvalue(L, 4);
        lua_insert(L, -3);
        if (lua_pcall(L, 3, 0, 0) != LUA_OK) lua_pop(L, 1);
    }
    spry_session_over(task->conn, code);
    if (lua_getiuservalue(L, 1, SPRYL_SESSION_ENDED) == LUA_TFUNCTION) {
        lua_pushvalue(L, 4);
        if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
    }
    spryl_task_end(task);
    if (!task->resuming)
        spryl_task_clean_up(task, LUA_ERRRUN); /* nobody else knows that it is due */
    return 0;
}

/* app, task, function: the coroutine's bottom. The ws stays at index 4, which anchors it. */
static int session_entry(lua_State *L) {
    spry_task *task = lua_touserdata(L, 2);
    task->ws = spryl_websocket_new(L, task);
    lua_pushcfunction(L, spryl_msgh);
    lua_pushvalue(L, 3);
    lua_pushvalue(L, 4);
    int status = lua_pcallk(L, 1, 0, 5, 0, session_k);
    return session_k(L, status, 0);
}

spry_task *spryl_task_new_session(lua_State *L, spry_task *request, int index) {
    spry_app *app = request->app;
    spry_task *task = spryl_task_make(app, request->conn, true);
    if (!task) {
        luaL_error(L, "out of memory");
        return NULL; /* not reached */
    }
    request->session = task; /* owned from here on */
    spry_conn_hold(task->conn);
    lua_pushcfunction(L, spryl_task_make_thread);
    lua_pushlightuserdata(L, task);
    lua_call(L, 1, 0);
    lua_State *co = task->thread.co;
    lua_pushcfunction(co, session_entry);
    lua_rawgeti(co, LUA_REGISTRYINDEX, app->ref);
    lua_pushlightuserdata(co, task);
    lua_pushvalue(L, index);
    lua_xmove(L, co, 1);
    return task;
}

void spryl_task_session(spry_task *task) {
    task->serial = ++task->conn->engine->serial;
    spryl_task_run(task, 3);
}
