/* Counting answers, see tally.h. */
#include "lua/tally.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define TALLY "sprylua.tally"

/* Upper bounds of the buckets, in seconds. One more bucket is for what is beyond all. */
static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                0.25,  0.5,    1,     2.5,  5,     10};
enum { BOUNDS = sizeof bounds / sizeof *bounds };

struct answers {
    const char *method; /* static; "" for what was refused */
    int status;
    uint64_t count;
};

struct spryl_tally {
    struct answers *answers; /* few, for a route has few statuses; owned */
    size_t len, cap;
    uint64_t buckets[BOUNDS + 1]; /* within each bound, and not within the one before */
    double seconds;
    uint64_t bytes;
};

static struct answers *find(const spryl_tally *tally, const char *method, int status) {
    for (size_t i = 0; i < tally->len; i++) {
        struct answers *found = &tally->answers[i];
        if (found->status == status && strcmp(found->method, method) == 0) return found;
    }
    return NULL;
}

static struct answers *append(spryl_tally *tally, const char *method, int status) {
    if (tally->len == tally->cap) {
        size_t cap = tally->cap ? 2 * tally->cap : 2;
        struct answers *grown = realloc(tally->answers, cap * sizeof *grown);
        if (!grown) return NULL;
        tally->answers = grown, tally->cap = cap;
    }
    struct answers *added = &tally->answers[tally->len++];
    *added = (struct answers){method, status, 0};
    return added;
}

static void count(spryl_tally *tally, const char *method, int status) {
    struct answers *found = find(tally, method, status);
    if (!found) found = append(tally, method, status);
    if (found) found->count++;
}

void spry_tally_add(spryl_tally *tally, const char *method, int status, double seconds,
                    uint64_t bytes) {
    size_t bucket = 0;
    while (bucket < BOUNDS && seconds > bounds[bucket]) bucket++;
    count(tally, method, status);
    tally->buckets[bucket]++;
    tally->seconds += seconds;
    tally->bytes += bytes;
}

/* ---- the userdata ---- */

int spryl_tally_new(lua_State *L) {
    spryl_tally *tally = lua_newuserdatauv(L, sizeof *tally, 0);
    *tally = (spryl_tally){0};
    luaL_setmetatable(L, TALLY);
    return 1;
}

spryl_tally *spryl_tally_at(lua_State *L, int index) {
    return luaL_testudata(L, index, TALLY);
}

static int tally_gc(lua_State *L) {
    spryl_tally *tally = luaL_checkudata(L, 1, TALLY);
    free(tally->answers);
    *tally = (spryl_tally){0};
    return 0;
}

static int refuse(lua_State *L) {
    count(luaL_checkudata(L, 1, TALLY), "", (int)luaL_checkinteger(L, 2));
    return 0;
}

static void push_answers(lua_State *L, const spryl_tally *tally) {
    lua_createtable(L, (int)tally->len, 0);
    for (size_t i = 0; i < tally->len; i++) {
        lua_createtable(L, 0, 3);
        lua_pushstring(L, tally->answers[i].method);
        lua_setfield(L, -2, "method");
        lua_pushinteger(L, tally->answers[i].status);
        lua_setfield(L, -2, "status");
        lua_pushinteger(L, (lua_Integer)tally->answers[i].count);
        lua_setfield(L, -2, "count");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static int read_out(lua_State *L) {
    const spryl_tally *tally = luaL_checkudata(L, 1, TALLY);
    lua_createtable(L, 0, 4);
    lua_pushnumber(L, tally->seconds);
    lua_setfield(L, -2, "seconds");
    lua_pushinteger(L, (lua_Integer)tally->bytes);
    lua_setfield(L, -2, "bytes");
    lua_createtable(L, BOUNDS + 1, 0);
    for (int i = 0; i <= BOUNDS; i++) {
        lua_pushinteger(L, (lua_Integer)tally->buckets[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "buckets");
    push_answers(L, tally);
    lua_setfield(L, -2, "answers");
    return 1;
}

void spryl_tally_open(lua_State *L) {
    static const luaL_Reg methods[] = {{"refuse", refuse}, {"read", read_out}, {NULL, NULL}};
    if (luaL_newmetatable(L, TALLY)) {
        lua_pushcfunction(L, tally_gc);
        lua_setfield(L, -2, "__gc");
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
    lua_createtable(L, BOUNDS, 0);
    for (int i = 0; i < BOUNDS; i++) {
        lua_pushnumber(L, bounds[i]);
        lua_rawseti(L, -2, i + 1);
    }
}
