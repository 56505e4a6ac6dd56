/* When something must happen to a connection by itself, and what. */
#include "core/conn.h"

/* ---- when ---- */

/* How long a request may be under way to us. When the server stops, it gets a second, also when
 * nothing of it is here: its client may have sent it before he could know. */
static uint64_t patience(const spry_conn *conn, uint64_t timeout) {
    enum { STOPPING = 1000 };
    return conn->engine->stopping && timeout > STOPPING ? STOPPING : timeout;
}

uint64_t spry_conn_deadline(spry_conn *conn) {
    const spry_limits *l = &conn->handler->limits;
    switch (conn->state) {
    case SPRY_CONN_IDLE: return conn->since + patience(conn, l->idle_timeout);
    case SPRY_CONN_HEAD: return conn->since + patience(conn, l->header_timeout);
    case SPRY_CONN_SKIPPING: return conn->since + l->body_timeout;
    case SPRY_CONN_SERVING:
        if (conn->wants_body)
            return conn->since + l->body_timeout +
                   conn->http->body_received * 1000 / SPRY_BODY_RATE;
        if (!conn->answered) return conn->last_input + l->request_timeout;
        /* A response that is being streamed may take its time, its reader may not. Nor is one that
         * has ended its side waited for without a word: nothing would tell that it is gone. */
        return conn->wake_drain || conn->eof ? conn->since + l->idle_timeout : UINT64_MAX;
    case SPRY_CONN_OPEN: return spry_session_deadline(conn);
    case SPRY_CONN_DRAINING: return conn->since + l->idle_timeout;
    case SPRY_CONN_LINGERING: return conn->since + l->linger_timeout;
    case SPRY_CONN_CLOSED: break;
    }
    /* A session may outlive its connection, and its coroutine may be closed by somebody else
     * without a word: now and then its handler looks. */
    return conn->session ? conn->since + l->close_timeout : UINT64_MAX;
}

/* ---- what ---- */

/* Whether output has gone out since the last time somebody asked. */
static bool has_sent(spry_conn *conn) {
    uint64_t before = conn->sent_before;
    conn->io->ops->progress(conn->io);
    conn->sent_before = conn->flushed - conn->io->inflight;
    if (conn->sent_before == before) return false;
    conn->since = spry_engine_now(conn->engine);
    return true;
}

bool spry_conn_is_sending(spry_conn *conn) {
    return has_sent(conn) && spry_conn_queued(conn);
}

static void tick_serving(spry_conn *conn) {
    if (conn->wants_body) {
        spry_conn_fail_body(conn, 408, "the request body took longer than limits.bodyTimeout");
    } else if (conn->answered) {
        if (!has_sent(conn)) spry_conn_abort(conn); /* its reader has stalled, or gone unheard */
    } else {
        conn->handler->ops->on_abandon(conn->handler, conn);
        spry_conn_tell_refused(conn, 503, "the handler took longer than limits.requestTimeout");
        spry_conn_reply_failed(conn, 503, "the server took too long to answer");
    }
}

/* A session that has taken nothing for a while of what it could still read, waits for something
 * else, and might do so for ever: it is given up, so that its to-be-closed variables run. */
static void tick_closed(spry_conn *conn) {
    spry_conn_set_state(conn, SPRY_CONN_CLOSED);
    if (conn->session && !conn->session->over && conn->session->ws.inbox)
        conn->handler->ops->on_abandon(conn->handler, conn);
    else
        conn->wake_input = true;
}

void spry_conn_expire(spry_conn *conn) {
    switch (conn->state) {
    case SPRY_CONN_HEAD:
        if (conn->engine->stopping)
            spry_conn_end_idle(conn); /* nothing was asked yet */
        else
            spry_conn_refuse(conn, 408, "the request head took longer than limits.headerTimeout");
        break;
    case SPRY_CONN_IDLE:
        if (!spry_conn_is_sending(conn)) spry_conn_end_idle(conn);
        break;
    case SPRY_CONN_SKIPPING:
        if (!spry_conn_is_sending(conn)) spry_conn_set_state(conn, SPRY_CONN_DRAINING);
        break;
    case SPRY_CONN_SERVING: tick_serving(conn); break;
    case SPRY_CONN_OPEN: spry_session_tick(conn); break;
    case SPRY_CONN_DRAINING:
        if (!spry_conn_is_sending(conn)) spry_conn_abort(conn);
        break;
    case SPRY_CONN_LINGERING: spry_conn_close_now(conn); break;
    case SPRY_CONN_CLOSED: tick_closed(conn); break;
    }
}
