/* json.decode(text) -> value | nil, message. yajl has the grammar and calls back; what it is loose
 * about (UTF-8, surrogates in escapes, depth, the size of numbers) is checked here.
 *
 * Values go straight onto the Lua stack: an open array takes one slot, an open object two while a
 * value for its key is read. The callbacks and yajl's allocator may raise (no memory; yajl itself
 * does not look): all of the parser is in the C frame or in blocks that belong to a userdata. */
#include "lua/json/json.h"

#include <lauxlib.h>
#include <math.h>
#include <stdalign.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>

#define BLOCKS_TYPE "sprylua.json.blocks"

enum {
    BLOCKS_AT = 2, /* stack index of the userdata that owns the blocks, nil while there are none */
    ARENA_BYTES = 4096, /* enough for yajl when there is no escape behind 2 KiB of a string */
};

/* Memory of one parser beyond its arena. */
struct block {
    struct block *next;
    alignas(max_align_t) char data[];
};

/* What the userdata is. */
struct blocks {
    struct block *first;
};

/* How deep a value lies: what is open there, and what was there before. The records of a list are
 * alike, so a table gets the size of the one that was closed last at its depth: it need not grow,
 * and all that is given too much is at most what there is. */
struct level {
    bool is_object;
    int items;                   /* so far */
    int last_array, last_object; /* how many items they had */
};

struct reader {
    lua_State *L;
    const char *fault; /* what a callback did not like */
    int depth;
    struct level levels[SPRYL_JSON_DEPTH + 1]; /* 0 is the text itself */
    struct blocks *blocks;                     /* the userdata at BLOCKS_AT, or NULL */
    size_t arena_used;
    alignas(max_align_t) char arena[ARENA_BYTES];
};

/* ---- before parsing ---- */

/* The code unit of the "\uXXXX" at `s`, -1 when there is none. */
static int escaped_unit(const unsigned char *s, size_t len) {
    int unit = 0;
    if (len < 6 || s[0] != '\\' || s[1] != 'u') return -1;
    for (size_t i = 2; i < 6; i++) {
        int c = s[i] | 0x20;
        int digit = s[i] >= '0' && s[i] <= '9' ? s[i] - '0'
                    : c >= 'a' && c <= 'f'     ? c - 'a' + 10
                                               : -1;
        if (digit < 0) return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static bool is_harmless(unsigned char c) {
    return c < 0x80 && c != '\\' && c != '\v' && c != '\f';
}

/* What yajl would let pass: bad UTF-8, half of a surrogate pair, \v and \f as white space. Sets
 * `*at` and returns a message, or NULL when there is none. Malformed escapes are left to yajl. */
static const char *text_fault(const unsigned char *s, size_t len, size_t *at) {
    size_t i = 0;
    while (i < len) {
        while (len - i >= 8) {
            uint64_t word = spryl_json_load(s + i);
            if ((word & 0x8080808080808080u) | spryl_json_equal(word, '\\') |
                spryl_json_equal(word, '\v') | spryl_json_equal(word, '\f'))
                break;
            i += 8;
        }
        size_t stop = len - i < 8 ? len : i + 8;
        for (; i < stop && is_harmless(s[i]); i++) continue;
        if (i == stop) continue;
        *at = i;
        if (s[i] == '\v' || s[i] == '\f') return "invalid char in json text";
        if (s[i] >= 0x80) {
            size_t n = spry_utf8_sequence(s + i, len - i);
            if (n == 0) return "bad UTF-8";
            i += n;
            continue;
        }
        int unit = escaped_unit(s + i, len - i);
        if (unit < 0xD800 || unit > 0xDFFF) {
            i += 2;
            continue;
        }
        int low = escaped_unit(s + i + 6, len - i - 6);
        if (unit > 0xDBFF || low < 0xDC00 || low > 0xDFFF) return "half of a surrogate pair";
        i += 12;
    }
    return NULL;
}

/* ---- yajl's callbacks: 0 stops the parser ---- */

/* Puts the value at the top of the stack where it belongs. */
static int put(struct reader *r) {
    struct level *level = &r->levels[r->depth];
    if (r->depth == 0) return 1;
    level->items++;
    if (level->is_object)
        lua_rawset(r->L, -3);
    else
        lua_rawseti(r->L, -2, level->items);
    return 1;
}

static int on_null(void *ctx) {
    struct reader *r = ctx;
    lua_pushvalue(r->L, SPRYL_JSON_NULL);
    return put(r);
}

static int on_boolean(void *ctx, int value) {
    struct reader *r = ctx;
    lua_pushboolean(r->L, value);
    return put(r);
}

/* Any number that the fast way below cannot do exactly. */
static int put_long_number(struct reader *r, const char *text, size_t len) {
    lua_State *L = r->L;
    lua_pushlstring(L, text, len); /* for the NUL behind it */
    size_t done = lua_stringtonumber(L, lua_tostring(L, -1));
    if (done != len + 1 || !isfinite(lua_tonumber(L, -1))) {
        r->fault = "a number is too large";
        return 0;
    }
    lua_remove(L, -2);
    return put(r);
}

/* Integers that fit stay integers. A mantissa below 2^53 and a power of ten up to 10^22 are both
 * exact as doubles, so that one multiplication or division rounds right. */
static int on_number(void *ctx, const char *text, size_t len) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct reader *r = ctx;
    bool negative = text[0] == '-', is_float = false;
    uint64_t mantissa = 0;
    size_t i = negative, digits = 0;
    int power = 0;
    for (; i < len && (text[i] | 0x20) != 'e'; i++) {
        if (text[i] == '.') {
            is_float = true;
            continue;
        }
        mantissa = mantissa * 10 + (uint64_t)(text[i] - '0');
        digits += mantissa != 0;
        power -= is_float;
    }
    if (digits > 18 || len > 300) return put_long_number(r, text, len);
    if (i < len) {
        bool minus = text[++i] == '-';
        int exponent = 0;
        is_float = true;
        if (text[i] == '-' || text[i] == '+') i++;
        for (; i < len && exponent < 1000; i++) exponent = exponent * 10 + (text[i] - '0');
        power += minus ? -exponent : exponent;
    }
    if (!is_float) {
        lua_pushinteger(r->L, negative ? -(lua_Integer)mantissa : (lua_Integer)mantissa);
        return put(r);
    }
    if (mantissa >= 1ull << 53 || power < -22 || power > 22) return put_long_number(r, text, len);
    double value = power < 0 ? (double)mantissa / powers[-power] : (double)mantissa * powers[power];
    lua_pushnumber(r->L, negative ? -value : value);
    return put(r);
}

static int on_string(void *ctx, const unsigned char *text, size_t len) {
    struct reader *r = ctx;
    lua_pushlstring(r->L, (const char *)text, len);
    return put(r);
}

static int on_key(void *ctx, const unsigned char *text, size_t len) {
    struct reader *r = ctx;
    lua_pushlstring(r->L, (const char *)text, len);
    return 1;
}

static int open_table(struct reader *r, bool is_object) {
    if (r->depth == SPRYL_JSON_DEPTH) {
        r->fault = "it is nested too deep";
        return 0;
    }
    if (!lua_checkstack(r->L, 8)) {
        r->fault = "not enough memory";
        return 0;
    }
    struct level *level = &r->levels[++r->depth];
    level->is_object = is_object, level->items = 0;
    lua_createtable(r->L, is_object ? 0 : level->last_array, is_object ? level->last_object : 0);
    return 1;
}

static int on_open_object(void *ctx) {
    return open_table(ctx, true);
}

static int on_open_array(void *ctx) {
    struct reader *r = ctx;
    if (!open_table(r, false)) return 0;
    lua_pushvalue(r->L, SPRYL_JSON_ARRAY);
    lua_setmetatable(r->L, -2);
    return 1;
}

static int on_close(void *ctx) {
    struct reader *r = ctx;
    struct level *level = &r->levels[r->depth--];
    *(level->is_object ? &level->last_object : &level->last_array) = level->items;
    return put(r);
}

/* ---- yajl's memory: nothing is freed before the end ---- */

static void free_blocks(struct blocks *blocks) {
    while (blocks->first) {
        struct block *b = blocks->first;
        blocks->first = b->next;
        free(b);
    }
}

static int blocks_gc(lua_State *L) {
    free_blocks(luaL_checkudata(L, 1, BLOCKS_TYPE));
    return 0;
}

void spryl_json_push_blocks_type(lua_State *L) {
    if (!luaL_newmetatable(L, BLOCKS_TYPE)) return;
    lua_pushcfunction(L, blocks_gc);
    lua_setfield(L, -2, "__gc");
}

static char *new_block(struct reader *r, size_t size) {
    lua_State *L = r->L;
    if (!r->blocks) {
        struct blocks *blocks = lua_newuserdatauv(L, sizeof(*blocks), 0);
        blocks->first = NULL;
        lua_pushvalue(L, SPRYL_JSON_BLOCKS);
        lua_setmetatable(L, -2);
        lua_replace(L, BLOCKS_AT);
        r->blocks = blocks;
    }
    struct block *b = malloc(sizeof(*b) + size);
    if (!b) {
        luaL_error(L, "not enough memory");
        return NULL;
    }
    b->next = r->blocks->first;
    r->blocks->first = b;
    return b->data;
}

/* The size stands before what is given out, for a later reallocation. */
static void *allocate(void *ctx, size_t size) {
    struct reader *r = ctx;
    const size_t unit = alignof(max_align_t);
    if (size > SIZE_MAX / 2) luaL_error(r->L, "not enough memory");
    size_t whole = unit + ((size + unit - 1) & ~(unit - 1));
    char *at = r->arena + r->arena_used;
    if (whole <= ARENA_BYTES - r->arena_used)
        r->arena_used += whole;
    else
        at = new_block(r, whole);
    memcpy(at, &size, sizeof(size));
    return at + unit;
}

static void *reallocate(void *ctx, void *old, size_t size) {
    size_t old_size = 0;
    if (old) memcpy(&old_size, (char *)old - alignof(max_align_t), sizeof(old_size));
    if (old && size <= old_size) return old;
    void *data = allocate(ctx, size);
    if (old) memcpy(data, old, old_size);
    return data;
}

static void release(void *ctx, void *data) {
    (void)ctx, (void)data;
}

/* ---- the parser ---- */

static yajl_handle new_parser(struct reader *r) {
    static const yajl_callbacks callbacks = {
        .yajl_null = on_null,
        .yajl_boolean = on_boolean,
        .yajl_number = on_number,
        .yajl_string = on_string,
        .yajl_start_map = on_open_object,
        .yajl_map_key = on_key,
        .yajl_end_map = on_close,
        .yajl_start_array = on_open_array,
        .yajl_end_array = on_close,
    };
    yajl_alloc_funcs memory = {allocate, reallocate, release, r};
    yajl_handle parser = yajl_alloc(&callbacks, &memory, r);
    yajl_config(parser, yajl_dont_validate_strings, 1);
    return parser;
}

/* Copies yajl's own message, without its class and line end. */
static void copy_message(yajl_handle parser, char *out, size_t size) {
    unsigned char *text = yajl_get_error(parser, 0, NULL, 0);
    const char *from = text ? (const char *)text : "malformed";
    const char *colon = strstr(from, ": ");
    if (colon) from = colon + 2;
    size_t n = strcspn(from, "\n");
    if (n >= size) n = size - 1;
    memcpy(out, from, n);
    out[n] = '\0';
}

/* Returns nil and the message with line and column (in bytes) of the offset `at`. */
static int fail(lua_State *L, const char *text, size_t at, const char *message) {
    int line = 1;
    size_t begin = 0;
    for (size_t i = 0; i < at; i++)
        if (text[i] == '\n') line++, begin = i + 1;
    luaL_pushfail(L);
    lua_pushfstring(L, "JSON, line %d, column %I: %s", line,
                    (LUAI_UACINT)at - (LUAI_UACINT)begin + 1, message);
    return 2;
}

int spryl_json_decode(lua_State *L) {
    luaL_checktype(L, 1, LUA_TSTRING);
    lua_settop(L, 1);
    lua_pushnil(L); /* BLOCKS_AT */
    size_t len, at = 0;
    const char *text = lua_tolstring(L, 1, &len);
    const unsigned char *bytes = (const unsigned char *)text;
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        return fail(L, text, 0, "a byte order mark is not allowed");
    const char *fault = text_fault(bytes, len, &at);
    if (fault) return fail(L, text, at, fault);
    struct reader r;
    r.L = L, r.fault = NULL, r.depth = 0, r.blocks = NULL, r.arena_used = 0;
    memset(r.levels, 0, sizeof(r.levels));
    yajl_handle parser = new_parser(&r);
    char message[160] = "";
    yajl_status status = yajl_parse(parser, bytes, len);
    if (status != yajl_status_ok) {
        at = yajl_get_bytes_consumed(parser); /* behind the byte that it did not like */
        at -= at > 0;
    } else {
        at = len;
        status = yajl_complete_parse(parser);
        /* It takes a '"' behind the value for a string to come; this is none. */
        if (status == yajl_status_ok && yajl_parse(parser, (const unsigned char *)"\n", 1))
            r.fault = "trailing garbage";
    }
    if (status == yajl_status_error) copy_message(parser, message, sizeof(message));
    if (r.blocks) free_blocks(r.blocks);
    if (status == yajl_status_ok && !r.fault) return 1;
    return fail(L, text, at, r.fault ? r.fault : message);
}
