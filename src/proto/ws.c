/* The WebSocket state machine, see ws.h. */
#include "proto/ws.h"

#include "base/utf8.h"

#include <stdlib.h>

/* ---- the inbox ---- */

static void push(spry_ws *ws, spry_message *m) {
    *ws->inbox_end = m, ws->inbox_end = &m->next;
    ws->inbox_bytes += sizeof *m + m->len;
}

static int end_inbox(spry_ws *ws, uint16_t code, const char *reason, size_t len) {
    if (ws->ended) return SPRY_OK;
    spry_message *m = malloc(sizeof *m + len);
    if (!m) return SPRY_ENOMEM;
    *m = (spry_message){.kind = SPRY_CLOSE, .code = code, .len = len};
    if (len) memcpy(m->data, reason, len);
    push(ws, m);
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

static int put_frame(const spry_ws *ws, unsigned opcode, spry_slice payload) {
    return ws->is_client ? spry_frame_put_masked(ws->out, opcode, payload)
                         : spry_frame_put(ws->out, opcode, payload);
}

static int put_encoded(const spry_ws *ws, enum spry_message_kind kind, spry_slice payload) {
    if (spry_ws_encoding(ws, payload.len) != SPRY_ENCODED_PLAIN) {
        int put = spry_deflate_put(ws->deflate, ws->out, kind, payload);
        if (put) return put < 0 ? put : SPRY_OK;
    }
    return put_frame(ws, kind, payload);
}

int spry_ws_send(spry_ws *ws, enum spry_message_kind kind, spry_slice payload) {
    if (ws->close_sent) return SPRY_ECLOSED;
    return ws->deflate ? put_encoded(ws, kind, payload) : put_frame(ws, kind, payload);
}

int spry_ws_ping(spry_ws *ws, spry_slice payload) {
    if (ws->close_sent) return SPRY_ECLOSED;
    if (payload.len > SPRY_CONTROL_MAX) return SPRY_ETOOBIG;
    return put_frame(ws, WSLAY_PING, payload);
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
    if (put_frame(ws, WSLAY_CONNECTION_CLOSE, spry_slice_of(payload, len))) return SPRY_ENOMEM;
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

/* ---- bytes in ---- */

/* The peer has ended the session, or must not go on: `code` is for the session, and is owed to the
 * peer. */
static int end_session(spry_ws *ws, uint16_t code, spry_slice reason) {
    ws->close_due = code;
    return end_inbox(ws, code, reason.data, reason.len);
}

static int violation(spry_ws *ws, uint16_t code, const char *sentence) {
    return end_session(ws, code, spry_slice_of(sentence, strlen(sentence)));
}

static int protocol_error(spry_ws *ws, const char *sentence) {
    return violation(ws, SPRY_CLOSE_PROTOCOL, sentence);
}

static unsigned opcode_of(const spry_frame_in *frame) {
    return frame->head[0] & SPRY_FRAME_OPCODE;
}

static bool is_final(const spry_frame_in *frame) {
    return frame->head[0] & SPRY_FRAME_FIN;
}

/* Gives wslay what is left of one head, or of one payload: so `input` stays exact, and a head is
 * known before its payload. */
static ssize_t on_recv(uint8_t *buf, size_t len, int flags, void *data) {
    (void)flags;
    spry_ws *ws = data;
    spry_frame_in *frame = ws->frame;
    size_t n = ws->input->len < len ? ws->input->len : len;
    if (frame->begun) {
        if (n > frame->left) n = (size_t)frame->left;
    } else {
        size_t wanted = spry_frame_head_size(frame->head, frame->head_len) - frame->head_len;
        if (n > wanted) n = wanted;
    }
    if (n == 0) return -1;
    memcpy(buf, ws->input->data, n);
    ws->input->data += n, ws->input->len -= n;
    if (frame->begun) return (ssize_t)n;
    memcpy(frame->head + frame->head_len, buf, n);
    frame->head_len = (unsigned char)(frame->head_len + n);
    return (ssize_t)n;
}

/* Makes room in the partial message for `more` bytes, of which `now` are here. Where others may
 * follow it grows by doubling. */
static int make_room(spry_ws *ws, size_t now, uint64_t more) {
    enum { TRUST = 16384 }; /* reserved on the word of a head; beyond it bytes must have come */
    size_t len = ws->partial ? ws->partial->len : 0;
    size_t room = len + (size_t)(more < TRUST ? more : TRUST);
    if (room < 2 * ws->partial_room) room = 2 * ws->partial_room;
    bool goes_on = ws->deflated || !is_final(ws->frame);
    size_t most = goes_on ? ws->max_message : len + (size_t)more;
    if (room > most) room = most;
    if (room < len + now) room = len + now;
    if (ws->partial && room <= ws->partial_room) return SPRY_OK;
    spry_message *m = realloc(ws->partial, sizeof *m + room);
    if (!m) return SPRY_ENOMEM;
    if (!ws->partial) m->next = NULL, m->code = 0, m->len = 0;
    ws->partial = m, ws->partial_room = room;
    return SPRY_OK;
}

/* Reserved bits that a frame may have: a message's first one says that it is compressed. */
static unsigned allowed_bits(const spry_ws *ws, unsigned opcode) {
    bool begins = opcode == WSLAY_TEXT_FRAME || opcode == WSLAY_BINARY_FRAME;
    return ws->deflate && begins ? SPRY_FRAME_DEFLATED : 0;
}

static int too_big(spry_ws *ws) {
    return violation(ws, SPRY_CLOSE_TOO_BIG, "the message is longer than maxMessage");
}

/* Looks at a head that is complete. wslay has checked the forms of the length, and that a control
 * frame is short and whole. */
static int begin_frame(spry_ws *ws) {
    spry_frame_in *frame = ws->frame;
    unsigned opcode = opcode_of(frame);
    uint64_t length = spry_frame_length(frame->head);
    bool is_control = opcode & 8;
    frame->begun = true, frame->left = length, frame->control_len = 0;
    if (frame->head[0] & SPRY_FRAME_RSV & ~allowed_bits(ws, opcode))
        return protocol_error(ws, "a reserved bit is set, and nothing that was agreed on uses it");
    bool is_masked = frame->head[1] & SPRY_FRAME_MASKED;
    if (is_masked == ws->is_client)
        return protocol_error(ws,
                              is_masked ? "a server's frame is masked" : "a frame is not masked");
    if (opcode > (is_control ? WSLAY_PONG : WSLAY_BINARY_FRAME))
        return protocol_error(ws, "a frame has a reserved opcode");
    if (is_control) return SPRY_OK;
    if (opcode == WSLAY_CONTINUATION_FRAME && !ws->partial)
        return protocol_error(ws, "a continuation frame has nothing to continue");
    if (opcode != WSLAY_CONTINUATION_FRAME && ws->partial)
        return protocol_error(ws, "a message begins before the one before it has ended");
    if (opcode != WSLAY_CONTINUATION_FRAME) ws->deflated = frame->head[0] & SPRY_FRAME_DEFLATED;
    size_t len = ws->partial ? ws->partial->len : 0;
    if (!ws->deflated && length > ws->max_message - len) return too_big(ws);
    if (make_room(ws, 0, ws->deflated ? 0 : length)) return SPRY_ENOMEM;
    if (opcode == WSLAY_CONTINUATION_FRAME) return SPRY_OK;
    ws->partial->kind = opcode == WSLAY_TEXT_FRAME ? SPRY_TEXT : SPRY_BINARY;
    ws->text = (spry_text){0};
    return SPRY_OK;
}

static const char *const not_utf8 = "a text is not valid UTF-8";
static const char *const not_deflated = "a compressed message can't be inflated";

enum { INFLATE_ROOM = 8 * 1024 }; /* inflated at once */

/* Takes a piece of a message, of which `more` bytes may come, these included. */
static int take_data(spry_ws *ws, spry_slice data, uint64_t more) {
    spry_message *m = ws->partial;
    if (data.len > ws->max_message - m->len) return too_big(ws);
    if (m->kind == SPRY_TEXT && !spry_text_feed(&ws->text, data))
        return violation(ws, SPRY_CLOSE_INVALID, not_utf8);
    if (make_room(ws, data.len, more)) return SPRY_ENOMEM;
    memcpy(ws->partial->data + ws->partial->len, data.data, data.len);
    ws->partial->len += data.len;
    return SPRY_OK;
}

/* The same of a message that comes compressed. What it is inflated to is looked at as it comes, so
 * that a little that becomes a lot is given up soon. */
static int take_deflated(spry_ws *ws, spry_slice data) {
    char bytes[INFLATE_ROOM];
    int64_t n;
    do {
        n = spry_inflate(ws->deflate, &data, bytes, sizeof bytes);
        if (n == SPRY_ENOMEM) return SPRY_ENOMEM;
        if (n < 0) return violation(ws, SPRY_CLOSE_INVALID, not_deflated);
        int err = take_data(ws, spry_slice_of(bytes, (size_t)n), (uint64_t)n);
        if (err || ws->ended) return err;
    } while (n == sizeof bytes);
    return SPRY_OK;
}

/* Takes a piece of a payload, unmasked. */
static int take_piece(spry_ws *ws, spry_slice data) {
    spry_frame_in *frame = ws->frame;
    uint64_t more = frame->left;
    frame->left -= data.len;
    if (opcode_of(frame) & 8) {
        memcpy(frame->control + frame->control_len, data.data, data.len);
        frame->control_len = (unsigned char)(frame->control_len + data.len);
        return SPRY_OK;
    }
    return ws->deflated ? take_deflated(ws, data) : take_data(ws, data, more);
}

/* The peer has left out what ends the last block of a compressed message. */
static int end_deflated(spry_ws *ws) {
    int err = take_deflated(ws, spry_inflate_tail(ws->deflate));
    if (err || ws->ended || spry_inflate_end(ws->deflate)) return err;
    return violation(ws, SPRY_CLOSE_INVALID, not_deflated);
}

static int end_message(spry_ws *ws) {
    int err = ws->deflated ? end_deflated(ws) : SPRY_OK;
    if (err || ws->ended) return err;
    spry_message *m = ws->partial;
    if (m->kind == SPRY_TEXT && !spry_text_is_complete(&ws->text))
        return violation(ws, SPRY_CLOSE_INVALID, not_utf8);
    if (ws->partial_room - m->len > m->len / 4) {
        spry_message *fitting = realloc(m, sizeof *m + m->len);
        if (fitting) m = fitting;
    }
    ws->partial = NULL, ws->partial_room = 0;
    push(ws, m);
    return SPRY_OK;
}

/* RFC 6455 section 5.5.1. */
static int take_close(spry_ws *ws, spry_slice payload) {
    if (payload.len == 0) return end_session(ws, SPRY_CLOSE_NO_STATUS, payload);
    if (payload.len == 1) return protocol_error(ws, "a Close has half a code");
    const unsigned char *bytes = (const unsigned char *)payload.data;
    uint16_t code = (uint16_t)(bytes[0] << 8 | bytes[1]);
    spry_slice reason = spry_slice_of(payload.data + 2, payload.len - 2);
    if (!spry_ws_may_close(code))
        return protocol_error(ws, "a Close has a code that must not be sent");
    if (!spry_utf8_valid(reason))
        return violation(ws, SPRY_CLOSE_INVALID, "a close reason is not valid UTF-8");
    return end_session(ws, code, reason);
}

static int end_frame(spry_ws *ws) {
    spry_frame_in *frame = ws->frame;
    frame->head_len = 0, frame->begun = frame->plain = false;
    spry_slice control = spry_slice_of(frame->control, frame->control_len);
    switch (opcode_of(frame)) {
    case WSLAY_CONNECTION_CLOSE: return take_close(ws, control);
    case WSLAY_PING: ws->pong_due = true; return SPRY_OK;
    case WSLAY_PONG: return SPRY_OK;
    default: return is_final(frame) ? end_message(ws) : SPRY_OK;
    }
}

static bool is_inside_frame(const spry_ws *ws) {
    return ws->frame && ws->frame->head_len;
}

static bool is_between_messages(const spry_ws *ws) {
    return !is_inside_frame(ws) && !ws->partial;
}

/* The message at the front of the input, if it comes next and is whole (whole.h). */
static bool find_whole(const spry_ws *ws, spry_slice in, spry_whole *whole) {
    return is_between_messages(ws) && spry_whole_find(in, ws->is_client, ws->max_message, whole);
}

/* 1 when there was one and it was taken, 0, or SPRY_ENOMEM. */
static int take_whole(spry_ws *ws) {
    spry_whole whole;
    if (!find_whole(ws, *ws->input, &whole)) return 0;
    size_t len = whole.payload.len;
    spry_message *m = malloc(sizeof *m + len);
    if (!m) return SPRY_ENOMEM;
    *m = (spry_message){.kind = whole.opcode, .len = len};
    spry_whole_copy(&whole, m->data);
    ws->input->data += whole.size, ws->input->len -= whole.size;
    if (m->kind == SPRY_TEXT && !spry_utf8_valid(spry_slice_of(m->data, len))) {
        free(m);
        int err = violation(ws, SPRY_CLOSE_INVALID, not_utf8);
        return err ? err : 1;
    }
    push(ws, m);
    return 1;
}

bool spry_ws_peek(const spry_ws *ws, spry_slice in, spry_whole *whole) {
    return !ws->inbox && !ws->ended && !ws->pong_due && find_whole(ws, in, whole);
}

static bool have_frame(spry_ws *ws) {
    if (!ws->frame) ws->frame = calloc(1, sizeof *ws->frame);
    return ws->frame;
}

static bool have_parser(spry_ws *ws) {
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = on_recv};
    return have_frame(ws) &&
           (ws->frame->parser || wslay_frame_context_init(&ws->frame->parser, &callbacks, ws) == 0);
}

/* Between two frames the parser knows nothing that a new one would not. */
static void drop_frame(spry_ws *ws) {
    if (!ws->frame) return;
    if (ws->frame->parser) wslay_frame_context_free(ws->frame->parser);
    free(ws->frame);
    ws->frame = NULL;
}

/* A message that would be whole, were all of it here: the end of what was read is nearly always in
 * the middle of one. 1 when it has begun, 0, or SPRY_ENOMEM. */
static int begin_plain(spry_ws *ws) {
    spry_whole whole;
    if (!is_between_messages(ws) ||
        !spry_whole_head(*ws->input, ws->is_client, ws->max_message, &whole))
        return 0;
    if (!have_frame(ws)) return SPRY_ENOMEM;
    spry_frame_in *frame = ws->frame;
    size_t size = (size_t)(whole.payload.data - ws->input->data);
    memcpy(frame->head, ws->input->data, size);
    frame->head_len = (unsigned char)size;
    ws->input->data += size, ws->input->len -= size;
    frame->plain = true;
    memcpy(frame->mask, whole.mask, sizeof frame->mask);
    int err = begin_frame(ws);
    return err ? err : 1;
}

/* Takes what is here of its payload. As parse. */
static int take_plain(spry_ws *ws) {
    spry_frame_in *frame = ws->frame;
    size_t n = ws->input->len < frame->left ? ws->input->len : (size_t)frame->left;
    if (!n) return 1;
    if (make_room(ws, n, frame->left)) return SPRY_ENOMEM;
    spry_message *m = ws->partial;
    spry_slice data = spry_slice_of(m->data + m->len, n);
    unsigned char mask[SPRY_MASK_SIZE];
    for (size_t i = 0; i < sizeof mask; i++) mask[i] = frame->mask[(m->len + i) % sizeof mask];
    spry_frame_mask(m->data + m->len, ws->input->data, n, mask);
    ws->input->data += n, ws->input->len -= n;
    m->len += n, frame->left -= n;
    if (m->kind == SPRY_TEXT && !spry_text_feed(&ws->text, data))
        return violation(ws, SPRY_CLOSE_INVALID, not_utf8);
    return frame->left ? SPRY_OK : end_frame(ws);
}

/* Parses a piece further. 1 when there is nothing left to parse, 0, or SPRY_ENOMEM. */
static int parse(spry_ws *ws) {
    if (ws->frame && ws->frame->plain) return take_plain(ws);
    int taken = take_whole(ws);
    if (!taken) taken = begin_plain(ws);
    if (taken) return taken < 0 ? taken : 0;
    if (!ws->input->len && !is_inside_frame(ws)) return 1;
    if (!have_parser(ws)) return SPRY_ENOMEM;
    spry_frame_in *frame = ws->frame;
    struct wslay_frame_iocb piece = {0};
    ssize_t n = wslay_frame_recv(frame->parser, &piece);
    if (n < 0 && n != WSLAY_ERR_WANT_READ)
        return protocol_error(ws, "a length is not in its shortest form, or a control frame is "
                                  "too long or in fragments");
    bool is_whole = frame->head_len == spry_frame_head_size(frame->head, frame->head_len);
    if (is_whole && !frame->begun) {
        int err = begin_frame(ws);
        if (err || ws->ended || n < 0) return err;
    }
    if (n < 0) return 1;
    int err = n ? take_piece(ws, spry_slice_of((const char *)piece.data, (size_t)n)) : SPRY_OK;
    if (err || ws->ended || frame->left) return err;
    return end_frame(ws);
}

/* How much of the input is parsed, or put into the inbox, before the caller looks at its bounds
 * again. */
enum { PORTION = 16 * 1024, FILL = 64 * 1024 };

static int put_pong(spry_ws *ws) {
    ws->pong_due = false;
    if (ws->close_sent) return SPRY_OK;
    spry_slice payload = spry_slice_of(ws->frame->control, ws->frame->control_len);
    return put_frame(ws, WSLAY_PONG, payload);
}

int spry_ws_feed(spry_ws *ws, spry_slice *input) {
    int err = ws->pong_due ? put_pong(ws) : SPRY_OK;
    size_t before = input->len, full = ws->inbox_bytes + FILL;
    ws->input = input;
    while (!err && !ws->ended && before - input->len < PORTION && ws->inbox_bytes < full) {
        err = parse(ws);
        if (!ws->pong_due || err) continue;
        if (ws->inbox) break;
        err = put_pong(ws);
    }
    ws->input = NULL;
    if (ws->ended || !(is_inside_frame(ws) || ws->pong_due)) drop_frame(ws);
    if (ws->ended) input->len = 0, spry_deflate_end_input(ws->deflate);
    return err < 0 ? err : SPRY_OK;
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
    return end_inbox(ws, SPRY_CLOSE_LOST, NULL, 0);
}

void spry_ws_free(spry_ws *ws) {
    drop_frame(ws);
    spry_deflate_free(ws->deflate);
    ws->deflate = NULL;
    free(ws->partial);
    ws->partial = NULL;
    for (spry_message *m; (m = spry_ws_next(ws));) free(m);
}
