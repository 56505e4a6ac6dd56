/* The listener, and the clock of its connections, on a loop that others share. Embedded by its
 * owner, who keeps it until `closed`. */
#ifndef SPRY_NET_SERVER_H
#define SPRY_NET_SERVER_H

#include "core/conn.h"

#include <uv.h>

enum { SPRY_READ_MAX = 256 * 1024 }; /* bytes that are read at once */

typedef struct spry_server {
    uv_loop_t *loop;
    uv_tcp_t listener;
    uv_prepare_t settle;    /* before the loop waits: what callbacks have changed is settled */
    uv_timer_t deadline;    /* for the engine's next deadline */
    uint64_t deadline_at;   /* what it is set to, ms; UINT64_MAX when stopped */
    uint64_t overdue_since; /* when a deadline was met last, ms: what was due by then is overdue */
    uv_timer_t patience;    /* how long a graceful stop may take */
    uv_timer_t dismissal;   /* sends sessions away while it does */
    size_t dismissed;       /* at a time */
    uv_timer_t rest;        /* looks now and then, after something was said, whether that goes on */
    uint64_t feeds_seen;    /* engine.feeds when it looked last */
    spry_engine engine;
    size_t streams;   /* TCP handles that are not closed */
    unsigned handles; /* our own handles that are not closed */
    bool stopping;
    char *read_buf; /* SPRY_READ_MAX; every read is consumed before the next */
} spry_server;

/* Prepares the server; it owns handles from here on, which spry_server_close returns. 0 or a
 * libuv error, after which only spry_server_close may be called. */
int spry_server_init(spry_server *server, uv_loop_t *loop, spry_handler *handler);

/* Binds and listens. `host` is an address or a name; port 0 takes any, and `port` is set to the
 * one taken. 0 or a libuv error. */
int spry_server_listen(spry_server *server, const char *host, int *port);

/* Accepts from a socket that listens already (see reserve.h), and owns it from here on. */
int spry_server_adopt(spry_server *server, int descriptor, int *port);

/* Stops gracefully: no more connections; running requests finish, sessions get `code`. Many of them
 * leave one after the other, so that they don't all come back at once. After `timeout` ms what is
 * left is cut off. Then the loop is stopped. */
void spry_server_stop(spry_server *server, uint64_t timeout, uint16_t code);

/* Closes every handle of the server; the loop must run until `handles` is 0. Connections must be
 * gone. */
void spry_server_close(spry_server *server);

/* Frees what the engine holds, after the last connection. */
void spry_server_free(spry_server *server);

/* For streams: one TCP handle less. */
void spry_server_stream_closed(spry_server *server);

#endif
