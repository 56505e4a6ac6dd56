/* net.write and net.read, see link.h. */
#include "net/link.h"

#include "lua/framing.h"
#include "lua/watchdog.h"
#include "net/write_all.h"

#include <lauxlib.h>

#define OUTFLOW "sprylua.net.outflow"

enum {
    TAKE_EVERY = 16 << 10, /* bytes written: who sends much takes what others send, too */
    KEPT_MOST = 64 << 10,  /* bytes of memory that are kept for the next message */
};

/* A userdata, and the upvalue of net.write. */
typedef struct outflow {
    spry_buf message; /* the one that is written */
    size_t written;   /* bytes of messages since what came was read last */
} outflow;

static int release(lua_State *L) {
    outflow *out = luaL_checkudata(L, 1, OUTFLOW);
    spry_buf_free(&out->message);
    return 0;
}

/* write(descriptor, reader, …) -> whether the message (see framing.h) was written, which may take a
 * while; whether the reader has something by now, for it gets what comes meanwhile. */
static int write_message(lua_State *L) {
    outflow *out = lua_touserdata(L, lua_upvalueindex(1));
    int descriptor = (int)luaL_checkinteger(L, 1), last = lua_gettop(L);
    size_t size = spryl_framing_size(L, 3);
    spry_buf *inflow = spryl_framing_inflow(L, 2);
    if (spry_buf_reserve(&out->message, size)) return luaL_error(L, "not enough memory");
    spryl_framing_put(L, 3, last, size, out->message.data);
    enum spryl_pace pace = spryl_watchdog_pace(L, SPRYL_WAITS);
    int err = spry_write_all(descriptor, spry_slice_of(out->message.data, size), inflow);
    spryl_watchdog_pace(L, pace);
    out->written += size;
    if (out->written >= TAKE_EVERY) {
        out->written = 0;
        (void)spry_read_all(descriptor, 0, inflow);
    }
    if (out->message.cap > KEPT_MOST) spry_buf_free(&out->message);
    lua_pushboolean(L, err == 0);
    lua_pushboolean(L, inflow->len > 0);
    return 2;
}

/* read(descriptor, reader, patience) -> how many bytes have come, and are in the reader now; how
 * many are there in all; whether nothing comes after them. Waits for the first, so many
 * milliseconds. */
static int read_messages(lua_State *L) {
    int descriptor = (int)luaL_checkinteger(L, 1), patience = (int)luaL_checkinteger(L, 3);
    spry_buf *inflow = spryl_framing_inflow(L, 2);
    size_t before = inflow->len;
    bool ended = spry_read_all(descriptor, patience, inflow);
    lua_pushinteger(L, (lua_Integer)(inflow->len - before));
    lua_pushinteger(L, (lua_Integer)inflow->len);
    lua_pushboolean(L, ended);
    return 3;
}

void spryl_link_open(lua_State *L) {
    outflow *out = lua_newuserdatauv(L, sizeof *out, 0);
    *out = (outflow){0};
    if (luaL_newmetatable(L, OUTFLOW)) {
        lua_pushcfunction(L, release);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    lua_pushcclosure(L, write_message, 1);
    lua_setfield(L, -2, "write");
    lua_pushcfunction(L, read_messages);
    lua_setfield(L, -2, "read");
}
