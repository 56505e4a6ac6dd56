/* core.request: functions on a live event, from which Lua makes what routes see of a request
 * (query, params, body; headers are in request_headers.c). They raise when the request is over. */
#include "lua/router.h"
#include "lua/text.h"
#include "lua/views.h"

#include <lauxlib.h>

static void push_slice(lua_State *L, spry_slice s) {
    lua_pushlstring(L, s.data, s.len);
}

static const spry_http *http_of(lua_State *L) {
    return spryl_event_check(L, 1)->conn->http;
}

static int query(lua_State *L) {
    const spry_http *http = http_of(L);
    if (!http->has_query) return 0;
    push_slice(L, spry_http_text(http, http->query));
    return 1;
}

/* Upvalues of the getter of event.query. */
enum { DECODE = 1, QUERY };

static int get_query(lua_State *L) {
    lua_settop(L, 1);
    if (!query(L)) lua_pushliteral(L, ""); /* its own copy: decoding is Lua */
    spryl_push_pairs(L, 2, lua_upvalueindex(DECODE));
    lua_pushvalue(L, lua_upvalueindex(QUERY));
    lua_setmetatable(L, -2);
    return 1;
}

/* queryGetter(decode, metatable) -> f(event) -> the pairs of the query, see core.pairs */
static int query_getter(lua_State *L) {
    lua_settop(L, 2);
    lua_pushcclosure(L, get_query, 2);
    return 1;
}

/* params(event) -> a table by name */
static int params(lua_State *L) {
    const spry_task *task = spryl_event_check(L, 1);
    size_t count = task->missed ? 0 : task->match.param_count;
    lua_createtable(L, 0, (int)count);
    for (size_t i = 0; i < count; i++) {
        const spry_param *p = &task->match.params[i];
        if (!p->name.len) continue;
        push_slice(L, p->name);
        spryl_push_param(L, p);
        lua_rawset(L, -3);
    }
    return 1;
}

/* Upvalues of the getter of event.params. */
enum { METHODS = 1, PARAMS, HIDE };

static bool is_method(lua_State *L, spry_slice name) {
    push_slice(L, name);
    bool is = lua_rawget(L, lua_upvalueindex(METHODS)) != LUA_TNIL;
    lua_pop(L, 1);
    return is;
}

static int get_params(lua_State *L) {
    const spry_task *task = spryl_event_check(L, 1);
    params(L);
    lua_pushvalue(L, lua_upvalueindex(PARAMS));
    lua_setmetatable(L, -2);
    for (size_t i = 0; !task->missed && i < task->match.param_count; i++) {
        if (!is_method(L, task->match.params[i].name)) continue;
        lua_pushvalue(L, lua_upvalueindex(HIDE));
        lua_insert(L, -2);
        lua_call(L, 1, 1);
        break;
    }
    return 1;
}

/* paramsGetter(methods, metatable, hide) -> f(event) -> params with that metatable; if a parameter
 * is named like a method, hide(params) */
static int params_getter(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 3);
    lua_pushcclosure(L, get_params, 3);
    return 1;
}

static int host(lua_State *L) {
    const spry_http *http = http_of(L);
    push_slice(L, spry_http_text(http, http->host));
    return 1;
}

static int allow(lua_State *L) {
    const spry_task *task = spryl_event_check(L, 1);
    char list[SPRY_METHOD_LIST_MAX];
    if (!task->allow) return 0;
    lua_pushlstring(L, list, spry_method_list(task->allow, list));
    return 1;
}

static int version(lua_State *L) {
    lua_pushstring(L, spry_http_is_1_0(http_of(L)) ? "1.0" : "1.1");
    return 1;
}

/* entry(event): what the router gave for it. */
static int entry(lua_State *L) {
    const spry_task *task = spryl_event_check(L, 1);
    spryl_app_push(L, task->app, task->missed ? SPRYL_MISSES : SPRYL_ROUTES);
    spryl_router_push_entry(L, lua_gettop(L), task->match.route);
    return 1;
}

/* current() -> the event of the request that the running coroutine answers, or nil. */
static int current(lua_State *L) {
    spryl_task_push_event(L);
    const spryl_event *event = lua_touserdata(L, -1);
    if (!event || !spryl_event_task(event)) lua_pushnil(L);
    return 1;
}

/* Whether the queued value at `index` begins with the text at index 4. */
static bool is_replaced(lua_State *L, int index) {
    spry_slice value, start;
    value.data = lua_tolstring(L, index, &value.len);
    start.data = lua_tolstring(L, 4, &start.len);
    return start.data && value.len >= start.len && !memcmp(value.data, start.data, start.len);
}

/* addHeader(event, name, value, replaces): for whatever response is sent. A field of that name
 * which was added before, and whose value begins with `replaces`, is overwritten. */
static int add_header(lua_State *L) {
    spryl_event_check(L, 1);
    luaL_checkstring(L, 2);
    luaL_checkstring(L, 3);
    luaL_optstring(L, 4, NULL);
    lua_settop(L, 4);
    if (lua_getiuservalue(L, 1, SPRYL_EXTRA_HEADERS) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, SPRYL_EXTRA_HEADERS);
    }
    lua_Integer n = (lua_Integer)lua_rawlen(L, 5), at = 1;
    for (bool found = false; at <= n && !found; at += found ? 0 : 2) {
        lua_rawgeti(L, 5, at);
        lua_rawgeti(L, 5, at + 1);
        found = lua_rawequal(L, 2, -2) && is_replaced(L, -1);
        lua_pop(L, 2);
    }
    lua_pushvalue(L, 2);
    lua_rawseti(L, 5, at);
    lua_pushvalue(L, 3);
    lua_rawseti(L, 5, at + 1);
    return 0;
}

static int read_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    spry_task *task = spryl_event_check(L, 1);
    spry_slice bytes;
    enum spry_body got = spry_conn_body(task->conn, &bytes);
    if (got == SPRY_BODY_WAIT)
        return spryl_wait(L, task, &task->reader, "reading the body", ctx, read_k);
    if (task->reader.co == L) spryl_unwait(L, &task->reader);
    if (got == SPRY_BODY_BYTES) {
        push_slice(L, bytes);
        spry_conn_body_taken(task->conn);
        return 1;
    }
    if (got == SPRY_BODY_END) return 0;
    lua_pushnil(L);
    lua_pushinteger(L, task->conn->body_status);
    lua_pushstring(L, task->conn->body_why);
    return 3;
}

/* limitBody(event, bytes): what the rest of this request may read of its body. */
static int limit_body(lua_State *L) {
    spry_task *task = spryl_event_check(L, 1);
    lua_Integer bytes = luaL_checkinteger(L, 2);
    luaL_argcheck(L, bytes >= 0, 2, "it is 0 or more");
    task->conn->body_limit = (uint64_t)bytes;
    return 0;
}

/* atEnd(event, fn): fn() is called when the request is over, however it ends. It can't wait. */
static int at_end(lua_State *L) {
    spry_task *task = spryl_event_check(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    spryl_task_at_end(L, task);
    return 0;
}

/* read(event) -> chunk | nothing at the end | nil, status, why. Waits. */
static int read(lua_State *L) {
    lua_settop(L, 1);
    return read_k(L, LUA_OK, 0);
}

void spryl_request_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"query", query},
                                         {"queryGetter", query_getter},
                                         {"paramsGetter", params_getter},
                                         {"params", params},
                                         {"host", host},
                                         {"allow", allow},
                                         {"version", version},
                                         {"entry", entry},
                                         {"current", current},
                                         {"addHeader", add_header},
                                         {"read", read},
                                         {"limitBody", limit_body},
                                         {"atEnd", at_end},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
    spryl_request_headers_open(L);
}
