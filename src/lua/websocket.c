/* ws: the view of a session. It may be kept, passed, and used from any coroutine; when its
 * connection is gone it says so. See views.h. */
#include "base/utf8.h"
#include "lua/class.h"
#include "lua/views.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define WEBSOCKET "sprylua.websocket"
#define EVENTS "sprylua.events"

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

static const spryl_class class, events_class;

static spryl_websocket *check(lua_State *L, int index) {
    return spryl_object_check(L, index, &class);
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

/* ---- reading ---- */

/* Pushes the ws of the object at index 1, which is one or its ws.events. */
static void push_ws(lua_State *L) {
    if (spryl_object_test(L, 1, &class))
        lua_pushvalue(L, 1);
    else
        lua_getiuservalue(L, 1, 1);
}

/* "close", code, reason; and the view remembers them. */
static int push_close(lua_State *L, spryl_websocket *ws, const spry_next *next) {
    lua_pushlstring(L, next->data.data, next->data.len); /* first: nothing has run since the look */
    lua_pushliteral(L, "close");
    lua_pushinteger(L, next->code);
    lua_rotate(L, -3, 2);
    push_ws(L);
    lua_pushvalue(L, -2);
    spryl_memo_set(L, -2, "closeReason");
    lua_pop(L, 1);
    ws->close_code = next->code;
    ws->end_seen = true;
    return 3;
}

/* Pushes the message. What it is called is in the upvalues: pushing that runs nothing, so the
 * bytes are still what was looked at. */
static int push_message(lua_State *L, const spry_next *next) {
    lua_pushvalue(L, lua_upvalueindex((int)next->kind));
    lua_pushlstring(L, next->data.data, next->data.len);
    return 2;
}

/* The end without its event: there was no memory for one, or the connection is gone. */
static int push_lost(lua_State *L, spryl_websocket *ws) {
    ws->end_seen = true;
    if (!ws->close_code) ws->close_code = SPRY_CLOSE_LOST;
    lua_pushliteral(L, "close");
    lua_pushinteger(L, ws->close_code);
    lua_pushliteral(L, "");
    return 3;
}

/* The next event of the session, if there is one. Returns the number of values pushed. It is taken
 * when that is done, since a push may raise. */
static int take_event(lua_State *L, spryl_websocket *ws) {
    if (!ws->conn) return push_lost(L, ws);
    spry_next next;
    int n = 0;
    if (spry_session_look(ws->conn, &next)) {
        n = next.kind == SPRY_CLOSE ? push_close(L, ws, &next) : push_message(L, &next);
        if (!ws->conn) return n;
        spry_session_take(ws->conn, &next);
    } else if (ws->conn->session->ws.ended) {
        n = push_lost(L, ws);
    }
    if (n && task_of(ws)->reader.co == L) spryl_unwait(L, &task_of(ws)->reader);
    return n;
}

/* A reader's patience: endless, begun already, or ms. */
enum { ENDLESS = 0, BEGUN = -1 };

static int wait_event(lua_State *L, spryl_websocket *ws, const char *what, lua_KContext patience,
                      lua_KFunction k) {
    spry_task *task = task_of(ws);
    /* Not for a second reader, which spryl_wait refuses. */
    if (patience != BEGUN && (!task->reader.co || lua_status(task->reader.co) != LUA_YIELD))
        spry_session_wait(ws->conn, (uint64_t)patience);
    return spryl_wait(L, task, &task->reader, what, BEGUN, k);
}

static int push_timeout(lua_State *L) {
    lua_pushnil(L);
    lua_pushliteral(L, "timeout");
    return 2;
}

static int receive_k(lua_State *L, int status, lua_KContext patience) {
    (void)status;
    spryl_websocket *ws = check(L, 1);
    int n = take_event(L, ws);
    if (n) return n;
    if (patience != BEGUN || !ws->conn->session->timed_out)
        return wait_event(L, ws, "ws:receive", patience, receive_k);
    if (task_of(ws)->reader.co == L) spryl_unwait(L, &task_of(ws)->reader);
    return push_timeout(L);
}

static int ws_receive(lua_State *L) {
    spryl_websocket *ws = check(L, 1);
    lua_Number timeout = luaL_optnumber(L, 2, HUGE_VAL);
    bool forever = timeout == HUGE_VAL;
    luaL_argcheck(L, forever || (timeout >= 0 && timeout < 1e9), 2,
                  "a number of seconds from 0 to 1e9");
    lua_settop(L, 1);
    if (ws->end_seen)
        return luaL_error(L, "ws:receive after the close event: the session is over, return");
    if (forever) return receive_k(L, LUA_OK, ENDLESS);
    lua_KContext patience = (lua_KContext)(timeout * 1000);
    if (patience < timeout * 1000) patience++;
    if (patience > 0) return receive_k(L, LUA_OK, patience);
    int n = take_event(L, ws);
    return n ? n : push_timeout(L);
}

/* ---- ws.events: callable, and :drain() ---- */

/* The user value keeps its ws for it. */
typedef struct events {
    spryl_object object;
    spryl_websocket *ws;
} events;

static spryl_websocket *events_check(lua_State *L) {
    const events *e = spryl_object_check(L, 1, &events_class);
    return e->ws;
}

/* The same in its __call, which is for Lua only to call. */
static spryl_websocket *called_ws(lua_State *L) {
    const events *e = lua_touserdata(L, 1);
    return e && e->object.class == &events_class ? e->ws : events_check(L);
}

static int next_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    spryl_websocket *ws = called_ws(L);
    int n = take_event(L, ws);
    return n ? n : wait_event(L, ws, "ws.events", ctx, next_k);
}

/* for kind, data in ws.events do: ends after the close event. */
static int events_call(lua_State *L) {
    spryl_websocket *ws = called_ws(L);
    if (ws->end_seen) return 0;
    int n = take_event(L, ws);
    return n ? n : wait_event(L, ws, "ws.events", ENDLESS, next_k);
}

static int drain_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    spryl_websocket *ws = events_check(L);
    while (!ws->end_seen) {
        int n = take_event(L, ws);
        if (n == 3) return 2; /* code, reason */
        if (n == 0) return wait_event(L, ws, "ws.events:drain", ctx, drain_k);
        lua_settop(L, 1);
    }
    lua_pushinteger(L, ws->close_code);
    push_ws(L);
    spryl_memo_get(L, -1, "closeReason");
    lua_remove(L, -2);
    return 2;
}

static int events_drain(lua_State *L) {
    return drain_k(L, LUA_OK, ENDLESS);
}

static int push_events(lua_State *L) {
    if (lua_getiuservalue(L, 1, SPRYL_EVENTS) != LUA_TNIL) return 1;
    events *e = spryl_object_new(L, &events_class, sizeof *e, 1);
    e->ws = check(L, 1);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, SPRYL_EVENTS);
    return 1;
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
    case EVENTS_FIELD: return push_events(L);
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

static const luaL_Reg methods[] = {{"sendText", ws_send_text}, {"sendBinary", ws_send_binary},
                                   {"ping", ws_ping},          {"close", ws_close},
                                   {"receive", ws_receive},    {NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__newindex", ws_newindex}, {"__gc", ws_gc}, {"__tostring", ws_tostring}, {NULL, NULL}};
static const spryl_class class = {WEBSOCKET, "ws", fields, methods, metamethods, ws_index};

static const luaL_Reg events_methods[] = {{"drain", events_drain}, {NULL, NULL}};
static const luaL_Reg events_metamethods[] = {{"__call", events_call}, {NULL, NULL}};
static const spryl_class events_class = {EVENTS,         "ws.events",        NULL,
                                         events_methods, events_metamethods, NULL};

void spryl_websocket_open(lua_State *L) {
    const spryl_class *const classes[] = {&class, &events_class};
    for (size_t i = 0; i < 2; i++) {
        lua_pushliteral(L, "text"); /* upvalues SPRY_TEXT and SPRY_BINARY */
        lua_pushliteral(L, "binary");
        spryl_class_new_with(L, classes[i], 2);
    }
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
