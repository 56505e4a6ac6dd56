/* The numbers that bound a connection. One struct per app, shared and never changed while served.
 */
#ifndef SPRY_CORE_LIMITS_H
#define SPRY_CORE_LIMITS_H

#include "proto/http.h"

#include <stddef.h>
#include <stdint.h>

typedef struct spry_limits {
    spry_http_limits http; /* sizes of any request: what is over them no handler sees */
    uint64_t body;         /* bytes of content, for requests of which nobody says otherwise */

    uint64_t header_timeout;  /* ms from a request's first byte to the end of its head: 408 */
    uint64_t body_timeout;    /* ms for a body, longer while at least SPRY_BODY_RATE is kept: 408 */
    uint64_t idle_timeout;    /* ms without a request: closed */
    uint64_t request_timeout; /* ms until a handler has answered: 503 */
    uint64_t close_timeout;   /* ms for the peer's half of the WebSocket closing handshake */
    uint64_t linger_timeout;  /* ms for the peer's FIN behind ours */
    size_t connections;       /* more than these are answered 503 */
} spry_limits;

/* Bytes a second that earn a slow body more time than body_timeout. */
#define SPRY_BODY_RATE 512

/* Bytes of a request body, of pipelined requests, or of messages that may wait for Lua before
 * the socket is no longer read. */
#define SPRY_INPUT_MARK (64 * 1024)

/* Bytes of output that may wait for the peer before a writer has to wait. */
#define SPRY_OUTPUT_MARK (64 * 1024)

#endif
