/* core.connect: a connection in memory, with Lua as the network and as the clock. It fills the
 * same seam as a socket (core/transport.h), so specs run the server's own code.
 *
 * Bytes from the client wait in `pending` while the connection does not read, as they would in a
 * socket's buffer. The client behaves well: it ends its side when it has seen the server's end. */
#include "lua/app.h"
#include "lua/views.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#define PEER "sprylua.peer"

struct peer_view;

typedef struct peer {
    spry_transport io;
    spry_conn conn;
    struct peer_view *view;       /* NULL when it was collected */
    spry_buf pending;             /* from the client, not yet read */
    bool reads;                   /* the connection takes bytes */
    bool finished, told_finished; /* the client has ended its side; the connection knows */
    bool closing, told_closed;    /* the server has closed; the connection knows */
} peer;

/* What Lua holds. */
typedef struct peer_view {
    peer *peer;   /* NULL once the connection is gone */
    spry_buf out; /* from the server, not yet taken */
    bool stalled; /* the client does not read: what the server sends is in flight */
    bool ended;   /* the server has ended its side */
} peer_view;

static peer *peer_of(spry_transport *t) {
    return spry_container_of(t, peer, io);
}

/* ---- the transport ---- */

static int io_flush(spry_transport *t, spry_buf *out, spry_slice more) {
    peer *p = peer_of(t);
    size_t n = out->len + more.len;
    int err = SPRY_OK;
    if (p->view && p->view->out.len)
        err = spry_buf_append(&p->view->out, out->data, out->len);
    else if (p->view)
        spry_buf_swap(&p->view->out, out);
    if (p->view && !err) err = spry_buf_append(&p->view->out, more.data, more.len);
    out->len = 0;
    if (!err && p->view && p->view->stalled) t->inflight += n;
    return err;
}

static void io_progress(spry_transport *t) {
    (void)t; /* in memory nothing is sent half way */
}

static void io_read(spry_transport *t, bool on) {
    peer_of(t)->reads = on;
}

static void io_shutdown(spry_transport *t) {
    peer *p = peer_of(t);
    if (p->view) p->view->ended = true;
    p->finished = true;
    spry_conn_touch(&p->conn);
}

static void io_close(spry_transport *t, bool reset) {
    (void)reset;
    peer *p = peer_of(t);
    if (p->view) p->view->ended = true;
    p->closing = true;
}

static void io_destroy(spry_transport *t) {
    peer *p = peer_of(t);
    if (p->view) p->view->peer = NULL;
    spry_buf_free(&p->pending);
    free(p);
}

static void io_address(spry_transport *t, char *to, size_t room) {
    (void)t;
    snprintf(to, room, "127.0.0.1");
}

static const spry_transport_ops ops = {io_flush, io_progress, io_read,   io_shutdown,
                                       io_close, io_destroy,  io_address};

/* ---- the loop ---- */

/* Tells one connection what has happened to it. True when there was something. */
static bool deliver(peer *p) {
    spry_conn *conn = &p->conn;
    if (p->closing) {
        if (p->told_closed) return false;
        p->told_closed = true;
        spry_conn_closed(conn);
        return true;
    }
    if (p->reads && p->pending.len) {
        spry_buf bytes = {0};
        spry_buf_swap(&bytes, &p->pending);
        spry_conn_feed(conn, bytes.data, bytes.len); /* may free p */
        spry_buf_free(&bytes);
        return true;
    }
    if (p->finished && !p->told_finished && !p->pending.len) {
        p->told_finished = true;
        spry_conn_eof(conn);
        return true;
    }
    return false;
}

/* Goes on until nothing is left to do. A call from inside a handler leaves it to the one outside.
 * False: there was nothing. */
static bool settle(lua_State *L, spry_app *app) {
    if (app->depth) return false;
    lua_State *driver = app->L;
    app->L = L;
    bool any = false, more = true;
    while (more) {
        any = spry_engine_settle(&app->engine) || any;
        more = false;
        spry_list *conns = &app->engine.conns;
        for (spry_list *l = conns->next, *next; l != conns; l = next) {
            next = l->next;
            more = deliver(spry_container_of(spry_container_of(l, spry_conn, link), peer, conn)) ||
                   more;
        }
    }
    app->L = driver;
    return any;
}

/* app:settle() -> whether there was something to do */
static int app_settle(lua_State *L) {
    lua_pushboolean(L, settle(L, spryl_app_check(L, 1)));
    return 1;
}

/* app:advance(seconds) */
static int app_advance(lua_State *L) {
    spry_app *app = spryl_app_check(L, 1);
    lua_Number seconds = luaL_checknumber(L, 2);
    luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 2, "seconds from 0 on");
    if (app->depth) return luaL_error(L, "time can't be moved from inside a handler");
    settle(L, app);
    lua_State *driver = app->L;
    app->L = L;
    spry_engine_advance(&app->engine, app->engine.now + (uint64_t)(seconds * 1000 + 0.5));
    app->L = driver;
    settle(L, app);
    return 0;
}

/* app:stop(): sessions get 1001, idle connections close. */
static int app_stop(lua_State *L) {
    spry_app *app = spryl_app_check(L, 1);
    if (app->depth) return luaL_error(L, "an app can't be stopped from inside a handler");
    lua_State *driver = app->L;
    app->L = L;
    spry_engine_stop(&app->engine, SPRY_CLOSE_GOING_AWAY);
    spry_engine_dismiss(&app->engine, SIZE_MAX);
    app->L = driver;
    settle(L, app);
    return 0;
}

/* app:next() -> seconds until something is due, or nil. */
static int app_next(lua_State *L) {
    const spry_app *app = spryl_app_check(L, 1);
    uint64_t at = spry_engine_next(&app->engine);
    if (at == UINT64_MAX) return 0;
    lua_pushnumber(L, at > app->engine.now ? (lua_Number)(at - app->engine.now) / 1000 : 0);
    return 1;
}

const luaL_Reg spryl_peer_app_methods[] = {{"settle", app_settle},
                                           {"advance", app_advance},
                                           {"stop", app_stop},
                                           {"next", app_next},
                                           {NULL, NULL}};

/* ---- what Lua calls ---- */

static peer_view *check(lua_State *L) {
    return luaL_checkudata(L, 1, PEER);
}

static void settle_peer(lua_State *L, peer_view *view) {
    if (view->peer) settle(L, spry_container_of(view->peer->conn.handler, spry_app, handler));
}

/* peer:feed(bytes) */
static int peer_feed(lua_State *L) {
    peer_view *view = check(L);
    size_t n;
    const char *bytes = luaL_checklstring(L, 2, &n);
    if (!view->peer) return 0;
    if (spry_buf_append(&view->peer->pending, bytes, n)) return luaL_error(L, "out of memory");
    settle_peer(L, view);
    return 0;
}

/* peer:take() -> what the server has sent since the last call */
static int peer_take(lua_State *L) {
    peer_view *view = check(L);
    lua_pushlstring(L, view->out.data, view->out.len);
    view->out.len = 0;
    return 1;
}

/* peer:closed() -> whether the server has ended its side */
static int peer_closed(lua_State *L) {
    lua_pushboolean(L, check(L)->ended);
    return 1;
}

/* peer:finish(): the client ends its side */
static int peer_finish(lua_State *L) {
    peer_view *view = check(L);
    if (view->peer) view->peer->finished = true;
    settle_peer(L, view);
    return 0;
}

/* peer:hangup(): the connection breaks */
static int peer_hangup(lua_State *L) {
    peer_view *view = check(L);
    peer *p = view->peer;
    if (!p || p->closing) return 0;
    view->ended = true;
    p->pending.len = 0;
    spry_conn_abort(&p->conn);
    settle_peer(L, view);
    return 0;
}

/* peer:stall(on): the client stops reading, or goes on */
static int peer_stall(lua_State *L) {
    peer_view *view = check(L);
    view->stalled = lua_toboolean(L, 2);
    if (view->peer && !view->stalled) {
        view->peer->io.inflight = 0;
        spry_conn_touch(&view->peer->conn);
        settle_peer(L, view);
    }
    return 0;
}

static int peer_gc(lua_State *L) {
    peer_view *view = check(L);
    peer *p = view->peer;
    if (p) { /* without tasks it is freed now, else when the app settles */
        spry_conn *conn = &p->conn;
        spry_app *app = spry_container_of(conn->handler, spry_app, handler);
        lua_State *driver = app->L;
        app->L = L;
        p->view = NULL;
        spry_conn_abort(conn);
        if (!p->closing && conn->holds == 1) {
            spry_conn_closed(conn);
            spry_conn_settle(conn);
        }
        app->L = driver;
    }
    spry_buf_free(&view->out);
    return 0;
}

void spryl_peer_open(lua_State *L) {
    static const luaL_Reg methods[] = {{"feed", peer_feed},
                                       {"take", peer_take},
                                       {"closed", peer_closed},
                                       {"finish", peer_finish},
                                       {"hangup", peer_hangup},
                                       {"stall", peer_stall},
                                       {NULL, NULL}};
    if (luaL_newmetatable(L, PEER)) {
        lua_pushcfunction(L, peer_gc);
        lua_setfield(L, -2, "__gc");
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
}

int spryl_connect(lua_State *L) {
    spry_app *app = spryl_app_check(L, 1);
    peer_view *view = lua_newuserdatauv(L, sizeof *view, 0);
    *view = (peer_view){0};
    luaL_setmetatable(L, PEER);
    spryl_app_hold(L, 1);
    peer *p = calloc(1, sizeof *p);
    if (!p) {
        spryl_app_release(L, app);
        return luaL_error(L, "out of memory");
    }
    p->io.ops = &ops, p->view = view;
    view->peer = p;
    spry_conn_init(&p->conn, &app->engine, &p->io, &app->handler);
    spryl_app_release(L, app);
    settle(L, app);
    return 1;
}
