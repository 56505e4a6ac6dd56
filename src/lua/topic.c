/* core.topic: subscribing and publishing. What is wrong with an argument that a route's author has
 * given comes back as nil and a sentence, for Lua to raise where he stands. See topic.h. */
#include "lua/topic.h"

#include "base/utf8.h"
#include "lua/task.h"
#include "lua/views.h"

#include <lauxlib.h>

#define HUB "sprylua.hub"

static int hub_gc(lua_State *L) {
    spry_hub_free(lua_touserdata(L, 1));
    return 0;
}

void spryl_hub_open(lua_State *L) {
    if (lua_getfield(L, LUA_REGISTRYINDEX, HUB) == LUA_TNIL) {
        spry_hub_init(lua_newuserdatauv(L, sizeof(spry_hub), 0));
        lua_createtable(L, 0, 1);
        lua_pushcfunction(L, hub_gc);
        lua_setfield(L, -2, "__gc");
        lua_setmetatable(L, -2);
        lua_setfield(L, LUA_REGISTRYINDEX, HUB);
    }
    lua_pop(L, 1);
}

spry_hub *spryl_hub(lua_State *L) {
    lua_getfield(L, LUA_REGISTRYINDEX, HUB);
    spry_hub *hub = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return hub;
}

/* ---- arguments ---- */

static int problem(lua_State *L, const char *sentence) {
    lua_pushnil(L);
    lua_pushstring(L, sentence);
    return 2;
}

/* The name at `index`, or what is wrong with it. */
static const char *read_name(lua_State *L, int index, spry_slice *name) {
    if (lua_type(L, index) != LUA_TSTRING) return "the name of a topic is a string";
    name->data = lua_tolstring(L, index, &name->len);
    if (name->len == 0 || name->len > SPRY_TOPIC_NAME_MAX)
        return "the name of a topic has 1 to 255 bytes";
    return spry_utf8_valid(*name) ? NULL : "the name of a topic is UTF-8";
}

/* check(name) -> nothing, or nil and what is wrong with it */
static int topic_check(lua_State *L) {
    spry_slice name;
    const char *wrong = read_name(L, 1, &name);
    return wrong ? problem(L, wrong) : 0;
}

/* ---- subscriptions ---- */

/* subscribe(ws, name) -> true | false: it has been before | nil, "closed" or a problem */
static int topic_subscribe(lua_State *L) {
    spry_conn *conn = spryl_websocket_conn(L, 1);
    spry_slice name;
    const char *wrong = read_name(L, 2, &name);
    if (wrong) return problem(L, wrong);
    if (!conn) return problem(L, "closed");
    int err = spry_hub_subscribe(spryl_hub(L), name, conn);
    if (err < 0) return luaL_error(L, "out of memory");
    lua_pushboolean(L, err == 0);
    return 1;
}

/* has(ws, name) -> whether it is subscribed | nil, problem */
static int topic_has(lua_State *L) {
    const spry_conn *conn = spryl_websocket_conn(L, 1);
    spry_slice name;
    const char *wrong = read_name(L, 2, &name);
    if (wrong) return problem(L, wrong);
    lua_pushboolean(L, conn && spry_hub_has(spryl_hub(L), name, conn));
    return 1;
}

/* unsubscribe(ws, name) -> whether it was subscribed | nil, problem */
static int topic_unsubscribe(lua_State *L) {
    spry_conn *conn = spryl_websocket_conn(L, 1);
    spry_slice name;
    const char *wrong = read_name(L, 2, &name);
    if (wrong) return problem(L, wrong);
    lua_pushboolean(L, conn && spry_hub_unsubscribe(spryl_hub(L), name, conn));
    return 1;
}

/* drops(ws) -> whether messages are left out when its peer is slow (onSlow = "drop") */
static int topic_drops(lua_State *L) {
    const spry_conn *conn = spryl_websocket_conn(L, 1);
    lua_pushboolean(L, conn && conn->session->drop_slow);
    return 1;
}

/* atClose(ws, fn) -> true: fn() is called, from the loop, once nothing can be sent to the session
 * any more | nil, "closed". It can't wait. */
static int topic_at_close(lua_State *L) {
    const spry_conn *conn = spryl_websocket_conn(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    if (!conn) return problem(L, "closed");
    spryl_task_at_end(L, conn->task);
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- publishing ---- */

/* publish(name, data, binary?, except?) -> number of receivers | nil, problem */
static int topic_publish(lua_State *L) {
    spry_slice name, data;
    const char *wrong = read_name(L, 1, &name);
    if (wrong) return problem(L, wrong);
    data.data = luaL_checklstring(L, 2, &data.len);
    enum spry_message_kind kind = lua_toboolean(L, 3) ? SPRY_BINARY : SPRY_TEXT;
    const spry_conn *except = lua_isnoneornil(L, 4) ? NULL : spryl_websocket_conn(L, 4);
    if (kind == SPRY_TEXT && !spry_utf8_valid(data))
        return problem(L, "a text is UTF-8: publish other bytes with { binary = true }");
    size_t receivers;
    if (spry_hub_publish(spryl_hub(L), name, kind, data, except, &receivers))
        return luaL_error(L, "out of memory");
    lua_pushinteger(L, (lua_Integer)receivers);
    return 1;
}

/* ---- looking ---- */

/* A topic's name and the number of its subscribers, copied: a collection that Lua may begin while
 * the list is made can end sessions, and topics with them. */
typedef struct row {
    size_t subscribers;
    unsigned char len;
    char name[SPRY_TOPIC_NAME_MAX];
} row;

static size_t copy_rows(const spry_hub *hub, row *rows, size_t room) {
    size_t n = 0;
    for (const spry_topic *t = NULL; n < room && (t = spry_hub_next(hub, t)); n++) {
        rows[n].subscribers = t->count, rows[n].len = t->len;
        memcpy(rows[n].name, t->name, t->len);
    }
    return n;
}

/* list() -> { [name] = subscribers } */
static int topic_list(lua_State *L) {
    const spry_hub *hub = spryl_hub(L);
    size_t room = hub->topics.count;
    row *rows = lua_newuserdatauv(L, room * sizeof *rows, 0);
    size_t n = copy_rows(hub, rows, room);
    lua_newtable(L);
    for (size_t i = 0; i < n; i++) {
        lua_pushlstring(L, rows[i].name, rows[i].len);
        lua_pushinteger(L, (lua_Integer)rows[i].subscribers);
        lua_rawset(L, -3);
    }
    return 1;
}

void spryl_topic_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"check", topic_check},
                                         {"subscribe", topic_subscribe},
                                         {"unsubscribe", topic_unsubscribe},
                                         {"drops", topic_drops},
                                         {"has", topic_has},
                                         {"publish", topic_publish},
                                         {"atClose", topic_at_close},
                                         {"list", topic_list},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
}
