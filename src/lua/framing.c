/* Messages between processes, see framing.h. */
#include "lua/framing.h"

#include "lua/class.h"

#include <stdint.h>

enum {
    LENGTH = 4,        /* bytes of a length */
    KEPT_MOST = 65536, /* bytes of memory that a reader with nothing in it keeps */
    GIVING = 1,        /* user value of a reader: the message that Lua is being given */
};

typedef struct reader {
    spryl_object object;
    spry_buf bytes;
    size_t given; /* of them, from the first on */
} reader;

static const spryl_class reader_class;

/* ---- writing ---- */

static char *put_length(char *to, size_t length) {
    for (int i = 0; i < LENGTH; i++) *to++ = (char)(length >> 8 * i & 0xff);
    return to;
}

size_t spryl_framing_size(lua_State *L, int first) {
    size_t size = LENGTH;
    for (int i = first; i <= lua_gettop(L); i++) {
        size_t length;
        luaL_checklstring(L, i, &length);
        size += LENGTH + length;
        if (length > UINT32_MAX || size > UINT32_MAX) luaL_error(L, "a message is over 4 GiB");
    }
    return size;
}

void spryl_framing_put(lua_State *L, int first, int last, size_t size, char *to) {
    to = put_length(to, size - LENGTH);
    for (int i = first; i <= last; i++) {
        size_t length;
        const char *text = lua_tolstring(L, i, &length);
        to = put_length(to, length);
        if (length) memcpy(to, text, length);
        to += length;
    }
}

static int encode(lua_State *L) {
    int last = lua_gettop(L);
    size_t size = spryl_framing_size(L, 1);
    luaL_Buffer buffer;
    spryl_framing_put(L, 1, last, size, luaL_buffinitsize(L, &buffer, size));
    luaL_pushresultsize(&buffer, size);
    return 1;
}

/* ---- reading ---- */

static size_t length_at(const char *at) {
    size_t length = 0;
    for (int i = 0; i < LENGTH; i++) length |= (size_t)(unsigned char)at[i] << 8 * i;
    return length;
}

/* The next string of a message. False: there is none. */
static bool take_part(spry_slice *message, spry_slice *part) {
    if (message->len < LENGTH) return false;
    size_t length = length_at(message->data);
    if (length > message->len - LENGTH) return false;
    *part = spry_slice_of(message->data + LENGTH, length);
    *message = spry_slice_of(part->data + length, message->len - LENGTH - length);
    return true;
}

/* The next message, its length left out. False: it has not come as a whole. */
static bool find_message(const reader *r, spry_slice *message) {
    spry_slice rest = spry_slice_of(r->bytes.data + r->given, r->bytes.len - r->given);
    return take_part(&rest, message);
}

static void take_message(reader *r, size_t length) {
    r->given += LENGTH + length;
    if (r->given < r->bytes.len) return;
    r->given = r->bytes.len = 0;
    if (r->bytes.cap > KEPT_MOST) spry_buf_free(&r->bytes);
}

/* Moves the next message to a block of Lua's, which the reader holds until all of it was given: to
 * make anything for Lua may fail, and may run finalizers, by which more can come. */
static bool move_message(lua_State *L, reader *r) {
    spry_slice found, again;
    if (!find_message(r, &found)) return false;
    char *copy = lua_newuserdatauv(L, found.len, 0);
    if (!find_message(r, &again) || again.len != found.len) return false;
    if (found.len) memcpy(copy, again.data, found.len);
    take_message(r, found.len);
    lua_setiuservalue(L, 1, GIVING);
    return true;
}

static int push_parts(lua_State *L, spry_slice message) {
    spry_slice part, rest = message;
    int count = 0;
    while (take_part(&rest, &part)) count++;
    luaL_checkstack(L, count, "a message has too many strings");
    while (take_part(&message, &part)) lua_pushlstring(L, part.data, part.len);
    return count;
}

static int next(lua_State *L) {
    reader *r = spryl_object_check(L, 1, &reader_class);
    lua_settop(L, 1);
    if (lua_getiuservalue(L, 1, GIVING) == LUA_TNIL) {
        lua_settop(L, 1);
        if (!move_message(L, r)) return 0;
        lua_getiuservalue(L, 1, GIVING);
    }
    int count = push_parts(L, spry_slice_of(lua_touserdata(L, 2), lua_rawlen(L, 2)));
    lua_pushnil(L);
    lua_setiuservalue(L, 1, GIVING);
    return count;
}

spry_buf *spryl_framing_inflow(lua_State *L, int index) {
    reader *r = spryl_object_check(L, index, &reader_class);
    if (r->given && r->given >= r->bytes.len - r->given) { /* moved at most as often as it comes */
        r->bytes.len -= r->given;
        memmove(r->bytes.data, r->bytes.data + r->given, r->bytes.len);
        r->given = 0;
    }
    return &r->bytes;
}

static int add(lua_State *L) {
    spry_buf *inflow = spryl_framing_inflow(L, 1);
    size_t length;
    const char *bytes = luaL_checklstring(L, 2, &length);
    if (spry_buf_append(inflow, bytes, length)) return luaL_error(L, "not enough memory");
    return 0;
}

static int release(lua_State *L) {
    reader *r = spryl_object_check(L, 1, &reader_class);
    spry_buf_free(&r->bytes);
    r->given = 0;
    return 0;
}

static const luaL_Reg methods[] = {{"add", add}, {"next", next}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__gc", release}, {NULL, NULL}};
static const spryl_class reader_class = {.name = "sprylua.framing.reader",
                                         .noun = "reader",
                                         .methods = methods,
                                         .metamethods = metamethods};

static int new_reader(lua_State *L) {
    reader *r = spryl_object_new(L, &reader_class, sizeof *r, 1);
    r->bytes = (spry_buf){0}, r->given = 0;
    return 1;
}

void spryl_framing_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"encode", encode}, {"reader", new_reader}, {NULL, NULL}};
    spryl_class_new(L, &reader_class);
    luaL_newlib(L, functions);
}
