/* One end of a WebSocket as an object, see endpoint.h: proto/ws.c with its buffers.
 *
 * It owns what came and was not parsed yet: a ping behind messages that wait is answered when they
 * have been taken, as in spry_ws_feed. */
#include "lua/endpoint.h"

#include "base/utf8.h"
#include "proto/handshake.h"
#include "proto/ws.h"

#include <lauxlib.h>
#include <stdlib.h>

#define ENDPOINT "sprylua.endpoint"

typedef struct endpoint {
    spry_ws ws;
    spry_buf in;  /* bytes that were not parsed yet */
    spry_buf out; /* bytes for the peer */
} endpoint;

static endpoint *check(lua_State *L) {
    return luaL_checkudata(L, 1, ENDPOINT);
}

/* Raises a bare sentence: whose mistake it is, the Lua side knows. */
static int fail(lua_State *L, const char *sentence) {
    lua_pushstring(L, sentence);
    return lua_error(L);
}

static int out_of_memory(lua_State *L) {
    return fail(L, "out of memory");
}

static spry_slice bytes_at(lua_State *L, int index) {
    spry_slice bytes;
    bytes.data = lua_tolstring(L, index, &bytes.len);
    if (bytes.data) return bytes;
    lua_pushfstring(L, "a string was expected, not %s", luaL_typename(L, index));
    lua_error(L);
    return bytes;
}

static spry_slice optional_bytes_at(lua_State *L, int index) {
    return lua_isnoneornil(L, index) ? spry_slice_lit("") : bytes_at(L, index);
}

/* ---- bytes in ---- */

static void drop_front(spry_buf *b, size_t n) {
    if (n == b->len) {
        spry_buf_free(b);
    } else if (n) {
        b->len -= n;
        memmove(b->data, b->data + n, b->len);
    }
}

/* Whether there is something to parse; a pong has to wait for the messages before it, if it can
 * be sent at all. */
static bool may_parse(const endpoint *e, spry_slice left) {
    if (e->ws.pong_due) return e->ws.close_sent || !e->ws.inbox;
    return left.len;
}

static int parse(endpoint *e) {
    spry_slice left = spry_buf_slice(&e->in);
    int err = SPRY_OK;
    while (!err && may_parse(e, left)) err = spry_ws_feed(&e->ws, &left);
    drop_front(&e->in, e->in.len - left.len);
    return err;
}

/* endpoint:feed(bytes): what the peer has sent. */
static int endpoint_feed(lua_State *L) {
    endpoint *e = check(L);
    spry_slice bytes = bytes_at(L, 2);
    if (spry_buf_append(&e->in, bytes.data, bytes.len) || parse(e)) return out_of_memory(L);
    return 0;
}

/* endpoint:lost(): nothing more comes or goes; unless a Close came before, the end is 1006. */
static int endpoint_lost(lua_State *L) {
    endpoint *e = check(L);
    e->ws.close_sent = true;
    if (parse(e) || spry_ws_lost(&e->ws)) return out_of_memory(L);
    return 0;
}

/* ---- messages ---- */

/* Takes out the message that was pushed; in this order, since a push may raise. */
static int taken(lua_State *L, endpoint *e, int pushed) {
    free(spry_ws_next(&e->ws));
    if (!e->ws.inbox && parse(e)) return out_of_memory(L);
    return pushed;
}

/* endpoint:next() -> "text" or "binary", payload | "close", code, reason | nothing yet. Taking the
 * close lets the answer to it go out. */
static int endpoint_next(lua_State *L) {
    endpoint *e = check(L);
    const spry_message *m = e->ws.inbox;
    static const char *const kinds[] = {
        [SPRY_TEXT] = "text", [SPRY_BINARY] = "binary", [SPRY_CLOSE] = "close"};
    if (!m) return 0;
    lua_pushstring(L, kinds[m->kind]);
    if (m->kind == SPRY_CLOSE) lua_pushinteger(L, m->code);
    lua_pushlstring(L, m->data, m->len);
    if (m->kind != SPRY_CLOSE) return taken(L, e, 2);
    if (spry_ws_release_close(&e->ws)) return out_of_memory(L);
    return taken(L, e, 3);
}

/* endpoint:release(): the answer to the peer's Close goes out although nobody has taken it. */
static int endpoint_release(lua_State *L) {
    if (spry_ws_release_close(&check(L)->ws)) return out_of_memory(L);
    return 0;
}

/* ---- bytes out ---- */

/* True, or nil and "closed". */
static int push_sent(lua_State *L, int err) {
    if (err == SPRY_ENOMEM) return out_of_memory(L);
    if (err == SPRY_ECLOSED) {
        lua_pushnil(L);
        lua_pushliteral(L, "closed");
        return 2;
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int send(lua_State *L, enum spry_message_kind kind) {
    endpoint *e = check(L);
    spry_slice payload = bytes_at(L, 2);
    if (kind == SPRY_TEXT && !spry_utf8_valid(payload))
        return fail(L, "a text is UTF-8: use ws:sendBinary for other bytes");
    return push_sent(L, spry_ws_send(&e->ws, kind, payload));
}

/* endpoint:sendText(s), endpoint:sendBinary(s) -> true | nil, "closed" */
static int endpoint_send_text(lua_State *L) {
    return send(L, SPRY_TEXT);
}

static int endpoint_send_binary(lua_State *L) {
    return send(L, SPRY_BINARY);
}

/* endpoint:ping(data?) -> true | nil, "closed" */
static int endpoint_ping(lua_State *L) {
    endpoint *e = check(L);
    spry_slice payload = optional_bytes_at(L, 2);
    if (payload.len > SPRY_CONTROL_MAX) return fail(L, "a ping carries at most 125 bytes");
    return push_sent(L, spry_ws_ping(&e->ws, payload));
}

/* endpoint:close(code?, reason?) -> true | nil, "closed" when one was sent before */
static int endpoint_close(lua_State *L) {
    endpoint *e = check(L);
    int is_integer = 1;
    lua_Integer code =
        lua_isnoneornil(L, 2) ? SPRY_CLOSE_NORMAL : lua_tointegerx(L, 2, &is_integer);
    spry_slice reason = optional_bytes_at(L, 3);
    if (!is_integer || !spry_ws_may_close(code))
        return fail(L, "not a close code that may be sent (1000, 3000 to 4999, …)");
    if (reason.len > SPRY_REASON_MAX) return fail(L, "a close reason has at most 123 bytes");
    if (!spry_utf8_valid(reason)) return fail(L, "a close reason is UTF-8");
    if (e->ws.close_sent) return push_sent(L, SPRY_ECLOSED);
    return push_sent(L, spry_ws_close(&e->ws, (uint16_t)code, reason));
}

/* endpoint:take() -> the bytes to send, "" when there are none; they are gone from here then. */
static int endpoint_take(lua_State *L) {
    endpoint *e = check(L);
    lua_pushlstring(L, e->out.len ? e->out.data : "", e->out.len);
    spry_buf_free(&e->out);
    return 1;
}

/* ---- how it stands ---- */

/* endpoint:waiting() -> bytes that came and were not taken out */
static int endpoint_waiting(lua_State *L) {
    const endpoint *e = check(L);
    lua_pushinteger(L, (lua_Integer)(e->ws.inbox_bytes + e->in.len));
    return 1;
}

/* endpoint:closed() -> whether this side has sent its Close, or is lost: nothing can be sent */
static int endpoint_closed(lua_State *L) {
    lua_pushboolean(L, check(L)->ws.close_sent);
    return 1;
}

/* endpoint:ended() -> whether the peer's last word is here: nothing more will come */
static int endpoint_ended(lua_State *L) {
    lua_pushboolean(L, check(L)->ws.ended);
    return 1;
}

/* ---- the object ---- */

static int endpoint_gc(lua_State *L) {
    endpoint *e = check(L);
    spry_ws_free(&e->ws);
    spry_buf_free(&e->in);
    spry_buf_free(&e->out);
    return 0;
}

int spryl_endpoint_new(lua_State *L) {
    static const char *const roles[] = {"server", "client", NULL};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "role");
    int role = luaL_checkoption(L, 2, NULL, roles);
    lua_getfield(L, 1, "maxMessage");
    lua_Integer max_message = luaL_checkinteger(L, 3);
    luaL_argcheck(L, max_message > 0, 1, "maxMessage is a number of bytes, 1 or more");
    endpoint *e = lua_newuserdatauv(L, sizeof *e, 0);
    *e = (endpoint){0};
    spry_ws_init(&e->ws, (size_t)max_message, &e->out);
    e->ws.is_client = role == 1;
    luaL_setmetatable(L, ENDPOINT);
    return 1;
}

int spryl_endpoint_accept(lua_State *L) {
    spry_slice key;
    key.data = luaL_checklstring(L, 1, &key.len);
    char accept[SPRY_ACCEPT_LENGTH + 1];
    spry_handshake_key(key, accept);
    lua_pushlstring(L, accept, SPRY_ACCEPT_LENGTH);
    return 1;
}

void spryl_endpoint_open(lua_State *L) {
    static const luaL_Reg methods[] = {{"feed", endpoint_feed},
                                       {"lost", endpoint_lost},
                                       {"next", endpoint_next},
                                       {"release", endpoint_release},
                                       {"sendText", endpoint_send_text},
                                       {"sendBinary", endpoint_send_binary},
                                       {"ping", endpoint_ping},
                                       {"close", endpoint_close},
                                       {"take", endpoint_take},
                                       {"waiting", endpoint_waiting},
                                       {"closed", endpoint_closed},
                                       {"ended", endpoint_ended},
                                       {NULL, NULL}};
    if (luaL_newmetatable(L, ENDPOINT)) {
        lua_pushcfunction(L, endpoint_gc);
        lua_setfield(L, -2, "__gc");
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
        lua_pushliteral(L, "sprylua");
        lua_setfield(L, -2, "__metatable");
    }
    lua_pop(L, 1);
}
