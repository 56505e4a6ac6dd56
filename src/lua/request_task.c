/* The coroutine that answers a request, from its bottom (request_entry) to its report. */
#include "lua/allocator.h"
#include "lua/boundary.h"
#include "lua/router.h"
#include "lua/tally.h"
#include "lua/task_run.h"
#include "lua/views.h"
#include "lua/watchdog.h"
#include "proto/response.h"

#include <time.h>

/* The stack of a request's coroutine: what is at its bottom. */
enum { APP = 1, TASK, EVENT, HANDLER_OF_MESSAGES };

/* The upvalues of its function. */
enum { ROUTES = 1, ENTRIES };

static const char OUT_OF_MEMORY[] = "out of memory";

/* The continuations of its calls get the task as their context. */
static spry_task *task_of(lua_KContext ctx) {
    return (spry_task *)ctx; // NOLINT(performance-no-int-to-ptr): made for this
}

/* The event is made when somebody looks at it: many a route answers without. */
static void make_event(lua_State *L, spry_task *task) {
    if (!lua_isnil(L, EVENT)) return;
    spryl_event_new(L, task);
    lua_replace(L, EVENT);
}

static int event_body(lua_State *L) {
    spryl_event_new(L, lua_touserdata(L, 1));
    return 1;
}

/* The same, when memory may be out. False: it is; the message is on top of the stack. */
static bool has_event(lua_State *L, spry_task *task) {
    if (!lua_isnil(L, EVENT)) return true;
    lua_pushcfunction(L, event_body);
    lua_pushlightuserdata(L, task);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) return false;
    lua_replace(L, EVENT);
    return true;
}

static uint64_t monotonic_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The answer is complete, or is `refused` (a status; 0 for none) and made by the connection. */
void spryl_request_report(spry_task *task, int refused) {
    spry_conn *conn = task->conn;
    spry_task *session = task->session;
    spryl_task_sever(task);
    task->session = NULL;
    conn->task = NULL;
    if (session && conn->session && !refused)
        conn->task = session;
    else if (session)
        spryl_task_drop(session), spry_conn_release(conn);
    if (refused == 503)
        spry_conn_reply_failed(conn, 503, OUT_OF_MEMORY);
    else if (refused)
        spry_conn_reply_failed(conn, refused, spry_response_reason(refused));
    else
        spry_conn_reply_done(conn);
    if (!task->ended) spryl_task_end(task);
}

static double seconds_of(const spry_task *task) {
    return (double)(monotonic_ns() - task->started) / 1e9;
}

static void count_answer(lua_State *L, spry_task *task) {
    if (!task->app->counts) return;
    lua_getiuservalue(L, APP, SPRYL_TALLIES);
    lua_rawgeti(L, -1, task->missed ? 0 : task->match.route + 1);
    spryl_tally *tally = spryl_tally_at(L, -1);
    if (tally)
        spry_tally_add(tally, spry_http_method_name(task->conn->http), task->status,
                       seconds_of(task), task->bytes);
    lua_pop(L, 2);
}

/* There is not even the memory to have the app make a response: what can be told without an event
 * is. */
static void tell_out_of_memory(spry_app *app, spry_conn *conn) {
    void *allocator;
    bool lends = lua_getallocf(app->L, &allocator) == spryl_allocate;
    if (lends) spryl_allocator_lend(allocator, true);
    app->handler.ops->on_refused(&app->handler, conn, 503, OUT_OF_MEMORY);
    if (lends) spryl_allocator_lend(allocator, false);
}

/* Tells the access log, which must not fail the request. */
static void log_access(lua_State *L, spry_task *task) {
    if (!task->app->logs_access || !has_event(L, task)) return;
    lua_getiuservalue(L, APP, SPRYL_ACCESS);
    lua_pushvalue(L, EVENT);
    lua_pushinteger(L, task->status);
    lua_pushnumber(L, seconds_of(task));
    lua_pushinteger(L, (lua_Integer)task->bytes);
    if (lua_pcall(L, 4, 0, 0) != LUA_OK) lua_pop(L, 1);
}

/* Drops what a failed attempt has appended to the output; after that, and when none was begun, the
 * request can still be answered. What has been flushed can't be taken back. */
static void take_back(spry_task *task) {
    spry_conn *conn = task->conn;
    bool begun = task->mark != SIZE_MAX, flushed = begun && conn->flushed != task->flushed;
    if (begun && !flushed && conn->out.len > task->mark) conn->out.len = task->mark;
    if (!flushed) conn->answered = false;
    task->mark = SIZE_MAX;
}

void spryl_request_died(spry_task *task) {
    take_back(task);
    tell_out_of_memory(task->app, task->conn);
    spryl_task_endings(task->app->L, task);
    spryl_request_report(task, 503);
}

static int failed_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    spry_task *task = task_of(ctx);
    if (task->broken_off) return 0; /* too late for another answer */
    if (!spryl_is_reply(L, task, -1)) return luaL_error(L, "`failed` returned no response");
    return spryl_reply(L, task, EVENT, lua_gettop(L));
}

/* app, task, event, cause, traceback: has the app make a response of the error. */
static int failed_body(lua_State *L) {
    lua_getiuservalue(L, APP, SPRYL_FAILED);
    lua_insert(L, EVENT + 1);
    lua_pushvalue(L, EVENT);
    lua_insert(L, EVENT + 2);
    lua_KContext task = (lua_KContext)lua_touserdata(L, TASK);
    lua_callk(L, 3, 1, task, failed_k);
    return failed_k(L, LUA_OK, task);
}

/* Calls a C function with the bottom three, and the `n` values on top, which it pops. */
static int call_with_bottom(lua_State *L, lua_CFunction fn, int n, lua_KContext ctx,
                            lua_KFunction k) {
    lua_pushcfunction(L, fn);
    for (int i = APP; i <= EVENT; i++) lua_pushvalue(L, i);
    lua_rotate(L, -EVENT - 1 - n, EVENT + 1);
    return lua_pcallk(L, EVENT + n, 0, HANDLER_OF_MESSAGES, ctx, k);
}

/* The last step, whoever comes to it: the answer is written, or there was an error. */
static int request_k(lua_State *L, int status, lua_KContext ctx) {
    spry_task *task = task_of(ctx);
    int refused = 0;
    if (status != LUA_OK && status != LUA_YIELD) {
        spryl_watchdog_calm(L);
        take_back(task);
        task->broken_off = task->conn->answered;
        bool first = !task->failed;
        task->failed = true;
        if (first && has_event(L, task)) {
            spryl_unpack_error(L);
            return request_k(L, call_with_bottom(L, failed_body, 2, ctx, request_k), ctx);
        }
        refused = status == LUA_ERRMEM ? 503 : 500;
        task->status = refused, task->bytes = 0;
    } else if (task->broken_off) {
        refused = 500; /* the client sees that the connection ends too early */
    }
    if (refused == 503) {
        tell_out_of_memory(task->app, task->conn);
    } else {
        count_answer(L, task);
        log_access(L, task);
    }
    spryl_task_endings(L, task);
    spryl_request_report(task, refused);
    if (!task->resuming) spryl_task_clean_up(task, LUA_ERRRUN);
    return 0;
}

static int converted_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    spry_task *task = task_of(ctx);
    if (!spryl_is_reply(L, task, -1)) return luaL_error(L, "`convert` returned no response");
    return spryl_reply(L, task, EVENT, lua_gettop(L));
}

static bool is_plain_table(lua_State *L) {
    if (!lua_istable(L, -1)) return false;
    bool plain = !lua_getmetatable(L, -1);
    lua_pop(L, plain ? 0 : 1);
    return plain;
}

/* app, task, event or nil, a table without a metatable: that is JSON. */
static int json_body(lua_State *L) {
    lua_getiuservalue(L, APP, SPRYL_ENCODE);
    lua_insert(L, -2);
    lua_call(L, 1, 1);
    spryl_reply_json(L, lua_touserdata(L, TASK), EVENT);
    return 0;
}

/* app, task, event, what the entry has returned: writes that as the response. */
static int reply_body(lua_State *L) {
    spry_task *task = lua_touserdata(L, TASK);
    if (spryl_is_reply(L, task, -1)) return spryl_reply(L, task, EVENT, lua_gettop(L));
    lua_getiuservalue(L, APP, SPRYL_CONVERT);
    lua_insert(L, -2);
    lua_pushvalue(L, EVENT);
    lua_insert(L, -2);
    lua_callk(L, 2, 1, (lua_KContext)task, converted_k);
    return converted_k(L, LUA_OK, (lua_KContext)task);
}

/* Whether nobody has put header fields on the event. */
static bool has_no_fields(lua_State *L) {
    if (lua_isnil(L, EVENT)) return true;
    bool none = lua_getiuservalue(L, EVENT, SPRYL_EXTRA_HEADERS) != LUA_TTABLE;
    lua_pop(L, 1);
    return none;
}

/* The entry has returned. The two things that most routes return are answered without a Response:
 * a table, which is JSON, and a string, at once, since that can fail for want of memory only, which
 * needs no pcall. */
static int answered_k(lua_State *L, int status, lua_KContext ctx) {
    spry_task *task = task_of(ctx);
    if (status != LUA_OK && status != LUA_YIELD) return request_k(L, status, ctx);
    if (lua_type(L, -1) == LUA_TSTRING && has_no_fields(L)) {
        spryl_reply_text(L, task, EVENT);
        return request_k(L, LUA_OK, ctx);
    }
    bool is_json = task->app->encodes && is_plain_table(L);
    if (!is_json) make_event(L, task);
    status = call_with_bottom(L, is_json ? json_body : reply_body, 1, ctx, request_k);
    return request_k(L, status, ctx);
}

/* Pushes the entry for the request: a route's, or that of the misses. */
static enum spryl_entry push_entry(lua_State *L, spry_task *task) {
    const spry_http *http = task->conn->http;
    spry_slice path = spry_http_text(http, http->pathname);
    int routes = lua_upvalueindex(ROUTES);
    int err = spryl_router_match(L, routes, http->method, path, &task->match);
    if (!err) {
        lua_rawgeti(L, lua_upvalueindex(ENTRIES), task->match.route + 1);
        return spryl_router_entry_kind(L, routes, task->match.route);
    }
    task->missed = true;
    task->allow = err == SPRY_EMETHOD ? task->match.allow : 0;
    lua_getiuservalue(L, APP, SPRYL_MISSES);
    int misses = lua_gettop(L);
    if (spryl_router_match(L, misses, SPRY_GET, path, &task->match)) return SPRYL_NO_ENTRY;
    spryl_router_push_entry(L, misses, task->match.route);
    return spryl_router_entry_kind(L, misses, task->match.route);
}

static int options_body(lua_State *L) {
    spryl_reply_options(L, lua_touserdata(L, TASK));
    return 0;
}

/* app, task: the coroutine's bottom. The event stays at its index, which anchors it. */
static int request_entry(lua_State *L) {
    spry_task *task = lua_touserdata(L, TASK);
    lua_KContext ctx = (lua_KContext)task;
    lua_pushnil(L);
    lua_pushcfunction(L, spryl_msgh);
    enum spryl_entry entry = push_entry(L, task);
    if (entry == SPRYL_NO_ENTRY) /* only "*" is no path */
        return request_k(L, call_with_bottom(L, options_body, 0, ctx, request_k), ctx);
    bool takes_event = entry == SPRYL_ENTRY_OF_EVENT;
    if (takes_event) {
        make_event(L, task);
        lua_pushvalue(L, EVENT);
    }
    int status = lua_pcallk(L, takes_event, 1, HANDLER_OF_MESSAGES, ctx, answered_k);
    return answered_k(L, status, ctx);
}

void spryl_task_push_answer(lua_State *L, int index) {
    lua_getiuservalue(L, index, SPRYL_ROUTES);
    spryl_router_push_entries(L, -1);
    lua_pushcclosure(L, request_entry, ENTRIES);
}

void spryl_task_push_event(lua_State *L) {
    lua_Debug bottom;
    spryl_find_bottom(L, &bottom);
    lua_getinfo(L, "f", &bottom);
    bool answers = lua_tocfunction(L, -1) == request_entry;
    lua_pop(L, 1);
    if (!answers || !lua_getlocal(L, &bottom, EVENT)) {
        lua_pushnil(L);
        return;
    }
    if (!lua_isnil(L, -1)) return;
    lua_getlocal(L, &bottom, TASK);
    spryl_event_new(L, lua_touserdata(L, -1));
    lua_replace(L, -3);
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_setlocal(L, &bottom, EVENT);
}

void spryl_task_request(spry_app *app, spry_conn *conn) {
    spry_task *task = spryl_task_make(app, conn, false);
    if (!task || !spryl_task_take_thread(task)) {
        if (task) spryl_task_free(task);
        tell_out_of_memory(app, conn);
        spry_conn_reply_failed(conn, 503, OUT_OF_MEMORY);
        return;
    }
    conn->task = task;
    spry_conn_hold(conn);
    task->mark = SIZE_MAX;
    task->match.param_count = 0;
    task->ticket = ++app->arena->last_ticket;
    task->serial = ++conn->engine->serial;
    if (app->logs_access || app->counts) task->started = monotonic_ns();
    lua_State *co = task->thread.co;
    lua_pushvalue(co, 1);
    lua_pushvalue(co, 2);
    lua_pushlightuserdata(co, task);
    spryl_task_run(task, 2);
}
