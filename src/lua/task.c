/* Coroutines that answer and wait, see task.h. The trampolines request_entry and session_entry run
 * inside the coroutine and report its end from there, so anybody may resume it. */
#include "lua/task.h"

#include "lua/boundary.h"
#include "lua/router.h"
#include "lua/views.h"
#include "proto/response.h"

#include <stdlib.h>
#include <time.h>

enum { STAGE_ANSWER, STAGE_FAILED }; /* of a request: the route's entry, then the app's `failed` */

static uint64_t monotonic_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- threads ---- */

static int make_thread(lua_State *L) {
    spry_task *task = lua_touserdata(L, 1);
    spryl_app_push(L, task->app, SPRYL_THREADS);
    lua_State *co = lua_newthread(L);
    int ref = luaL_ref(L, -2);
    task->thread = (spryl_thread){co, ref};
    return 0;
}

static bool take_thread(spry_task *task) {
    spry_app *app = task->app;
    if (app->spare_count) {
        task->thread = app->spare[--app->spare_count];
        return true;
    }
    return spryl_protect(app->L, make_thread, task) == LUA_OK;
}

static void drop_thread(spry_task *task) {
    spry_app *app = task->app;
    if (!task->thread.co) return;
    /* Tasks have connections, and those anchor the app. */
    spryl_app_push(app->L, app, SPRYL_THREADS);
    luaL_unref(app->L, -1, task->thread.ref);
    lua_pop(app->L, 1);
    task->thread.co = NULL;
}

/* A thread that was never parked is known to nobody else: it can run the next request. */
static void retire_thread(spry_task *task, int status) {
    spry_app *app = task->app;
    if (status == LUA_OK && !task->parked && app->spare_count < SPRYL_SPARE_THREADS) {
        lua_settop(task->thread.co, 0);
        app->spare[app->spare_count++] = task->thread;
        task->thread.co = NULL;
        return;
    }
    drop_thread(task);
}

/* ---- making and dropping tasks ---- */

#define ARENA "sprylua.tasks"

static int arena_gc(lua_State *L) {
    spryl_arena *arena = lua_touserdata(L, 1);
    for (spry_list *link = arena->spare.next, *next; link != &arena->spare; link = next) {
        next = link->next;
        free(spry_container_of(link, spry_task, link));
    }
    return 0;
}

void spryl_task_open(lua_State *L) {
    if (lua_getfield(L, LUA_REGISTRYINDEX, ARENA) == LUA_TNIL) {
        spryl_arena *arena = lua_newuserdatauv(L, sizeof *arena, 0);
        arena->last_ticket = 0;
        spry_list_init(&arena->spare);
        lua_createtable(L, 0, 1);
        lua_pushcfunction(L, arena_gc);
        lua_setfield(L, -2, "__gc");
        lua_setmetatable(L, -2);
        lua_setfield(L, LUA_REGISTRYINDEX, ARENA);
    }
    lua_pop(L, 1);
}

spryl_arena *spryl_task_arena(lua_State *L) {
    lua_getfield(L, LUA_REGISTRYINDEX, ARENA);
    spryl_arena *arena = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return arena;
}

static spry_task *new_task(spry_app *app, spry_conn *conn, bool is_session) {
    spry_list *link = spry_list_pop(&app->arena->spare);
    spry_task *task = link ? spry_container_of(link, spry_task, link) : malloc(sizeof *task);
    if (!task) return NULL;
    *task = (spry_task){.app = app, .conn = conn, .is_session = is_session};
    task->reader.ref = task->writer.ref = task->protocol = LUA_NOREF;
    spry_list_init(&task->link);
    spry_list_push(&app->tasks, &task->link);
    app->task_count++;
    return task;
}

static void free_task(spry_task *task) {
    spry_app *app = task->app;
    spryl_unwait(app->L, &task->reader);
    spryl_unwait(app->L, &task->writer);
    luaL_unref(app->L, LUA_REGISTRYINDEX, task->protocol);
    drop_thread(task);
    spry_list_remove(&task->link);
    spry_list_push(&app->arena->spare, &task->link);
    app->task_count--;
}

static void sever(spry_task *task) {
    task->ticket = 0;
    if (task->ws) spryl_websocket_sever(task->ws);
    task->ws = NULL;
}

/* Lets go of the connection: the coroutine is over. */
static void end_task(spry_task *task) {
    task->ended = true;
    spry_conn_release(task->conn);
}

void spryl_task_drop(spry_task *task) {
    sever(task);
    if (task->session) spryl_task_drop(task->session);
    free_task(task);
}

/* ---- running ---- */

/* After the coroutine has ended, in whatever way. */
static void clean_up(spry_task *task, int status) {
    retire_thread(task, status);
    if (!task->is_session) free_task(task);
}

static void report(spry_task *task, int refused);
static void session_ended(spry_task *task, uint16_t code);

static void run(spry_task *task, int nargs) {
    spry_app *app = task->app;
    lua_State *co = task->thread.co;
    int n;
    task->resuming = true;
    app->depth++;
    int status = lua_resume(co, app->L, nargs, &n);
    app->depth--;
    task->resuming = false;
    if (status == LUA_YIELD) {
        lua_pop(co, n);
        task->parked = true;
        return;
    }
    if (!task->ended) { /* it died before it could report */
        if (task->is_session)
            session_ended(task, SPRY_CLOSE_INTERNAL);
        else
            report(task, 503);
    }
    clean_up(task, status);
}

/* The end, reported from inside the coroutine. Whoever resumed it, if it is not run(), does not
 * know that there is something to clean up. */
static void reported(spry_task *task) {
    end_task(task);
    if (!task->resuming) clean_up(task, LUA_ERRRUN);
}

/* ---- waiting ---- */

void spryl_unwait(lua_State *L, spryl_waiter *w) {
    if (w->ref != LUA_NOREF) luaL_unref(L, LUA_REGISTRYINDEX, w->ref);
    w->co = NULL, w->ref = LUA_NOREF;
}

int spryl_wait(lua_State *L, spry_task *task, spryl_waiter *w, const char *what, lua_KContext ctx,
               lua_KFunction k) {
    if (!lua_isyieldable(L))
        return luaL_error(L, "%s waits, which takes a coroutine: spry.spawn(function() … end)",
                          what);
    if (w->co != L) {
        if (w->co && lua_status(w->co) == LUA_YIELD)
            return luaL_error(L, "another coroutine is waiting in %s already", what);
        spryl_unwait(L, w);
        if (L != task->thread.co) {
            lua_pushthread(L);
            w->ref = luaL_ref(L, LUA_REGISTRYINDEX);
        }
        w->co = L;
    }
    return lua_yieldk(L, 0, ctx, k);
}

/* A coroutine that is no task: it waited on a session, or for a body. */
struct stray {
    spry_app *app;
    lua_State *co;
};

/* Logs what it died of. */
static int report_stray(lua_State *L) {
    const struct stray *stray = lua_touserdata(L, 1);
    spryl_app_push(L, stray->app, SPRYL_SESSION_FAILED);
    lua_pushnil(L);
    lua_xmove(stray->co, L, 1);
    luaL_traceback(L, stray->co, NULL, 0);
    lua_call(L, 3, 0);
    return 0;
}

static void run_stray(spry_app *app, lua_State *co) {
    int n;
    app->depth++;
    int status = lua_resume(co, app->L, 0, &n);
    app->depth--;
    if (status == LUA_YIELD) {
        lua_pop(co, n);
    } else if (status != LUA_OK) {
        struct stray stray = {app, co};
        spryl_protect(app->L, report_stray, &stray);
    }
}

bool spryl_wake(spry_task *task, spryl_waiter *w) {
    lua_State *co = w->co, *L = task->app->L;
    if (!co || lua_status(co) != LUA_YIELD) return false;
    int ref = w->ref;
    w->co = NULL, w->ref = LUA_NOREF;
    if (co == task->thread.co)
        run(task, 0);
    else
        run_stray(task->app, co);
    if (ref != LUA_NOREF) luaL_unref(L, LUA_REGISTRYINDEX, ref);
    return true;
}

/* ---- a request ---- */

/* The answer is complete, or is `refused` (a status; 0 for none) and made by the connection. */
static void report(spry_task *task, int refused) {
    spry_conn *conn = task->conn;
    spry_task *session = task->session;
    sever(task);
    task->session = NULL;
    conn->task = NULL;
    if (session && conn->session && !refused)
        conn->task = session;
    else if (session)
        spryl_task_drop(session), spry_conn_release(conn);
    if (refused == 503)
        spry_conn_reply_failed(conn, 503, "out of memory");
    else if (refused)
        spry_conn_reply_failed(conn, refused, spry_response_reason(refused));
    else
        spry_conn_reply_done(conn);
    if (!task->ended) end_task(task);
}

/* Tells the access log, which must not fail the request. */
static void log_access(lua_State *L, spry_task *task) {
    if (!task->app->logs_access) return;
    lua_getiuservalue(L, 1, SPRYL_ACCESS);
    lua_pushvalue(L, 3);
    lua_pushinteger(L, task->status);
    lua_pushnumber(L, (lua_Number)(monotonic_ns() - task->started) / 1e9);
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

static int failed_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status, (void)ctx;
    spry_task *task = lua_touserdata(L, 2);
    if (task->broken_off) return 0; /* too late for another answer */
    if (!spryl_is_reply(L, task, -1)) return luaL_error(L, "`failed` returned no response");
    return spryl_reply(L, task, 3, lua_gettop(L));
}

/* app, task, event, cause, traceback: has the app make a response of the error. */
static int failed_body(lua_State *L) {
    lua_getiuservalue(L, 1, SPRYL_FAILED);
    lua_insert(L, 4);
    lua_pushvalue(L, 3);
    lua_insert(L, 5);
    lua_callk(L, 3, 1, 0, failed_k);
    return failed_k(L, LUA_OK, 0);
}

static int request_k(lua_State *L, int status, lua_KContext stage) {
    spry_task *task = lua_touserdata(L, 2);
    int refused = 0;
    if (status != LUA_OK && status != LUA_YIELD) {
        take_back(task);
        task->broken_off = task->conn->answered;
        if (status != LUA_ERRMEM && stage == STAGE_ANSWER) {
            spryl_unpack_error(L);
            lua_pushcfunction(L, failed_body);
            lua_insert(L, -3);
            for (int i = 1; i <= 3; i++) {
                lua_pushvalue(L, i);
                lua_insert(L, -3);
            }
            int again = lua_pcallk(L, 5, 0, 0, STAGE_FAILED, request_k);
            return request_k(L, again, STAGE_FAILED);
        }
        refused = status == LUA_ERRMEM ? 503 : 500;
        task->status = refused, task->bytes = 0;
    } else if (task->broken_off) {
        refused = 500; /* the client sees that the connection ends too early */
    }
    log_access(L, task);
    report(task, refused);
    if (!task->resuming) clean_up(task, LUA_ERRRUN);
    return 0;
}

static int converted_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status, (void)ctx;
    spry_task *task = lua_touserdata(L, 2);
    if (!spryl_is_reply(L, task, -1)) return luaL_error(L, "`convert` returned no response");
    return spryl_reply(L, task, 3, lua_gettop(L));
}

static int answered_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    spry_task *task = lua_touserdata(L, 2);
    if (spryl_is_reply(L, task, -1)) return spryl_reply(L, task, 3, lua_gettop(L));
    lua_getiuservalue(L, 1, SPRYL_CONVERT);
    lua_insert(L, -2);
    lua_pushvalue(L, 3);
    lua_insert(L, -2);
    lua_callk(L, 2, 1, ctx, converted_k);
    return converted_k(L, LUA_OK, 0);
}

/* Pushes the entry for the request: a route's, or that of the misses. False: there is none. */
static bool push_entry(lua_State *L, spry_task *task) {
    const spry_http *http = task->conn->http;
    spry_slice path = spry_http_text(http, http->pathname);
    lua_getiuservalue(L, 1, SPRYL_ROUTES);
    int routes = lua_gettop(L);
    int err = spryl_router_match(L, routes, http->method, path, &task->match);
    if (!err) {
        spryl_router_push_entry(L, routes, task->match.route);
        return true;
    }
    task->missed = true;
    task->allow = err == SPRY_EMETHOD ? task->match.allow : 0;
    lua_getiuservalue(L, 1, SPRYL_MISSES);
    if (spryl_router_match(L, routes + 1, SPRY_GET, path, &task->match)) return false;
    spryl_router_push_entry(L, routes + 1, task->match.route);
    return true;
}

/* app, task, event: what runs under the request's pcall. */
static int request_body(lua_State *L) {
    spry_task *task = lua_touserdata(L, 2);
    if (!push_entry(L, task)) { /* only "*" is no path */
        spryl_reply_options(L, task);
        return 0;
    }
    lua_pushvalue(L, 3);
    lua_callk(L, 1, 1, 0, answered_k);
    return answered_k(L, LUA_OK, 0);
}

/* app, task: the coroutine's bottom. The event stays at index 3, which anchors it. */
static int request_entry(lua_State *L) {
    spry_task *task = lua_touserdata(L, 2);
    spryl_event_new(L, task);
    lua_pushcfunction(L, spryl_msgh);
    lua_pushcfunction(L, request_body);
    for (int i = 1; i <= 3; i++) lua_pushvalue(L, i);
    int status = lua_pcallk(L, 3, 0, 4, STAGE_ANSWER, request_k);
    return request_k(L, status, STAGE_ANSWER);
}

void spryl_task_request(spry_app *app, spry_conn *conn) {
    spry_task *task = new_task(app, conn, false);
    if (!task || !take_thread(task)) {
        if (task) free_task(task);
        spry_conn_reply_failed(conn, 503, "out of memory");
        return;
    }
    conn->task = task;
    spry_conn_hold(conn);
    task->mark = SIZE_MAX;
    task->ticket = ++app->arena->last_ticket;
    task->serial = ++conn->engine->serial;
    if (app->logs_access) task->started = monotonic_ns();
    lua_State *co = task->thread.co;
    lua_pushcfunction(co, request_entry);
    lua_rawgeti(co, LUA_REGISTRYINDEX, app->ref);
    lua_pushlightuserdata(co, task);
    run(task, 2);
}

/* ---- a session ---- */

/* The session function is over: the closing handshake begins, if it has not already. */
static void session_ended(spry_task *task, uint16_t code) {
    spry_session_over(task->conn, code);
    end_task(task);
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
    reported(task);
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
    spry_task *task = new_task(app, request->conn, true);
    if (!task) luaL_error(L, "out of memory");
    request->session = task; /* owned from here on */
    spry_conn_hold(task->conn);
    lua_pushcfunction(L, make_thread);
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

void spryl_task_bury(spry_task *task) {
    lua_State *co = task->thread.co;
    if (task->ended || task->resuming || !co || lua_status(co) == LUA_YIELD) return;
    session_ended(task, SPRY_CLOSE_INTERNAL);
    clean_up(task, LUA_ERRRUN);
}

void spryl_task_abandon(spry_task *task) {
    spry_app *app = task->app;
    if (task->resuming || task->ended) return;
    app->depth++;
    spryl_close_thread(task->thread.co, app->L);
    app->depth--;
    if (task->is_session) {
        session_ended(task, SPRY_CLOSE_GOING_AWAY);
    } else {
        sever(task);
        task->conn->task = NULL;
        end_task(task);
    }
    clean_up(task, LUA_ERRRUN);
}

void spryl_task_session(spry_task *task) {
    task->serial = ++task->conn->engine->serial;
    run(task, 3);
}
