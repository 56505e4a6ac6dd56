/* luaopen_sprylua_net, see module.h. The one file of net/ that binds the server to an app. */
#include "net/module.h"

#include "lua/allocator.h"
#include "lua/app.h"
#include "lua/boundary.h"
#include "lua/watchdog.h"
#include "net/link.h"
#include "net/luv.h"
#include "net/reserve.h"
#include "net/server.h"

#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define NET "sprylua.net.server"

/* Signals that Lua is told of, by name. */
static const struct {
    int number;
    const char *name;
} signals[] = {{SIGTERM, "TERM"}, {SIGINT, "INT"}, {SIGHUP, "HUP"}};
enum { SIGNALS = sizeof signals / sizeof *signals };

/* A userdata that the registry keeps until the process ends. */
typedef struct net {
    uv_loop_t *loop;
    lua_State *L;
    spry_app *app; /* NULL while nothing is served */
    spry_server server;
    spryl_watchdog watchdog;
    double cpu_time;    /* seconds that the watchdog gives Lua; 0: it is not armed */
    double cpu_time_to; /* what it is to give soon */
    bool expendable;    /* these two: see watchdog.h */
    int guard;
    uv_signal_t watchers[SIGNALS];
    uv_timer_t soon;   /* what can't be done inside of Lua, or of a connection */
    unsigned watching; /* watchers and timer that are not closed */
    int on_signal;     /* registry: the function to call with a signal's name */
} net;

/* The registry's table of functions by app, which are called when nothing holds the app: its
 * address is the key. */
static const char when_free_table = 0;

static net *net_of(lua_State *L) {
    lua_getfield(L, LUA_REGISTRYINDEX, NET);
    net *n = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return n;
}

/* 0: no limit. */
static void limit_memory(lua_State *L, size_t most) {
    void *allocator;
    if (lua_getallocf(L, &allocator) == spryl_allocate) spryl_allocator_limit(allocator, most);
}

/* ---- signals ---- */

struct caught {
    net *n;
    const char *name;
};

static int call_on_signal(lua_State *L) {
    const struct caught *caught = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, caught->n->on_signal);
    lua_pushstring(L, caught->name);
    lua_call(L, 1, 0);
    return 0;
}

static void on_signal(uv_signal_t *watcher, int number) {
    net *n = watcher->data;
    struct caught caught = {n, ""};
    spry_app *app = n->app;                      /* the function may bring in another one */
    if (number != SIGHUP) limit_memory(n->L, 0); /* who has no memory left can stop */
    for (size_t i = 0; i < SIGNALS; i++)
        if (signals[i].number == number) caught.name = signals[i].name;
    app->holds++, app->depth++;
    spryl_protect(n->L, call_on_signal, &caught);
    app->depth--;
    spryl_app_release(n->L, app);
}

/* ---- soon ---- */

/* Takes the function of an app that nothing holds out of the table at 1, and pushes it. */
static bool take_free(lua_State *L) {
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        if (((const spry_app *)lua_touserdata(L, -2))->holds) continue;
        lua_insert(L, -2);
        lua_pushnil(L);
        lua_settable(L, 1);
        return true;
    }
    return false;
}

static int call_when_free(lua_State *L) {
    lua_settop(L, 0);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &when_free_table);
    while (take_free(L)) lua_call(L, 0, 0);
    return 0;
}

/* False: the system has no timer for it. */
static bool set_watchdog(net *n) {
    spryl_watchdog_disarm(&n->watchdog);
    n->cpu_time = n->cpu_time_to;
    return !(n->cpu_time > 0) ||
           spryl_watchdog_arm(&n->watchdog, n->L, n->cpu_time, n->expendable, n->guard);
}

static void on_soon(uv_timer_t *timer) {
    net *n = timer->data;
    spry_app *app = n->app;
    /* Somebody may run the loop inside of Lua. */
    if (n->cpu_time_to != n->cpu_time && !n->watchdog.inside && !set_watchdog(n))
        fputs("error: the system has no timer for limits.cpuTime\n", stderr);
    app->holds++, app->depth++;
    spryl_protect(n->L, call_when_free, n);
    app->depth--;
    spryl_app_release(n->L, app);
}

static void expect_soon(void *of) {
    net *n = of;
    if (n->watching && !uv_is_closing((uv_handle_t *)&n->soon))
        uv_timer_start(&n->soon, on_soon, 0, 0);
}

static void watch_signals(net *n) {
    uv_timer_init(n->loop, &n->soon);
    n->soon.data = n;
    n->watching++;
    uv_unref((uv_handle_t *)&n->soon);
    for (size_t i = 0; i < SIGNALS; i++) {
        uv_signal_init(n->loop, &n->watchers[i]);
        n->watchers[i].data = n;
        n->watching++;
        uv_unref((uv_handle_t *)&n->watchers[i]);
        uv_signal_start(&n->watchers[i], on_signal, signals[i].number);
    }
}

static void on_watcher_closed(uv_handle_t *watcher) {
    net *n = watcher->data;
    n->watching--;
}

static void close_watcher(uv_handle_t *watcher) {
    if (!uv_is_closing(watcher)) uv_close(watcher, on_watcher_closed);
}

/* ---- serve and stop ---- */

static int push_error(lua_State *L, int err) {
    lua_pushnil(L);
    lua_pushstring(L, uv_strerror(err));
    lua_pushstring(L, uv_err_name(err));
    return 3;
}

static int port_field(lua_State *L, int index) {
    lua_getfield(L, index, "port");
    lua_Integer port = luaL_checkinteger(L, -1);
    luaL_argcheck(L, port >= 0 && port <= 65535, index, "a port is a number from 0 to 65535");
    lua_pop(L, 1);
    return (int)port;
}

/* reserve({ host =, port =, count = }) -> list of descriptors of listening sockets, port | nil,
 * message, error name */
static int reserve(lua_State *L) {
    int descriptors[SPRY_MOST_WORKERS];
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    int port = port_field(L, 1);
    lua_getfield(L, 1, "host");
    lua_getfield(L, 1, "count");
    lua_Integer count = luaL_checkinteger(L, 3);
    luaL_argcheck(L, count >= 1 && count <= SPRY_MOST_WORKERS, 1, "too many sockets");
    lua_createtable(L, (int)count, 0);
    int err = spry_reserve(net_of(L)->loop, luaL_checkstring(L, 2), &port, (int)count, descriptors);
    if (err) return push_error(L, err);
    spryl_luv_guard(L);
    for (int i = 0; i < (int)count; i++) {
        lua_pushinteger(L, descriptors[i]);
        lua_rawseti(L, 4, i + 1);
    }
    lua_pushinteger(L, port);
    return 2;
}

/* The collector that the options at index 2 name. */
static void begin_collector(lua_State *L, spry_app *app) {
    lua_getfield(L, 2, "collector");
    const char *name = luaL_optstring(L, -1, NULL);
    if (!spryl_collector_begin(L, &app->collector, name))
        luaL_error(L, "there is no collector called %s", name);
    lua_pop(L, 1);
}

/* The seconds that Lua has, by the options at index 2; 0: no limit. */
static double cpu_time_field(lua_State *L) {
    lua_getfield(L, 2, "cpuTime");
    double seconds = luaL_optnumber(L, -1, 0);
    lua_pop(L, 1);
    return seconds;
}

/* The bytes that Lua may have, by them; 0: no limit. */
static size_t memory_field(lua_State *L) {
    lua_getfield(L, 2, "memory");
    lua_Integer bytes = luaL_optinteger(L, -1, 0);
    luaL_argcheck(L, bytes >= 0, 2, "memory is a number of bytes");
    lua_pop(L, 1);
    return (size_t)bytes;
}

/* serve(app, { host =, port =, descriptor =, collector =, cpuTime =, guard =, memory =, onSignal =
 * })
 * -> { host =, port = } | nil, message, error name. With a descriptor of a socket that listens,
 * host and port only name it. */
static int serve(lua_State *L) {
    net *n = net_of(L);
    spry_app *app = spryl_app_check(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_getfield(L, 2, "host");
    const char *host = luaL_checkstring(L, 3);
    int port = port_field(L, 2);
    lua_getfield(L, 2, "onSignal");
    luaL_checktype(L, 4, LUA_TFUNCTION);
    lua_getfield(L, 2, "descriptor");
    int descriptor = (int)luaL_optinteger(L, 5, -1);
    lua_getfield(L, 2, "guard");
    luaL_checktype(L, 6, LUA_TFUNCTION);
    n->cpu_time_to = cpu_time_field(L);
    n->expendable = descriptor >= 0;
    size_t memory = memory_field(L);
    if (n->app) return luaL_error(L, "this process serves already");
    begin_collector(L, app);
    n->guard = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_settop(L, 4);
    spryl_luv_guard(L);
    n->on_signal = luaL_ref(L, LUA_REGISTRYINDEX);
    spryl_app_hold(L, 1);
    n->app = app;
    int err = spry_server_init(&n->server, n->loop, &app->handler);
    if (!err)
        err = descriptor < 0 ? spry_server_listen(&n->server, host, &port)
                             : spry_server_adopt(&n->server, descriptor, &port);
    if (err) return push_error(L, err);
    watch_signals(n);
    if (!set_watchdog(n)) return luaL_error(L, "the system has no timer for limits.cpuTime");
    limit_memory(n->L, memory);
    lua_createtable(L, 0, 2);
    lua_pushstring(L, host);
    lua_setfield(L, -2, "host");
    lua_pushinteger(L, port);
    lua_setfield(L, -2, "port");
    return 1;
}

/* reload(app, { collector =, cpuTime =, memory = }): has `app` answer new connections, and those
 * that are open from their next request on. Running requests and sessions stay with the app that
 * they have begun with. */
static int reload(lua_State *L) {
    net *n = net_of(L);
    spry_app *app = spryl_app_check(L, 1), *before = n->app;
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    if (!before) return luaL_error(L, "this process serves nothing that could be reloaded");
    double cpu_time = cpu_time_field(L);
    size_t memory = memory_field(L);
    begin_collector(L, app);
    spryl_app_hold(L, 1); /* nothing raises from here on */
    limit_memory(n->L, memory);
    n->cpu_time_to = cpu_time;
    expect_soon(n); /* whoever calls this has a door open */
    n->app = app;
    spry_engine_hand_over(&n->server.engine, &app->handler);
    spryl_app_release(L, before);
    return 0;
}

/* whenFree(app, f): calls f, from the loop, when nothing runs in the app any more. It does not
 * answer by then, or never will. */
static int when_free(lua_State *L) {
    net *n = net_of(L);
    spry_app *app = spryl_app_check(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &when_free_table);
    lua_insert(L, 1);
    lua_settable(L, 1);
    app->on_free = expect_soon, app->on_free_of = n;
    if (!app->holds) expect_soon(n);
    return 0;
}

/* stop(seconds, code): stops gracefully within that time, sessions with the close code (1001); 0:
 * at once. Ends the loop. */
static int stop(lua_State *L) {
    net *n = net_of(L);
    lua_Number seconds = luaL_optnumber(L, 1, 0);
    lua_Integer code = luaL_optinteger(L, 2, SPRY_CLOSE_GOING_AWAY);
    luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 1, "seconds from 0 on");
    luaL_argcheck(L, code >= 1000 && code <= 4999, 2, "a close code");
    if (n->app)
        spry_server_stop(&n->server, (uint64_t)(seconds * 1000), (uint16_t)code);
    else
        uv_stop(n->loop);
    return 0;
}

static int open_net(lua_State *L) {
    static const luaL_Reg functions[] = {{"reserve", reserve}, {"serve", serve},
                                         {"reload", reload},   {"whenFree", when_free},
                                         {"stop", stop},       {NULL, NULL}};
    luaL_newlib(L, functions);
    spryl_link_open(L);
    return 1;
}

void spryl_net_open(lua_State *L, uv_loop_t *loop) {
    net *n = lua_newuserdatauv(L, sizeof *n, 0);
    memset(n, 0, sizeof *n);
    n->loop = loop, n->L = L, n->on_signal = LUA_NOREF;
    lua_setfield(L, LUA_REGISTRYINDEX, NET);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &when_free_table);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, open_net);
    lua_setfield(L, -2, "sprylua.net");
    lua_pop(L, 1);
}

bool spryl_net_close(lua_State *L) {
    net *n = net_of(L);
    if (!n || !n->app) return true;
    spryl_watchdog_disarm(&n->watchdog);
    limit_memory(L, 0);
    spry_engine_abort(&n->server.engine); /* also sessions that outlive their connections */
    if (n->server.streams) return false;
    spry_server_close(&n->server);
    if (n->watching) close_watcher((uv_handle_t *)&n->soon);
    for (size_t i = 0; i < SIGNALS && n->watching; i++)
        close_watcher((uv_handle_t *)&n->watchers[i]);
    if (n->server.handles || n->watching) return false;
    spry_engine_settle(&n->server.engine);
    spry_engine_drop(&n->server.engine);
    spry_server_free(&n->server);
    spryl_app_release(L, n->app);
    n->app = NULL;
    return true;
}
