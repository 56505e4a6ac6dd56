/* sprylua: a Lua state, a loop, and the command line, which is Lua (lua/sprylua/cli/).
 *
 * The order of stopping: the connections drain; our own handles are closed; then luv's; then the
 * Lua state; then the loop. Any other order has callbacks for what is gone. */
#include "embedded.h"
#include "lua/allocator.h"
#include "net/luv.h"
#include "net/module.h"

#include <lauxlib.h>
#include <lualib.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_INTERNAL = 70 };

int luaopen_sprylua_core(lua_State *L);
int luaopen_sprylua_json(lua_State *L);
int luaopen_sprylua_compress(lua_State *L);
int luaopen_sprylua_resp(lua_State *L);

/* Finds a module among those in the executable; for package.searchers. */
static int search_embedded(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    for (size_t i = 0; i < spry_embedded_count; i++) {
        const struct spry_embedded_module *m = &spry_embedded[i];
        if (strcmp(m->name, name) != 0) continue;
        if (luaL_loadbufferx(L, m->chunk, m->length, m->chunkname, "b") != LUA_OK)
            return lua_error(L);
        lua_pushstring(L, "(in the executable)");
        return 2;
    }
    lua_pushfstring(L, "no module '%s' in the executable", name);
    return 1;
}

/* Ours come before those in the file system, so that there is only ever one copy. */
static void add_searcher(lua_State *L) {
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    for (lua_Integer i = (lua_Integer)lua_rawlen(L, -1); i >= 2; i--) {
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushcfunction(L, search_embedded);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 2);
}

static void preload(lua_State *L, const char *name, lua_CFunction open) {
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, open);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

/* Has Lua make the class of its large buffers. If memory ran out in the middle of that, later on,
 * no such buffer could ever be made again. */
static void make_buffer_class(lua_State *L) {
    luaL_Buffer large;
    luaL_buffinitsize(L, &large, LUAL_BUFFERSIZE + 1);
    luaL_pushresultsize(&large, 0);
    lua_pop(L, 1);
}

struct start {
    int argc;
    char **argv;
    uv_loop_t *loop;
    int code; /* what to exit with, -1 while the loop is to run */
};

static void call_cli(lua_State *L, const char *function, int nargs) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "sprylua.cli");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, function);
    lua_replace(L, -2);
    lua_insert(L, -1 - nargs);
    lua_call(L, nargs, 1);
}

/* The code that a command has returned. */
static int code_of(lua_State *L) {
    return lua_isnil(L, -1) ? -1 : (int)luaL_checkinteger(L, -1);
}

static int begin(lua_State *L) {
    struct start *start = lua_touserdata(L, 1);
    luaL_openlibs(L);
    make_buffer_class(L);
    preload(L, "sprylua.core", luaopen_sprylua_core);
    preload(L, "sprylua.json", luaopen_sprylua_json);
    preload(L, "sprylua.compress", luaopen_sprylua_compress);
    preload(L, "sprylua.resp", luaopen_sprylua_resp);
    add_searcher(L);
    spryl_luv_share(L, start->loop);
    spryl_net_open(L, start->loop);
    lua_createtable(L, start->argc, 0);
    for (int i = 1; i < start->argc; i++) {
        lua_pushstring(L, start->argv[i]);
        lua_rawseti(L, -2, i);
    }
    call_cli(L, "main", 1);
    start->code = code_of(L);
    return 0;
}

static int finish(lua_State *L) {
    struct start *start = lua_touserdata(L, 1);
    call_cli(L, "finish", 0);
    start->code = code_of(L);
    return 0;
}

static int traceback(lua_State *L) {
    luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

static void call(lua_State *L, lua_CFunction fn, struct start *start) {
    lua_pushcfunction(L, traceback);
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, start);
    if (lua_pcall(L, 1, 0, 1) != LUA_OK) {
        const char *message = lua_tostring(L, -1);
        fprintf(stderr, "sprylua: internal error: %s\n", message ? message : "out of memory");
        start->code = EXIT_INTERNAL;
    }
    lua_settop(L, 0);
}

static int panic(lua_State *L) {
    const char *message = lua_tostring(L, -1);
    fprintf(stderr, "sprylua: unprotected error: %s\n", message ? message : "unknown");
    return 0; /* Lua aborts */
}

/* What warn(…) does, as luaL_newstate has it: nothing until warn "@on". */
struct warner {
    bool on, within; /* a message came in part */
};

static void warn(void *ud, const char *message, int to_be_continued) {
    struct warner *warner = ud;
    bool begins = !warner->within;
    warner->within = to_be_continued;
    if (begins && !to_be_continued && *message == '@') {
        if (strcmp(message, "@on") == 0) warner->on = true;
        if (strcmp(message, "@off") == 0) warner->on = false;
    } else if (warner->on) {
        fprintf(stderr, "%s%s%s", begins ? "Lua warning: " : "", message,
                to_be_continued ? "" : "\n");
    }
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error of write, not of the process */
    /* Small blocks that are free are joined at once, not all together when there are millions: with
     * 200 MB of Lua data that stopped the loop for 70 ms. */
    mallopt(M_MXFAST, 0);
    uv_loop_t loop;
    struct warner warner = {false, false};
    spryl_allocator *allocator = spryl_allocator_new();
    lua_State *L = allocator ? lua_newstate(spryl_allocate, allocator) : NULL;
    if (!L || uv_loop_init(&loop)) {
        fprintf(stderr, "sprylua: out of memory\n");
        return EXIT_INTERNAL;
    }
    lua_atpanic(L, panic);
    lua_setwarnf(L, warn, &warner);
    struct start start = {argc, argv, &loop, 0};
    call(L, begin, &start);
    while (start.code < 0) {
        uv_run(&loop, UV_RUN_DEFAULT);
        call(L, finish, &start);
    }
    while (!spryl_net_close(L)) uv_run(&loop, UV_RUN_ONCE);
    spryl_luv_close(L);
    uv_run(&loop, UV_RUN_DEFAULT);
    lua_close(L);
    spryl_allocator_free(allocator);
    uv_loop_close(&loop);
    return start.code;
}
