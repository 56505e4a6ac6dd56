/* The Lua module sprylua.net.redis: connections to Redis, by hiredis, on the server's loop. Nothing
 * of it is loaded before somebody requires it. */
#ifndef SPRY_NET_REDIS_H
#define SPRY_NET_REDIS_H

#include <lua.h>
#include <stdbool.h>
#include <uv.h>

/* Makes `require "sprylua.net.redis"` work on `loop`. */
void spryl_redis_open(lua_State *L, uv_loop_t *loop);

/* Sends what it can of what was to be sent, and closes all connections; the caller runs the loop
 * until it returns true. -- never raises */
bool spryl_redis_close(lua_State *L);

#endif
