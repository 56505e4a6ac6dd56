/* luv on the server's own loop, so that any luv-based library works in a route. */
#ifndef SPRY_NET_LUV_H
#define SPRY_NET_LUV_H

#include <lua.h>
#include <uv.h>

/* Makes `require "luv"` use `loop`. Before anything has required it, on the main state. */
void spryl_luv_share(lua_State *L, uv_loop_t *loop);

/* While the server runs the loop, scripts must not: replaces luv's run, walk, loop_close and stop.
 */
void spryl_luv_guard(lua_State *L);

/* Closes every handle that luv has made; the caller runs the loop afterwards. Only when all others
 * are closed: luv takes every handle for its own. -- never raises */
void spryl_luv_close(lua_State *L);

#endif
