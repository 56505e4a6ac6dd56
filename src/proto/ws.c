/* What a WebSocket session gets and says, and how it ends, see ws.h. What comes in is in ws_in.c.
 */
#include "proto/ws.h"

#include <stdlib.h>

/* ---- the inbox ---- */

void spry_ws_push(spry_ws *ws, spry_message *m) {
    *ws->inbox_end = m, ws->inbox_end = &m->next;
    ws->inbox_bytes += sizeof *m + m->len;
}

int spry_ws_end_inbox(spry_ws *ws, uint16_t code, spry_slice reason) {
    if (ws->ended) return SPRY_OK;
    spry_message *m = malloc(sizeof *m + reason.len);
    if (!m) return SPRY_ENOMEM;
    *m = (spry_message){.kind = SPRY_CLOSE, .code = code, .len = reason.len};
    if (reason.len) memcpy(m->data, reason.data, reason.len);
    spry_ws_push(ws, m);
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

enum spry_encoding spry_ws_encoding(const spry_ws *ws, size_t len) {
    if (!ws->deflate || len < ws->deflate->terms.threshold) return SPRY_ENCODED_PLAIN;
    return spry_deflate_is_shared(ws->deflate) ? SPRY_ENCODED_SHARED : SPRY_ENCODED_ALONE;
}

int spry_ws_put(const spry_ws *ws, unsigned opcode, spry_slice payload) {
    return ws->is_client ? spry_frame_put_masked(ws->out, opcode, payload)
                         : spry_frame_put(ws->out, opcode, payload);
}

static int put_encoded(const spry_ws *ws, enum spry_message_kind kind, spry_slice payload) {
    if (spry_ws_encoding(ws, payload.len) != SPRY_ENCODED_PLAIN) {
        int put = spry_deflate_put(ws->deflate, ws->out, kind, payload);
        if (put) return put < 0 ? put : SPRY_OK;
    }
    return spry_ws_put(ws, kind, payload);
}

int spry_ws_send(spry_ws *ws, enum spry_message_kind kind, spry_slice payload) {
    if (ws->close_sent) return SPRY_ECLOSED;
    return ws->deflate ? put_encoded(ws, kind, payload) : spry_ws_put(ws, kind, payload);
}

int spry_ws_ping(spry_ws *ws, spry_slice payload) {
    if (ws->close_sent) return SPRY_ECLOSED;
    if (payload.len > SPRY_CONTROL_MAX) return SPRY_ETOOBIG;
    return spry_ws_put(ws, WSLAY_PING, payload);
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
    if (spry_ws_put(ws, WSLAY_CONNECTION_CLOSE, spry_slice_of(payload, len))) return SPRY_ENOMEM;
    ws->close_sent = true;
    spry_deflate_end_output(ws->deflate);
    return SPRY_OK;
}

int spry_ws_release_close(spry_ws *ws) {
    if (!ws->close_due || ws->close_sent) return SPRY_OK;
    return spry_ws_close(ws, ws->close_due, (spry_slice){NULL, 0});
}

bool spry_ws_done(const spry_ws *ws) {
    return ws->close_sent && ws->ended;
}

/* ---- the rest ---- */

void spry_ws_init(spry_ws *ws, size_t max_message, spry_buf *out) {
    *ws = (spry_ws){.out = out, .max_message = max_message};
    ws->inbox_end = &ws->inbox;
}

int spry_ws_compress(spry_ws *ws, const spry_deflate_terms *terms, spry_deflate_pool *pool) {
    ws->deflate = spry_deflate_new(terms, pool);
    return ws->deflate ? SPRY_OK : SPRY_ENOMEM;
}

int spry_ws_lost(spry_ws *ws) {
    ws->close_due = 0;
    ws->close_sent = true; /* nothing can be sent any more */
    spry_deflate_end_output(ws->deflate);
    spry_deflate_end_input(ws->deflate);
    return spry_ws_end_inbox(ws, SPRY_CLOSE_LOST, (spry_slice){NULL, 0});
}

void spry_ws_free(spry_ws *ws) {
    spry_ws_drop_frame(ws);
    spry_deflate_free(ws->deflate);
    ws->deflate = NULL;
    free(ws->partial);
    ws->partial = NULL;
    for (spry_message *m; (m = spry_ws_next(ws));) free(m);
}
