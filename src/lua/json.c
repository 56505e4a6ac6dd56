/* The module sprylua.json (RFC 8259): encode, decode, null, array, object.
 *
 * null is one userdata for the life of the state, so that a reload of the module keeps it. array
 * and object mark a table by its metatable; a decoded array is marked. */
#include "lua/json/json.h"

#include <lauxlib.h>

#define NULL_TYPE "sprylua.json.null"
#define ARRAY_TYPE "sprylua.json.array"
#define OBJECT_TYPE "sprylua.json.object"

int luaopen_sprylua_json(lua_State *L);

static int null_tostring(lua_State *L) {
    lua_pushliteral(L, "null");
    return 1;
}

/* Makes the table at 1, or a new one, carry the metatable at `mark`. */
static int mark_table(lua_State *L, int mark) {
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getmetatable(L, 1) && !lua_rawequal(L, 2, SPRYL_JSON_ARRAY) &&
        !lua_rawequal(L, 2, SPRYL_JSON_OBJECT))
        return luaL_argerror(L, 1, "the table has a metatable of its own; mark a copy");
    lua_pushvalue(L, mark);
    lua_setmetatable(L, 1);
    lua_settop(L, 1);
    return 1;
}

/* json.array(t?) -> t: it is encoded as an array, when empty too. */
static int json_array(lua_State *L) {
    return mark_table(L, SPRYL_JSON_ARRAY);
}

/* json.object(t?) -> t: it is encoded as an object. */
static int json_object(lua_State *L) {
    return mark_table(L, SPRYL_JSON_OBJECT);
}

/* Pushes json.null, which the registry keeps under its type's name and ".value". */
static void push_null(lua_State *L) {
    if (lua_getfield(L, LUA_REGISTRYINDEX, NULL_TYPE ".value") == LUA_TUSERDATA) return;
    lua_pop(L, 1);
    lua_newuserdatauv(L, 0, 0);
    luaL_newmetatable(L, NULL_TYPE);
    lua_pushcfunction(L, null_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, NULL_TYPE ".value");
}

int luaopen_sprylua_json(lua_State *L) {
    static const luaL_Reg functions[] = {{"encode", spryl_json_encode},
                                         {"decode", spryl_json_decode},
                                         {"array", json_array},
                                         {"object", json_object},
                                         {NULL, NULL}};
    luaL_newlibtable(L, functions);
    push_null(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "null");
    luaL_newmetatable(L, ARRAY_TYPE);
    luaL_newmetatable(L, OBJECT_TYPE);
    spryl_json_push_out(L);
    spryl_json_push_blocks_type(L);
    luaL_setfuncs(L, functions, 5);
    return 1;
}
