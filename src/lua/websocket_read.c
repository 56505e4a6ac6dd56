/* Reading a session: ws:receive, and ws.events, which is called for each message or drained. See
 * views.h. */
#include "lua/views.h"

#include <math.h>

static const spryl_class class;

static spry_task *task_of(const spryl_websocket *ws) {
    return ws->conn->task;
}

/* Pushes the ws of the object at index 1, which is one or its ws.events. */
static void push_ws(lua_State *L) {
    if (spryl_object_test(L, 1, &class))
        lua_getiuservalue(L, 1, 1);
    else
        lua_pushvalue(L, 1);
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
    spryl_websocket *ws = spryl_websocket_check(L, 1);
    int n = take_event(L, ws);
    if (n) return n;
    if (patience != BEGUN || !ws->conn->session->timed_out)
        return wait_event(L, ws, "ws:receive", patience, receive_k);
    if (task_of(ws)->reader.co == L) spryl_unwait(L, &task_of(ws)->reader);
    return push_timeout(L);
}

int spryl_websocket_receive(lua_State *L) {
    spryl_websocket *ws = spryl_websocket_check(L, 1);
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
    const events *e = spryl_object_check(L, 1, &class);
    return e->ws;
}

/* The same in its __call, which is for Lua only to call. */
static spryl_websocket *called_ws(lua_State *L) {
    const events *e = lua_touserdata(L, 1);
    return e && e->object.class == &class ? e->ws : events_check(L);
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

void spryl_events_push(lua_State *L) {
    if (lua_getiuservalue(L, 1, SPRYL_EVENTS) != LUA_TNIL) return;
    events *e = spryl_object_new(L, &class, sizeof *e, 1);
    e->ws = spryl_websocket_check(L, 1);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, SPRYL_EVENTS);
}

static const luaL_Reg methods[] = {{"drain", events_drain}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__call", events_call}, {NULL, NULL}};
static const spryl_class class = {"sprylua.events", "ws.events", NULL, methods, metamethods, NULL};

int spryl_push_kinds(lua_State *L) {
    lua_pushliteral(L, "text");
    lua_pushliteral(L, "binary");
    return 2;
}

void spryl_events_open(lua_State *L) {
    spryl_class_new_with(L, &class, spryl_push_kinds(L));
}
