/* The Lua module sprylua.net: serve, reload and stop. The server it makes is the process's one. */
#ifndef SPRY_NET_MODULE_H
#define SPRY_NET_MODULE_H

#include <lua.h>
#include <stdbool.h>
#include <uv.h>

/* Makes `require "sprylua.net"` work on `loop`. */
void spryl_net_open(lua_State *L, uv_loop_t *loop);

/* Closes what serve has made; the caller runs the loop until it returns true. -- never raises */
bool spryl_net_close(lua_State *L);

#endif
