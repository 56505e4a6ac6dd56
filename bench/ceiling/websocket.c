/* WebSocket by hand: the handshake's answer, frames in, frames out. */
#include "ceiling.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

enum {
    LONGEST = 16 << 20, /* message */
    LONGEST_EVENT = 4096,
    GATHERED = 512 << 10 /* bytes of output before they are written */
};
enum { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

/* A frame as it came. */
typedef struct {
    unsigned char first; /* byte: FIN and opcode */
    const char *mask, *payload;
    size_t length; /* of the payload */
} frame;

/* ---- the handshake ---- */

static void send_handshake(connection *c, const char key[24]) {
    static const char head[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Accept: ";
    unsigned char text[61], digest[SHA_DIGEST_LENGTH], accept[29];
    memcpy(text, key, 24);
    memcpy(text + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 37);
    (void)SHA1(text, 60, digest);
    (void)EVP_EncodeBlock(accept, digest, SHA_DIGEST_LENGTH);
    buffer_add(&c->server->output, head, sizeof head - 1);
    buffer_add(&c->server->output, accept, 28);
    buffer_add(&c->server->output, "\r\n\r\n", 4);
    output_flush(c);
}

void websocket_open(connection *c, role as, const char key[24]) {
    send_handshake(c, key);
    c->role = as; /* not before: what a publisher sends goes to the subscribers */
    if (as == ROLE_SUBSCRIBER) output_subscribe(c);
}

/* ---- frames out ---- */

static size_t write_head(char *to, unsigned char first, size_t length) {
    to[0] = (char)first;
    if (length < 126) {
        to[1] = (char)length;
        return 2;
    }
    size_t wide = length > 0xffff ? 8 : 2;
    to[1] = wide == 8 ? 127 : 126;
    for (size_t i = 0; i < wide; i++) to[2 + i] = (char)((uint64_t)length >> 8 * (wide - 1 - i));
    return 2 + wide;
}

/* Eight bytes at a time. */
static void unmask(char *to, const frame *f) {
    uint64_t mask, word;
    memcpy(&mask, f->mask, 4);
    memcpy((char *)&mask + 4, f->mask, 4);
    size_t i = 0;
    for (; i + 8 <= f->length; i += 8) {
        memcpy(&word, f->payload + i, 8);
        word ^= mask;
        memcpy(to + i, &word, 8);
    }
    for (; i < f->length; i++) to[i] = (char)(f->payload[i] ^ f->mask[i % 4]);
}

static void send_event(connection *c, const frame *f) {
    char data[LONGEST_EVENT];
    if (f->length > sizeof data) return;
    unmask(data, f);
    events_add(c, data, f->length);
}

static void send_back(connection *c, unsigned char first, const frame *f) {
    buffer *output = &c->server->output;
    char *to = buffer_room(output, f->length + 10);
    size_t head = write_head(to, first, f->length);
    unmask(to + head, f);
    output->length += head + f->length;
    if (output->length > GATHERED) output_flush(c);
}

/* ---- frames in ---- */

/* A publisher's own answers must not go to the subscribers. */
static void answer_control(connection *c, unsigned char opcode, const frame *f) {
    role own = c->role;
    output_flush(c);
    c->role = ROLE_ECHO;
    send_back(c, (unsigned char)(0x80 | opcode), f);
    output_flush(c);
    c->role = own;
}

static void on_frame(connection *c, const frame *f) {
    unsigned char opcode = f->first & 15;
    switch (opcode) {
    case CONTINUATION:
    case TEXT:
    case BINARY:
        if (c->role == ROLE_ANNOUNCER)
            send_event(c, f);
        else if (c->role != ROLE_SUBSCRIBER)
            send_back(c, f->first, f);
        break;
    case PING: answer_control(c, PONG, f); break;
    case PONG: break;
    case CLOSE:
        answer_control(c, CLOSE, f);
        c->closes = true;
        break;
    default: connection_drop(c);
    }
}

/* How many bytes the frame has, or 0 when that can't be said yet. */
static size_t read_head(const char *bytes, size_t length, frame *f) {
    if (length < 2) return 0;
    const unsigned char *head = (const unsigned char *)bytes;
    size_t payload = head[1] & 127, wide = payload == 126 ? 2 : payload == 127 ? 8 : 0;
    if (length < 2 + wide + 4) return 0;
    if (wide) payload = 0;
    for (size_t i = 0; i < wide; i++) payload = payload << 8 | head[2 + i];
    *f = (frame){head[0], bytes + 2 + wide, bytes + 2 + wide + 4, payload};
    return payload > LONGEST || !(head[1] & 0x80) ? SIZE_MAX : 2 + wide + 4 + payload;
}

/* Takes all whole frames. Returns how many bytes they had; *wanted is what the next one has. */
static size_t read_frames(connection *c, const char *bytes, size_t length, size_t *wanted) {
    size_t used = 0;
    while (!c->closes && !uv_is_closing((uv_handle_t *)&c->tcp)) {
        frame f;
        *wanted = read_head(bytes + used, length - used, &f);
        if (*wanted == SIZE_MAX) connection_drop(c);
        if (*wanted == 0 || *wanted > length - used) break;
        on_frame(c, &f);
        used += *wanted;
    }
    return used;
}

void websocket_read(connection *c, const char *bytes, size_t length) {
    buffer *partial = &c->partial;
    bool resumed = partial->length > 0;
    if (resumed) {
        buffer_add(partial, bytes, length);
        bytes = partial->bytes;
        length = partial->length;
    }
    size_t wanted = 0, used = read_frames(c, bytes, length, &wanted), left = length - used;
    if (left == 0 || uv_is_closing((uv_handle_t *)&c->tcp)) {
        buffer_free(partial);
    } else if (resumed) {
        memmove(partial->bytes, partial->bytes + used, left);
        partial->length = left;
    } else {
        (void)buffer_room(partial, wanted > left ? wanted : left);
        buffer_add(partial, bytes + used, left);
    }
}
