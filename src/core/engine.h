/* What the connections of one loop share: the clock, their deadlines, what is to be settled, and
 * spare memory. It owns the spare memory and the heap, not the connections. Whoever drives it
 * (net/server.c, lua/peer.c) calls spry_engine_advance when time has passed and
 * spry_engine_settle before it waits. */
#ifndef SPRY_CORE_ENGINE_H
#define SPRY_CORE_ENGINE_H

#include "base/buf_pool.h"
#include "base/list.h"
#include "proto/deflate.h"
#include "proto/http.h"

#include <stdint.h>

struct spry_conn;
struct spry_handler;

enum { SPRY_SPARE_HTTP = 16 }; /* request states kept for the next requests */

typedef struct spry_engine {
    uint64_t now; /* ms, monotonic, as spry_engine_advance or the clock said last */
    uint64_t (*clock)(
        const void *of); /* the loop's time; NULL: only spry_engine_advance moves it */
    const void *clock_of;
    bool stopping;                /* no more requests after the running ones */
    uint16_t stop_code;           /* what sessions are closed with then */
    struct spry_handler *handler; /* see spry_engine_hand_over; NULL: each connection has its own */
    spry_list conns;              /* every connection that is not destroyed */
    size_t conn_count;
    spry_list dirty; /* connections to settle */

    /* Deadlines: a binary heap. A connection's key may be earlier than its deadline (it is put
     * off lazily when it comes up), never later. */
    struct spry_conn **heap;
    size_t heap_len, heap_cap;

    spry_buf_pool spare_out; /* output buffers of those who write next */
    spry_http *spare_http[SPRY_SPARE_HTTP];
    size_t spare_http_count;

    spry_deflate_pool deflate; /* of sessions that compress */

    /* What is being parsed, so that a reader can take messages from where they came in. */
    struct spry_conn *driven;
    spry_slice *input;
    spry_buf unmasked; /* the message that it looks at */

    char date[64]; /* "Date: ...\r\n", of date_second */
    size_t date_len;
    int64_t date_second;

    uint64_t serial; /* the last number given to a request or session */
    uint64_t feeds;  /* how often a peer has said something */
    uint64_t epoch;  /* random, so that ids differ between runs */
} spry_engine;

void spry_engine_init(spry_engine *e);

/* Frees what is spare. Every connection must have been destroyed. */
void spry_engine_free(spry_engine *e);

/* The time, ms. A handler may be resumed by a callback that is not the engine's, so it is asked
 * for, not kept. */
static inline uint64_t spry_engine_now(spry_engine *e) {
    if (e->clock) e->now = e->clock(e->clock_of);
    return e->now;
}

/* Sets the time, ms, and does what has come due. */
void spry_engine_advance(spry_engine *e, uint64_t now);

/* Settles every dirty connection, until none is left. False: none was. */
bool spry_engine_settle(spry_engine *e);

/* Nothing is going on: frees what is kept for when something is. */
void spry_engine_rest(spry_engine *e);

/* When spry_engine_advance is needed next, ms; UINT64_MAX for never. */
uint64_t spry_engine_next(const spry_engine *e);

/* From now on `handler` answers: new connections, and those that are open from their next request
 * on. Borrowed. */
void spry_engine_hand_over(spry_engine *e, struct spry_handler *handler);

/* Graceful stop: idle connections close soon, running requests finish; sessions are to be
 * dismissed, with `code`. */
void spry_engine_stop(spry_engine *e, uint16_t code);

/* Closes up to `most` of the sessions that are open, after a stop. How many are left open. */
size_t spry_engine_dismiss(spry_engine *e, size_t most);

/* Ends every connection at once. */
void spry_engine_abort(spry_engine *e);

/* Frees connections that only tasks hold, without running them: the end of everything. Their
 * transports are closed, or are memory. */
void spry_engine_drop(spry_engine *e);

/* The Date field line of now (RFC 9110 section 6.6.1), valid until the next call. */
spry_slice spry_engine_date(spry_engine *e);

/* For connections: enters or updates the heap so that conn->deadline is kept. False: no memory. */
bool spry_engine_arm(spry_engine *e, struct spry_conn *conn) SPRY_MUST_CHECK;

/* For connections: leaves the heap; harmless when not in it. */
void spry_engine_disarm(spry_engine *e, struct spry_conn *conn);

/* A request state, fresh or from the spares; NULL when there is no memory. */
spry_http *spry_engine_take_http(spry_engine *e, const spry_http_limits *limits);

/* Gives it back. */
void spry_engine_give_http(spry_engine *e, spry_http *http);

#endif
