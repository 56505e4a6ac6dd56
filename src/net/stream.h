/* A TCP connection as a transport (core/transport.h). The stream owns its handle and embeds the
 * connection; it is freed when the connection lets it go, after the handle was closed. */
#ifndef SPRY_NET_STREAM_H
#define SPRY_NET_STREAM_H

#include "core/conn.h"

#include <uv.h>

struct spry_server;

struct spry_write;

typedef struct spry_stream {
    spry_transport io;
    uv_tcp_t tcp;
    struct spry_write *write; /* what the kernel did not take at once, NULL when there is none */
    bool closing;             /* uv_close was called */
    struct spry_server *server;
    spry_conn conn;
} spry_stream;

/* Accepts a connection that the listener announced. 0, or a libuv error. */
int spry_stream_accept(struct spry_server *server);

#endif
