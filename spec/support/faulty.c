/* Makes allocations fail, for spec/boundary/memory_spec.lua. Loaded with LD_PRELOAD it stands
 * before the C library's allocator, so that Lua's allocations and the core's fail alike; Lua
 * switches it on and off with require "faulty". */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *at, size_t n);

static bool on;
static long left;   /* allocations that still succeed */
static long failed; /* how many have failed since it was switched on */

static bool fails(void) {
    if (!on || left-- > 0) return false;
    failed++;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t n) {
    return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t count, size_t n) {
    return fails() ? NULL : __libc_calloc(count, n);
}

/* Lua relies on shrinking never to fail, and the real one never does either. */
void *realloc(void *at, size_t n) {
    return n && !at && fails() ? NULL : __libc_realloc(at, n);
}

/* after(n): from now on n allocations succeed and all later ones fail. */
static int after(lua_State *L) {
    left = (long)luaL_checkinteger(L, 1);
    failed = 0;
    on = true;
    return 0;
}

/* off() -> how many have failed */
static int off(lua_State *L) {
    on = false;
    lua_pushinteger(L, failed);
    return 1;
}

int luaopen_faulty(lua_State *L);

int luaopen_faulty(lua_State *L) {
    static const luaL_Reg functions[] = {{"after", after}, {"off", off}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
