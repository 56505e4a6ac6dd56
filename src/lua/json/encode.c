/* json.encode(value, opts?) -> text. opts: indent = spaces a level, sortKeys = true.
 *
 * Without sortKeys no Lua value is made before the last line, so no finalizer can run and encode
 * into the same buffer; with it, the call has a buffer of its own. */
#include "lua/json/write.h"

#include <lauxlib.h>
#include <stdlib.h>

enum {
    KEEP_BYTES = 64 * 1024, /* a larger buffer is not kept between calls */
    MAX_INDENT = 16,
};

/* A key to be sorted; the string is on the Lua stack. */
struct key {
    const char *text;
    size_t len;
    int index;
};

static void write_value(spryl_json_writer *w);

/* ---- tables: the table is at the top of the stack, and again on return ---- */

static void new_line(spryl_json_writer *w) {
    if (!w->indent) return;
    size_t spaces = (size_t)w->indent * (size_t)w->depth;
    char *to = spryl_json_room(w, 1 + spaces);
    *to = '\n';
    memset(to + 1, ' ', spaces);
    w->len += 1 + spaces;
}

/* Between two items, or before the first. */
static inline void separate(spryl_json_writer *w, bool first) {
    if (!first) spryl_json_put_char(w, ',');
    new_line(w);
}

/* Raises what is wrong with the keys of the table: the key at `key` does not go with the others. */
static void fail_key(spryl_json_writer *w, int key, bool array) {
    lua_State *L = w->L;
    w->depth--;
    if (lua_type(L, key) == LUA_TSTRING)
        spryl_json_fail(w, "key \"%s\" among the items of an array", lua_tostring(L, key));
    if (lua_isinteger(L, key))
        spryl_json_fail(
            w, array ? "index %I in an array with gaps" : "key %I among the keys of an object",
            (LUAI_UACINT)lua_tointeger(L, key));
    spryl_json_fail(w, "a key that is a %s (keys are strings or 1..n)", luaL_typename(L, key));
}

/* How many items, when the keys are 1..n in whatever order; raises when they are not. */
static lua_Integer count_items(spryl_json_writer *w, int table) {
    lua_State *L = w->L;
    lua_Integer count = 0, largest = 0;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        lua_Integer key = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
        if (key < 1) fail_key(w, lua_gettop(L) - 1, true);
        if (key > largest) largest = key;
        count++;
    }
    if (largest == count) return count;
    lua_pushinteger(L, largest);
    fail_key(w, lua_gettop(L), true);
    return 0;
}

static void write_item(spryl_json_writer *w, lua_Integer index) {
    w->path[w->depth - 1] = (struct spryl_json_step){NULL, index};
    separate(w, index == 1);
    write_value(w);
}

static void write_array(spryl_json_writer *w) {
    lua_State *L = w->L;
    int table = lua_gettop(L);
    size_t begin = w->len;
    lua_Integer count = 0;
    spryl_json_put_char(w, '[');
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (lua_isinteger(L, -2) && lua_tointeger(L, -2) == count + 1) {
            write_item(w, ++count);
            continue;
        }
        /* Out of order: such a table keeps items in its hash part. Begin again. */
        lua_settop(L, table);
        w->len = begin + 1;
        count = count_items(w, table);
        for (lua_Integer i = 1; i <= count; i++) {
            lua_rawgeti(L, table, i);
            write_item(w, i);
            lua_pop(L, 1);
        }
        break;
    }
    w->depth--;
    if (count) new_line(w);
    spryl_json_put_char(w, ']');
}

/* Writes the key at `key` and the value at the top of the stack. */
static void write_member(spryl_json_writer *w, int key, bool first) {
    size_t len;
    if (lua_type(w->L, key) != LUA_TSTRING) fail_key(w, key, false);
    const char *text = lua_tolstring(w->L, key, &len);
    w->path[w->depth - 1].key = text;
    separate(w, first);
    spryl_json_write_string(w, text, len);
    spryl_json_put(w, ": ", w->indent ? 2 : 1);
    write_value(w);
}

static int compare_keys(const void *a, const void *b) {
    const struct key *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* The members in the order of their keys' bytes. Returns whether there are any. */
static bool write_sorted(spryl_json_writer *w) {
    lua_State *L = w->L;
    int table = lua_gettop(L), count = 0;
    for (lua_pushnil(L); lua_next(L, table); count++) {
        luaL_checkstack(L, 8, "json.encode");
        if (lua_type(L, -2) != LUA_TSTRING) fail_key(w, lua_gettop(L) - 1, false);
        lua_pop(L, 1);
        lua_pushvalue(L, -1); /* one stays below, the other is for lua_next */
    }
    struct key *keys = lua_newuserdatauv(L, (size_t)count * sizeof(*keys), 0);
    for (int i = 0; i < count; i++) {
        keys[i].index = table + 1 + i;
        keys[i].text = lua_tolstring(L, keys[i].index, &keys[i].len);
    }
    qsort(keys, (size_t)count, sizeof(*keys), compare_keys);
    for (int i = 0; i < count; i++) {
        lua_pushvalue(L, keys[i].index);
        lua_rawget(L, table);
        write_member(w, keys[i].index, i == 0);
        lua_pop(L, 1);
    }
    lua_settop(L, table);
    return count > 0;
}

static void write_object(spryl_json_writer *w) {
    lua_State *L = w->L;
    int table = lua_gettop(L);
    bool any = false;
    spryl_json_put_char(w, '{');
    if (w->sort)
        any = write_sorted(w);
    else
        for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
            write_member(w, table + 1, !any);
            any = true;
        }
    w->depth--;
    if (any) new_line(w);
    spryl_json_put_char(w, '}');
}

/* A mark decides; else what kind of key comes first, and an empty table is an object. */
static bool is_array(spryl_json_writer *w) {
    lua_State *L = w->L;
    if (lua_getmetatable(L, -1)) {
        const void *mark = lua_topointer(L, -1);
        lua_pop(L, 1);
        if (mark == w->array) return true;
        if (mark == w->object) return false;
    }
    lua_pushnil(L);
    if (!lua_next(L, -2)) return false;
    bool number = lua_type(L, -2) == LUA_TNUMBER;
    lua_pop(L, 2);
    return number;
}

static void write_table(spryl_json_writer *w) {
    if (w->depth == SPRYL_JSON_DEPTH) spryl_json_fail(w, "tables nested too deep, or in a cycle,");
    luaL_checkstack(w->L, 8, "json.encode");
    bool array = is_array(w);
    w->path[w->depth++] = (struct spryl_json_step){"", 0};
    if (array)
        write_array(w);
    else
        write_object(w);
}

/* Writes the value at the top of the stack. */
static void write_value(spryl_json_writer *w) {
    lua_State *L = w->L;
    int type = lua_type(L, -1);
    size_t len;
    if (type == LUA_TSTRING) {
        const char *text = lua_tolstring(L, -1, &len);
        spryl_json_write_string(w, text, len);
    } else if (type == LUA_TTABLE) {
        write_table(w);
    } else if (type == LUA_TNUMBER) {
        if (lua_isinteger(L, -1))
            spryl_json_write_integer(w, lua_tointeger(L, -1));
        else
            spryl_json_write_float(w, lua_tonumber(L, -1));
    } else if (type == LUA_TBOOLEAN) {
        bool value = lua_toboolean(L, -1);
        spryl_json_put(w, value ? "true" : "false", value ? 4 : 5);
    } else if (lua_touserdata(L, -1) == w->null ||
               (type == LUA_TLIGHTUSERDATA && !lua_touserdata(L, -1))) {
        spryl_json_put(w, "null", 4); /* other libraries' null is the NULL pointer */
    } else {
        spryl_json_fail(w, "a %s has no JSON form,", luaL_typename(L, -1));
    }
}

/* ---- the function ---- */

static void read_options(spryl_json_writer *w) {
    lua_State *L = w->L;
    luaL_checktype(L, 2, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        if (strcmp(name, "sortKeys") == 0) {
            w->sort = lua_toboolean(L, -1);
        } else if (strcmp(name, "indent") == 0) {
            lua_Integer indent = luaL_checkinteger(L, -1);
            luaL_argcheck(L, indent >= 0 && indent <= MAX_INDENT, 2, "indent must be 0 to 16");
            w->indent = (int)indent;
        } else {
            luaL_error(L, "json.encode: no option '%s'; there are indent and sortKeys", name);
        }
    }
}

int spryl_json_encode(lua_State *L) {
    spryl_json_writer w = {.L = L};
    luaL_checkany(L, 1);
    lua_settop(L, 2);
    if (!lua_isnil(L, 2)) read_options(&w);
    w.null = lua_touserdata(L, SPRYL_JSON_NULL);
    w.array = lua_topointer(L, SPRYL_JSON_ARRAY);
    w.object = lua_topointer(L, SPRYL_JSON_OBJECT);
    if (w.sort)
        spryl_json_push_out(L);
    else
        lua_pushvalue(L, SPRYL_JSON_OUT);
    w.out = lua_touserdata(L, 3);
    lua_pushvalue(L, 1);
    write_value(&w);
    lua_pushlstring(L, w.out->data, w.len);
    if (w.out->cap > KEEP_BYTES) {
        free(w.out->data);
        *w.out = (spryl_json_out){0};
    }
    return 1;
}
