/* Lua functions over paths and percent-encoding, see url.h. */
#include "lua/url.h"

#include "proto/url.h"

#include <lauxlib.h>

int spryl_url_normalize(lua_State *L) {
    spry_slice path;
    path.data = luaL_checklstring(L, 1, &path.len);
    luaL_Buffer out;
    size_t len;
    if (spry_url_normalize(path, luaL_buffinitsize(L, &out, path.len + 1), &len)) {
        luaL_pushfail(L);
        lua_pushliteral(L, "the path has a broken percent-escape or a NUL");
        return 2;
    }
    luaL_pushresultsize(&out, len);
    return 1;
}

int spryl_url_decode(lua_State *L) {
    spry_slice in;
    in.data = luaL_checklstring(L, 1, &in.len);
    bool plus = lua_toboolean(L, 2);
    luaL_Buffer out;
    ssize_t len = spry_url_decode(in, plus, luaL_buffinitsize(L, &out, in.len));
    if (len < 0)
        luaL_pushfail(L);
    else
        luaL_pushresultsize(&out, (size_t)len);
    return 1;
}
