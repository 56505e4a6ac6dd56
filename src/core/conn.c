/* The connection's life, see conn.h. `drive` is the hot path; `settle` is the only way out. */
#include "core/conn.h"

#include "core/topic.h"
#include "proto/response.h"

#include <stdlib.h>

static void enter(spry_conn *conn) {
    conn->holds++;
    conn->depth++;
}

static void leave(spry_conn *conn) {
    conn->depth--;
    spry_conn_touch(conn);
    spry_conn_release(conn);
}

/* Ends a call from the transport or the engine: settles, unless a handler is inside. */
static void leave_and_settle(spry_conn *conn) {
    leave(conn);
    if (conn->depth) return;
    spry_list_remove(&conn->dirty);
    spry_conn_settle(conn);
}

void spry_conn_hold(spry_conn *conn) {
    conn->holds++;
}

void spry_conn_release(spry_conn *conn) {
    if (--conn->holds == 0) spry_conn_touch(conn);
}

void spry_conn_touch(spry_conn *conn) {
    if (!spry_list_linked(&conn->dirty)) spry_list_push(&conn->engine->dirty, &conn->dirty);
}

/* ---- between the files of a connection ---- */

void spry_conn_set_state(spry_conn *conn, enum spry_conn_state state) {
    conn->state = state;
    conn->since = spry_engine_now(conn->engine);
}

void spry_conn_give_http(spry_conn *conn) {
    if (conn->http) spry_engine_give_http(conn->engine, conn->http);
    conn->http = NULL;
}

bool spry_conn_next_request(spry_conn *conn) {
    spry_conn_give_http(conn);
    spry_conn_set_state(conn, conn->close_after ? SPRY_CONN_DRAINING : SPRY_CONN_IDLE);
    return !conn->close_after;
}

/* ---- the end of it ---- */

static void destroy(spry_conn *conn) {
    spry_engine *e = conn->engine;
    if (conn->session) {
        spry_session_tell_closed(conn);
        spry_hub_leave(conn->session);
    }
    conn->handler->ops->on_destroy(conn->handler, conn);
    spry_list_remove(&conn->dirty);
    spry_list_remove(&conn->link);
    spry_engine_disarm(e, conn);
    e->conn_count--;
    spry_conn_give_http(conn);
    if (conn->session) {
        spry_ws_free(&conn->session->ws);
        free(conn->session);
    }
    spry_buf_free(&conn->in);
    spry_buf_free(&conn->out);
    conn->io->ops->destroy(conn->io);
}

/* ---- output ---- */

spry_buf *spry_conn_out(spry_conn *conn) {
    if (!conn->out.data) spry_buf_pool_take(&conn->engine->spare_out, &conn->out);
    return &conn->out;
}

size_t spry_conn_queued(const spry_conn *conn) {
    return conn->out.len + conn->io->inflight;
}

size_t spry_conn_mark(const spry_conn *conn) {
    if (!conn->session || conn->session->max_buffered / 2 > SPRY_OUTPUT_MARK)
        return SPRY_OUTPUT_MARK;
    return conn->session->max_buffered / 2;
}

void spry_conn_flush_with(spry_conn *conn, spry_slice more) {
    if (conn->lost) conn->out.len = more.len = 0;
    if (!conn->out.len && !more.len) return;
    conn->flushed += conn->out.len + more.len;
    conn->handler->counters.bytes_out += conn->out.len + more.len;
    if (conn->io->ops->flush(conn->io, &conn->out, more)) spry_conn_abort(conn);
}

void spry_conn_flush(spry_conn *conn) {
    spry_conn_flush_with(conn, (spry_slice){NULL, 0});
}

/* What waits for others to write, bytes: a message to some thousand subscribers is in as many
 * buffers. */
enum { SPARE_MOST = 4 << 20 };

/* Flushes, and gives the emptied buffer to whoever writes next. */
static void flush(spry_conn *conn) {
    spry_conn_flush(conn);
    if (!conn->out.data || conn->out.len) return;
    if (conn->out.cap > SPRY_OUTPUT_MARK)
        spry_buf_free(&conn->out);
    else
        spry_buf_pool_give(&conn->engine->spare_out, &conn->out, SPARE_MOST);
}

void spry_conn_want_drain(spry_conn *conn) {
    if (!conn->wake_drain && conn->state == SPRY_CONN_SERVING)
        conn->since = spry_engine_now(conn->engine);
    conn->wake_drain = true;
    spry_conn_touch(conn);
}

/* ---- giving up ---- */

void spry_conn_abort(spry_conn *conn) {
    if (conn->lost) return;
    conn->lost = true;
    conn->out.len = 0;
    conn->wake_input = conn->wake_drain = true;
    if (conn->state == SPRY_CONN_OPEN) spry_session_lost(conn);
    if (conn->state == SPRY_CONN_SERVING && !conn->body_status)
        conn->body_status = 400, conn->body_why = "the client is gone";
    spry_conn_touch(conn);
}

void spry_conn_give_up(spry_conn *conn) {
    enter(conn);
    spry_conn_abort(conn);
    conn->handler->ops->on_abandon(conn->handler, conn);
    if (conn->state == SPRY_CONN_SERVING)
        spry_conn_reply_failed(conn, 503, "the server is stopping");
    leave(conn);
}

void spry_conn_tell_refused(spry_conn *conn, int status, const char *why) {
    conn->depth++;
    conn->handler->ops->on_refused(conn->handler, conn, status, why);
    conn->depth--;
}

/* Answers by itself and ends the connection. */
void spry_conn_refuse(spry_conn *conn, int status, const char *why) {
    bool head_only = conn->http && conn->http->method == SPRY_HEAD;
    if (spry_response_canned(spry_conn_out(conn), status, spry_engine_date(conn->engine), why,
                             head_only))
        spry_conn_abort(conn);
    spry_conn_set_state(conn, SPRY_CONN_DRAINING);
    spry_conn_tell_refused(conn, status, why);
    spry_conn_give_http(conn);
}

void spry_conn_init(spry_conn *conn, spry_engine *engine, spry_transport *io,
                    spry_handler *handler) {
    memset(conn, 0, sizeof *conn);
    conn->engine = engine, conn->io = io, conn->handler = handler;
    conn->holds = 1; /* the transport's */
    conn->heap_at = SPRY_NOT_ARMED;
    conn->last_input = conn->paused_at = spry_engine_now(engine);
    spry_list_init(&conn->link);
    spry_list_init(&conn->dirty);
    spry_list_push(&engine->conns, &conn->link);
    engine->conn_count++;
    handler->ops->on_create(handler, conn);
    spry_conn_set_state(conn, SPRY_CONN_IDLE);
    spry_conn_touch(conn);
    if (engine->conn_count > handler->limits.connections)
        spry_conn_refuse(conn, 503, "there are more connections than limits.connections");
}

/* ---- requests ---- */

static void serve(spry_conn *conn) {
    spry_conn_set_state(conn, SPRY_CONN_SERVING);
    conn->answered = conn->live = conn->endless = false;
    conn->wants_body = conn->wake_input = conn->wake_drain = false;
    conn->body_limit = conn->handler->limits.body;
    conn->body_status = 0, conn->body_why = NULL;
    conn->handler->ops->on_request(conn->handler, conn);
}

/* Parses a head. True when there is more to do. */
static bool step_head(spry_conn *conn, spry_slice *input) {
    if (!conn->http) {
        if (spry_conn_queued(conn) > SPRY_OUTPUT_MARK) return false; /* let the peer read first */
        conn->http = spry_engine_take_http(conn->engine, &conn->handler->limits.http);
        if (!conn->http) {
            spry_conn_refuse(conn, 503, "out of memory");
            return false;
        }
    }
    size_t used;
    int err = spry_http_feed(conn->http, input->data, input->len, &used);
    input->data += used, input->len -= used;
    /* A body over its limit that came along with its head: nobody has been asked yet. */
    if (err) {
        spry_conn_refuse(conn, conn->http->status, conn->http->reason);
        return false;
    }
    switch (conn->http->phase) {
    case SPRY_HTTP_NOTHING:
        if (spry_http_is_fresh(conn->http)) spry_conn_give_http(conn);
        return false;
    case SPRY_HTTP_HEAD:
        if (conn->state == SPRY_CONN_IDLE) spry_conn_set_state(conn, SPRY_CONN_HEAD);
        return conn->eof; /* then there is no more to come */
    default: serve(conn); return true;
    }
}

/* Parses more of the body of a running request. */
static bool step_body(spry_conn *conn, spry_slice *input) {
    spry_http *http = conn->http;
    if (http->phase != SPRY_HTTP_BODY || http->body.len >= SPRY_INPUT_MARK) return false;
    if (!input->len) {
        if (!conn->eof || conn->body_status) return false;
        spry_conn_fail_body(conn, 400, "the request body was broken off");
        return true;
    }
    size_t used;
    if (spry_http_feed(http, input->data, input->len, &used))
        spry_conn_fail_body(conn, http->status, http->reason);
    input->data += used, input->len -= used;
    conn->wake_input = true;
    return true;
}

static bool step_skipping(spry_conn *conn, spry_slice *input) {
    if (conn->http->phase == SPRY_HTTP_DONE) return spry_conn_next_request(conn);
    if (!input->len && !conn->eof) return false;
    size_t used;
    if (!input->len || spry_http_feed(conn->http, input->data, input->len, &used) ||
        spry_http_body_known(conn->http) > conn->body_limit) {
        conn->close_after = true;
        return spry_conn_next_request(conn);
    }
    input->data += used, input->len -= used;
    return true;
}

static bool is_drained(const spry_conn *conn) {
    return conn->lost || spry_conn_queued(conn) <= spry_conn_mark(conn);
}

/* Whether a handler may be waiting inside this connection. */
static bool can_wake(const spry_conn *conn) {
    return conn->state == SPRY_CONN_SERVING || conn->session;
}

static bool has_woken(const spry_conn *conn) {
    return conn->wake_input || (conn->wake_drain && is_drained(conn));
}

/* Runs a reader or a writer that waits. */
static bool wake(spry_conn *conn) {
    if (!has_woken(conn)) return false;
    if (conn->wake_input) {
        conn->wake_input = conn->wants_body = false;
        conn->handler->ops->on_input(conn->handler, conn);
    } else {
        conn->wake_drain = false;
        conn->handler->ops->on_drain(conn->handler, conn);
    }
    return true;
}

/* A response that nobody can read any more ends: who makes it is given up, unless he has heard of
 * it from a write and come to an end himself. Behind a peer's FIN there may still be a reader
 * (RFC 9112 section 9.6), but hardly one of a response that has no end. */
static bool end_unread(spry_conn *conn) {
    if (!conn->answered) return false;
    bool given_up = conn->endless && conn->engine->stopping;
    if (given_up || (conn->live && conn->eof)) spry_conn_abort(conn);
    if (!conn->lost || has_woken(conn)) return false;
    conn->handler->ops->on_abandon(conn->handler, conn);
    if (conn->task) return false; /* it is running now, and will see for itself */
    spry_conn_tell_refused(conn, 499,
                           conn->engine->stopping
                               ? "the server is stopping"
                               : "the client went away before the end of the response");
    spry_conn_reply_failed(conn, 499, "");
    return true;
}

/* Does one thing. True when it may be worth trying the next. After a handler has run, the state
 * is looked at again. */
static bool step(spry_conn *conn, spry_slice *input) {
    switch (conn->state) {
    case SPRY_CONN_IDLE: return input->len && !conn->lost && step_head(conn, input);
    case SPRY_CONN_HEAD:
        if (conn->eof && !conn->lost && !input->len)
            spry_conn_refuse(conn, 400, "the request was broken off");
        return conn->state == SPRY_CONN_HEAD && input->len && !conn->lost && step_head(conn, input);
    case SPRY_CONN_SERVING: return wake(conn) || end_unread(conn) || step_body(conn, input);
    case SPRY_CONN_SKIPPING: return step_skipping(conn, input);
    case SPRY_CONN_OPEN: return wake(conn) || spry_session_step(conn, input);
    default:
        input->len = 0;
        return conn->session && wake(conn); /* a session may still have messages to read */
    }
}

/* The hot path: from bytes to requests, to handlers, to output, as far as it goes. */
static void drive(spry_conn *conn, spry_slice *input) {
    spry_engine *e = conn->engine;
    spry_conn *driven = e->driven;
    spry_slice *outer = e->input;
    e->driven = conn, e->input = input;
    conn->depth++;
    while (step(conn, input)) {
    }
    conn->depth--;
    e->driven = driven, e->input = outer;
}

/* Puts bytes that were not consumed in front of those that have come in meanwhile. */
static void keep_rest(spry_conn *conn, spry_slice rest) {
    if (!rest.len) return;
    spry_buf all = {0};
    if (spry_buf_append(&all, rest.data, rest.len) ||
        spry_buf_append(&all, conn->in.data, conn->in.len))
        spry_conn_abort(conn);
    spry_buf_swap(&conn->in, &all);
    spry_buf_free(&all);
}

/* Drives with what is held in `in`; a handler may add to that meanwhile (lua/peer.c). */
static void drive_held(spry_conn *conn) {
    spry_buf held = {0};
    spry_buf_swap(&conn->in, &held);
    spry_slice input = spry_buf_slice(&held);
    drive(conn, &input);
    keep_rest(conn, input);
    spry_buf_free(&held);
}

/* ---- settling ---- */

/* Between two requests, with nothing of the next one here, a connection goes over to whoever
 * answers by now. */
static void follow(spry_conn *conn) {
    spry_handler *before = conn->handler, *now = conn->engine->handler;
    if (!now || now == before || conn->state != SPRY_CONN_IDLE || conn->http) return;
    conn->handler = now;
    now->ops->on_create(now, conn);
    before->ops->on_destroy(before, conn);
}

static bool wants_input(const spry_conn *conn) {
    switch (conn->state) {
    case SPRY_CONN_SERVING:
        if (conn->http->phase == SPRY_HTTP_BODY) return conn->http->body.len < SPRY_INPUT_MARK;
        return conn->in.len < SPRY_INPUT_MARK;
    case SPRY_CONN_OPEN: return spry_session_reads(conn);
    case SPRY_CONN_DRAINING: return false;
    default: return spry_conn_queued(conn) <= SPRY_OUTPUT_MARK;
    }
}

/* Time in which the socket was not read is nobody's fault: it does not count against the peer. */
static void read_on(spry_conn *conn) {
    bool on = !conn->eof && !conn->lost && wants_input(conn);
    if (on == conn->reading) return;
    conn->reading = on;
    if (on) {
        uint64_t paused = spry_engine_now(conn->engine) - conn->paused_at;
        conn->last_input += paused;
        if (conn->state == SPRY_CONN_SERVING) conn->since += paused;
    } else
        conn->paused_at = spry_engine_now(conn->engine);
    conn->io->ops->read(conn->io, on);
}

void spry_conn_close_now(spry_conn *conn) {
    if (conn->state == SPRY_CONN_CLOSED) return;
    spry_conn_set_state(conn, SPRY_CONN_CLOSED);
    conn->lost = true;
    conn->io->ops->close(conn->io, conn->broken_off);
}

void spry_conn_end_idle(spry_conn *conn) {
    if (spry_conn_queued(conn))
        spry_conn_set_state(conn, SPRY_CONN_DRAINING);
    else
        spry_conn_close_now(conn);
}

/* Moves towards the end, if that is where the connection is going. */
static void close_step(spry_conn *conn) {
    if (conn->state == SPRY_CONN_OPEN && spry_ws_done(&conn->session->ws))
        spry_conn_set_state(conn, SPRY_CONN_DRAINING);
    if (conn->state == SPRY_CONN_IDLE && !conn->in.len && conn->eof) spry_conn_end_idle(conn);
    if (conn->state == SPRY_CONN_DRAINING && spry_conn_queued(conn) == 0 && !conn->lost) {
        spry_conn_set_state(conn, SPRY_CONN_LINGERING);
        conn->io->ops->shutdown(conn->io);
    }
    if (conn->state == SPRY_CONN_LINGERING && conn->eof) spry_conn_close_now(conn);
    /* A handler that still has the request keeps the state; the transport can go all the same. */
    if (conn->lost && conn->state != SPRY_CONN_SERVING) spry_conn_close_now(conn);
}

static void arm(spry_conn *conn) {
    conn->deadline = spry_conn_deadline(conn);
    if (conn->deadline == UINT64_MAX && conn->heap_at == SPRY_NOT_ARMED) return;
    if (!spry_engine_arm(conn->engine, conn)) spry_conn_abort(conn);
}

void spry_conn_settle(spry_conn *conn) {
    if (conn->depth) return; /* whoever is inside settles when it leaves */
    if (conn->holds == 0) {
        destroy(conn);
        return;
    }
    follow(conn);
    drive_held(conn);
    if (conn->session) spry_session_tell_closed(conn);
    flush(conn);
    close_step(conn);
    if (conn->state != SPRY_CONN_CLOSED) read_on(conn);
    arm(conn);
    /* Requests that waited for the output to drain: the peer may never send anything again. */
    if (conn->state == SPRY_CONN_IDLE && conn->in.len && spry_conn_queued(conn) <= SPRY_OUTPUT_MARK)
        spry_conn_touch(conn);
    /* What woke a waiter after `drive` (a drained output, a lost peer) is for the next round. */
    if (conn->holds == 0 || (can_wake(conn) && has_woken(conn))) spry_conn_touch(conn);
}

/* ---- events from below ---- */

void spry_conn_feed(spry_conn *conn, const char *data, size_t n) {
    conn->last_input = spry_engine_now(conn->engine);
    conn->engine->feeds++;
    conn->handler->counters.bytes_in += n;
    if (conn->depth || conn->in.len) { /* not now, or behind what is there already */
        if (spry_buf_append(&conn->in, data, n)) spry_conn_abort(conn);
        enter(conn);
        leave_and_settle(conn);
        return;
    }
    enter(conn);
    spry_slice input = spry_slice_of(data, n);
    drive(conn, &input);
    keep_rest(conn, input);
    leave_and_settle(conn);
}

void spry_conn_eof(spry_conn *conn) {
    if (conn->eof) return;
    enter(conn);
    conn->eof = true; /* `step` takes note when what came before it is parsed */
    leave_and_settle(conn);
}

void spry_conn_lost(spry_conn *conn) {
    enter(conn);
    conn->eof = true;
    spry_conn_abort(conn);
    leave_and_settle(conn);
}

void spry_conn_sent(spry_conn *conn) {
    enter(conn);
    if (conn->state == SPRY_CONN_DRAINING || conn->state == SPRY_CONN_OPEN || conn->answered)
        conn->since = spry_engine_now(conn->engine);
    leave_and_settle(conn);
}

void spry_conn_closed(spry_conn *conn) {
    conn->lost = true;
    spry_conn_release(conn);
}

void spry_conn_tick(spry_conn *conn) {
    enter(conn);
    spry_conn_expire(conn);
    leave_and_settle(conn);
}

void spry_conn_stop(spry_conn *conn) {
    if (conn->state == SPRY_CONN_OPEN)
        (void)spry_session_close(conn, conn->engine->stop_code, (spry_slice){NULL, 0});
    if (conn->state == SPRY_CONN_HEAD) conn->since = spry_engine_now(conn->engine);
    spry_conn_touch(conn);
}

void spry_conn_address(spry_conn *conn, char *to, size_t room) {
    conn->io->ops->address(conn->io, to, room);
}
