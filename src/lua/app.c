/* The app: options in, the handler of connections out. See app.h. */
#include "lua/app.h"

#include "lua/boundary.h"
#include "lua/router.h"
#include "lua/task.h"
#include "lua/topic.h"
#include "lua/views.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#define APP "sprylua.app"

/* The registry's table of all apps, weak, for stats: its address is the key. */
static const char all_apps = 0;

/* The registry's userdata of what was counted by apps that are gone: its address is the key. */
static const char past_counters = 0;

spry_app *spryl_app_check(lua_State *L, int index) {
    return luaL_checkudata(L, index, APP);
}

void spryl_app_push(lua_State *L, const spry_app *app, enum spryl_app_value value) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, app->ref);
    lua_getiuservalue(L, -1, value);
    lua_remove(L, -2);
}

void spryl_app_hold(lua_State *L, int index) {
    spry_app *app = spryl_app_check(L, index);
    if (app->ref == LUA_NOREF) {
        lua_pushvalue(L, index);
        app->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    app->holds++;
}

void spryl_app_release(lua_State *L, spry_app *app) {
    if (--app->holds) return;
    if (app->on_free) app->on_free(app->on_free_of);
    luaL_unref(L, LUA_REGISTRYINDEX, app->ref);
    app->ref = LUA_NOREF;
}

/* ---- the seam above a connection ---- */

static spry_app *app_of(spry_handler *h) {
    return spry_container_of(h, spry_app, handler);
}

static void on_create(spry_handler *h, spry_conn *conn) {
    (void)conn;
    app_of(h)->holds++; /* whoever made the connection holds the app already */
    app_of(h)->conn_count++;
    h->counters.accepted++;
}

static void on_request(spry_handler *h, spry_conn *conn) {
    spryl_task_request(app_of(h), conn);
}

static void on_session(spry_handler *h, spry_conn *conn) {
    (void)h;
    if (conn->task) spryl_task_session(conn->task);
}

/* Every message is one wake-up: a reader that goes away half way leaves the rest queued. */
static void on_input(spry_handler *h, spry_conn *conn) {
    (void)h;
    spry_task *task = conn->task;
    if (!task) return;
    if (!task->is_session) {
        spryl_wake(task, &task->reader);
        return;
    }
    while (spryl_wake(task, &task->reader) && conn->session->ws.inbox) {
    }
    if (conn->session->started) spryl_task_bury(task);
}

static void on_drain(spry_handler *h, spry_conn *conn) {
    (void)h;
    spry_task *task = conn->task;
    if (!task) return;
    if (task->is_session)
        spryl_session_drained(task);
    else
        spryl_wake(task, &task->writer);
}

static void on_closed(spry_handler *h, spry_conn *conn) {
    (void)h;
    spry_task *task = conn->task;
    if (task && task->is_session) spryl_session_closed(task);
}

static void on_abandon(spry_handler *h, spry_conn *conn) {
    (void)h;
    if (conn->task) spryl_task_abandon(conn->task);
}

struct refusal {
    spry_app *app;
    spry_conn *conn;
    int status;
    const char *why;
};

static int call_refused(lua_State *L) {
    const struct refusal *r = lua_touserdata(L, 1);
    char address[64];
    spryl_app_push(L, r->app, SPRYL_REFUSED);
    if (lua_isnil(L, -1)) return 0;
    spry_conn_address(r->conn, address, sizeof address);
    lua_pushinteger(L, r->status);
    lua_pushstring(L, r->why);
    lua_pushstring(L, address);
    const spry_http *http = r->conn->http;
    if (!http || !http->target.len) return lua_call(L, 3, 0), 0; /* there is no request line yet */
    spry_slice target = spry_http_text(http, http->target);
    lua_pushstring(L, spry_http_method_name(http));
    lua_pushlstring(L, target.data, target.len);
    lua_call(L, 5, 0);
    return 0;
}

static void on_refused(spry_handler *h, spry_conn *conn, int status, const char *why) {
    struct refusal r = {app_of(h), conn, status, why};
    r.app->depth++;
    if (spryl_protect(r.app->L, call_refused, &r) == LUA_ERRMEM)
        fputs("error: memory is out, and a request was refused that nobody could be told of\n",
              stderr);
    r.app->depth--;
}

static void on_destroy(spry_handler *h, spry_conn *conn) {
    spry_app *app = app_of(h);
    if (conn->task) spryl_task_drop(conn->task);
    conn->task = NULL;
    app->conn_count--;
    spryl_app_release(app->L, app);
}

static void on_turn(spry_handler *h) {
    spry_app *app = app_of(h);
    app->depth++; /* finalizers are Lua */
    spryl_collector_turn(app->L, &app->collector);
    app->depth--;
}

static bool on_rest(spry_handler *h) {
    spry_app *app = app_of(h);
    app->depth++;
    bool more = spryl_collector_rest(app->L, &app->collector);
    app->depth--;
    return more;
}

static const spry_handler_ops handler_ops = {
    .on_create = on_create,
    .on_request = on_request,
    .on_session = on_session,
    .on_input = on_input,
    .on_drain = on_drain,
    .on_closed = on_closed,
    .on_abandon = on_abandon,
    .on_refused = on_refused,
    .on_destroy = on_destroy,
    .on_turn = on_turn,
    .on_rest = on_rest,
};

/* ---- options ---- */

/* Reads a number of the table on top, in units of 1/scale. */
static uint64_t number(lua_State *L, const char *name, double fallback, double scale) {
    double value = fallback;
    if (lua_getfield(L, -1, name) != LUA_TNIL) {
        int is_number;
        value = lua_tonumberx(L, -1, &is_number);
        if (!is_number || !(value >= 0)) luaL_error(L, "%s must be a number from 0 on", name);
    }
    lua_pop(L, 1);
    return value * scale >= 9e18 ? (uint64_t)9e18 : (uint64_t)(value * scale);
}

static void push_table(lua_State *L, int index, const char *name) {
    if (lua_getfield(L, index, name) == LUA_TTABLE) return;
    if (!lua_isnil(L, -1)) luaL_error(L, "core.app: %s must be a table", name);
    lua_pop(L, 1);
    lua_newtable(L);
}

static void read_limits(lua_State *L, spry_limits *l) {
    push_table(L, 1, "limits");
    l->http.request_line = (size_t)number(L, "requestLine", 8192, 1);
    l->http.headers = (size_t)number(L, "headers", 16384, 1);
    l->body = number(L, "body", 1048576, 1);
    l->http.body = number(L, "maxBody", (double)l->body, 1);
    l->header_timeout = number(L, "headerTimeout", 10, 1000);
    l->body_timeout = number(L, "bodyTimeout", 30, 1000);
    l->idle_timeout = number(L, "idleTimeout", 60, 1000);
    l->request_timeout = number(L, "requestTimeout", 60, 1000);
    l->connections = (size_t)number(L, "connections", 10000, 1);
    l->close_timeout = 5000;
    l->linger_timeout = 2000;
    lua_pop(L, 1);
}

/* A boolean, or a table: then it is on. */
static void read_compress(lua_State *L, spry_deflate_policy *policy) {
    int type = lua_getfield(L, -1, "compress");
    if (type != LUA_TNIL) policy->on = lua_toboolean(L, -1);
    if (type == LUA_TTABLE) {
        policy->threshold = (size_t)number(L, "threshold", (double)policy->threshold, 1);
        uint64_t bits = number(L, "windowBits", policy->bits, 1);
        if (bits < SPRY_WINDOW_MIN || bits > SPRY_WINDOW_MAX)
            luaL_error(L, "windowBits must be from %d to %d", SPRY_WINDOW_MIN, SPRY_WINDOW_MAX);
        policy->bits = (unsigned char)bits;
        if (lua_getfield(L, -1, "contextTakeover") != LUA_TNIL)
            policy->takeover = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

void spryl_session_options(lua_State *L, spry_session *s, size_t *max_message,
                           spry_deflate_policy *compress) {
    *max_message = (size_t)number(L, "maxMessage", (double)*max_message, 1);
    s->max_buffered = (size_t)number(L, "maxBuffered", (double)s->max_buffered, 1);
    s->ping_interval = number(L, "pingInterval", (double)s->ping_interval / 1000, 1000);
    s->dead_after = number(L, "deadAfter", (double)s->dead_after / 1000, 1000);
    /* Who is to be taken for dead must have been asked before. */
    if (s->dead_after && s->ping_interval > s->dead_after / 2) s->ping_interval = s->dead_after / 2;
    if (lua_getfield(L, -1, "onSlow") == LUA_TSTRING) {
        const char *policy = lua_tostring(L, -1);
        s->drop_slow = strcmp(policy, "drop") == 0;
        if (!s->drop_slow && strcmp(policy, "close") != 0)
            luaL_error(L, "onSlow is \"close\" or \"drop\", not \"%s\"", policy);
    }
    lua_pop(L, 1);
    read_compress(L, compress);
}

static void read_session(lua_State *L, spry_app *app) {
    app->max_message = app->session.max_buffered = 1048576;
    app->session.ping_interval = 25000, app->session.dead_after = 60000;
    app->compress = (spry_deflate_policy){.bits = SPRY_WINDOW_MAX, .threshold = 1024};
    push_table(L, 1, "ws");
    spryl_session_options(L, &app->session, &app->max_message, &app->compress);
    lua_pop(L, 1);
}

/* Keeps field `name` of the options as a user value of the app at index 2. */
static void keep(lua_State *L, const char *name, enum spryl_app_value value, int type) {
    int got = lua_getfield(L, 1, name);
    bool optional = value >= SPRYL_ACCESS;
    if (got != type && !(optional && got == LUA_TNIL))
        luaL_error(L, "core.app: %s must be a %s", name, lua_typename(L, type));
    lua_setiuservalue(L, 2, value);
}

static void keep_values(lua_State *L, spry_app *app) {
    keep(L, "routes", SPRYL_ROUTES, LUA_TUSERDATA);
    keep(L, "misses", SPRYL_MISSES, LUA_TUSERDATA);
    for (int i = SPRYL_ROUTES; i <= SPRYL_MISSES; i++) {
        lua_getiuservalue(L, 2, i);
        spryl_router_check(L, -1);
        lua_pop(L, 1);
    }
    keep(L, "response", SPRYL_RESPONSE, LUA_TTABLE);
    keep(L, "convert", SPRYL_CONVERT, LUA_TFUNCTION);
    keep(L, "failed", SPRYL_FAILED, LUA_TFUNCTION);
    keep(L, "sessionFailed", SPRYL_SESSION_FAILED, LUA_TFUNCTION);
    keep(L, "access", SPRYL_ACCESS, LUA_TFUNCTION);
    keep(L, "tallies", SPRYL_TALLIES, LUA_TTABLE);
    keep(L, "refused", SPRYL_REFUSED, LUA_TFUNCTION);
    keep(L, "encode", SPRYL_ENCODE, LUA_TFUNCTION);
    spryl_task_push_answer(L, 2);
    lua_setiuservalue(L, 2, SPRYL_ANSWER);
    lua_newtable(L);
    lua_setiuservalue(L, 2, SPRYL_THREADS);
    app->logs_access = lua_getfield(L, 1, "access") == LUA_TFUNCTION;
    app->counts = lua_getfield(L, 1, "tallies") == LUA_TTABLE;
    app->encodes = lua_getfield(L, 1, "encode") == LUA_TFUNCTION;
    app->websocket = lua_getfield(L, 1, "websocket") == LUA_TNIL || lua_toboolean(L, -1);
    lua_pop(L, 4);
}

static lua_State *main_state(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
    lua_pop(L, 1);
    return main;
}

int spryl_app_new(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    spry_app *app = lua_newuserdatauv(L, sizeof *app, SPRYL_APP_VALUES);
    *app = (spry_app){.handler.ops = &handler_ops, .L = main_state(L), .ref = LUA_NOREF};
    spry_engine_init(&app->engine);
    spry_list_init(&app->tasks);
    app->arena = spryl_task_arena(L);
    luaL_setmetatable(L, APP);
    read_limits(L, &app->handler.limits);
    read_session(L, app);
    keep_values(L, app);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &all_apps);
    lua_pushvalue(L, 2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_settop(L, 2);
    return 1;
}

/* ---- the end ---- */

/* Somebody may still want to resume a coroutine whose task goes (luv ends its operations when the
 * state is closed, and calls back): closed, it is nobody's any more. */
static void abandon_all(spry_app *app) {
    for (spry_list *link = app->tasks.next, *next; link != &app->tasks; link = next) {
        next = link->next;
        spryl_task_abandon(spry_container_of(link, spry_task, link));
    }
}

/* What has happened stays so when the app goes. */
static void keep_counters(lua_State *L, spry_app *app) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &past_counters);
    spry_counters *past = lua_touserdata(L, -1), *own = &app->handler.counters;
    past->accepted += own->accepted;
    past->bytes_in += own->bytes_in, past->bytes_out += own->bytes_out;
    past->messages_in += own->messages_in, past->messages_out += own->messages_out;
    past->messages_dropped += own->messages_dropped, past->slow_closes += own->slow_closes;
    *own = (spry_counters){0};
    lua_pop(L, 1);
}

static int app_gc(lua_State *L) {
    spry_app *app = spryl_app_check(L, 1);
    app->L = L;
    keep_counters(L, app);
    abandon_all(app);
    spry_engine_drop(&app->engine); /* in-memory connections left at the end of the state */
    spry_engine_free(&app->engine);
    return 0;
}

/* ---- numbers ---- */

static void add(lua_State *L, const char *name, size_t n) {
    lua_getfield(L, -1, name);
    lua_pushinteger(L, lua_tointeger(L, -1) + (lua_Integer)n);
    lua_setfield(L, -3, name);
    lua_pop(L, 1);
}

/* What has happened: numbers that only grow. */
static void add_counters(lua_State *L, const spry_counters *c) {
    add(L, "accepted", c->accepted);
    add(L, "bytesIn", c->bytes_in);
    add(L, "bytesOut", c->bytes_out);
    add(L, "messagesIn", c->messages_in);
    add(L, "messagesOut", c->messages_out);
    add(L, "messagesDropped", c->messages_dropped);
    add(L, "slowCloses", c->slow_closes);
}

static void add_stats(lua_State *L, const spry_app *app) {
    size_t sessions = 0, running = 0, buffered = 0;
    for (spry_list *l = app->tasks.next; l != &app->tasks; l = l->next) {
        const spry_task *task = spry_container_of(l, spry_task, link);
        sessions += task->is_session;
        running += !task->ended;
        if (task->is_session) buffered += spry_conn_queued(task->conn);
    }
    add(L, "connections", app->conn_count);
    add(L, "sessions", sessions);
    add(L, "tasks", running);
    add(L, "buffered", buffered);
}

static int app_stats(lua_State *L) {
    spry_app *app = spryl_app_check(L, 1);
    lua_newtable(L);
    add_stats(L, app);
    return 1;
}

int spryl_stats(lua_State *L) {
    static const char *const names[] = {"connections", "sessions", "tasks", "buffered"};
    lua_settop(L, 0);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &all_apps);
    lua_newtable(L);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) add(L, names[i], 0);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        lua_pushvalue(L, 2);
        add_stats(L, lua_touserdata(L, 3));
        lua_pop(L, 1);
    }
    const spry_hub *hub = spryl_hub(L);
    add(L, "topics", hub->topics.count);
    add(L, "subscriptions", hub->subscriptions.count);
    return 1;
}

int spryl_counters(lua_State *L) {
    lua_settop(L, 0);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &all_apps);
    lua_newtable(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &past_counters);
    lua_insert(L, 2);
    add_counters(L, lua_touserdata(L, 2));
    lua_remove(L, 2);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        lua_pushvalue(L, 2);
        add_counters(L, &((const spry_app *)lua_touserdata(L, 3))->handler.counters);
        lua_pop(L, 1);
    }
    return 1;
}

void spryl_app_open(lua_State *L, const luaL_Reg *methods) {
    static const luaL_Reg own[] = {{"stats", app_stats}, {NULL, NULL}};
    if (luaL_newmetatable(L, APP)) {
        lua_pushcfunction(L, app_gc);
        lua_setfield(L, -2, "__gc");
        lua_pushliteral(L, "sprylua");
        lua_setfield(L, -2, "__metatable");
        lua_newtable(L);
        luaL_setfuncs(L, own, 0);
        luaL_setfuncs(L, methods, 0);
        lua_setfield(L, -2, "__index");
        lua_newtable(L);
        lua_createtable(L, 0, 1);
        lua_pushliteral(L, "k");
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &all_apps);
        memset(lua_newuserdatauv(L, sizeof(spry_counters), 0), 0, sizeof(spry_counters));
        lua_rawsetp(L, LUA_REGISTRYINDEX, &past_counters);
    }
    lua_pop(L, 1);
}
