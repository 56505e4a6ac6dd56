/* The seam below a connection: what carries its bytes. Sockets (net/stream.c) and memory
 * (lua/peer.c) are two fillings.
 *
 * A transport embeds its spry_conn, calls spry_conn_feed, _eof, _lost and _sent when something
 * happened, and is told what to do by these operations. None of them may call the connection
 * back, except from the loop later. */
#ifndef SPRY_CORE_TRANSPORT_H
#define SPRY_CORE_TRANSPORT_H

#include "base/buf.h"

#include <stdbool.h>

struct spry_transport;

typedef struct spry_transport_ops {
    /* Takes all bytes of `out` (it swaps or copies) and leaves it empty, and those of `more`, which
     * come behind them and stay the caller's. What cannot be sent at once is counted in `inflight`
     * until spry_conn_sent. Negative: the connection broke. */
    int (*flush)(struct spry_transport *t, spry_buf *out, spry_slice more);
    /* Brings `inflight` up to date: some of it may have gone out already. */
    void (*progress)(struct spry_transport *t);
    /* Starts or stops reading. */
    void (*read)(struct spry_transport *t, bool on);
    /* Ends the sending side, behind what is in flight (TCP FIN). */
    void (*shutdown)(struct spry_transport *t);
    /* Closes at once, with a TCP RST when the peer must not take what it got for complete;
     * asynchronous, ends in spry_conn_closed. Called once. */
    void (*close)(struct spry_transport *t, bool reset);
    /* Frees the transport and the connection in it. The last call. */
    void (*destroy)(struct spry_transport *t);
    /* Writes the peer's address, with a final NUL. */
    void (*address)(struct spry_transport *t, char *to, size_t room);
} spry_transport_ops;

typedef struct spry_transport {
    const spry_transport_ops *ops;
    size_t inflight; /* bytes taken by flush and not yet sent */
} spry_transport;

#endif
