/* The way past wslay's frame parser for what nearly every frame is: a data message of its own, all
 * of it in the input, not compressed, with nothing wrong. wslay would go through it byte by byte.
 * What is not plainly that is left to the parser; both ways give the same messages. Stateless. */
#ifndef SPRY_PROTO_WHOLE_H
#define SPRY_PROTO_WHOLE_H

#include "proto/frame.h"

#include <stdbool.h>

/* A frame that lies in the input. */
typedef struct spry_whole {
    unsigned opcode;    /* WSLAY_TEXT_FRAME or WSLAY_BINARY_FRAME */
    size_t size;        /* of the frame, head included */
    spry_slice payload; /* as it came: masked */
    unsigned char mask[SPRY_MASK_SIZE];
} spry_whole;

enum spry_find {
    SPRY_FIND_OTHER, /* something else, or not enough to tell */
    SPRY_FIND_BEGUN, /* such a frame, whose payload is still coming: that slice ends beyond `in` */
    SPRY_FIND_WHOLE, /* such a frame */
};

/* What `in` begins with, as a server or a client gets it; such a frame has at most `max` bytes of
 * payload. Whether a text is UTF-8 is not looked at. */
enum spry_find spry_whole_find(spry_slice in, bool is_client, size_t max, spry_whole *whole);

/* Writes its payload, unmasked. */
void spry_whole_copy(const spry_whole *whole, char *to);

#endif
