#include "frame.h"

#include "load.h"

#include <string.h>

enum { BINARY = 2, CLOSE = 8 };

size_t frame_write(char *to, const char *payload, size_t length) {
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d}; /* no server looks at it twice */
    size_t wide = length > 0xffff ? 8 : length > 125 ? 2 : 0, at = 2;
    to[0] = (char)(0x80 | BINARY);
    to[1] = (char)(0x80 | (wide == 8 ? 127 : wide == 2 ? 126 : length));
    for (size_t i = 0; i < wide; i++) to[at++] = (char)((uint64_t)length >> 8 * (wide - 1 - i));
    memcpy(to + at, mask, sizeof mask);
    at += sizeof mask;
    for (size_t i = 0; i < length; i++) to[at + i] = (char)(payload[i] ^ mask[i % 4]);
    return at + length;
}

static size_t head_size(const frame_reader *r) {
    if (r->head_length < 2) return 2;
    unsigned length = r->head[1] & 127;
    return length == 126 ? 4 : length == 127 ? 10 : 2;
}

static bool read_head(frame_reader *r, const char **bytes, size_t *length) {
    while (r->head_length < head_size(r)) {
        if (!*length) return false;
        r->head[r->head_length++] = (unsigned char)*(*bytes)++;
        --*length;
    }
    if (r->at) return true;
    if (r->head[1] & 0x80) load_fail("a masked frame from the server");
    r->length = r->head_length > 2 ? 0 : r->head[1] & 127;
    for (size_t i = 2; i < r->head_length; i++) r->length = r->length << 8 | r->head[i];
    return true;
}

static void on_payload(frame_reader *r, const char *bytes, size_t length, const char *expected) {
    if (expected && memcmp(bytes, expected + r->at, length) != 0)
        load_fail("an echo unlike what was sent");
    for (size_t i = 0; i < length && r->at + i < FRAME_STAMP; i++)
        r->stamp[r->at + i] = (unsigned char)bytes[i];
}

/* Pings need no answer: no load takes as long as a server waits for one. */
bool frame_read(frame_reader *r, const char **bytes, size_t *length, const char *expected) {
    while (read_head(r, bytes, length)) {
        bool is_control = r->head[0] & 8;
        uint64_t left = r->length - r->at;
        size_t size = left < *length ? (size_t)left : *length;
        if ((r->head[0] & 15) == CLOSE) load_fail("the server closed a WebSocket");
        if (!is_control) on_payload(r, *bytes, size, expected);
        *bytes += size;
        *length -= size;
        r->at += size;
        if (r->at < r->length) return false;
        r->head_length = r->at = 0;
        if (!is_control) return true;
    }
    return false;
}
