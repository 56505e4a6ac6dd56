/* An app as the core serves it: routes, limits, and the Lua functions that are policy. Userdata
 * "sprylua.app"; immutable once made. It fills the seam above a connection (core/handler.h).
 *
 * The app is anchored in the registry (`ref`) while it has connections, and only then; so nobody
 * can collect what a live connection will call, and an app that is no longer used goes away. */
#ifndef SPRY_LUA_APP_H
#define SPRY_LUA_APP_H

#include "core/conn.h"
#include "lua/collector.h"
#include "proto/extension.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

/* User values of the userdata. */
enum spryl_app_value {
    SPRYL_ROUTES = 1,     /* router */
    SPRYL_MISSES,         /* router for paths that no route takes */
    SPRYL_RESPONSE,       /* metatable of responses */
    SPRYL_CONVERT,        /* f(event, value) -> string or response */
    SPRYL_FAILED,         /* f(event, cause, traceback) -> string or response */
    SPRYL_SESSION_FAILED, /* f(ws, cause, traceback) */
    SPRYL_ACCESS,         /* f(event, status, seconds, bytes), or nil */
    SPRYL_TALLIES,        /* what counts answers, by route + 1, 0: no route; or nil */
    SPRYL_REFUSED,        /* f(status, reason, remote address, method?, target?), or nil */
    SPRYL_ENCODE,         /* f(table) -> JSON, which can't wait; or nil: that is `convert`'s */
    SPRYL_ANSWER,         /* the function of a request's coroutine, see request_task.c */
    SPRYL_THREADS,        /* table that anchors the threads of tasks */
    SPRYL_APP_VALUES = SPRYL_THREADS,
};

enum { SPRYL_SPARE_THREADS = 64 };

struct spryl_arena;

/* A coroutine and its index in SPRYL_THREADS. */
typedef struct spryl_thread {
    lua_State *co;
    int ref;
} spryl_thread;

typedef struct spry_app {
    spry_handler handler;      /* first, so that a spry_handler * is a spry_app * */
    lua_State *L;              /* who drives: enters Lua from here */
    int ref;                   /* registry: the userdata itself, while there are connections */
    size_t holds;              /* those connections, and servers; 0: ref is LUA_NOREF */
    void (*on_free)(void *of); /* holds has become 0; it may not run Lua. NULL: nobody asks */
    void *on_free_of;
    size_t conn_count;         /* connections */
    unsigned depth;            /* doors that are open now */
    bool websocket;            /* whether upgrades are supported */
    bool logs_access;          /* there is a SPRYL_ACCESS */
    bool counts;               /* there are SPRYL_TALLIES */
    bool encodes;              /* there is a SPRYL_ENCODE */
    spryl_collector collector; /* of a served app */
    spry_session session;      /* settings that a session starts with */
    size_t max_message;
    spry_deflate_policy compress;
    spry_engine engine; /* of in-memory connections; sockets have the server's */
    spry_list tasks;    /* every task */
    size_t task_count;
    struct spryl_arena *arena;               /* memory for them */
    spryl_thread spare[SPRYL_SPARE_THREADS]; /* threads that finished without being parked */
    size_t spare_count;
} spry_app;

/* core.app{…} -> app. */
int spryl_app_new(lua_State *L);

/* Makes the class, with `methods` beside its own: for in-memory connections (peer.c). */
void spryl_app_open(lua_State *L, const luaL_Reg *methods);

/* The app at `index`; raises when it is none. */
spry_app *spryl_app_check(lua_State *L, int index);

/* Holds the app, at `index`: the first anchors it. Before spry_conn_init, which holds it too. */
void spryl_app_hold(lua_State *L, int index);

/* Takes that back. -- never raises */
void spryl_app_release(lua_State *L, spry_app *app);

/* Pushes one of the user values. -- never raises, wants two free slots */
void spryl_app_push(lua_State *L, const spry_app *app, enum spryl_app_value value);

/* core.stats() -> sums over all apps. */
int spryl_stats(lua_State *L);

/* core.counters() -> what has happened, over all apps. */
int spryl_counters(lua_State *L);

#endif
