/* zlib's raw deflate for specs, which play the other side of permessage-deflate with it (see
 * spec/support/deflate.lua). A stream keeps its context until it is reset. */
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <zlib.h>

#define STREAM "spec.deflate"
enum { ROOM = 16384 };

struct stream {
    z_stream z;
    bool inflates;
};

static struct stream *check(lua_State *L) {
    return luaL_checkudata(L, 1, STREAM);
}

static int failed(lua_State *L, const struct stream *s) {
    return luaL_error(L, "zlib: %s", s->z.msg ? s->z.msg : "it failed");
}

/* deflater(bits) and inflater(bits) */
static int new_stream(lua_State *L, bool inflates) {
    int bits = (int)luaL_optinteger(L, 1, 15);
    struct stream *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (struct stream){.inflates = inflates};
    int err = inflates ? inflateInit2(&s->z, -bits)
                       : deflateInit2(&s->z, 9, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY);
    if (err != Z_OK) return failed(L, s);
    luaL_setmetatable(L, STREAM);
    return 1;
}

static int deflater(lua_State *L) {
    return new_stream(L, false);
}

static int inflater(lua_State *L) {
    return new_stream(L, true);
}

/* stream:run(bytes, "sync"|"finish") -> bytes: all that comes of it */
static int run(lua_State *L) {
    static const char *const names[] = {"sync", "finish", NULL};
    static const int modes[] = {Z_SYNC_FLUSH, Z_FINISH};
    struct stream *s = check(L);
    size_t len;
    s->z.next_in = (Bytef *)luaL_checklstring(L, 2, &len);
    s->z.avail_in = (uInt)len;
    int mode = modes[luaL_checkoption(L, 3, "sync", names)], err;
    luaL_Buffer made;
    luaL_buffinit(L, &made);
    do {
        s->z.next_out = (Bytef *)luaL_prepbuffsize(&made, ROOM);
        s->z.avail_out = ROOM;
        err = s->inflates ? inflate(&s->z, Z_SYNC_FLUSH) : deflate(&s->z, mode);
        luaL_addsize(&made, ROOM - s->z.avail_out);
    } while (err == Z_OK && s->z.avail_out == 0);
    luaL_pushresult(&made);
    return err == Z_OK || err == Z_STREAM_END || err == Z_BUF_ERROR ? 1 : failed(L, s);
}

/* stream:reset() forgets the context */
static int reset(lua_State *L) {
    struct stream *s = check(L);
    (void)(s->inflates ? inflateReset(&s->z) : deflateReset(&s->z));
    return 0;
}

static int collect(lua_State *L) {
    struct stream *s = check(L);
    (void)(s->inflates ? inflateEnd(&s->z) : deflateEnd(&s->z));
    return 0;
}

int luaopen_deflate(lua_State *L);

int luaopen_deflate(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"deflater", deflater}, {"inflater", inflater}, {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"run", run}, {"reset", reset}, {"__gc", collect}, {NULL, NULL}};
    luaL_newmetatable(L, STREAM);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    luaL_newlib(L, functions);
    return 1;
}
