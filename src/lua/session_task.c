/* The coroutine that runs a session, from its bottom (session_entry) to its report. */
#include "lua/boundary.h"
#include "lua/task_run.h"
#include "lua/views.h"
#include "lua/watchdog.h"

/* The session function is over: the closing handshake begins, if it has not already. */
void spryl_session_ended(spry_task *task, uint16_t code) {
    spry_session_over(task->conn, code);
    spryl_task_end(task);
}

/* The ws, in the coroutine that runs its session: anchored here for as long as that runs. */
enum { SESSION_WS = 1 };

/* Tells the app of an error: cause and traceback are on top, which it pops. */
static void report_failure(lua_State *L, const spry_task *task) {
    spryl_app_push(L, task->app, SPRYL_SESSION_FAILED);
    lua_insert(L, -3);
    lua_pushvalue(L, SESSION_WS);
    lua_insert(L, -3);
    if (lua_pcall(L, 3, 0, 0) != LUA_OK) lua_pop(L, 1);
}

static int session_k(lua_State *L, int status, lua_KContext ctx) {
    spry_task *task = (spry_task *)ctx; // NOLINT(performance-no-int-to-ptr): made for this
    uint16_t code = SPRY_CLOSE_NORMAL;
    if (status != LUA_OK && status != LUA_YIELD) {
        code = SPRY_CLOSE_INTERNAL;
        spryl_watchdog_calm(L);
        spryl_unpack_error(L);
        report_failure(L, task);
    }
    spry_session_over(task->conn, code);
    spryl_task_end(task);
    if (!task->resuming)
        spryl_task_clean_up(task, LUA_ERRRUN); /* nobody else knows that it is due */
    return 0;
}

/* task, function: the coroutine's bottom. As little as can be is left below the function: a stack
 * of Lua's first size has room for most sessions, and one that grows doubles. */
static int session_entry(lua_State *L) {
    spry_task *task = lua_touserdata(L, 1);
    spryl_websocket_new(L, task);
    lua_replace(L, SESSION_WS);
    lua_pushcfunction(L, spryl_msgh);
    lua_insert(L, 2);
    lua_pushvalue(L, SESSION_WS);
    lua_KContext ctx = (lua_KContext)task;
    return session_k(L, lua_pcallk(L, 1, 0, 2, ctx, session_k), ctx);
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
    lua_pushlightuserdata(co, task);
    lua_pushvalue(L, index);
    lua_xmove(L, co, 1);
    return task;
}

void spryl_task_session(spry_task *task) {
    spryl_task_run(task, 2);
}

static int call_drained(lua_State *L) {
    const spry_task *task = lua_touserdata(L, 1);
    if (lua_rawgeti(L, LUA_REGISTRYINDEX, task->drained) == LUA_TFUNCTION) lua_call(L, 0, 0);
    return 0;
}

void spryl_session_drained(spry_task *task) {
    if (task->drained == LUA_NOREF) return;
    task->app->depth++;
    spryl_protect(task->app->L, call_drained, task);
    task->app->depth--;
}
