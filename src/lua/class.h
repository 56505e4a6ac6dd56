/* Userdata classes whose members come from C and from Lua alike: C makes the fields and methods
 * that touch a connection, core.extend adds those that are policy.
 *
 * A class is a metatable in the registry under its name. What a getter returned is kept in a user
 * value of the object, one for each getter; an object whose first user value is its memo table
 * (made when first needed) keeps other things there. */
#ifndef SPRY_LUA_CLASS_H
#define SPRY_LUA_CLASS_H

#include <lauxlib.h>
#include <lua.h>
#include <stddef.h>

/* User values of an object: the memo table, and from SPRYL_GOT on, in a class with getters, what
 * these returned. Those in between are the class's own. */
enum { SPRYL_MEMO = 1, SPRYL_GOT = 4, SPRYL_GETTERS = 8 };

/* Pushes field `number` of the object at index 1: its place in the list given to spryl_class_new.
 * Returns 1. Must check that the object is alive. */
typedef int (*spryl_field)(lua_State *L, int number);

typedef struct spryl_class {
    const char *name;            /* "sprylua.event" */
    const char *noun;            /* what messages call an object: "event" */
    const char *const *fields;   /* names, ends with NULL */
    const luaL_Reg *methods;     /* ends with NULL */
    const luaL_Reg *metamethods; /* __gc and others; not __index */
    lua_CFunction index;         /* calls spryl_class_index with the class's spryl_field; NULL for a
                                  * class of nothing but methods */
} spryl_class;

/* What an object's memory begins with: telling it apart by this takes a tenth of the time that
 * looking its metatable up takes, and is done for every message. */
typedef struct spryl_object {
    const spryl_class *class;
} spryl_object;

/* Makes the metatable unless it exists. */
void spryl_class_new(lua_State *L, const spryl_class *c);

/* The same, and pops `count` values, which become the upvalues of all its functions but __index. */
void spryl_class_new_with(lua_State *L, const spryl_class *c, int count);

/* Pushes a new object of `size` bytes, of which all but the class is the caller's to set. */
void *spryl_object_new(lua_State *L, const spryl_class *c, size_t size, int user_values);

/* The object at `index`, NULL for anything else. */
void *spryl_object_test(lua_State *L, int index, const spryl_class *c);

/* The same, but raises for anything else. */
void *spryl_object_check(lua_State *L, int index, const spryl_class *c);

/* __index: a method, a field, or what a getter returns; anything else raises. `alive` is called
 * before getters are looked at, and raises for a dead object. A method is found whatever is at
 * index 1, and checks that itself. */
int spryl_class_index(lua_State *L, const spryl_class *c, spryl_field field,
                      void (*alive)(lua_State *L));

/* core.extend(name, { getters =, methods = }). */
int spryl_class_extend(lua_State *L);

/* Pushes the memo table of the object at `index`, made when there is none. */
void spryl_push_memo(lua_State *L, int index);

/* Pushes memo.key of the object at `index`, nil when there is none. */
void spryl_memo_get(lua_State *L, int index, const char *key);

/* Pops a value and keeps it as memo.key of the object at `index`. */
void spryl_memo_set(lua_State *L, int index, const char *key);

/* Pushes memo.key of the object at index 1, a new table the first time. Returns 1. */
int spryl_memo_table(lua_State *L, const char *key);

#endif
