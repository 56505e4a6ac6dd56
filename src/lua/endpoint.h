/* core.endpoint: one end of a WebSocket without a socket, for code that carries the bytes itself.
 * Functions on strings of bytes; it calls nobody and waits for nothing. */
#ifndef SPRY_LUA_ENDPOINT_H
#define SPRY_LUA_ENDPOINT_H

#include <lua.h>

/* Makes the metatable. */
void spryl_endpoint_open(lua_State *L);

/* core.endpoint { role = "client" or "server", maxMessage = bytes } -> endpoint */
int spryl_endpoint_new(lua_State *L);

/* core.accept(key) -> what Sec-WebSocket-Accept must be for that Sec-WebSocket-Key */
int spryl_endpoint_accept(lua_State *L);

#endif
