/* The WebSocket state machine, see ws.h. wslay's callbacks only copy; decisions are made when
 * wslay_event_recv has returned, since it touches its context after a callback. */
#include "proto/ws.h"

#include <stdlib.h>

/* ---- the inbox ---- */

static int push(spry_ws *ws, enum spry_message_kind kind, uint16_t code, const void *data,
                size_t len) {
    spry_message *m = malloc(sizeof *m + len);
    if (!m) return SPRY_ENOMEM;
    m->next = NULL, m->kind = kind, m->code = code, m->len = len;
    if (len) memcpy(m->data, data, len);
    *ws->inbox_end = m, ws->inbox_end = &m->next;
    ws->inbox_bytes += sizeof *m + len;
    return SPRY_OK;
}

static int end_inbox(spry_ws *ws, uint16_t code, const char *reason, size_t len) {
    if (ws->ended) return SPRY_OK;
    if (push(ws, SPRY_CLOSE, code, reason, len)) return SPRY_ENOMEM;
    ws->ended = true, ws->end_code = code;
    return SPRY_OK;
}

spry_message *spry_ws_next(spry_ws *ws) {
    spry_message *m = ws->inbox;
    if (!m) return NULL;
    ws->inbox = m->next;
    if (!ws->inbox) ws->inbox_end = &ws->inbox;
    ws->inbox_bytes -= sizeof *m + m->len;
    m->next = NULL;
    return m;
}

/* ---- frames out ---- */

/* RFC 6455 section 5.2: FIN, the opcode, and the shortest form of the length. */
static size_t frame_head(unsigned char head[static 10], unsigned opcode, size_t len) {
    head[0] = (unsigned char)(0x80 | opcode);
    if (len <= 125) {
        head[1] = (unsigned char)len;
        return 2;
    }
    size_t bytes = len <= 0xffff ? 2 : 8;
    head[1] = bytes == 2 ? 126 : 127;
    for (size_t i = 0; i < bytes; i++)
        head[2 + i] = (unsigned char)((uint64_t)len >> (8 * (bytes - 1 - i)));
    return 2 + bytes;
}

static int put_frame(spry_buf *out, unsigned opcode, spry_slice payload) {
    unsigned char head[10];
    size_t n = frame_head(head, opcode, payload.len);
    if (spry_buf_reserve(out, n + payload.len)) return SPRY_ENOMEM;
    memcpy(out->data + out->len, head, n);
    if (payload.len) memcpy(out->data + out->len + n, payload.data, payload.len);
    out->len += n + payload.len;
    return SPRY_OK;
}

int spry_ws_send(spry_ws *ws, enum spry_message_kind kind, spry_slice payload) {
    if (ws->close_sent) return SPRY_ECLOSED;
    return put_frame(ws->out, kind, payload);
}

int spry_ws_ping(spry_ws *ws, spry_slice payload) {
    if (ws->close_sent) return SPRY_ECLOSED;
    if (payload.len > SPRY_CONTROL_MAX) return SPRY_ETOOBIG;
    return put_frame(ws->out, WSLAY_PING, payload);
}

bool spry_ws_may_close(int64_t code) {
    return (code >= 1000 && code <= 1014 && code != 1004 && code != SPRY_CLOSE_NO_STATUS &&
            code != SPRY_CLOSE_LOST) ||
           (code >= 3000 && code <= 4999);
}

int spry_ws_close(spry_ws *ws, uint16_t code, spry_slice reason) {
    if (ws->close_sent) return SPRY_OK;
    char payload[SPRY_CONTROL_MAX];
    size_t len = 0;
    if (code != 0 && code != SPRY_CLOSE_NO_STATUS) {
        if (!spry_ws_may_close(code) || reason.len > SPRY_REASON_MAX) return SPRY_EINVAL;
        payload[0] = (char)(code >> 8), payload[1] = (char)(code & 0xff);
        if (reason.len) memcpy(payload + 2, reason.data, reason.len);
        len = 2 + reason.len;
    } else if (reason.len) {
        return SPRY_EINVAL;
    }
    if (put_frame(ws->out, WSLAY_CONNECTION_CLOSE, spry_slice_of(payload, len)))
        return SPRY_ENOMEM;
    ws->close_sent = true;
    return SPRY_OK;
}

int spry_ws_release_close(spry_ws *ws) {
    if (!ws->close_due || ws->close_sent) return SPRY_OK;
    return spry_ws_close(ws, ws->close_due, (spry_slice){NULL, 0});
}

bool spry_ws_done(const spry_ws *ws) {
    return ws->close_sent && ws->ended;
}

/* ---- wslay's callbacks ---- */

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, int flags,
                       void *data) {
    (void)flags;
    spry_ws *ws = data;
    if (ws->feed_len == 0) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t n = ws->feed_len < len ? ws->feed_len : len;
    memcpy(buf, ws->feed, n);
    ws->feed += n, ws->feed_len -= n;
    return (ssize_t)n;
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m,
                       void *data) {
    spry_ws *ws = data;
    int err = SPRY_OK;
    if (m->opcode == WSLAY_TEXT_FRAME || m->opcode == WSLAY_BINARY_FRAME) {
        err = push(ws, m->opcode == WSLAY_TEXT_FRAME ? SPRY_TEXT : SPRY_BINARY, 0, m->msg,
                   m->msg_length);
    } else if (m->opcode == WSLAY_CONNECTION_CLOSE) {
        ws->close_received = true;
        uint16_t code = m->status_code ? m->status_code : SPRY_CLOSE_NO_STATUS;
        ws->close_due = code;
        bool reason = m->msg_length > 2;
        err = end_inbox(ws, code, reason ? (const char *)m->msg + 2 : NULL,
                        reason ? m->msg_length - 2 : 0);
    }
    if (!err) return;
    ws->err = err;
    wslay_event_set_error(ctx, WSLAY_ERR_NOMEM);
    wslay_event_shutdown_read(ctx);
}

/* wslay hands out a control frame in two calls, head and payload: this joins them. */
struct spry_ws_control {
    size_t len;
    unsigned char bytes[2 + SPRY_CONTROL_MAX];
    uint16_t close_code; /* of a Close that wslay wants to send, 0 for none or an empty one */
};

/* Pongs go out at once. A Close does not: it waits for the session, see ws.h. */
static int sort(spry_ws *ws, struct spry_ws_control *frame) {
    unsigned opcode = frame->bytes[0] & 0x0f;
    spry_slice payload = spry_slice_of((char *)frame->bytes + 2, frame->len - 2);
    frame->len = 0;
    if (opcode == WSLAY_PONG)
        return ws->close_sent ? SPRY_OK : put_frame(ws->out, WSLAY_PONG, payload);
    if (opcode == WSLAY_CONNECTION_CLOSE && payload.len >= 2)
        frame->close_code = (uint16_t)(frame->bytes[2] << 8 | frame->bytes[3]);
    return SPRY_OK;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *bytes, size_t len, int flags,
                       void *data) {
    (void)flags;
    spry_ws *ws = data;
    struct spry_ws_control *frame = ws->control;
    if (frame->len + len > sizeof frame->bytes) {
        wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    memcpy(frame->bytes + frame->len, bytes, len);
    frame->len += len;
    if (frame->len >= 2 && frame->len == 2u + frame->bytes[1] && sort(ws, frame))
        ws->err = SPRY_ENOMEM;
    return (ssize_t)len;
}

/* Collects what wslay has to say. Returns the code of the Close among it, 0 for none. */
static uint16_t pump(spry_ws *ws) {
    if (!wslay_event_want_write(ws->ctx)) return 0;
    struct spry_ws_control frame = {0};
    ws->control = &frame;
    while (wslay_event_want_write(ws->ctx))
        if (wslay_event_send(ws->ctx)) break;
    ws->control = NULL;
    return frame.close_code;
}

/* ---- the rest ---- */

static const struct wslay_event_callbacks callbacks = {
    .recv_callback = on_recv, .send_callback = on_send, .on_msg_recv_callback = on_message};

int spry_ws_init(spry_ws *ws, size_t max_message, spry_buf *out) {
    *ws = (spry_ws){.out = out};
    ws->inbox_end = &ws->inbox;
    if (wslay_event_context_server_init(&ws->ctx, &callbacks, ws)) {
        ws->ctx = NULL;
        return SPRY_ENOMEM;
    }
    wslay_event_config_set_max_recv_msg_length(ws->ctx, max_message);
    return SPRY_OK;
}

static const char *violation(uint16_t code) {
    switch (code) {
    case SPRY_CLOSE_INVALID: return "the message is not valid UTF-8";
    case SPRY_CLOSE_TOO_BIG: return "the message is longer than ws.maxMessage";
    default: return "the peer broke the WebSocket protocol";
    }
}

int spry_ws_feed(spry_ws *ws, const char *data, size_t n) {
    if (ws->ended) return SPRY_OK;
    ws->feed = data, ws->feed_len = n;
    int err = wslay_event_recv(ws->ctx);
    ws->feed = NULL, ws->feed_len = 0;
    uint16_t code = pump(ws);
    if (ws->err || err == WSLAY_ERR_NOMEM) return SPRY_ENOMEM;
    if (ws->close_received) return SPRY_OK;
    if (err == 0 && wslay_event_get_read_enabled(ws->ctx)) return SPRY_OK;
    /* A violation. For those of the framing wslay's Close is empty: it is a 1002. */
    if (!code) code = SPRY_CLOSE_PROTOCOL;
    ws->close_due = code;
    return end_inbox(ws, code, violation(code), strlen(violation(code)));
}

int spry_ws_lost(spry_ws *ws) {
    ws->close_due = 0;
    ws->close_sent = true; /* nothing can be sent any more */
    return end_inbox(ws, SPRY_CLOSE_LOST, NULL, 0);
}

void spry_ws_free(spry_ws *ws) {
    if (ws->ctx) wslay_event_context_free(ws->ctx);
    ws->ctx = NULL;
    for (spry_message *m; (m = spry_ws_next(ws));) free(m);
}
