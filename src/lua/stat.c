/* stat(2) as plain numbers, see stat.h. A file that is served is looked at for every request, and
 * luv makes five tables of it, which costs several times what the system call does. */
#include "lua/stat.h"

#include <lauxlib.h>
#include <string.h>
#include <sys/stat.h>

static int look(lua_State *L, struct stat *found) {
    if (lua_isinteger(L, 1)) return fstat((int)lua_tointeger(L, 1), found);
    size_t length;
    const char *path = luaL_checklstring(L, 1, &length);
    luaL_argcheck(L, strlen(path) == length, 1, "a path has no NUL in it");
    return stat(path, found);
}

int spryl_stat(lua_State *L) {
    struct stat found;
    if (look(L, &found) || !S_ISREG(found.st_mode)) return 0;
    lua_pushinteger(L, (lua_Integer)found.st_size);
    lua_pushinteger(L, (lua_Integer)found.st_mtim.tv_sec);
    lua_pushinteger(L, (lua_Integer)found.st_mtim.tv_nsec);
    lua_pushinteger(L, (lua_Integer)found.st_ctim.tv_sec);
    lua_pushinteger(L, (lua_Integer)found.st_ctim.tv_nsec);
    lua_pushinteger(L, (lua_Integer)found.st_ino);
    lua_pushinteger(L, (lua_Integer)found.st_dev);
    return 7;
}
