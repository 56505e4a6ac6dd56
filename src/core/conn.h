/* A connection's life, from its first byte to its last, whatever carries it (transport.h) and
 * whoever answers it (handler.h).
 *
 *              head complete        answered                    body read past
 *   IDLE ─► HEAD ─────────► SERVING ────────► (SKIPPING) ─► IDLE ─► …
 *     │      │                 │ 101
 *     │      │                 └──► OPEN (a WebSocket) ─┐ both Close frames, or lost
 *     └──────┴── malformed, idle, last answer ──────────┴► DRAINING ─► LINGERING ─► CLOSED
 *
 * DRAINING sends what is left and then FIN; LINGERING drops what still comes, so that no reset
 * eats the last answer (RFC 9112 section 9.6).
 *
 * Lifetime: a connection is embedded in its transport. It lives while somebody holds it: the
 * transport until spry_conn_closed, each task that the handler runs on it, and every call that
 * is inside it. It is freed by spry_conn_settle and nowhere else. So a handler may go on reading
 * its request, and a session its messages, after the peer is gone.
 *
 * Handlers only append to the output and change state; only spry_conn_settle, which runs when no
 * handler is inside the connection, parses on, flushes, closes and frees. */
#ifndef SPRY_CORE_CONN_H
#define SPRY_CORE_CONN_H

#include "base/list.h"
#include "core/engine.h"
#include "core/handler.h"
#include "core/transport.h"
#include "proto/http.h"
#include "proto/ws.h"

#define SPRY_NOT_ARMED UINT32_MAX

enum spry_conn_state {
    SPRY_CONN_IDLE,      /* between requests */
    SPRY_CONN_HEAD,      /* inside a request's head */
    SPRY_CONN_SERVING,   /* the handler has the request; its body may still be coming */
    SPRY_CONN_SKIPPING,  /* answered; the rest of the body is read and dropped */
    SPRY_CONN_OPEN,      /* a WebSocket, its closing handshake included */
    SPRY_CONN_DRAINING,  /* the last output, then FIN */
    SPRY_CONN_LINGERING, /* FIN is sent; input is dropped until the peer's */
    SPRY_CONN_CLOSED,    /* the transport is closed or closing */
};

/* What a WebSocket has beside its protocol state; times in ms, 0 for off. */
typedef struct spry_session {
    spry_ws ws;
    size_t max_buffered;    /* output that may wait for a slow peer, bytes */
    bool drop_slow;         /* over it: drop the message, else close 1013 */
    bool started;           /* on_session was called */
    bool over;              /* the session function has ended */
    bool closing;           /* the closing handshake has begun */
    bool timed_out;         /* the reader's patience has ended */
    bool told_closed;       /* on_closed was called */
    uint64_t ping_interval; /* of silence before a ping is sent */
    uint64_t dead_after;    /* of silence after which the peer is taken for lost */
    uint64_t last_ping;     /* when */
    uint64_t closing_since; /* when that was noticed, 0 before it */
    uint64_t wait_for;      /* a reader's patience, 0 for endless */
    uint64_t wait_until;    /* when it ends, 0 for never or not begun */
    uint64_t stalled_since; /* output waits for the peer since then, or was last taken; else 0 */
    uint64_t dropped;       /* messages not queued because the peer was slow */
    spry_list topics;       /* its subscriptions, see topic.h; none once a Close was sent */
} spry_session;

typedef struct spry_conn {
    enum spry_conn_state state;
    unsigned depth;       /* calls inside this connection that may be running a handler */
    unsigned holds;       /* see the lifetime above */
    bool reading;         /* the transport has been asked to read */
    bool eof;             /* the peer has ended its side */
    bool lost;            /* nothing can be sent any more */
    bool close_after;     /* the running request is the last */
    bool answered;        /* the head of the response is in the output */
    bool broken_off;      /* what was sent must not look complete */
    bool live;            /* the response ends with its reader */
    bool endless;         /* and with nothing else but the server */
    bool wants_body;      /* a reader waits for more of the body */
    bool wake_input;      /* on_input is due */
    bool wake_drain;      /* on_drain is due once output is under the mark */
    uint32_t heap_at;     /* see engine.h */
    int body_status;      /* why the body failed (400, 408, 413), 0 while it has not */
    uint64_t body_limit;  /* bytes of content that the running request may have */
    const char *body_why; /* body_status as a static sentence */
    spry_engine *engine;
    spry_transport *io;
    spry_handler *handler;
    void *task;            /* the handler's */
    spry_buf in, out;      /* bytes not yet parsed, and not yet flushed */
    spry_http *http;       /* from HEAD to the end of SERVING or SKIPPING */
    spry_session *session; /* from OPEN on */
    uint64_t since;        /* when the state or the wait for a body began, or output went out; ms */
    uint64_t last_input;   /* ms; time in which reading was stopped does not count */
    uint64_t paused_at;    /* when reading was stopped last */
    uint64_t flushed;      /* output handed to the transport, bytes */
    uint64_t sent_before;  /* how much of that had gone out at the last deadline */
    uint64_t deadline, heap_key; /* see engine.h */
    spry_list link, dirty;       /* in the engine */
} spry_conn;

/* ---- for transports, when no handler runs, or from a handler through memory ---- */

/* Begins the life. The transport starts to read when it is told to. The caller settles. */
void spry_conn_init(spry_conn *conn, spry_engine *engine, spry_transport *io,
                    spry_handler *handler);

/* Takes bytes from the peer. The connection may be freed when this returns, as in the next two. */
void spry_conn_feed(spry_conn *conn, const char *data, size_t n);

/* The peer has ended its side. */
void spry_conn_eof(spry_conn *conn);

/* The transport broke: nothing can be read or sent any more. */
void spry_conn_lost(spry_conn *conn);

/* Everything that was in flight has been sent. */
void spry_conn_sent(spry_conn *conn);

/* The transport is closed: it lets the connection go. */
void spry_conn_closed(spry_conn *conn);

/* ---- for the engine ---- */

/* Goes on with everything that is possible now; the only place that flushes, closes and frees. */
void spry_conn_settle(spry_conn *conn);

/* The deadline has passed. */
void spry_conn_tick(spry_conn *conn);

/* The engine stops: no more requests; a session is closed. Takes effect when settled. */
void spry_conn_stop(spry_conn *conn);

/* Ends the connection. Takes effect when settled; readers and writers are woken. */
void spry_conn_abort(spry_conn *conn);

/* The same without waiting for whoever is still busy with it. */
void spry_conn_give_up(spry_conn *conn);

/* ---- for handlers (exchange.c) ---- */

void spry_conn_hold(spry_conn *conn);
void spry_conn_release(spry_conn *conn);

/* The peer's address as text; `room` of 64 is enough. */
void spry_conn_address(spry_conn *conn, char *to, size_t room);

/* Has the connection settled before the loop waits. */
void spry_conn_touch(spry_conn *conn);

enum spry_body { SPRY_BODY_BYTES, SPRY_BODY_END, SPRY_BODY_WAIT, SPRY_BODY_FAILED };

/* What a reader of the body gets: bytes (valid until spry_conn_body_taken), the end, or a failure
 * (conn->body_status). WAIT: on_input will tell; the client is told to continue when it waits
 * for that. */
enum spry_body spry_conn_body(spry_conn *conn, spry_slice *bytes);

/* The bytes were copied; there is room for more. */
void spry_conn_body_taken(spry_conn *conn);

/* The output, to append a response to. */
spry_buf *spry_conn_out(spry_conn *conn);

/* Decides, when a response's head is written, whether another request may follow it; `wanted` is
 * false when the handler asked for a close. */
bool spry_conn_keep_alive(spry_conn *conn, bool wanted);

/* The response is complete in the output. */
void spry_conn_reply_done(spry_conn *conn);

/* There is no proper response: a canned one instead, or, when a head is out already, the end of
 * the connection, so that the client sees that the response is broken off. */
void spry_conn_reply_failed(spry_conn *conn, int status, const char *why);

/* Output that the peer has not taken yet, bytes. */
size_t spry_conn_queued(const spry_conn *conn);

/* How much output may wait before a writer has to: SPRY_OUTPUT_MARK, for a session at most half of
 * what it may have. */
size_t spry_conn_mark(const spry_conn *conn);

/* Asks for on_drain when the output is under the mark again, or never will be. */
void spry_conn_want_drain(spry_conn *conn);

/* Makes the connection a WebSocket, as soon as the 101 is complete. `options` gives the settings;
 * its protocol state is made here, with what the 101 says of compression. 0 or SPRY_ENOMEM: then
 * nothing has changed. */
int spry_conn_upgrade(spry_conn *conn, const spry_session *options, size_t max_message,
                      const spry_deflate_terms *terms) SPRY_MUST_CHECK;

/* ---- for sessions (session.c) ---- */

/* Sends a message. 0; 1 when it is queued but output is over the mark, or when it was dropped
 * because the peer is slow; SPRY_ECLOSED; SPRY_ENOMEM. */
int spry_session_send(spry_conn *conn, enum spry_message_kind kind, spry_slice payload);
int spry_session_ping(spry_conn *conn, spry_slice payload);

/* Sends a message that is a frame already, one of many copies. False: it was not queued. */
bool spry_session_pass_on(spry_conn *conn, spry_slice frame);

/* Begins the closing handshake; SPRY_EINVAL as spry_ws_close. */
int spry_session_close(spry_conn *conn, uint16_t code, spry_slice reason);

/* The message that a session gets next; its data is valid until it is taken. */
typedef struct spry_next {
    enum spry_message_kind kind;
    uint16_t code; /* of a SPRY_CLOSE */
    spry_slice data;
    const void *at; /* where it is: in the inbox, or in the input */
    size_t size;    /* of its frame in the input; 0 in the inbox */
} spry_next;

/* Looks at the next message. False when there is none yet. */
bool spry_session_look(spry_conn *conn, spry_next *next);

/* Takes the message that was looked at, if nobody else has meanwhile: a finalizer of the state may
 * run whenever something is made of a message, and may do what it likes. */
void spry_session_take(spry_conn *conn, const spry_next *next);

/* A reader begins to wait, for `ms` or, when that is 0, for as long as it takes; session->timed_out
 * tells it when that was too long. */
void spry_session_wait(spry_conn *conn, uint64_t ms);

/* The session function has ended: close with `code` unless that has happened already. */
void spry_session_over(spry_conn *conn, uint16_t code);

/* ---- between conn.c, deadline.c, exchange.c and session.c ---- */

void spry_conn_set_state(spry_conn *conn, enum spry_conn_state state);

/* Forgets the request. */
void spry_conn_give_http(spry_conn *conn);

/* The request is over: on to the next. False when there is none. */
bool spry_conn_next_request(spry_conn *conn);

/* The body can't be read to its end: its reader gets `status` and a static sentence. */
void spry_conn_fail_body(spry_conn *conn, int status, const char *why);

/* The next moment at which something must happen by itself, ms; UINT64_MAX for never. */
uint64_t spry_conn_deadline(spry_conn *conn);

/* That moment has come. */
void spry_conn_expire(spry_conn *conn);

/* The request can't be read: it is answered with `status`, and is the last. */
void spry_conn_refuse(spry_conn *conn, int status, const char *why);

/* Tells the handler that a request is answered without it. */
void spry_conn_tell_refused(spry_conn *conn, int status, const char *why);

/* Ends a connection between requests: there is no answer that a reset could eat, so that it need
 * not linger. */
void spry_conn_end_idle(spry_conn *conn);

/* Closes the transport. */
void spry_conn_close_now(spry_conn *conn);

/* Parses and delivers. True when something was done. */
bool spry_session_step(spry_conn *conn, spry_slice *input);

/* Whether the next bytes from the peer may be read. */
bool spry_session_reads(const spry_conn *conn);

/* The next moment at which something must happen, ms. Called when the connection settles. */
uint64_t spry_session_deadline(spry_conn *conn);

/* That moment has come. */
void spry_session_tick(spry_conn *conn);

/* Tells the handler, once, that nothing can be sent any more. Called when the connection settles,
 * and at its end. */
void spry_session_tell_closed(spry_conn *conn);

/* The connection broke. */
void spry_session_lost(spry_conn *conn);

/* Hands the output to the transport. */
void spry_conn_flush(spry_conn *conn);

/* The same with bytes behind it that are too many to be copied: what the transport takes at once
 * never is. They may go when this returns. */
void spry_conn_flush_with(spry_conn *conn, spry_slice more);

/* Whether the peer has taken output, however slowly, since the last time somebody asked. */
bool spry_conn_is_sending(spry_conn *conn);

#endif
