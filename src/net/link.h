/* What the ends of a link between processes do with its socket: net.write and net.read. */
#ifndef SPRY_NET_LINK_H
#define SPRY_NET_LINK_H

#include <lua.h>

/* Adds them to the table on top. */
void spryl_link_open(lua_State *L);

#endif
