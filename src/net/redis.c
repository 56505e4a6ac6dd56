/* luaopen_sprylua_net_redis, see redis.h. hiredis parses and formats; when to read and write is
 * our uv_poll's business: hiredis' own adapter for libuv leaves out what poll calls an error, so
 * that a connection that is refused would never come to an end.
 *
 * Lifetime: a link lives from connect until its handle is closed. Its Lua object is a view that is
 * severed when hiredis gives the connection up (`on_cleanup`). What comes goes to one Lua function,
 * in order: Redis answers in the order in which it is asked, so Lua knows what an answer is to. */
#include "net/redis.h"

#include "base/list.h"
#include "base/spry.h"
#include "lua/boundary.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define HOME "sprylua.net.redis"
#define CONNECTION "sprylua.net.redis.connection"

/* A userdata that the registry keeps until the state is closed. */
typedef struct home {
    uv_loop_t *loop;
    lua_State *L;
    spry_list links; /* those that hiredis has not given up */
    unsigned open;   /* links whose handle is not closed */
} home;

struct link;

typedef struct view {
    struct link *link; /* NULL once the connection has ended */
} view;

typedef struct link {
    redisAsyncContext *ac; /* NULL once hiredis has given it up */
    uv_poll_t poll;
    int events; /* that poll waits for */
    home *home;
    view *view;  /* NULL when it was collected */
    int receive; /* registry: the function that gets what comes */
    bool silent; /* Lua has closed it, and is told no more */
    spry_list list;
} link;

/* ---- telling Lua ---- */

/* What Lua is told: a reply, or, without one, why the connection has ended. */
struct told {
    link *link;
    const redisReply *reply;
    const char *problem;
};

static const char *kind_of(const redisReply *reply) {
    switch (reply->type) {
    case REDIS_REPLY_STRING: return "string";
    case REDIS_REPLY_ARRAY: return "array";
    case REDIS_REPLY_INTEGER: return "integer";
    case REDIS_REPLY_STATUS: return "status";
    case REDIS_REPLY_ERROR: return "error";
    default: return "nil";
    }
}

/* An element of an array: false for nothing, and { err = message } for an error, as Redis' own Lua
 * has them. hiredis nests no deeper than seven. */
static void push_element(lua_State *L, const redisReply *reply);

static void push_value(lua_State *L, const redisReply *reply) {
    luaL_checkstack(L, 4, "a reply of Redis");
    switch (reply->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR: lua_pushlstring(L, reply->str, reply->len); break;
    case REDIS_REPLY_INTEGER: lua_pushinteger(L, reply->integer); break;
    case REDIS_REPLY_ARRAY:
        lua_createtable(L, (int)reply->elements, 0);
        for (size_t i = 0; i < reply->elements; i++) {
            push_element(L, reply->element[i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        break;
    default: lua_pushnil(L);
    }
}

static void push_element(lua_State *L, const redisReply *reply) {
    push_value(L, reply);
    if (reply->type == REDIS_REPLY_NIL) {
        lua_pop(L, 1);
        lua_pushboolean(L, 0);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        lua_createtable(L, 0, 1);
        lua_insert(L, -2);
        lua_setfield(L, -2, "err");
    }
}

static int call_receive(lua_State *L) {
    const struct told *told = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, told->link->receive);
    if (told->reply) {
        lua_pushstring(L, kind_of(told->reply));
        push_value(L, told->reply);
    } else {
        lua_pushliteral(L, "ended");
        lua_pushstring(L, told->problem);
    }
    lua_call(L, 2, 0);
    return 0;
}

static void tell(link *l, const redisReply *reply, const char *problem) {
    struct told told = {l, reply, problem};
    if (!l->silent) spryl_protect(l->home->L, call_receive, &told);
}

/* ---- what hiredis calls ---- */

static void on_poll(uv_poll_t *poll, int status, int events) {
    link *l = poll->data;
    if (status) events = l->events; /* reading and writing find out what is wrong */
    if (l->ac && (events & UV_READABLE)) redisAsyncHandleRead(l->ac);
    if (l->ac && (events & UV_WRITABLE)) redisAsyncHandleWrite(l->ac);
}

static void watch(link *l, int events) {
    if (events == l->events) return;
    l->events = events;
    if (events)
        uv_poll_start(&l->poll, events, on_poll);
    else
        uv_poll_stop(&l->poll);
}

static void add_read(void *data) {
    watch(data, ((link *)data)->events | UV_READABLE);
}

static void del_read(void *data) {
    watch(data, ((link *)data)->events & ~UV_READABLE);
}

static void add_write(void *data) {
    watch(data, ((link *)data)->events | UV_WRITABLE);
}

static void del_write(void *data) {
    watch(data, ((link *)data)->events & ~UV_WRITABLE);
}

static void on_closed(uv_handle_t *handle) {
    link *l = handle->data;
    l->home->open--;
    free(l);
}

/* The connection is over, in whichever way; hiredis closes its socket next. */
static void on_cleanup(void *data) {
    link *l = data;
    const char *problem = l->ac->err ? l->ac->errstr : "the connection was closed";
    l->ac = NULL;
    if (l->view) l->view->link = NULL;
    spry_list_remove(&l->list);
    uv_close((uv_handle_t *)&l->poll, on_closed);
    tell(l, NULL, problem);
    if (lua_checkstack(l->home->L, 4)) luaL_unref(l->home->L, LUA_REGISTRYINDEX, l->receive);
}

/* Without a reply the connection is over, which is told by itself. */
static void on_reply(redisAsyncContext *ac, void *reply, void *privdata) {
    (void)privdata;
    if (reply) tell(ac->data, reply, NULL);
}

/* ---- for Lua ---- */

static link *link_of(lua_State *L) {
    return ((view *)luaL_checkudata(L, 1, CONNECTION))->link;
}

static int push_problem(lua_State *L, const char *problem) {
    lua_pushnil(L);
    lua_pushstring(L, problem);
    return 2;
}

/* Has `l` watch the socket of `ac`. -- never raises */
static bool attach(link *l, redisAsyncContext *ac) {
    if (uv_poll_init(l->home->loop, &l->poll, ac->c.fd)) return false;
    l->ac = ac, l->poll.data = l, ac->data = l;
    ac->ev.data = l;
    ac->ev.addRead = add_read, ac->ev.delRead = del_read;
    ac->ev.addWrite = add_write, ac->ev.delWrite = del_write;
    ac->ev.cleanup = on_cleanup;
    spry_list_push(&l->home->links, &l->list);
    l->home->open++;
    redisEnableKeepAlive(&ac->c);
    return true;
}

/* connect(address, port, receive) -> connection | nil, message. What is sent waits until it
 * is connected. `receive` gets a kind and a value for each reply, and at last "ended", message,
 * unless Lua has closed it. */
static int connect_to(lua_State *L) {
    home *h = lua_touserdata(L, lua_upvalueindex(1));
    const char *address = luaL_checkstring(L, 1);
    int port = (int)luaL_checkinteger(L, 2);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    lua_settop(L, 3);
    view *v = lua_newuserdatauv(L, sizeof *v, 0);
    v->link = NULL;
    luaL_setmetatable(L, CONNECTION);
    lua_pushvalue(L, 3);
    int receive = luaL_ref(L, LUA_REGISTRYINDEX);
    link *l = calloc(1, sizeof *l);
    redisAsyncContext *ac = l ? redisAsyncConnect(address, port) : NULL;
    if (l) l->home = h, l->receive = receive;
    if (ac && !ac->err && attach(l, ac)) {
        v->link = l, l->view = v;
        return 1;
    }
    luaL_unref(L, LUA_REGISTRYINDEX, receive);
    free(l);
    if (!ac) return push_problem(L, "out of memory");
    push_problem(L, ac->err ? ac->errstr : "its socket can't be watched");
    redisAsyncFree(ac);
    return 2;
}

/* connection:send(argument, …) -> whether it is on its way */
static int send_command(lua_State *L) {
    link *l = link_of(L);
    int count = lua_gettop(L) - 1;
    luaL_argcheck(L, count > 0, 2, "a command");
    const char **texts = lua_newuserdatauv(L, (size_t)count * sizeof *texts, 0);
    size_t *lengths = lua_newuserdatauv(L, (size_t)count * sizeof *lengths, 0);
    for (int i = 0; i < count; i++) texts[i] = luaL_checklstring(L, i + 2, &lengths[i]);
    lua_pushboolean(L, l && redisAsyncCommandArgv(l->ac, on_reply, NULL, count, texts, lengths) ==
                                REDIS_OK);
    return 1;
}

/* connection:close(): at once, and `receive` hears of nothing any more. */
static int close_connection(lua_State *L) {
    link *l = link_of(L);
    if (!l) return 0;
    l->silent = true;
    redisAsyncFree(l->ac);
    return 0;
}

static int collect(lua_State *L) {
    link *l = link_of(L);
    if (l) l->view = NULL;
    return 0;
}

static int open_redis(lua_State *L) {
    static const luaL_Reg methods[] = {
        {"send", send_command}, {"close", close_connection}, {NULL, NULL}};
    home *h = lua_newuserdatauv(L, sizeof *h, 0);
    h->loop = lua_touserdata(L, lua_upvalueindex(1)), h->open = 0;
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    h->L = lua_tothread(L, -1);
    lua_pop(L, 1);
    spry_list_init(&h->links);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, HOME);
    luaL_newmetatable(L, CONNECTION);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_createtable(L, 0, 1);
    lua_insert(L, -2);
    lua_pushcclosure(L, connect_to, 1);
    lua_setfield(L, -2, "connect");
    return 1;
}

void spryl_redis_open(lua_State *L, uv_loop_t *loop) {
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushlightuserdata(L, loop);
    lua_pushcclosure(L, open_redis, 1);
    lua_setfield(L, -2, "sprylua.net.redis");
    lua_pop(L, 1);
}

bool spryl_redis_close(lua_State *L) {
    lua_getfield(L, LUA_REGISTRYINDEX, HOME);
    home *h = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (!h) return true;
    while (!spry_list_empty(&h->links)) {
        link *l = spry_container_of(h->links.next, link, list);
        l->silent = true;
        redisAsyncHandleWrite(l->ac); /* may find that it is over */
        if (l->ac) redisAsyncFree(l->ac);
    }
    return h->open == 0;
}
