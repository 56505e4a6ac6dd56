/* What was answered on a route: how often, with which status, in which time, how many bytes.
 * Userdata "sprylua.tally", which Lua makes and hands to an app for each of its routes; so that
 * counting needs no Lua, and outlives the app. */
#ifndef SPRY_LUA_TALLY_H
#define SPRY_LUA_TALLY_H

#include <lua.h>
#include <stdint.h>

typedef struct spryl_tally spryl_tally;

/* core.tally() -> tally, with two methods: tally:refuse(status) counts an answer that is nobody's;
 * tally:read() -> { seconds =, bytes =, buckets = { …counts }, answers = { { method =, status =,
 * count = } … } }. */
int spryl_tally_new(lua_State *L);

/* Makes the class, and pushes the list of the buckets' upper bounds, in seconds. */
void spryl_tally_open(lua_State *L);

/* The tally at an index; NULL when it is none. -- never raises */
spryl_tally *spryl_tally_at(lua_State *L, int index);

/* Counts an answer. `method` is static. Without memory for a status that is new, only its time and
 * its bytes. */
void spry_tally_add(spryl_tally *tally, const char *method, int status, double seconds,
                    uint64_t bytes);

#endif
