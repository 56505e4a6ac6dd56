/* One request and its response, as a handler sees them: see conn.h. Nothing here settles: a handler
 * is inside. */
#include "core/conn.h"
#include "proto/response.h"

#include <stdlib.h>

/* Up to this much of a body that nobody wants is read past, so that the connection can be kept. */
enum { SKIP_MAX = 4 * SPRY_INPUT_MARK };

/* ---- the request's body ---- */

void spry_conn_fail_body(spry_conn *conn, int status, const char *why) {
    if (conn->body_status) return;
    conn->body_status = status, conn->body_why = why;
    conn->close_after = true;
    conn->wake_input = true;
}

enum spry_body spry_conn_body(spry_conn *conn, spry_slice *bytes) {
    spry_http *http = conn->http;
    if (spry_http_body_known(http) > conn->body_limit)
        spry_conn_fail_body(conn, 413, "the request body is longer than its limit");
    if (conn->body_status == 413) return SPRY_BODY_FAILED;
    if (http->body.len) {
        *bytes = spry_buf_slice(&http->body);
        return SPRY_BODY_BYTES;
    }
    if (http->phase == SPRY_HTTP_DONE) return SPRY_BODY_END;
    if (conn->body_status) return SPRY_BODY_FAILED;
    if (http->expect_continue && !conn->answered) {
        http->expect_continue = false;
        conn->since = spry_engine_now(conn->engine); /* until now the client has been waiting */
        if (spry_response_raw(spry_conn_out(conn), spry_slice_lit("HTTP/1.1 100 Continue\r\n\r\n")))
            spry_conn_abort(conn);
    }
    conn->wants_body = true;
    spry_conn_touch(conn);
    return SPRY_BODY_WAIT;
}

void spry_conn_body_taken(spry_conn *conn) {
    conn->http->body.len = 0;
    spry_conn_touch(conn);
}

/* ---- the response ---- */

bool spry_conn_keep_alive(spry_conn *conn, bool wanted) {
    const spry_http *http = conn->http;
    bool keep = wanted && http->keep_alive && !conn->close_after && !conn->engine->stopping &&
                !http->expect_continue;
    if (keep && http->phase != SPRY_HTTP_DONE)
        keep = http->phase == SPRY_HTTP_BODY &&
               spry_http_body_known(http) - http->body_received <= SKIP_MAX;
    conn->close_after = !keep;
    return keep;
}

void spry_conn_reply_done(spry_conn *conn) {
    spry_conn_touch(conn);
    if (conn->session && !conn->session->started) { /* it was a 101 */
        spry_conn_give_http(conn);
        spry_conn_set_state(conn, SPRY_CONN_OPEN);
        if (conn->lost)
            spry_session_lost(conn);
        else if (conn->engine->stopping)
            spry_conn_stop(conn);
        return;
    }
    conn->answered = false;
    if (conn->http->phase == SPRY_HTTP_DONE || conn->close_after) {
        spry_conn_next_request(conn);
        return;
    }
    conn->http->discard_body = true;
    conn->http->body.len = 0;
    conn->body_limit = conn->http->body_received + SKIP_MAX; /* of chunks there may be any number */
    spry_conn_set_state(conn, SPRY_CONN_SKIPPING);
}

void spry_conn_reply_failed(spry_conn *conn, int status, const char *why) {
    if (conn->answered) {
        /* What is out already may arrive: the client sees that the end is missing. HTTP/1.0 knows
         * a body's end by the end of the connection, so that must not look like one. */
        conn->broken_off = spry_http_is_1_0(conn->http);
        if (conn->broken_off) spry_conn_abort(conn);
    } else if (spry_response_canned(spry_conn_out(conn), status, spry_engine_date(conn->engine),
                                    why, conn->http->method == SPRY_HEAD)) {
        spry_conn_abort(conn);
    }
    conn->close_after = true;
    spry_conn_reply_done(conn);
}

int spry_conn_upgrade(spry_conn *conn, const spry_session *options, size_t max_message,
                      const spry_deflate_terms *terms) {
    spry_session *session = malloc(sizeof *session);
    if (!session) return SPRY_ENOMEM;
    *session = *options;
    spry_ws_init(&session->ws, max_message, &conn->out);
    spry_list_init(&session->topics);
    if (terms->agreed && spry_ws_compress(&session->ws, terms, &conn->engine->deflate)) {
        free(session);
        return SPRY_ENOMEM;
    }
    conn->session = session;
    return SPRY_OK;
}
