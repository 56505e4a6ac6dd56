/* core.sheltered, see shelter.h. */
#include "lua/shelter.h"

#include "lua/allocator.h"
#include "lua/watchdog.h"

#include <lauxlib.h>

/* Of a state without limits there is nothing to shelter from. */
static bool shelter(lua_State *L, bool sheltered) {
    void *allocator;
    if (lua_getallocf(L, &allocator) != spryl_allocate) return false;
    return spryl_allocator_shelter(allocator, sheltered);
}

int spryl_sheltered(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    bool sheltered = shelter(L, true);
    enum spryl_pace pace = spryl_watchdog_pace(L, SPRYL_SHELTERED);
    int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    spryl_watchdog_pace(L, pace);
    shelter(L, sheltered);
    return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}
