/* A connection that has become a WebSocket: liveness, back-pressure, and the closing handshake.
 * See conn.h; the protocol is proto/ws.c. */
#include "core/conn.h"

#include <stdlib.h>

static spry_ws *ws_of(const spry_conn *conn) {
    return &conn->session->ws;
}

/* Sends go through the connection's output; what is appended is flushed when it settles. */
static void prepare_out(spry_conn *conn) {
    (void)spry_conn_out(conn);
}

static void begin_closing(spry_conn *conn) {
    spry_session *s = conn->session;
    if (!s->closing_since) s->closing_since = conn->engine->now ? conn->engine->now : 1;
    spry_conn_touch(conn);
}

static int after_send(spry_conn *conn, int err) {
    if (err == SPRY_ENOMEM) spry_conn_out_of_memory(conn);
    if (err) return err;
    spry_conn_touch(conn);
    return spry_conn_queued(conn) > SPRY_OUTPUT_MARK;
}

int spry_session_send(spry_conn *conn, enum spry_message_kind kind, spry_slice payload) {
    spry_session *s = conn->session;
    if (s->ws.close_sent) return SPRY_ECLOSED;
    prepare_out(conn);
    /* A burst from one call is not the peer's slowness: only what the transport could not get
     * rid of counts. */
    if (conn->out.len + payload.len > SPRY_OUTPUT_MARK && conn->out.len && !conn->lost &&
        conn->io->ops->flush(conn->io, &conn->out))
        spry_conn_abort(conn);
    if (s->ws.close_sent) return SPRY_ECLOSED;
    size_t queued = spry_conn_queued(conn);
    if (queued && queued + payload.len > s->max_buffered) {
        s->dropped++;
        if (s->drop_slow) return 1;
        (void)spry_session_close(conn, SPRY_CLOSE_TRY_AGAIN, spry_slice_lit("too slow"));
        return SPRY_ECLOSED;
    }
    return after_send(conn, spry_ws_send(&s->ws, kind, payload));
}

int spry_session_ping(spry_conn *conn, spry_slice payload) {
    prepare_out(conn);
    return after_send(conn, spry_ws_ping(ws_of(conn), payload));
}

int spry_session_close(spry_conn *conn, uint16_t code, spry_slice reason) {
    prepare_out(conn);
    int err = spry_ws_close(ws_of(conn), code, reason);
    if (err == SPRY_EINVAL) return err;
    if (err) spry_conn_out_of_memory(conn);
    begin_closing(conn);
    return err;
}

/* The session has seen the end: what is owed to the peer may go out. */
static void release_close(spry_conn *conn) {
    prepare_out(conn);
    if (spry_ws_release_close(ws_of(conn))) spry_conn_out_of_memory(conn);
    begin_closing(conn);
}

spry_message *spry_session_next(spry_conn *conn) {
    spry_message *m = spry_ws_next(ws_of(conn));
    if (!m) return NULL;
    if (m->kind == SPRY_CLOSE) release_close(conn);
    spry_conn_touch(conn); /* there may be room for more */
    return m;
}

void spry_session_wait(spry_conn *conn, uint64_t until) {
    conn->session->wait_until = until;
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

bool spry_session_step(spry_conn *conn, spry_slice *input) {
    spry_session *s = conn->session;
    if (!s->started) {
        s->started = true;
        conn->handler->ops->on_session(conn->handler, conn);
        return true;
    }
    if (!input->len || !spry_session_reads(conn)) return false;
    prepare_out(conn); /* pongs */
    int err = spry_ws_feed(&s->ws, input->data, input->len);
    input->len = 0;
    if (err) spry_conn_out_of_memory(conn);
    if (s->ws.ended) begin_closing(conn);
    if (s->over) drop_inbox(conn); /* nobody reads any more: only the Close matters */
    if (s->ws.inbox) conn->wake_input = true;
    return true;
}

bool spry_session_reads(const spry_conn *conn) {
    const spry_session *s = conn->session;
    return s->ws.inbox_bytes < SPRY_INPUT_MARK && spry_conn_queued(conn) <= s->max_buffered &&
           !s->ws.ended;
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

/* A peer can't be heard while its socket is not read. */
static uint64_t dead_at(const spry_conn *conn) {
    const spry_session *s = conn->session;
    return s->dead_after && conn->reading ? conn->last_input + s->dead_after : UINT64_MAX;
}

uint64_t spry_session_deadline(const spry_conn *conn) {
    const spry_session *s = conn->session;
    if (s->closing_since) {
        uint64_t end = s->closing_since + conn->handler->limits.close_timeout;
        return s->wait_until ? sooner(end, s->wait_until) : end;
    }
    uint64_t at = sooner(next_ping(conn), dead_at(conn));
    return s->wait_until ? sooner(at, s->wait_until) : at;
}

void spry_session_tick(spry_conn *conn) {
    spry_session *s = conn->session;
    uint64_t now = conn->engine->now;
    if (s->wait_until && s->wait_until <= now) {
        s->wait_until = 0;
        conn->wake_input = true;
    }
    if (s->closing_since) {
        if (s->closing_since + conn->handler->limits.close_timeout > now) return;
        if (s->ws.ended) release_close(conn); /* the session does not look, the peer waits */
        else spry_conn_abort(conn);
        return;
    }
    if (dead_at(conn) <= now) {
        spry_conn_abort(conn);
    } else if (next_ping(conn) <= now) {
        s->last_ping = now;
        (void)spry_session_ping(conn, (spry_slice){NULL, 0});
    }
}

void spry_session_lost(spry_conn *conn) {
    /* Without memory for the event, the reader that is woken finds the inbox ended and empty. */
    if (spry_ws_lost(ws_of(conn))) ws_of(conn)->ended = true;
    if (conn->session->over) drop_inbox(conn);
    begin_closing(conn);
}
