/* WebSocket frames as a client writes and reads them. */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_HEAD = 14, FRAME_STAMP = 16 };

typedef struct {
    unsigned char head[10];
    size_t head_length;
    uint64_t length, at;              /* of the payload, and how much of it was here */
    unsigned char stamp[FRAME_STAMP]; /* what the payload begins with */
} frame_reader;

/* Writes a masked binary message; `to` has room for FRAME_HEAD bytes more than the payload. */
size_t frame_write(char *to, const char *payload, size_t length);

/* Moves *bytes on, to the end of a message at most, whose length is then r->length. The payload
 * must be `expected`, unless that is NULL. False: more bytes are needed. */
bool frame_read(frame_reader *r, const char **bytes, size_t *length, const char *expected);

#endif
