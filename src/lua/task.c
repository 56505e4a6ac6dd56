/* Coroutines that answer and wait, see task.h: their threads, running them, waking them. What runs
 * in them (request_task.c, session_task.c) reports its end from inside, so anybody may resume it.
 */
#include "lua/task.h"

#include "lua/boundary.h"
#include "lua/task_run.h"
#include "lua/views.h"

/* ---- threads ---- */

int spryl_task_make_thread(lua_State *L) {
    spry_task *task = lua_touserdata(L, 1);
    spryl_app_push(L, task->app, SPRYL_THREADS);
    lua_State *co = lua_newthread(L);
    int ref = luaL_ref(L, -2);
    task->thread = (spryl_thread){co, ref};
    return 0;
}

/* What every request needs stays on the stack of its thread, from one to the next. */
enum { BOTTOM = 2 };

static int make_request_thread(lua_State *L) {
    spryl_task_make_thread(L);
    const spry_task *task = lua_touserdata(L, 1);
    spryl_app_push(L, task->app, SPRYL_ANSWER);
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->app->ref);
    lua_xmove(L, task->thread.co, BOTTOM);
    return 0;
}

bool spryl_task_take_thread(spry_task *task) {
    spry_app *app = task->app;
    if (app->spare_count) {
        task->thread = app->spare[--app->spare_count];
        return true;
    }
    return spryl_protect(app->L, make_request_thread, task) == LUA_OK;
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

/* The thread of a request that was never parked is known to nobody else: it can run the next. */
static void retire_thread(spry_task *task, int status) {
    spry_app *app = task->app;
    if (status == LUA_OK && !task->parked && !task->is_session &&
        app->spare_count < SPRYL_SPARE_THREADS) {
        lua_settop(task->thread.co, BOTTOM);
        app->spare[app->spare_count++] = task->thread;
        task->thread.co = NULL;
        return;
    }
    drop_thread(task);
}

/* ---- making and dropping tasks ---- */

#define ARENA "sprylua.tasks"

static size_t size_of(bool is_session) {
    return is_session ? offsetof(spry_task, session) : sizeof(spry_task);
}

/* Lua's memory: what stays until the state is closed is not to lie among what connections give
 * back, whose pages it would keep. */
static void *allocate(lua_State *L, void *task, size_t old_size, size_t new_size) {
    void *ud;
    lua_Alloc function = lua_getallocf(L, &ud);
    return function(ud, task, old_size, new_size);
}

/* The same for a new task: where Lua would, this collects before it gives up. */
static void *allocate_new(lua_State *L, size_t size) {
    void *task = allocate(L, NULL, 0, size);
    if (task) return task;
    lua_gc(L, LUA_GCCOLLECT);
    return allocate(L, NULL, 0, size);
}

static void free_spare(lua_State *L, spry_list *list, bool of_sessions) {
    for (spry_list *link = list->next, *next; link != list; link = next) {
        next = link->next;
        allocate(L, spry_container_of(link, spry_task, link), size_of(of_sessions), 0);
    }
}

static int arena_gc(lua_State *L) {
    spryl_arena *arena = lua_touserdata(L, 1);
    free_spare(L, &arena->spare_requests, false);
    free_spare(L, &arena->spare_sessions, true);
    return 0;
}

static spry_list *spare_tasks(spryl_arena *arena, bool of_sessions) {
    return of_sessions ? &arena->spare_sessions : &arena->spare_requests;
}

void spryl_task_open(lua_State *L) {
    if (lua_getfield(L, LUA_REGISTRYINDEX, ARENA) == LUA_TNIL) {
        spryl_arena *arena = lua_newuserdatauv(L, sizeof *arena, 0);
        arena->last_ticket = 0;
        spry_list_init(&arena->spare_requests);
        spry_list_init(&arena->spare_sessions);
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

spry_task *spryl_task_make(spry_app *app, spry_conn *conn, bool is_session) {
    size_t size = size_of(is_session);
    spry_list *link = spry_list_pop(spare_tasks(app->arena, is_session));
    spry_task *task = link ? spry_container_of(link, spry_task, link) : allocate_new(app->L, size);
    if (!task) return NULL;
    /* The match is written when it is known. */
    memset(task, 0, is_session ? size : offsetof(spry_task, match));
    task->app = app, task->conn = conn, task->is_session = is_session;
    task->reader.ref = task->writer.ref = LUA_NOREF;
    task->protocol = task->drained = task->endings = LUA_NOREF;
    spry_list_init(&task->link);
    spry_list_push(&app->tasks, &task->link);
    app->task_count++;
    return task;
}

static void unref(lua_State *L, int ref) {
    if (ref != LUA_NOREF) luaL_unref(L, LUA_REGISTRYINDEX, ref);
}

void spryl_task_free(spry_task *task) {
    spry_app *app = task->app;
    spryl_unwait(app->L, &task->reader);
    spryl_unwait(app->L, &task->writer);
    unref(app->L, task->protocol);
    unref(app->L, task->drained);
    unref(app->L, task->endings);
    drop_thread(task);
    spry_list_remove(&task->link);
    spry_list_push(spare_tasks(app->arena, task->is_session), &task->link);
    app->task_count--;
}

void spryl_task_sever(spry_task *task) {
    if (!task->is_session) task->ticket = 0;
    if (task->ws) spryl_websocket_sever(task->ws);
    task->ws = NULL;
}

/* Lets go of the connection: the coroutine is over. */
void spryl_task_end(spry_task *task) {
    task->ended = true;
    spry_conn_release(task->conn);
}

void spryl_task_drop(spry_task *task) {
    spryl_task_sever(task);
    if (!task->is_session && task->session) spryl_task_drop(task->session);
    spryl_task_free(task);
}

/* ---- running ---- */

/* After the coroutine has ended, in whatever way. */
void spryl_task_clean_up(spry_task *task, int status) {
    retire_thread(task, status);
    if (!task->is_session) spryl_task_free(task);
}

void spryl_task_run(spry_task *task, int nargs) {
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
            spryl_session_ended(task, SPRY_CLOSE_INTERNAL);
        else
            spryl_request_died(task);
    }
    spryl_task_clean_up(task, status);
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
        spryl_task_run(task, 0);
    else
        run_stray(task->app, co);
    if (ref != LUA_NOREF) luaL_unref(L, LUA_REGISTRYINDEX, ref);
    return true;
}

/* ---- ends that nobody reports ---- */

static int report_buried(lua_State *L) {
    const spry_task *task = lua_touserdata(L, 1);
    spryl_app_push(L, task->app, SPRYL_SESSION_FAILED);
    lua_pushnil(L);
    lua_pushliteral(L, "the coroutine of a WebSocket session");
    if (task->ws) {
        lua_pushliteral(L, " ");
        spryl_websocket_push_id(L, task->ws);
        lua_concat(L, 3);
    }
    lua_pushliteral(L, " was closed by somebody else");
    lua_concat(L, 2);
    lua_call(L, 2, 0);
    return 0;
}

void spryl_task_bury(spry_task *task) {
    lua_State *co = task->thread.co;
    if (task->ended || task->resuming || !co || lua_status(co) == LUA_YIELD) return;
    spryl_protect(task->app->L, report_buried, task);
    spryl_session_ended(task, SPRY_CLOSE_INTERNAL);
    spryl_task_clean_up(task, LUA_ERRRUN);
}

/* Looking for a level takes time in proportion to it. */
void spryl_find_bottom(lua_State *L, lua_Debug *frame) {
    int below = 0, beyond = 1;
    while (lua_getstack(L, beyond, frame)) below = beyond, beyond *= 2;
    while (beyond - below > 1) {
        int middle = below + (beyond - below) / 2;
        if (lua_getstack(L, middle, frame))
            below = middle;
        else
            beyond = middle;
    }
    lua_getstack(L, below, frame);
}

/* Pushes the ws of a session, which its coroutine's bottom has. False: not now. */
static bool push_ws(lua_State *L, const spry_task *task) {
    lua_State *co = task->thread.co;
    lua_Debug bottom;
    if (!task->is_session || lua_status(co) != LUA_YIELD) return false;
    if (!lua_checkstack(L, 1) || !lua_checkstack(co, 1)) return false;
    spryl_find_bottom(co, &bottom);
    if (!lua_getlocal(co, &bottom, 1)) return false;
    lua_xmove(co, L, 1);
    return true;
}

/* Logs what a to-be-closed variable has raised: on the coroutine's stack, with the ws or nil. */
static int report_closing(lua_State *L) {
    const struct stray *closed = lua_touserdata(L, 1);
    spryl_app_push(L, closed->app, SPRYL_SESSION_FAILED);
    lua_xmove(closed->co, L, 2);
    lua_insert(L, -2);
    spryl_unpack_error(L);
    lua_call(L, 3, 0);
    return 0;
}

/* Closes the coroutine, which runs its to-be-closed variables. */
static void close_thread(const spry_task *task) {
    lua_State *L = task->app->L, *co = task->thread.co;
    bool has_ws = push_ws(L, task);
    if (spryl_close_thread(co, L)) {
        lua_pop(L, has_ws ? 1 : 0);
        return;
    }
    if (has_ws)
        lua_xmove(L, co, 1);
    else
        lua_pushnil(co);
    struct stray closed = {task->app, co};
    spryl_protect(L, report_closing, &closed);
    lua_settop(co, 0);
}

void spryl_task_abandon(spry_task *task) {
    spry_app *app = task->app;
    if (task->resuming || task->ended) return;
    app->depth++;
    close_thread(task);
    if (!task->is_session) spryl_task_endings(app->L, task);
    app->depth--;
    if (task->is_session) {
        spryl_session_ended(task, SPRY_CLOSE_GOING_AWAY);
    } else {
        spryl_task_sever(task);
        task->conn->task = NULL;
        spryl_task_end(task);
    }
    spryl_task_clean_up(task, LUA_ERRRUN);
}
