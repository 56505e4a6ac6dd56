/* Classes with members from C and Lua, see class.h. */
#include "lua/class.h"

#include <stdbool.h>

/* Upvalues of __index: names to methods (functions), numbers of fields, and numbers of getters
 * below zero; and the list of getters. */
enum { MEMBERS = 1, GETTERS };

/* The methods are on top; adds the fields, and pushes __index. */
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
        lua_setfield(L, meta, "members");
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

/* Pushes what getter `number` returns for the object at index 1: it is asked once. */
static int get(lua_State *L, int number) {
    int value = SPRYL_GOT + number - 1;
    if (lua_getiuservalue(L, 1, value) != LUA_TNIL) return 1;
    lua_rawgeti(L, lua_upvalueindex(GETTERS), number);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, value);
    return 1;
}

int spryl_class_index(lua_State *L, const spryl_class *c, spryl_field field,
                      void (*alive)(lua_State *L)) {
    lua_pushvalue(L, 2);
    int type = lua_rawget(L, lua_upvalueindex(MEMBERS));
    if (type == LUA_TFUNCTION) return 1;
    int number = (int)lua_tointeger(L, -1);
    if (type == LUA_TNUMBER && number >= 0) return field(L, number);
    alive(L);
    if (type == LUA_TNUMBER) return get(L, -number);
    return luaL_error(L, "%s has no field '%s': keep your own values in %s.locals", c->noun,
                      luaL_tolstring(L, 2, NULL), c->noun);
}

/* Adds the method on top, whose name is below it, to the members. */
static void add_method(lua_State *L, int meta) {
    lua_getfield(L, meta, "members");
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/* Adds the getter on top, whose name is below it: with a number of its own, or that of the getter
 * that it replaces. */
static void add_getter(lua_State *L, int meta) {
    int getter = lua_gettop(L);
    lua_getfield(L, meta, "members");
    lua_getfield(L, meta, "getters");
    lua_pushvalue(L, getter - 1);
    bool is_known = lua_rawget(L, getter + 1) == LUA_TNUMBER;
    lua_Integer number =
        is_known ? -lua_tointeger(L, -1) : (lua_Integer)lua_rawlen(L, getter + 2) + 1;
    if (number <= 0 || number > SPRYL_GETTERS)
        luaL_error(L, "there is no room for the getter '%s'", lua_tostring(L, getter - 1));
    lua_pushvalue(L, getter);
    lua_rawseti(L, getter + 2, number);
    lua_pushvalue(L, getter - 1);
    lua_pushinteger(L, -number);
    lua_rawset(L, getter + 1);
    lua_settop(L, getter);
}

/* Adds the members in field `from` of the table at index 2 to the class at `meta`. */
static void add_members(lua_State *L, int meta, const char *from,
                        void (*add)(lua_State *L, int meta)) {
    if (lua_getfield(L, 2, from) == LUA_TTABLE)
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) add(L, meta);
    lua_pop(L, 1);
}

int spryl_class_extend(lua_State *L) {
    const char *kind = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushfstring(L, "sprylua.%s", kind);
    if (lua_rawget(L, LUA_REGISTRYINDEX) != LUA_TTABLE)
        return luaL_error(L, "there is no class '%s' to extend", kind);
    int meta = lua_gettop(L);
    add_members(L, meta, "methods", add_method);
    add_members(L, meta, "getters", add_getter);
    return 0;
}
