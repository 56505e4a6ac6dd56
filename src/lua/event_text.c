/* Server-sent events as text, see event_text.h. In C since a stream may have very many of them, and
 * Lua would make a string of each line. */
#include "lua/event_text.h"

#include "base/slice.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

/* Stack indices: the message, then what it has under each name, in the order of the text. */
enum { MESSAGE = 1, COMMENT, EVENT, ID, RETRY, DATA };

static const char *const names[] = {
    [COMMENT] = "comment", [EVENT] = "event", [ID] = "id", [RETRY] = "retry", [DATA] = "data"};

/* ---- what there is ---- */

static int refuse(lua_State *L) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

/* The index for the key at the top, 0 when it is none of ours. */
static int index_of_key(lua_State *L) {
    const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    int index = DATA;
    while (index > MESSAGE && strcmp(key, names[index]) != 0) index--;
    return index > MESSAGE ? index : 0;
}

/* Puts the table's fields where they belong. False, with a sentence on top, for an unknown one. */
static bool take_fields(lua_State *L) {
    lua_pushnil(L);
    while (lua_next(L, MESSAGE)) {
        lua_pushvalue(L, -2);
        int index = index_of_key(L);
        if (!index) {
            lua_pushfstring(L, "an event has event, id, retry, data and comment, not %s",
                            luaL_tolstring(L, -1, NULL));
            return false;
        }
        lua_pop(L, 1);
        lua_replace(L, index);
    }
    if (!luaL_getmetafield(L, MESSAGE, "__index")) return true;
    for (int index = COMMENT; index <= DATA; index++) {
        if (!lua_isnil(L, index)) continue;
        lua_getfield(L, MESSAGE, names[index]);
        lua_replace(L, index);
    }
    return true;
}

static bool has_break(spry_slice text) {
    bool found = false;
    for (size_t i = 0; i < text.len; i++)
        found = found || text.data[i] == '\r' || text.data[i] == '\n' || text.data[i] == '\0';
    return found;
}

static void wrong_type(lua_State *L, int index) {
    const char *hint = index == DATA ? "; spry.json.encode makes one of a table" : "";
    lua_pushfstring(L, "an event's %s is a string, not a %s%s", names[index],
                    luaL_typename(L, index), hint);
}

/* What is written under a name. */
struct field {
    spry_slice text; /* its data is NULL when there is none */
    char digits[24]; /* room for the text of an integer */
};

/* Most ids are integers, and Lua's own way to their text is printf's. */
static void write_integer(struct field *field, lua_Integer n) {
    char *end = field->digits + sizeof field->digits, *at = end;
    lua_Unsigned rest = n < 0 ? 0u - (lua_Unsigned)n : (lua_Unsigned)n;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (n < 0) *--at = '-';
    field->text = spry_slice_of(at, (size_t)(end - at));
}

/* Reads the value at `index`, which stays on the stack. False, with a sentence on top, when it may
 * not be there. */
static bool read_field(lua_State *L, int index, struct field *field) {
    int type = lua_type(L, index);
    bool is_data_itself = index == DATA && !lua_istable(L, MESSAGE);
    field->text = (spry_slice){NULL, 0};
    if (type == LUA_TNIL && !is_data_itself) return true;
    if (index == RETRY && !(lua_isinteger(L, index) && lua_tointeger(L, index) >= 0)) {
        lua_pushliteral(L, "an event's retry is a whole number of milliseconds");
        return false;
    }
    if (type != LUA_TSTRING && (type != LUA_TNUMBER || index == COMMENT)) {
        wrong_type(L, index);
        return false;
    }
    if (lua_isinteger(L, index)) {
        write_integer(field, lua_tointeger(L, index));
        return true;
    }
    field->text.data = lua_tolstring(L, index, &field->text.len); /* of a float too, in its place */
    if (index == COMMENT || index == DATA || !has_break(field->text)) return true;
    lua_pushfstring(L, "an event's %s has no line breaks or NULs in it", names[index]);
    return false;
}

/* ---- the text ---- */

/* Takes a line off `text`; *more is whether another one follows, which may be empty. These are the
 * three line ends that browsers know. */
static spry_slice take_line(spry_slice *text, bool *more) {
    size_t n = 0;
    while (n < text->len && text->data[n] != '\r' && text->data[n] != '\n') n++;
    spry_slice line = spry_slice_of(text->data, n);
    *more = n < text->len;
    if (*more) n += text->data[n] == '\r' && n + 1 < text->len && text->data[n + 1] == '\n' ? 2 : 1;
    text->data += n, text->len -= n;
    return line;
}

/* Each line of a text is a field of its own; a browser joins those of the data with "\n". A comment
 * is a field without a name. */
static void add_lines(luaL_Buffer *b, const char *name, spry_slice text) {
    bool more = true;
    while (more) {
        spry_slice line = take_line(&text, &more);
        luaL_addstring(b, name);
        luaL_addlstring(b, ": ", 2);
        luaL_addlstring(b, line.data, line.len);
        luaL_addchar(b, '\n');
    }
}

static void add_field(luaL_Buffer *b, int index, spry_slice text) {
    if (index == COMMENT && !text.len)
        luaL_addlstring(b, ":\n", 2);
    else
        add_lines(b, index == COMMENT ? "" : names[index], text);
}

int spryl_event_text(lua_State *L) {
    lua_settop(L, DATA);
    if (!lua_istable(L, MESSAGE)) {
        lua_pushvalue(L, MESSAGE);
        lua_replace(L, DATA);
    } else if (!take_fields(L)) {
        return refuse(L);
    }
    struct field fields[DATA + 1];
    for (int index = COMMENT; index <= DATA; index++)
        if (!read_field(L, index, &fields[index])) return refuse(L);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int index = COMMENT; index <= DATA; index++)
        if (fields[index].text.data) add_field(&b, index, fields[index].text);
    luaL_addchar(&b, '\n');
    luaL_pushresult(&b);
    return 1;
}
