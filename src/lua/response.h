/* Responses as Lua sees them: a table with the metatable core.Response, whose `headers` is a flat
 * list { name, value, … } with the metatable core.Headers. The members of both are Lua's
 * (response.lua, headers.lua). */
#ifndef SPRY_LUA_RESPONSE_H
#define SPRY_LUA_RESPONSE_H

#include "base/slice.h"

#include <lua.h>
#include <stdbool.h>

/* Adds to the table on top, which is core:
 * Response, Headers: the metatables.
 * newHeaders(given) -> Headers with what is in a plain table by name | nil: it is something else,
 *   or something in it is wrong.
 * getField(headers, name) -> the field's value; repeated fields are joined with ", ".
 * setField(headers, name, value) -> true: the field has that value now. Otherwise nothing is
 *   changed: one of them is wrong, or there are several fields of the name. */
void spryl_response_open(lua_State *L);

/* The user values of a userdata that has both metatables at hand: a look into the registry takes
 * as long as making half a Response. */
enum { SPRYL_META_RESPONSE = 1, SPRYL_META_HEADERS, SPRYL_METAS = SPRYL_META_HEADERS };

/* Puts the metatables into the userdata at `index`. */
void spryl_response_give_metas(lua_State *L, int index);

/* Pushes a Response, a 200 with the string at `body` and one field, that belongs to the event at
 * `owner`. `metas` is a userdata with the metatables. */
void spryl_response_push(lua_State *L, int metas, int body, const char *type, int owner);

/* Whether the value at `index` is a Response with Headers that belongs to the event at `owner`. The
 * indexes are positive. */
bool spryl_response_is_own(lua_State *L, int metas, int index, int owner);

#define SPRYL_TEXT "text/plain; charset=utf-8"

#endif
