/* The traceback of a deep stack, in bounded time. To find a level Lua walks from the innermost one
 * to it, and luaL_traceback does so dozens of times to show the last levels too: for a recursion
 * without end that takes a second. The linker puts this in its place (--wrap), for debug.traceback
 * too. */
#include <lauxlib.h>
#include <lua.h>

enum {
    DEEP = 1000, /* levels; up to so many it is Lua's own */
    SHOWN = 20,  /* levels of a deeper one */
};

static void push_name(lua_State *L, const lua_Debug *level) {
    if (*level->namewhat)
        lua_pushfstring(L, "%s '%s'", level->namewhat, level->name);
    else if (*level->what == 'm')
        lua_pushliteral(L, "main chunk");
    else if (*level->what == 'C')
        lua_pushliteral(L, "?");
    else
        lua_pushfstring(L, "function <%s:%d>", level->short_src, level->linedefined);
}

/* Adds a line for a level, as Lua's own looks. */
static void add_level(lua_State *L, luaL_Buffer *text, const lua_Debug *level) {
    if (level->currentline > 0)
        lua_pushfstring(L, "\n\t%s:%d: in ", level->short_src, level->currentline);
    else
        lua_pushfstring(L, "\n\t%s: in ", level->short_src);
    luaL_addvalue(text);
    push_name(L, level);
    luaL_addvalue(text);
    if (level->istailcall) luaL_addstring(text, "\n\t(...tail calls...)");
}

static void push_innermost(lua_State *L, lua_State *of, const char *message, int first) {
    luaL_Buffer text;
    lua_Debug level;
    luaL_buffinit(L, &text);
    if (message) {
        luaL_addstring(&text, message);
        luaL_addchar(&text, '\n');
    }
    luaL_addstring(&text, "stack traceback:");
    for (int i = 0; i < SHOWN && lua_getstack(of, first + i, &level); i++) {
        lua_getinfo(of, "Slnt", &level);
        add_level(L, &text, &level);
    }
    luaL_addstring(&text, "\n\t...\t(more than ");
    lua_pushinteger(L, DEEP);
    luaL_addvalue(&text);
    luaL_addstring(&text, " levels)");
    luaL_pushresult(&text);
}

// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names
void __real_luaL_traceback(lua_State *L, lua_State *of, const char *message, int level);
void __wrap_luaL_traceback(lua_State *L, lua_State *of, const char *message, int level);

void __wrap_luaL_traceback(lua_State *L, lua_State *of, const char *message, int level) {
    lua_Debug deep;
    if (level >= 0 && level <= DEEP && lua_getstack(of, level + DEEP, &deep))
        push_innermost(L, of, message, level);
    else
        __real_luaL_traceback(L, of, message, level);
}
// NOLINTEND(bugprone-reserved-identifier)
