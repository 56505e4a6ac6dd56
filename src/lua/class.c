/* Classes with members from C and Lua, see class.h. */
#include "lua/class.h"

/* Upvalues of __index. The members are methods, and the numbers of fields. */
enum { MEMBERS = 1, GETTERS };

/* The methods are on top; pushes __index. */
static void push_index(lua_State *L, const spryl_class *c, int meta) {
    if (!c->index) return;
    for (int i = 0; c->fields[i]; i++) {
        lua_pushinteger(L, i);
        lua_setfield(L, -2, c->fields[i]);
    }
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, meta, "getters");
    lua_pushcclosure(L, c->index, 2);
}

/* Adds functions to the table on top, with the values from index `first` on as upvalues. */
static void add_functions(lua_State *L, const luaL_Reg *functions, int first, int count) {
    for (int i = 0; i < count; i++) lua_pushvalue(L, first + i);
    luaL_setfuncs(L, functions, count);
}

void spryl_class_new(lua_State *L, const spryl_class *c) {
    spryl_class_new_with(L, c, 0);
}

void spryl_class_new_with(lua_State *L, const spryl_class *c, int count) {
    int first = lua_gettop(L) - count + 1, meta = first + count;
    if (luaL_newmetatable(L, c->name)) {
        lua_pushvalue(L, meta);
        lua_rawsetp(L, LUA_REGISTRYINDEX, c);
        lua_pushliteral(L, "sprylua");
        lua_setfield(L, meta, "__metatable");
        add_functions(L, c->metamethods, first, count);
        lua_newtable(L);
        add_functions(L, c->methods, first, count);
        lua_pushvalue(L, -1);
        lua_setfield(L, meta, "methods");
        push_index(L, c, meta);
        lua_setfield(L, meta, "__index");
    }
    lua_settop(L, first - 1);
}

void *spryl_object_new(lua_State *L, const spryl_class *c, size_t size, int user_values) {
    spryl_object *object = lua_newuserdatauv(L, size, user_values);
    object->class = c;
    lua_rawgetp(L, LUA_REGISTRYINDEX, c);
    lua_setmetatable(L, -2);
    return object;
}

static void raise_type_error(lua_State *L, int index, const spryl_class *c) {
    luaL_argerror(L, index,
                  lua_pushfstring(L, "%s expected, got %s: methods are called with a colon",
                                  c->noun, luaL_typename(L, index)));
}

void *spryl_object_test(lua_State *L, int index, const spryl_class *c) {
    spryl_object *object = lua_touserdata(L, index);
    return object && lua_rawlen(L, index) >= sizeof *object && object->class == c ? object : NULL;
}

void *spryl_object_check(lua_State *L, int index, const spryl_class *c) {
    void *object = spryl_object_test(L, index, c);
    if (!object) raise_type_error(L, index, c);
    return object;
}

void spryl_push_memo(lua_State *L, int index) {
    index = lua_absindex(L, index);
    if (lua_getiuservalue(L, index, SPRYL_MEMO) == LUA_TTABLE) return;
    lua_pop(L, 1);
    lua_createtable(L, 0, 4); /* it would grow to that in three steps */
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, index, SPRYL_MEMO);
}

void spryl_memo_get(lua_State *L, int index, const char *key) {
    if (lua_getiuservalue(L, index, SPRYL_MEMO) == LUA_TTABLE) {
        lua_getfield(L, -1, key);
        lua_remove(L, -2);
    }
}

void spryl_memo_set(lua_State *L, int index, const char *key) {
    spryl_push_memo(L, index);
    lua_insert(L, -2);
    lua_setfield(L, -2, key);
    lua_pop(L, 1);
}

int spryl_memo_table(lua_State *L, const char *key) {
    spryl_push_memo(L, 1);
    if (lua_getfield(L, -1, key) == LUA_TTABLE) return 1;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, key);
    return 1;
}

/* Looks the key at index 2 up in an upvalue, and pushes what is there. Returns its type. */
static int look_up(lua_State *L, int upvalue) {
    lua_pushvalue(L, 2);
    return lua_rawget(L, lua_upvalueindex(upvalue));
}

/* Calls the getter on top with the object and keeps what it returns. */
static int memoise(lua_State *L) {
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    spryl_push_memo(L, 1);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    return 1;
}

int spryl_class_index(lua_State *L, const spryl_class *c, spryl_field field,
                      void (*alive)(lua_State *L)) {
    int type = look_up(L, MEMBERS);
    if (type == LUA_TNUMBER) return field(L, (int)lua_tointeger(L, -1));
    if (type != LUA_TNIL) return 1;
    alive(L);
    if (lua_getiuservalue(L, 1, SPRYL_MEMO) == LUA_TTABLE) {
        lua_pushvalue(L, 2);
        if (lua_rawget(L, -2) != LUA_TNIL) return 1;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    if (look_up(L, GETTERS) != LUA_TNIL) return memoise(L);
    return luaL_error(L, "%s has no field '%s': keep your own values in %s.locals", c->noun,
                      luaL_tolstring(L, 2, NULL), c->noun);
}

/* Copies the functions of the table at index 2, field `from`, into the one on top. */
static void add_members(lua_State *L, const char *from) {
    if (lua_getfield(L, 2, from) == LUA_TTABLE) {
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_rawset(L, -6);
        }
    }
    lua_pop(L, 2);
}

int spryl_class_extend(lua_State *L) {
    const char *kind = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushfstring(L, "sprylua.%s", kind);
    if (lua_rawget(L, LUA_REGISTRYINDEX) != LUA_TTABLE)
        return luaL_error(L, "there is no class '%s' to extend", kind);
    lua_getfield(L, -1, "methods");
    add_members(L, "methods");
    lua_getfield(L, -1, "getters");
    add_members(L, "getters");
    return 0;
}
