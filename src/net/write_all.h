/* A write that waits. */
#ifndef SPRY_NET_WRITE_ALL_H
#define SPRY_NET_WRITE_ALL_H

#include <stddef.h>

/* Writes all of it to a socket, blocking or not, however long the other side takes for it. 0, or a
 * libuv error: then nobody knows how much of it has gone. */
int spry_write_all(int descriptor, const char *bytes, size_t length);

#endif
