/* Listening sockets that outlive those who accept from them: made by one process, handed down to
 * others. Several of one address share it (SO_REUSEPORT): the kernel deals connections out. */
#ifndef SPRY_NET_RESERVE_H
#define SPRY_NET_RESERVE_H

#include <uv.h>

/* How many connections may wait to be accepted. */
enum { SPRY_BACKLOG = 4096 };

/* The most processes that serve, and so the most sockets that are made at a time. */
enum { SPRY_MOST_WORKERS = 256 };

/* The first address of a name. 0 or a libuv error. */
int spry_resolve(uv_loop_t *loop, const char *host, int port, struct sockaddr_storage *to);

/* The port of an address. */
int spry_port_of(const struct sockaddr_storage *address);

/* Makes `count` listening sockets of one address; port 0 takes any, and `port` is set to the one
 * taken. The caller owns the descriptors, which are closed when another program is run. 0 or a
 * libuv error: then there are none. */
int spry_reserve(uv_loop_t *loop, const char *host, int *port, int count, int *descriptors);

#endif
