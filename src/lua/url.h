/* Lua functions over proto/url.h, fields of sprylua.core. They own nothing. */
#ifndef SPRY_LUA_URL_H
#define SPRY_LUA_URL_H

#include <lua.h>

/* core.normalize(path) -> pathname | nil, message: the canonical form of proto/url.h. */
int spryl_url_normalize(lua_State *L);

/* core.decode(s, plus) -> string | nil: percent-decoded; with `plus`, "+" is a space. */
int spryl_url_decode(lua_State *L);

#endif
