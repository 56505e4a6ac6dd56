/* The Lua view of core/router.h: userdata "sprylua.router", which owns its spry_router and keeps
 * the entries and constraints in its user values. Immutable once made. */
#ifndef SPRY_LUA_ROUTER_H
#define SPRY_LUA_ROUTER_H

#include "core/router.h"

#include <lua.h>

/* core.router(list) -> router. The list has { method = "GET" | nil for every method, segments =
 * {…}, entry = any value but nil }; a segment is a string (decoded text) or one of { param = name,
 * match = Lua pattern | nil, optional = true | nil }, { parts = { string or { param =, match = },
 * … } }, { rest = name, min = 0 | 1 }; a name of false is none. Raises what is wrong with which
 * route. The router has one method, router:match(method, pathname) -> entry, params | nil, Allow
 * value or nil, for specs and tools; `pathname` is canonical. */
int spryl_router_new(lua_State *L);

/* The router at an index; raises when it is none. */
spry_router *spryl_router_check(lua_State *L, int index);

/* spry_router_match with what is at `index`, which spryl_router_check has seen. Constraints see the
 * decoded value; one whose pattern raises (too complex) does not match. Out of memory is raised:
 * call it inside a door. */
int spryl_router_match(lua_State *L, int index, enum spry_method method, spry_slice path,
                       spry_match *out);

/* What an entry is called with: a function without parameters would not see the event. */
enum spryl_entry { SPRYL_NO_ENTRY, SPRYL_ENTRY_OF_NOTHING, SPRYL_ENTRY_OF_EVENT };

enum spryl_entry spryl_router_entry_kind(lua_State *L, int index, int route);

/* Pushes the entry of a route of the router at `index`. -- never raises, wants two free slots */
void spryl_router_push_entry(lua_State *L, int index, int route);

/* Pushes the list of all entries, by route + 1. -- never raises */
void spryl_router_push_entries(lua_State *L, int index);

/* Pushes the decoded value of a parameter; in a rest an encoded slash stays "%2F". */
void spryl_push_param(lua_State *L, const spry_param *param);

#endif
