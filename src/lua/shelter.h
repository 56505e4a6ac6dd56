/* What must not be done by half. */
#ifndef SPRY_LUA_SHELTER_H
#define SPRY_LUA_SHELTER_H

#include <lua.h>

/* core.sheltered(f, …) -> what f returns, or raises. Neither limits.cpuTime nor limits.memory
 * breaks it off, so it is for short things of our own that run no code of an app and do not wait:
 * what is kept, and what others are told, stays in step. */
int spryl_sheltered(lua_State *L);

#endif
