/* A connection that has become a WebSocket: liveness, back-pressure, and the closing handshake.
 * See conn.h; the protocol is proto/ws.c. */
#include "core/conn.h"

#include "base/utf8.h"
#include "core/topic.h"

#include <stdlib.h>

static spry_ws *ws_of(const spry_conn *conn) {
    return &conn->session->ws;
}

/* Sends go through the connection's output; what is appended is flushed when it settles. */
static void prepare_out(spry_conn *conn) {
    (void)spry_conn_out(conn);
}

/* How long the peer may wait for the answer to its Close, or for the reason of a violation, while
 * the session does not look: what it still owes is worth that much. */
enum { GRACE = 1000 };

static void begin_closing(spry_conn *conn) {
    conn->session->closing = true;
    if (conn->session->ws.close_sent) spry_hub_leave(conn->session);
    spry_conn_touch(conn);
}

static inline int after_send(spry_conn *conn, int err) {
    if (err == SPRY_ENOMEM) spry_conn_abort(conn);
    if (err) return err;
    spry_conn_touch(conn);
    return spry_conn_queued(conn) > spry_conn_mark(conn);
}

/* A burst from one call is not the peer's slowness: only what the transport could not get rid of
 * counts. */
static void make_room(spry_conn *conn, size_t more) {
    size_t most = conn->session->max_buffered;
    if (most > SPRY_OUTPUT_MARK) most = SPRY_OUTPUT_MARK;
    if (conn->out.len && conn->out.len + more > most) spry_conn_flush(conn);
}

/* Whether more waits for the peer than is allowed. */
static bool is_slow(const spry_conn *conn) {
    return spry_conn_queued(conn) > conn->session->max_buffered;
}

/* Whether `len` bytes more may be appended: 0; 1 when they are dropped instead; SPRY_ECLOSED. */
static inline int admit(spry_conn *conn, size_t len) {
    spry_session *s = conn->session;
    if (s->ws.close_sent) return SPRY_ECLOSED;
    prepare_out(conn);
    make_room(conn, len);
    if (s->ws.close_sent) return SPRY_ECLOSED;
    if (is_slow(conn)) {
        s->dropped++;
        conn->handler->counters.messages_dropped++;
        if (s->drop_slow) return 1;
        conn->handler->counters.slow_closes++;
        (void)spry_session_close(conn, SPRY_CLOSE_TRY_AGAIN, spry_slice_lit("too slow"));
        return SPRY_ECLOSED;
    }
    conn->handler->counters.messages_out++;
    return SPRY_OK;
}

int spry_session_send(spry_conn *conn, enum spry_message_kind kind, spry_slice payload) {
    int refused = admit(conn, payload.len);
    return refused ? refused : after_send(conn, spry_ws_send(ws_of(conn), kind, payload));
}

bool spry_session_pass_on(spry_conn *conn, spry_slice frame) {
    if (admit(conn, frame.len)) return false;
    return after_send(conn, spry_buf_append(&conn->out, frame.data, frame.len)) >= 0;
}

int spry_session_ping(spry_conn *conn, spry_slice payload) {
    if (ws_of(conn)->close_sent) return SPRY_ECLOSED;
    prepare_out(conn);
    if (is_slow(conn)) return 1; /* it would not be heard in time */
    return after_send(conn, spry_ws_ping(ws_of(conn), payload));
}

int spry_session_close(spry_conn *conn, uint16_t code, spry_slice reason) {
    prepare_out(conn);
    int err = spry_ws_close(ws_of(conn), code, reason);
    if (err == SPRY_EINVAL) return err;
    if (err) spry_conn_abort(conn);
    begin_closing(conn);
    return err;
}

/* The session has seen the end: what is owed to the peer may go out. */
static void release_close(spry_conn *conn) {
    prepare_out(conn);
    if (spry_ws_release_close(ws_of(conn))) spry_conn_abort(conn);
    begin_closing(conn);
}

/* Whether more may be read, if need be when what waits for the peer was flushed. */
static bool may_read(spry_conn *conn) {
    if (spry_session_reads(conn)) return true;
    spry_conn_flush(conn);
    return spry_session_reads(conn);
}

/* A message that is still in the input; what is wrong with it is left to the parser. */
static bool look_at_input(spry_conn *conn, spry_next *next) {
    spry_engine *e = conn->engine;
    spry_whole whole;
    if (e->driven != conn || !may_read(conn) || !spry_ws_peek(ws_of(conn), *e->input, &whole))
        return false;
    e->unmasked.len = 0;
    if (spry_buf_reserve(&e->unmasked, whole.payload.len + 1)) return false;
    spry_whole_copy(&whole, e->unmasked.data);
    next->kind = whole.opcode, next->code = 0;
    next->data = spry_slice_of(e->unmasked.data, whole.payload.len);
    next->at = e->input->data, next->size = whole.size;
    return next->kind == SPRY_BINARY || spry_utf8_valid(next->data);
}

bool spry_session_look(spry_conn *conn, spry_next *next) {
    const spry_message *m = ws_of(conn)->inbox;
    if (!m) return look_at_input(conn, next);
    *next = (spry_next){.kind = m->kind, .code = m->code, .data = {m->data, m->len}, .at = m};
    return true;
}

void spry_session_take(spry_conn *conn, const spry_next *next) {
    if (next->kind != SPRY_CLOSE) conn->handler->counters.messages_in++;
    if (next->size) {
        spry_slice *input = conn->engine->input;
        if (conn->engine->driven == conn && input->data == next->at)
            input->data += next->size, input->len -= next->size;
        return;
    }
    if (ws_of(conn)->inbox != next->at) return;
    spry_message *m = spry_ws_next(ws_of(conn));
    if (m->kind == SPRY_CLOSE) release_close(conn);
    free(m);
    if (conn->state == SPRY_CONN_CLOSED) conn->since = spry_engine_now(conn->engine);
    spry_conn_touch(conn); /* there may be room for more */
}

void spry_session_wait(spry_conn *conn, uint64_t ms) {
    spry_session *s = conn->session;
    s->wait_for = ms, s->wait_until = 0, s->timed_out = false;
    spry_conn_touch(conn);
}

static void drop_inbox(spry_conn *conn) {
    for (spry_message *m; (m = spry_ws_next(ws_of(conn)));) {
        if (m->kind == SPRY_CLOSE) release_close(conn);
        free(m);
    }
}

void spry_session_over(spry_conn *conn, uint16_t code) {
    spry_session *s = conn->session;
    s->over = true;
    drop_inbox(conn);
    if (!s->ws.close_sent) (void)spry_session_close(conn, code, (spry_slice){NULL, 0});
}

/* A peer that ends its side without a Close is lost; one that has sent it gets the answer. */
static bool end_of_input(spry_conn *conn) {
    if (!conn->eof || conn->session->ws.ended || conn->lost) return false;
    spry_conn_abort(conn);
    return true;
}

/* A reader who waits takes whole messages from where they came in: none of them is put into the
 * inbox. False when there is no such message, or nobody who takes it. */
static bool reader_takes(spry_conn *conn, const spry_slice *input) {
    spry_whole whole;
    size_t before = input->len;
    if (conn->session->over || !spry_ws_peek(ws_of(conn), *input, &whole)) return false;
    conn->handler->ops->on_input(conn->handler, conn);
    return input->len != before;
}

bool spry_session_step(spry_conn *conn, spry_slice *input) {
    spry_session *s = conn->session;
    if (!s->started) {
        s->started = true;
        conn->handler->ops->on_session(conn->handler, conn);
        return true;
    }
    if (s->ws.ended) input->len = 0;
    if (!input->len && !s->ws.pong_due) return end_of_input(conn);
    if (reader_takes(conn, input)) return true;
    bool reads = may_read(conn);
    if (!reads && !s->ws.pong_due) return false;
    spry_slice nothing = {NULL, 0};
    prepare_out(conn); /* pongs */
    int err = spry_ws_feed(&s->ws, reads ? input : &nothing);
    if (err) spry_conn_abort(conn);
    if (s->ws.ended) begin_closing(conn);
    if (s->over) drop_inbox(conn); /* nobody reads any more: only the Close matters */
    if (s->ws.inbox) conn->wake_input = true;
    return true;
}

/* An echo to a slow peer must not get to the point where messages are dropped. */
bool spry_session_reads(const spry_conn *conn) {
    const spry_session *s = conn->session;
    return s->ws.inbox_bytes < SPRY_INPUT_MARK && !s->ws.ended &&
           spry_conn_queued(conn) <= spry_conn_mark(conn);
}

/* ---- time ---- */

static uint64_t sooner(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t next_ping(const spry_conn *conn) {
    const spry_session *s = conn->session;
    if (!s->ping_interval) return UINT64_MAX;
    uint64_t last = conn->last_input > s->last_ping ? conn->last_input : s->last_ping;
    return last + s->ping_interval;
}

/* When a peer that does not say anything is taken for lost. It can't be heard while its socket is
 * not read. */
static uint64_t silent_at(const spry_conn *conn) {
    const spry_session *s = conn->session;
    return s->dead_after && conn->reading ? conn->last_input + s->dead_after : UINT64_MAX;
}

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* Since when a peer has not taken what waits for it; only while something does. */
static uint64_t stalled_since(const spry_conn *conn) {
    return later(conn->session->stalled_since, conn->since);
}

/* When it is taken for lost. */
static uint64_t stalled_at(const spry_conn *conn) {
    const spry_session *s = conn->session;
    return s->dead_after && s->stalled_since ? stalled_since(conn) + s->dead_after : UINT64_MAX;
}

/* Closing: the time for the answer begins when the session has said all and the peer has got it. */
static uint64_t closed_at(const spry_conn *conn) {
    const spry_session *s = conn->session;
    const spry_limits *l = &conn->handler->limits;
    if (!s->ws.close_sent) return s->closing_since + GRACE;
    if (s->stalled_since)
        return stalled_since(conn) + (is_slow(conn) ? l->close_timeout : l->idle_timeout);
    return later(conn->since, s->closing_since) + l->close_timeout;
}

/* What begins while a handler runs is timed here, when the connection settles: the clock stands
 * still for a handler, and may be old for one that somebody else has resumed. */
static void start_timers(spry_conn *conn) {
    spry_session *s = conn->session;
    uint64_t now = spry_engine_now(conn->engine);
    if (s->closing && !s->closing_since) s->closing_since = now ? now : 1;
    if (s->wait_for && !s->wait_until) s->wait_until = now + s->wait_for;
    if (!spry_conn_queued(conn)) {
        if (s->stalled_since) conn->since = now;
        s->stalled_since = 0;
    } else if (!s->stalled_since) {
        s->stalled_since = now ? now : 1;
        (void)spry_conn_is_sending(conn); /* from here on */
    }
}

uint64_t spry_session_deadline(spry_conn *conn) {
    const spry_session *s = conn->session;
    start_timers(conn);
    uint64_t at = s->wait_until ? s->wait_until : UINT64_MAX;
    if (s->closing) return sooner(at, closed_at(conn));
    return sooner(sooner(at, stalled_at(conn)), sooner(next_ping(conn), silent_at(conn)));
}

static void tick_closing(spry_conn *conn) {
    const spry_session *s = conn->session;
    if (closed_at(conn) > spry_engine_now(conn->engine)) return;
    if (!s->ws.close_sent)
        release_close(conn); /* the session does not look, the peer waits */
    else
        spry_conn_abort(conn);
}

void spry_session_tick(spry_conn *conn) {
    spry_session *s = conn->session;
    uint64_t now = spry_engine_now(conn->engine);
    if (s->wait_until && s->wait_until <= now) {
        s->wait_for = s->wait_until = 0;
        s->timed_out = true;
        conn->wake_input = true;
    }
    if (s->stalled_since) (void)spry_conn_is_sending(conn); /* then its time begins anew */
    if (s->closing) {
        tick_closing(conn);
    } else if (sooner(silent_at(conn), stalled_at(conn)) <= now) {
        spry_conn_abort(conn);
    } else if (next_ping(conn) <= now) {
        s->last_ping = now;
        conn->wake_input = true; /* its coroutine may have been closed by somebody else */
        (void)spry_session_ping(conn, (spry_slice){NULL, 0});
    }
}

void spry_session_tell_closed(spry_conn *conn) {
    spry_session *s = conn->session;
    if (s->told_closed || !s->ws.close_sent) return;
    s->told_closed = true;
    conn->depth++;
    conn->handler->ops->on_closed(conn->handler, conn);
    conn->depth--;
}

void spry_session_lost(spry_conn *conn) {
    /* Without memory for the event, the reader that is woken finds the inbox ended and empty. */
    if (spry_ws_lost(ws_of(conn))) ws_of(conn)->ended = true;
    if (conn->session->over) drop_inbox(conn);
    begin_closing(conn);
}
