/* Writing JSON text, see write.h. */
#include "lua/json/write.h"

#include <lauxlib.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define OUT_TYPE "sprylua.json.out"

enum { PATH_SHOWN = 12 }; /* levels of the path in a message */

/* ---- the buffer ---- */

static int out_gc(lua_State *L) {
    spryl_json_out *out = luaL_checkudata(L, 1, OUT_TYPE);
    free(out->data);
    *out = (spryl_json_out){0};
    return 0;
}

void spryl_json_push_out(lua_State *L) {
    spryl_json_out *out = lua_newuserdatauv(L, sizeof(*out), 0);
    *out = (spryl_json_out){0};
    if (luaL_newmetatable(L, OUT_TYPE)) {
        lua_pushcfunction(L, out_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
}

void spryl_json_grow(spryl_json_writer *w, size_t more) {
    size_t cap = w->out->cap ? w->out->cap : 512;
    while (cap - w->len < more) {
        if (cap > SIZE_MAX / 4) luaL_error(w->L, "not enough memory");
        cap *= 2;
    }
    char *data = realloc(w->out->data, cap);
    if (!data) luaL_error(w->L, "not enough memory");
    w->out->data = data, w->out->cap = cap;
}

/* ---- errors ---- */

/* Raises "json.encode: <message> at <path>". */
void spryl_json_fail(spryl_json_writer *w, const char *format, ...) {
    lua_State *L = w->L;
    va_list args;
    luaL_checkstack(L, 2 * PATH_SHOWN + 8, "json.encode");
    int top = lua_gettop(L);
    lua_pushliteral(L, "json.encode: ");
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    lua_pushliteral(L, " at $");
    for (int i = 0; i < w->depth && i < PATH_SHOWN; i++) {
        if (w->path[i].key)
            lua_pushfstring(L, ".%s", w->path[i].key);
        else
            lua_pushfstring(L, "[%I]", (LUAI_UACINT)w->path[i].index);
    }
    if (w->depth > PATH_SHOWN) lua_pushliteral(L, "…");
    lua_concat(L, lua_gettop(L) - top);
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
    lua_error(L);
}

/* ---- scalars ---- */

/* Skips bytes from `i` on that are ASCII and need no escape, in steps of eight. */
static size_t skip_plain(const unsigned char *s, size_t i, size_t len) {
    while (len - i >= 8) {
        uint64_t word = spryl_json_load(s + i);
        uint64_t control = (word - 0x2020202020202020u) & ~word;
        if (((word | control) & 0x8080808080808080u) | spryl_json_equal(word, '"') |
            spryl_json_equal(word, '\\'))
            break;
        i += 8;
    }
    return i;
}

/* What stands behind the backslash; NUL when there is only the long form. */
static char short_escape(unsigned char c) {
    switch (c) {
    case '\b': return 'b';
    case '\f': return 'f';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    case '"': return '"';
    case '\\': return '\\';
    default: return '\0';
    }
}

static void put_escape(spryl_json_writer *w, unsigned char c) {
    static const char digits[] = "0123456789abcdef";
    char text[6] = {'\\', short_escape(c), '0', '0', digits[c >> 4], digits[c & 15]};
    bool is_short = text[1] != '\0';
    if (!is_short) text[1] = 'u';
    spryl_json_put(w, text, is_short ? 2 : 6);
}

void spryl_json_write_string(spryl_json_writer *w, const char *text, size_t len) {
    const unsigned char *s = (const unsigned char *)text;
    size_t i = 0, done = 0;
    spryl_json_put_char(w, '"');
    while (i < len) {
        i = skip_plain(s, i, len);
        while (i < len && s[i] >= 0x20 && s[i] < 0x80 && s[i] != '"' && s[i] != '\\') i++;
        if (i == len) break;
        if (s[i] >= 0x80) {
            size_t n = spry_utf8_sequence(s + i, len - i);
            if (n == 0) spryl_json_fail(w, "bad UTF-8 in a string, byte %I,", (LUAI_UACINT)i + 1);
            i += n;
            continue;
        }
        spryl_json_put(w, text + done, i - done);
        put_escape(w, s[i++]);
        done = i;
    }
    spryl_json_put(w, text + done, len - done);
    spryl_json_put_char(w, '"');
}

/* Digits of `n`, at least `least` of them, in front of `end`. Returns where they begin. */
static char *digits_before(char *end, uint64_t n, int least) {
    for (; n || least > 0; n /= 10, least--) *--end = (char)('0' + n % 10);
    return end;
}

void spryl_json_write_integer(spryl_json_writer *w, lua_Integer value) {
    char text[24], *end = text + sizeof(text);
    uint64_t n = (uint64_t)value;
    char *from = digits_before(end, value < 0 ? 0 - n : n, 1);
    if (value < 0) *--from = '-';
    spryl_json_put(w, from, (size_t)(end - from));
}

/* The shortest text that reads as the same float, and as a float: with a point or an exponent. */
void spryl_json_write_float(spryl_json_writer *w, lua_Number value) {
    char text[40], *end = text + sizeof(text);
    if (!isfinite(value))
        spryl_json_fail(w, "%s has no JSON form", isnan(value) ? "NaN" : "an infinity");
    double size = fabs(value), power = 1;
    for (int places = 1; places <= 8 && size < 1e15; places++) {
        power *= 10; /* a few decimals: n / power rounds as reading the text does */
        double n = rint(size * power);
        if (n >= 9007199254740992.0 || n / power != size) continue;
        char *point = digits_before(end, (uint64_t)n % (uint64_t)power, places);
        *--point = '.';
        char *from = digits_before(point, (uint64_t)n / (uint64_t)power, 1);
        if (signbit(value)) *--from = '-';
        spryl_json_put(w, from, (size_t)(end - from));
        return;
    }
    int len = 0;
    for (int precision = 15; precision <= 17; precision++) {
        len = snprintf(text, sizeof(text), "%.*g", precision, value);
        if (strtod(text, NULL) == value) break;
    }
    bool marked = false;
    for (int i = 0; i < len; i++) {
        if (!strchr("0123456789+-e", text[i])) text[i] = '.'; /* the locale's point */
        marked |= text[i] == '.' || text[i] == 'e';
    }
    spryl_json_put(w, text, (size_t)len);
    if (!marked) spryl_json_put(w, ".0", 2);
}
