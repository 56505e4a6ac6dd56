/* The seam above a connection: who answers its requests. The Lua side (lua/app.c) fills it; a
 * connection knows nothing of Lua. All calls come from the loop, never from inside a parser, and
 * whatever they run may call any spry_conn_* function meant for handlers. */
#ifndef SPRY_CORE_HANDLER_H
#define SPRY_CORE_HANDLER_H

#include "core/counters.h"
#include "core/limits.h"

struct spry_conn;
struct spry_handler;

typedef struct spry_handler_ops {
    /* A connection begins, or comes over from another handler; ends in on_destroy. */
    void (*on_create)(struct spry_handler *h, struct spry_conn *conn);
    /* A request's head, and maybe its body, is here: answer it now or later. */
    void (*on_request)(struct spry_handler *h, struct spry_conn *conn);
    /* The 101 is in the output: start the session. */
    void (*on_session)(struct spry_handler *h, struct spry_conn *conn);
    /* Body bytes, the body's end or failure, a message, or a reader's deadline: wake a reader. */
    void (*on_input)(struct spry_handler *h, struct spry_conn *conn);
    /* Output has drained under the mark, or the peer is gone: wake whoever waits to write. */
    void (*on_drain)(struct spry_handler *h, struct spry_conn *conn);
    /* A session can't be sent anything any more; it may go on. */
    void (*on_closed)(struct spry_handler *h, struct spry_conn *conn);
    /* Whoever is answering the request, or running the session, is given up: its deadline has
     * passed, or the server ends. What there is to answer is written by the connection. */
    void (*on_abandon)(struct spry_handler *h, struct spry_conn *conn);
    /* The connection answered by itself, or gave up. `why` is a sentence for the log. */
    void (*on_refused)(struct spry_handler *h, struct spry_conn *conn, int status, const char *why);
    /* The connection is being freed, or goes over to another handler: forget it. */
    void (*on_destroy)(struct spry_handler *h, struct spry_conn *conn);
    /* The loop is about to wait; what this changes is settled before. Only a server calls this. */
    void (*on_turn)(struct spry_handler *h);
    /* Nobody has said anything for a while: time to tidy up, for some milliseconds. True: there is
     * more to do. Only a server calls this. */
    bool (*on_rest)(struct spry_handler *h);
} spry_handler_ops;

typedef struct spry_handler {
    const spry_handler_ops *ops;
    spry_limits limits;
    spry_counters counters;
} spry_handler;

#endif
