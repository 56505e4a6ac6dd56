/* What comes in through a WebSocket: from bytes to the messages in the inbox, see ws.h. */
#include "base/utf8.h"
#include "proto/ws.h"

#include <stdlib.h>

/* The peer has ended the session, or must not go on: `code` is for the session, and is owed to the
 * peer. */
static int end_session(spry_ws *ws, uint16_t code, spry_slice reason) {
    ws->close_due = code;
    return spry_ws_end_inbox(ws, code, reason);
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
    spry_ws_push(ws, m);
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

/* What the input begins with, where a message may begin. */
static enum spry_find find(const spry_ws *ws, spry_slice in, spry_whole *whole) {
    if (is_inside_frame(ws) || ws->partial) return SPRY_FIND_OTHER;
    return spry_whole_find(in, ws->is_client, ws->max_message, whole);
}

bool spry_ws_peek(const spry_ws *ws, spry_slice in, spry_whole *whole) {
    return !ws->inbox && !ws->ended && !ws->pong_due && find(ws, in, whole) == SPRY_FIND_WHOLE;
}

static int take_whole(spry_ws *ws, const spry_whole *whole) {
    size_t len = whole->payload.len;
    spry_message *m = malloc(sizeof *m + len);
    if (!m) return SPRY_ENOMEM;
    *m = (spry_message){.kind = whole->opcode, .len = len};
    spry_whole_copy(whole, m->data);
    ws->input->data += whole->size, ws->input->len -= whole->size;
    if (m->kind == SPRY_TEXT && !spry_utf8_valid(spry_slice_of(m->data, len))) {
        free(m);
        return violation(ws, SPRY_CLOSE_INVALID, not_utf8);
    }
    spry_ws_push(ws, m);
    return SPRY_OK;
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

void spry_ws_drop_frame(spry_ws *ws) {
    if (!ws->frame) return;
    if (ws->frame->parser) wslay_frame_context_free(ws->frame->parser);
    free(ws->frame);
    ws->frame = NULL;
}

/* A message that would be whole, were all of it here: the end of what was read is nearly always in
 * the middle of one. */
static int begin_plain(spry_ws *ws, const spry_whole *whole) {
    if (!have_frame(ws)) return SPRY_ENOMEM;
    spry_frame_in *frame = ws->frame;
    size_t size = (size_t)(whole->payload.data - ws->input->data);
    memcpy(frame->head, ws->input->data, size);
    frame->head_len = (unsigned char)size;
    ws->input->data += size, ws->input->len -= size;
    frame->plain = true;
    memcpy(frame->mask, whole->mask, sizeof frame->mask);
    return begin_frame(ws);
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

/* Has wslay parse a piece further. As parse. */
static int parse_piece(spry_ws *ws) {
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

/* Goes on in the input. 1 when there is nothing left to parse, 0, or SPRY_ENOMEM. */
static int parse(spry_ws *ws) {
    spry_whole whole;
    if (ws->frame && ws->frame->plain) return take_plain(ws);
    switch (find(ws, *ws->input, &whole)) {
    case SPRY_FIND_WHOLE: return take_whole(ws, &whole);
    case SPRY_FIND_BEGUN: return begin_plain(ws, &whole);
    default: return parse_piece(ws);
    }
}

/* How much of the input is parsed, or put into the inbox, before the caller looks at its bounds
 * again. */
enum { PORTION = 16 * 1024, FILL = 64 * 1024 };

static int put_pong(spry_ws *ws) {
    ws->pong_due = false;
    if (ws->close_sent) return SPRY_OK;
    spry_slice payload = spry_slice_of(ws->frame->control, ws->frame->control_len);
    return spry_ws_put(ws, WSLAY_PONG, payload);
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
    if (ws->ended || !(is_inside_frame(ws) || ws->pong_due)) spry_ws_drop_frame(ws);
    if (ws->ended) input->len = 0, spry_deflate_end_input(ws->deflate);
    return err < 0 ? err : SPRY_OK;
}
