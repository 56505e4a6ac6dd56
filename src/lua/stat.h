/* What tells one content of a file from another one. It owns nothing. */
#ifndef SPRY_LUA_STAT_H
#define SPRY_LUA_STAT_H

#include <lua.h>

/* core.stat(path or descriptor) -> size, modified and its nanoseconds, changed and its nanoseconds,
 * inode, device; all seconds are those of os.time. Nothing: there is no such regular file. Links
 * are followed. */
int spryl_stat(lua_State *L);

#endif
