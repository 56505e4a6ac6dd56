/* Responses and their header fields as tables, see response.h. */
#include "lua/response.h"

#include "lua/text.h"

#include <lauxlib.h>

/* Room for what middleware adds: a list that grows is moved, which costs more than it holds. */
enum { FIELDS = 4, FIELD = 2 };

/* Their addresses are the metatables' keys in the registry. */
static const char response_key, headers_key;

static void open_metatable(lua_State *L, const char *name, const char *key) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, key);
    }
    lua_setfield(L, -2, name);
}

void spryl_response_give_metas(lua_State *L, int index) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &response_key);
    lua_setiuservalue(L, index, SPRYL_META_RESPONSE);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &headers_key);
    lua_setiuservalue(L, index, SPRYL_META_HEADERS);
}

static void set_metatable(lua_State *L, int metas, int which) {
    lua_getiuservalue(L, metas, which);
    lua_setmetatable(L, -2);
}

/* Leaves what it has pushed. */
static bool has_metatable(lua_State *L, int index, int metas, int which) {
    if (!lua_istable(L, index) || !lua_getmetatable(L, index)) return false;
    lua_getiuservalue(L, metas, which);
    return lua_rawequal(L, -1, -2);
}

static void push_headers(lua_State *L, int metas) {
    lua_createtable(L, FIELDS * FIELD, 0);
    set_metatable(L, metas, SPRYL_META_HEADERS);
}

void spryl_response_push(lua_State *L, int metas, int body, const char *type, int owner) {
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, 200);
    lua_setfield(L, -2, "status");
    push_headers(L, metas);
    lua_pushliteral(L, "content-type");
    lua_rawseti(L, -2, 1);
    lua_pushstring(L, type);
    lua_rawseti(L, -2, 2);
    lua_setfield(L, -2, "headers");
    lua_pushvalue(L, body);
    lua_setfield(L, -2, "body");
    lua_pushvalue(L, owner);
    lua_setfield(L, -2, "owner");
    set_metatable(L, metas, SPRYL_META_RESPONSE);
}

bool spryl_response_is_own(lua_State *L, int metas, int index, int owner) {
    int top = lua_gettop(L);
    bool own = has_metatable(L, index, metas, SPRYL_META_RESPONSE);
    if (own) {
        lua_getfield(L, index, "owner");
        own = lua_rawequal(L, -1, owner);
        lua_getfield(L, index, "headers");
        own = own && has_metatable(L, lua_gettop(L), metas, SPRYL_META_HEADERS);
    }
    lua_settop(L, top);
    return own;
}

static int set_field(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 3);
    if (lua_type(L, 3) == LUA_TNUMBER) lua_tostring(L, 3);
    if (!spryl_is_field_value(L, 3) || !spryl_push_token(L, 2)) return 0;
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1), at = n + 1;
    int same = 0;
    for (lua_Integer i = 1; i <= n; i += FIELD) {
        lua_rawgeti(L, 1, i);
        if (lua_rawequal(L, -1, 4)) at = i, same++;
        lua_pop(L, 1);
    }
    if (same > 1) return 0;
    lua_rawseti(L, 1, at);
    lua_pushvalue(L, 3);
    lua_rawseti(L, 1, at + 1);
    lua_pushboolean(L, 1);
    return 1;
}

static int get_field(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    spryl_lower(L, 2);
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
    for (lua_Integer i = 1; i <= n; i += FIELD) {
        bool same = lua_rawgeti(L, 1, i) == LUA_TSTRING && lua_rawequal(L, -1, 2);
        lua_pop(L, 1);
        if (!same) continue;
        bool is_first = lua_gettop(L) == 2;
        if (!is_first) lua_pushliteral(L, ", ");
        lua_rawgeti(L, 1, i + 1);
        if (!is_first) lua_concat(L, 3);
    }
    if (lua_gettop(L) == 2) lua_pushnil(L);
    return 1;
}

/* Its upvalue has the metatables. */
static int new_headers(lua_State *L) {
    lua_settop(L, 1);
    push_headers(L, lua_upvalueindex(1));
    if (lua_isnil(L, 1)) return 1;
    if (!lua_istable(L, 1) || lua_getmetatable(L, 1)) return 0;
    lua_Integer n = 0;
    for (lua_pushnil(L); lua_next(L, 1); n += FIELD) {
        if (lua_type(L, 4) == LUA_TNUMBER) lua_tostring(L, 4);
        if (!spryl_is_field_value(L, 4) || !spryl_push_token(L, 3)) return 0;
        lua_rawseti(L, 2, n + 1);
        lua_rawseti(L, 2, n + 2);
    }
    return 1;
}

void spryl_response_open(lua_State *L) {
    static const luaL_Reg fields[] = {
        {"getField", get_field}, {"setField", set_field}, {NULL, NULL}};
    open_metatable(L, "Response", &response_key);
    open_metatable(L, "Headers", &headers_key);
    luaL_setfuncs(L, fields, 0);
    lua_newuserdatauv(L, 0, SPRYL_METAS);
    spryl_response_give_metas(L, lua_gettop(L));
    lua_pushcclosure(L, new_headers, 1);
    lua_setfield(L, -2, "newHeaders");
}
