/* Small texts that requests are full of, see text.h. */
#include "lua/text.h"

#include "base/slice.h"
#include "proto/line.h"

#include <lauxlib.h>
#include <stdbool.h>

/* Pushes the text in lower case. */
static void push_lower(lua_State *L, spry_slice text) {
    luaL_Buffer out;
    char *to = luaL_buffinitsize(L, &out, text.len);
    for (size_t i = 0; i < text.len; i++) to[i] = spry_lower(text.data[i]);
    luaL_pushresultsize(&out, text.len);
}

void spryl_lower(lua_State *L, int index) {
    spry_slice text;
    text.data = luaL_checklstring(L, index, &text.len);
    bool is_lower = true;
    for (size_t i = 0; i < text.len; i++)
        is_lower = is_lower && spry_lower(text.data[i]) == text.data[i];
    if (is_lower) return;
    push_lower(L, text);
    lua_replace(L, index);
}

bool spryl_push_token(lua_State *L, int index) {
    spry_slice name = {NULL, 0};
    if (lua_type(L, index) == LUA_TSTRING) name.data = lua_tolstring(L, index, &name.len);
    bool is_lower = true;
    for (size_t i = 0; i < name.len; i++) {
        if (!spry_is_token_byte(name.data[i])) return false;
        is_lower = is_lower && spry_lower(name.data[i]) == name.data[i];
    }
    if (!name.len) return false;
    if (is_lower)
        lua_pushvalue(L, index);
    else
        push_lower(L, name);
    return true;
}

int spryl_text_token(lua_State *L) {
    return spryl_push_token(L, 1);
}

bool spryl_is_field_value(lua_State *L, int index) {
    size_t len;
    const char *text = lua_tolstring(L, index, &len);
    bool splits = !text;
    for (size_t i = 0; i < len; i++)
        splits = splits || text[i] == '\r' || text[i] == '\n' || text[i] == '\0';
    return !splits;
}

int spryl_text_is_field_value(lua_State *L) {
    luaL_checkstring(L, 1);
    lua_pushboolean(L, spryl_is_field_value(L, 1));
    return 1;
}

/* Pushes the integer that the string at `index` writes. */
static int push_integer(lua_State *L, int index) {
    size_t len;
    const char *text = luaL_checklstring(L, index, &len);
    size_t at = len && text[0] == '-';
    bool negative = at;
    lua_Integer value = 0;
    if (at == len) return 0;
    for (; at < len; at++) { /* downwards, where there is room for one more */
        int digit = text[at] - '0';
        if (digit < 0 || digit > 9 || value < (LUA_MININTEGER + digit) / 10) return 0;
        value = value * 10 - digit;
    }
    if (!negative && value == LUA_MININTEGER) return 0;
    lua_pushinteger(L, negative ? value : -value);
    return 1;
}

int spryl_text_integer(lua_State *L) {
    return push_integer(L, 1);
}

int spryl_text_integer_at(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    return lua_rawget(L, 1) == LUA_TSTRING ? push_integer(L, 2) : 0;
}

/* ---- pairs ---- */

static bool is_plain(spry_slice text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '%' || text.data[i] == '+' || (unsigned char)text.data[i] > 0x7f)
            return false;
    return true;
}

/* Puts a name or a value, of which there are `n` before it, into the list on top. */
static void put(lua_State *L, lua_Integer n, spry_slice text, int decode) {
    bool plain = is_plain(text);
    if (!plain) lua_pushvalue(L, decode);
    lua_pushlstring(L, text.data, text.len);
    if (!plain) lua_call(L, 1, 1);
    lua_rawseti(L, -2, n + 1);
}

void spryl_push_pairs(lua_State *L, int text, int decode) {
    spry_slice rest;
    rest.data = lua_tolstring(L, text, &rest.len);
    lua_createtable(L, 4, 0);
    for (lua_Integer n = 0; rest.len;) {
        const char *end = memchr(rest.data, '&', rest.len);
        spry_slice pair = spry_slice_of(rest.data, end ? (size_t)(end - rest.data) : rest.len);
        size_t used = pair.len + (end ? 1 : 0);
        rest.data += used, rest.len -= used;
        if (!pair.len) continue;
        const char *equals = memchr(pair.data, '=', pair.len);
        size_t name = equals ? (size_t)(equals - pair.data) : pair.len;
        size_t value = equals ? name + 1 : pair.len;
        put(L, n, spry_slice_of(pair.data, name), decode);
        put(L, n + 1, spry_slice_of(pair.data + value, pair.len - value), decode);
        n += 2;
    }
}

int spryl_text_pairs(lua_State *L) {
    luaL_optstring(L, 1, NULL);
    lua_settop(L, 2);
    if (lua_isnil(L, 1)) lua_pushliteral(L, ""), lua_replace(L, 1);
    spryl_push_pairs(L, 1, 2);
    return 1;
}
