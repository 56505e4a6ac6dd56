/* A write that waits, and meanwhile reads: with both sides waiting for room, nobody would read. */
#ifndef SPRY_NET_WRITE_ALL_H
#define SPRY_NET_WRITE_ALL_H

#include "base/buf.h"

/* Writes all of it to a socket that does not block, however long the other side takes for it. What
 * comes while there is no room is appended to `received`, up to a bound. 0, or a libuv error: then
 * nobody knows how much of it has gone. */
int spry_write_all(int descriptor, spry_slice bytes, spry_buf *received);

/* Appends what has come, up to that bound; when that is nothing, what comes within so many
 * milliseconds. True: nothing comes after it. */
bool spry_read_all(int descriptor, int patience, spry_buf *received);

#endif
