/* From a Lua value to the bytes of a response. See views.h.
 *
 * Raising half way is fine: the bytes behind task->mark are taken back, until the response counts
 * as answered. */
#include "lua/boundary.h"
#include "lua/views.h"
#include "proto/handshake.h"
#include "proto/response.h"

#include <lauxlib.h>
#include <string.h>

/* What the fields of a response said about its framing. */
struct framing {
    bool close;   /* "connection: close" */
    bool upgrade; /* there is an Upgrade */
};

static void check_memory(lua_State *L, int err) {
    if (err) luaL_error(L, "out of memory");
}

bool spryl_is_reply(lua_State *L, const spry_task *task, int index) {
    if (lua_type(L, index) == LUA_TSTRING) return true;
    if (!lua_istable(L, index) || !lua_getmetatable(L, index)) return false;
    spryl_app_push(L, task->app, SPRYL_RESPONSE);
    bool equal = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return equal;
}

static void start(lua_State *L, spry_task *task, int status) {
    spry_buf *out = spry_conn_out(task->conn);
    task->mark = out->len;
    task->flushed = task->conn->flushed;
    task->status = status;
    task->bytes = 0;
    check_memory(L, spry_response_start(out, status, spry_engine_date(task->conn->engine)));
}

/* Fields that are written here: they describe the bytes on the wire, and in a 101 the handshake. */
static bool is_ours(const spry_task *task, spry_slice name) {
    static const spry_slice names[] = {{"content-length", 14},
                                       {"transfer-encoding", 17},
                                       {"connection", 10},
                                       {"date", 4},
                                       {"keep-alive", 10}};
    static const spry_slice prefix = {"sec-websocket-", 14};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (spry_slice_eq_nocase(name, names[i])) return true;
    if (task->status != 101) return false;
    return spry_slice_eq_nocase(name, spry_slice_lit("upgrade")) ||
           (name.len > prefix.len &&
            spry_slice_eq_nocase(spry_slice_of(name.data, prefix.len), prefix));
}

/* Writes the flat list of fields on top of the stack. */
static void fields(lua_State *L, spry_task *task, struct framing *framing) {
    int list = lua_gettop(L);
    lua_Integer n = (lua_Integer)lua_rawlen(L, list);
    for (lua_Integer i = 1; i < n; i += 2) {
        spry_slice name, value;
        lua_rawgeti(L, list, i);
        lua_rawgeti(L, list, i + 1);
        name.data = lua_tolstring(L, -2, &name.len);
        value.data = lua_tolstring(L, -1, &value.len);
        if (!name.data || !value.data) {
            luaL_error(L, "a response header must have a string as its name and as its value");
            return;
        }
        if (!is_ours(task, name)) {
            framing->upgrade =
                framing->upgrade || spry_slice_eq_nocase(name, spry_slice_lit("upgrade"));
            int err = spry_response_field(&task->conn->out, name, value);
            if (err == SPRY_EINVAL)
                luaL_error(L,
                           "the response header %s has a name or a value with bytes that would "
                           "split the response",
                           name.data);
            check_memory(L, err);
        } else if (spry_slice_eq_nocase(name, spry_slice_lit("connection"))) {
            framing->close = framing->close || spry_slice_eq_nocase(value, spry_slice_lit("close"));
        }
        lua_pop(L, 2);
    }
}

/* A plain table in the place of a response's headers has its fields by name: they would be lost. */
static void check_list(lua_State *L) {
    int list = lua_gettop(L);
    bool is_list = lua_istable(L, list);
    if (is_list && lua_rawlen(L, list) == 0) {
        lua_pushnil(L);
        is_list = !lua_next(L, list);
        lua_settop(L, list);
    }
    if (!is_list)
        luaL_error(L, "a response's headers can't be replaced by a plain table: use "
                      "response.headers:set(name, value)");
}

/* Those of the response at `index` (0: none) and those queued on the event. */
static struct framing all_fields(lua_State *L, spry_task *task, int event, int index) {
    struct framing framing = {0};
    if (index) {
        if (lua_getfield(L, index, "headers") != LUA_TNIL) {
            check_list(L);
            fields(L, task, &framing);
        }
        lua_pop(L, 1);
    }
    if (lua_isnil(L, event)) return framing;
    if (lua_getiuservalue(L, event, SPRYL_EXTRA_HEADERS) == LUA_TTABLE) fields(L, task, &framing);
    lua_pop(L, 1);
    return framing;
}

static void raw(lua_State *L, spry_task *task, spry_slice bytes) {
    check_memory(L, spry_response_raw(&task->conn->out, bytes));
}

/* The end of the head, with what is here of the body. An Upgrade is named in Connection (RFC 9110
 * section 7.8). */
static void end_head(lua_State *L, spry_task *task, uint64_t length, spry_slice body,
                     struct framing framing) {
    spry_slice connection = {NULL, 0};
    if (framing.upgrade) raw(L, task, spry_slice_lit("Connection: Upgrade\r\n"));
    if (!spry_conn_keep_alive(task->conn, !framing.close))
        connection = spry_slice_lit("Connection: close\r\n");
    else if (spry_http_is_1_0(task->conn->http))
        connection = spry_slice_lit("Connection: keep-alive\r\n");
    check_memory(L, spry_response_end(&task->conn->out, length, connection, body));
    task->bytes = task->conn->out.len - task->mark;
}

static bool is_head(const spry_task *task) {
    return task->conn->http->method == SPRY_HEAD;
}

static bool is_large(spry_slice bytes) {
    return bytes.len >= 16 * 1024;
}

/* Appends a part of a body, but for large ones: those go out at once, since to copy 64 KiB costs
 * more than to make a small response. */
static void body_bytes(lua_State *L, spry_task *task, spry_slice bytes) {
    task->bytes += bytes.len;
    if (is_large(bytes))
        spry_conn_flush_with(task->conn, bytes);
    else
        raw(L, task, bytes);
}

static int whole_body(lua_State *L, spry_task *task, spry_slice body, struct framing framing) {
    bool bodiless = spry_response_is_bodiless(task->status);
    if (bodiless || task->status == 205) body.len = 0; /* RFC 9110 section 15.3.6 */
    uint64_t length = bodiless ? SPRY_NO_LENGTH : body.len;
    if (is_head(task)) body.len = 0;
    spry_slice later = {NULL, 0};
    if (is_large(body)) later = body, body.len = 0;
    end_head(L, task, length, body, framing);
    if (later.len) body_bytes(L, task, later);
    return 0;
}

/* A 200 with the string on top. */
static void string_reply(lua_State *L, spry_task *task, int event, spry_slice type) {
    spry_slice body;
    body.data = lua_tolstring(L, -1, &body.len);
    start(L, task, 200);
    raw(L, task, type);
    struct framing framing = all_fields(L, task, event, 0);
    whole_body(L, task, body, framing);
}

void spryl_reply_text(lua_State *L, spry_task *task, int event) {
    string_reply(L, task, event, spry_slice_lit("Content-Type: text/plain; charset=utf-8\r\n"));
}

void spryl_reply_json(lua_State *L, spry_task *task, int event) {
    string_reply(L, task, event, spry_slice_lit("Content-Type: application/json\r\n"));
}

/* ---- streams ---- */

/* write(chunk): upvalue 1 is the event. */
static int write_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    const spryl_event *event = lua_touserdata(L, lua_upvalueindex(1));
    spry_task *task = spryl_event_task(event);
    if (!task || task->conn->lost) {
        lua_pushnil(L);
        lua_pushliteral(L, "closed");
        return 2;
    }
    if (spry_conn_queued(task->conn) > SPRY_OUTPUT_MARK) {
        spry_conn_want_drain(task->conn);
        return spryl_wait(L, task, &task->writer, "write", ctx, write_k);
    }
    if (task->writer.co == L) spryl_unwait(L, &task->writer);
    lua_pushboolean(L, 1);
    return 1;
}

static int write_chunk(lua_State *L) {
    const spryl_event *event = lua_touserdata(L, lua_upvalueindex(1));
    spry_slice chunk;
    chunk.data = luaL_checklstring(L, 1, &chunk.len);
    lua_settop(L, 1);
    spry_task *task = spryl_event_task(event);
    if (!task || task->conn->lost) return write_k(L, LUA_OK, 0);
    if (task->sized && chunk.len > task->stream_left)
        return luaL_error(L, "the stream is longer than the length it was given");
    spry_buf *out = spry_conn_out(task->conn);
    size_t before = out->len;
    if (task->sized) task->stream_left -= chunk.len;
    if (task->chunked) {
        check_memory(L, spry_response_chunk(out, chunk));
        task->bytes += out->len - before;
    } else {
        body_bytes(L, task, chunk);
    }
    spry_conn_touch(task->conn);
    return write_k(L, LUA_OK, 0);
}

static int streamed_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status, (void)ctx;
    spry_task *task = lua_touserdata(L, 2);
    if (task->conn->lost) return 0; /* nobody is there to miss the rest */
    if (task->sized && task->stream_left)
        return luaL_error(L, "the stream ended %I bytes before the length it was given",
                          (lua_Integer)task->stream_left);
    if (task->chunked) {
        spry_buf *out = spry_conn_out(task->conn);
        check_memory(L, spry_response_raw(out, spry_slice_lit("0\r\n\r\n")));
        task->bytes += 5;
    }
    return 0;
}

/* The function that makes the body is on top: it runs here, in the request's coroutine. */
static int stream_reply(lua_State *L, spry_task *task, int event, int index,
                        struct framing framing) {
    int producer = lua_gettop(L);
    if (spry_response_is_bodiless(task->status) || task->status == 205)
        return whole_body(L, task, (spry_slice){NULL, 0}, framing);
    lua_getfield(L, index, "length");
    task->sized = lua_isinteger(L, -1);
    if (task->sized) task->stream_left = (uint64_t)lua_tointeger(L, -1);
    /* Without a length HTTP/1.0 knows the end of a body by the end of the connection. */
    task->chunked = !task->sized && !spry_http_is_1_0(task->conn->http);
    if (task->chunked) raw(L, task, spry_slice_lit("Transfer-Encoding: chunked\r\n"));
    framing.close = framing.close || !(task->sized || task->chunked);
    end_head(L, task, task->sized ? task->stream_left : SPRY_NO_LENGTH, (spry_slice){NULL, 0},
             framing);
    if (is_head(task)) return 0;
    task->conn->answered = true;
    lua_getfield(L, index, "live");
    const char *live = lua_tostring(L, -1);
    task->conn->live = live;
    task->conn->endless = live && strcmp(live, "stream") == 0;
    spry_conn_touch(task->conn);
    lua_pushvalue(L, producer);
    lua_pushvalue(L, event);
    lua_pushcclosure(L, write_chunk, 1);
    lua_callk(L, 1, 0, 0, streamed_k);
    return streamed_k(L, LUA_OK, 0);
}

/* ---- 101 ---- */

/* The session's function is on top. */
static int upgrade_reply(lua_State *L, spry_task *task, int event, int index) {
    const char *why;
    if (spry_handshake_check(task->conn->http, &why) != 101 || !task->app->websocket)
        return luaL_error(L, "a 101 needs a request that asks for a WebSocket");
    spry_session options = task->app->session;
    size_t max_message = task->app->max_message;
    spry_deflate_policy compress = task->app->compress;
    spry_deflate_terms terms;
    spry_slice protocol = {NULL, 0};
    spryl_task_new_session(L, task, lua_gettop(L));
    lua_getfield(L, index, "options");
    luaL_checktype(L, -1, LUA_TTABLE);
    spryl_session_options(L, &options, &max_message, &compress);
    lua_getfield(L, -1, "protocol");
    if (!lua_isnil(L, -1)) protocol.data = luaL_checklstring(L, -1, &protocol.len);
    task->session->protocol = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->session->protocol);
    int err = spry_handshake_accept(task->conn->http, protocol, &task->conn->out);
    if (err == SPRY_EINVAL) return luaL_error(L, "a subprotocol must be a token (RFC 9110)");
    check_memory(L, err);
    check_memory(L, spry_extension_accept(task->conn->http, &compress, &terms, &task->conn->out));
    all_fields(L, task, event, index);
    raw(L, task, spry_slice_lit("\r\n"));
    check_memory(L, spry_conn_upgrade(task->conn, &options, max_message, &terms));
    task->bytes = task->conn->out.len - task->mark;
    return 0;
}

/* ---- all of them ---- */

static int response_reply(lua_State *L, spry_task *task, int event, int index) {
    lua_getfield(L, index, "status");
    int is_integer;
    lua_Integer status = lua_tointegerx(L, -1, &is_integer);
    bool switches = lua_getfield(L, index, "session") == LUA_TFUNCTION;
    if (switches && status != 101)
        return luaL_error(L, "the status of a 101 can't be changed: return another response to "
                             "refuse the upgrade");
    if (!is_integer || status > 599 || (status < 200 && !switches))
        return luaL_error(L, "a response's status is a whole number from 200 to 599");
    start(L, task, (int)status);
    if (switches) return upgrade_reply(L, task, event, index);
    struct framing framing = all_fields(L, task, event, index);
    if (lua_getfield(L, index, "stream") == LUA_TFUNCTION)
        return stream_reply(L, task, event, index, framing);
    spry_slice body = {NULL, 0};
    int type = lua_getfield(L, index, "body");
    if (type != LUA_TNIL && type != LUA_TSTRING)
        return luaL_error(L, "a response's body is a string, not a %s", luaL_typename(L, -1));
    if (type == LUA_TSTRING) body.data = lua_tolstring(L, -1, &body.len);
    return whole_body(L, task, body, framing);
}

static int finished_k(lua_State *L, int status, lua_KContext event) {
    (void)status;
    spry_task *task = lua_touserdata(L, 2);
    int index = lua_gettop(L);
    if (lua_type(L, index) == LUA_TSTRING || !spryl_is_reply(L, task, index))
        return luaL_error(L, "a response's `finish` returned no response");
    return response_reply(L, task, (int)event, index);
}

int spryl_reply(lua_State *L, spry_task *task, int event, int index) {
    if (lua_type(L, index) == LUA_TSTRING) return spryl_reply_text(L, task, event), 0;
    /* A response may depend on the request that it is sent for (a file on its ranges). */
    if (lua_getfield(L, index, "finish") != LUA_TFUNCTION)
        return lua_pop(L, 1), response_reply(L, task, event, index);
    lua_pushvalue(L, index);
    lua_pushvalue(L, event);
    lua_callk(L, 2, 1, event, finished_k);
    return finished_k(L, LUA_OK, event);
}

void spryl_reply_options(lua_State *L, spry_task *task) {
    start(L, task, 204);
    raw(L, task, spry_slice_lit("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"));
    whole_body(L, task, (spry_slice){NULL, 0}, (struct framing){0});
}
