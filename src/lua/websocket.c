/* ws: the view of a session. It may be kept, passed, and used from any coroutine; when its
 * connection is gone it says so. See views.h. */
#include "base/utf8.h"
#include "lua/views.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define WEBSOCKET "sprylua.websocket"

enum field {
    ID,
    PROTOCOL,
    CLOSED,
    CLOSE_CODE,
    CLOSE_REASON,
    BUFFERED_AMOUNT,
    DROPPED,
    LOCALS,
    EVENTS_FIELD
};
static const char *const fields[] = {
    "id",      "protocol", "closed", "closeCode", "closeReason", "bufferedAmount",
    "dropped", "locals",   "events", NULL};

static const spryl_class class;

static spryl_websocket *check(lua_State *L, int index) {
    return spryl_object_check(L, index, &class);
}

spryl_websocket *spryl_websocket_check(lua_State *L, int index) {
    return check(L, index);
}

static void alive(lua_State *L) {
    check(L, 1); /* a session that is over may be looked at */
}

static bool is_open(const spryl_websocket *ws) {
    return ws->conn && !ws->conn->session->ws.close_sent;
}

static spry_task *task_of(const spryl_websocket *ws) {
    return ws->conn->task;
}

static int push_closed(lua_State *L) {
    lua_pushnil(L);
    lua_pushliteral(L, "closed");
    return 2;
}

/* ---- writing ---- */

static int push_sent(lua_State *L, int err) {
    if (err >= 0) {
        lua_pushboolean(L, err == 0);
        return 1;
    }
    if (err == SPRY_ECLOSED) return push_closed(L);
    lua_pushnil(L);
    lua_pushliteral(L, "out of memory");
    return 2;
}

static int send(lua_State *L, enum spry_message_kind kind) {
    spryl_websocket *ws = check(L, 1);
    spry_slice payload;
    payload.data = luaL_checklstring(L, 2, &payload.len);
    if (!is_open(ws)) return push_closed(L);
    return push_sent(L, spry_session_send(ws->conn, kind, payload));
}

/* A text that is not UTF-8 would make the peer fail the connection (RFC 6455 section 8.1). */
static int ws_send_text(lua_State *L) {
    spry_slice text;
    text.data = luaL_checklstring(L, 2, &text.len);
    luaL_argcheck(L, spry_utf8_valid(text), 2,
                  "a text is UTF-8: use ws:sendBinary for other bytes");
    return send(L, SPRY_TEXT);
}

static int ws_send_binary(lua_State *L) {
    return send(L, SPRY_BINARY);
}

static int ws_ping(lua_State *L) {
    spryl_websocket *ws = check(L, 1);
    spry_slice payload;
    payload.data = luaL_optlstring(L, 2, "", &payload.len);
    luaL_argcheck(L, payload.len <= SPRY_CONTROL_MAX, 2, "a ping carries at most 125 bytes");
    if (!is_open(ws)) return push_closed(L);
    return push_sent(L, spry_session_ping(ws->conn, payload));
}

static int ws_close(lua_State *L) {
    spryl_websocket *ws = check(L, 1);
    lua_Integer code = luaL_optinteger(L, 2, SPRY_CLOSE_NORMAL);
    spry_slice reason;
    reason.data = luaL_optlstring(L, 3, "", &reason.len);
    luaL_argcheck(L, spry_ws_may_close(code), 2,
                  "not a close code that may be sent (1000, 3000 to 4999, …)");
    luaL_argcheck(L, reason.len <= SPRY_REASON_MAX, 3, "a close reason has at most 123 bytes");
    luaL_argcheck(L, spry_utf8_valid(reason), 3, "a close reason is UTF-8");
    if (!is_open(ws)) return push_closed(L);
    return push_sent(L, spry_session_close(ws->conn, (uint16_t)code, reason));
}

/* is(value) -> whether it is a ws */
static int websocket_is(lua_State *L) {
    lua_pushboolean(L, spryl_object_test(L, 1, &class) != NULL);
    return 1;
}

/* flushed(ws) -> true | false: more waits for the peer than should, and whenDrained will tell |
 * nil, "closed" */
static int websocket_flushed(lua_State *L) {
    const spryl_websocket *ws = check(L, 1);
    if (!ws->conn || ws->conn->lost) return push_closed(L);
    bool is_flushed = spry_conn_queued(ws->conn) <= spry_conn_mark(ws->conn);
    if (!is_flushed) spry_conn_want_drain(ws->conn);
    lua_pushboolean(L, is_flushed);
    return 1;
}

/* whenDrained(ws, fn) -> true: fn() is called, from the loop, whenever that has changed |
 * nil, "closed" */
static int websocket_when_drained(lua_State *L) {
    const spryl_websocket *ws = check(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    if (!ws->conn) return push_closed(L);
    int fn = luaL_ref(L, LUA_REGISTRYINDEX);
    luaL_unref(L, LUA_REGISTRYINDEX, task_of(ws)->drained);
    task_of(ws)->drained = fn;
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- the object ---- */

void spryl_websocket_push_id(lua_State *L, const spryl_websocket *ws) {
    char id[48];
    snprintf(id, sizeof id, "%08" PRIx32 "-%" PRIu64, ws->epoch, ws->serial);
    lua_pushstring(L, id);
}

static int field(lua_State *L, int number) {
    spryl_websocket *ws = check(L, 1);
    switch ((enum field)number) {
    case ID: spryl_websocket_push_id(L, ws); break;
    case PROTOCOL: spryl_memo_get(L, 1, "protocol"); break;
    case CLOSED: lua_pushboolean(L, !is_open(ws)); break;
    case CLOSE_CODE:
        /* It may be known before the event is read. */
        if (ws->close_code)
            lua_pushinteger(L, ws->close_code);
        else if (ws->conn && ws->conn->session->ws.ended)
            lua_pushinteger(L, ws->conn->session->ws.end_code);
        else
            lua_pushnil(L);
        break;
    case CLOSE_REASON: spryl_memo_get(L, 1, "closeReason"); break;
    case BUFFERED_AMOUNT:
        lua_pushinteger(L, ws->conn ? (lua_Integer)spry_conn_queued(ws->conn) : 0);
        break;
    case DROPPED:
        lua_pushinteger(L, (lua_Integer)(ws->conn ? ws->conn->session->dropped : ws->dropped));
        break;
    case LOCALS: return spryl_memo_table(L, "locals");
    case EVENTS_FIELD: spryl_events_push(L); break;
    }
    return 1;
}

static int ws_index(lua_State *L) {
    return spryl_class_index(L, &class, field, alive);
}

static int ws_newindex(lua_State *L) {
    return luaL_error(L, "a ws's fields can't be set: keep your own values in ws.locals");
}

static int ws_gc(lua_State *L) {
    spryl_websocket *ws = check(L, 1);
    if (ws->conn && task_of(ws)) task_of(ws)->ws = NULL;
    ws->conn = NULL;
    return 0;
}

static int ws_tostring(lua_State *L) {
    const spryl_websocket *ws = check(L, 1);
    lua_pushliteral(L, "ws ");
    spryl_websocket_push_id(L, ws);
    lua_pushstring(L, is_open(ws) ? "" : " (closed)");
    lua_concat(L, 3);
    return 1;
}

static const luaL_Reg methods[] = {
    {"sendText", ws_send_text}, {"sendBinary", ws_send_binary},       {"ping", ws_ping},
    {"close", ws_close},        {"receive", spryl_websocket_receive}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__newindex", ws_newindex}, {"__gc", ws_gc}, {"__tostring", ws_tostring}, {NULL, NULL}};
static const spryl_class class = {WEBSOCKET, "ws", fields, methods, metamethods, ws_index};

void spryl_websocket_open(lua_State *L) {
    spryl_class_new_with(L, &class, spryl_push_kinds(L));
    spryl_events_open(L);
}

void spryl_websocket_new(lua_State *L, spry_task *task) {
    spryl_websocket *ws = spryl_object_new(L, &class, sizeof *ws, SPRYL_WEBSOCKET_VALUES);
    ws->conn = task->conn;
    ws->serial = ++task->conn->engine->serial;
    ws->epoch = (uint32_t)task->conn->engine->epoch;
    ws->dropped = 0, ws->close_code = 0, ws->end_seen = false;
    task->ws = ws; /* so that it is severed, also when the rest raises */
    if (lua_rawgeti(L, LUA_REGISTRYINDEX, task->protocol) == LUA_TNIL)
        lua_pop(L, 1);
    else
        spryl_memo_set(L, -2, "protocol");
    luaL_unref(L, LUA_REGISTRYINDEX, task->protocol);
    task->protocol = LUA_NOREF;
}

spry_conn *spryl_websocket_conn(lua_State *L, int index) {
    const spryl_websocket *ws = check(L, index);
    return is_open(ws) ? ws->conn : NULL;
}

void spryl_websocket_sever(spryl_websocket *ws) {
    const spry_session *session = ws->conn ? ws->conn->session : NULL;
    if (session && !ws->close_code) ws->close_code = session->ws.end_code;
    if (session) ws->dropped = session->dropped;
    ws->conn = NULL;
}

void spryl_websocket_functions(lua_State *L) {
    static const luaL_Reg functions[] = {{"is", websocket_is},
                                         {"flushed", websocket_flushed},
                                         {"whenDrained", websocket_when_drained},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
}
