/* The state's hub of topics, and core.topic, what Lua does with it. */
#ifndef SPRY_LUA_TOPIC_H
#define SPRY_LUA_TOPIC_H

#include "core/topic.h"

#include <lua.h>

/* Makes the state's hub, one for all apps. Before everything that has connections and a finalizer,
 * so as to be freed after it. */
void spryl_hub_open(lua_State *L);

/* The state's hub. -- never raises */
spry_hub *spryl_hub(lua_State *L);

/* Pushes the table core.topic. */
void spryl_topic_open(lua_State *L);

#endif
