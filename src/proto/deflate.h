/* permessage-deflate (RFC 7692): what was agreed on, and the compressor and decompressor of a
 * connection, over zlib. Sans-IO: payloads in, payloads out.
 *
 * zlib's state is large (some 260 KiB to compress and 40 KiB to inflate, with the largest window),
 * so it is made at the first compressed message, and kept by a connection only where a context is
 * carried over from one message to the next. Otherwise it belongs to the pool: one compressor,
 * used by all for a message each, and an inflater that is lent until the end of a message. A frame
 * that the pool has compressed is good for every connection without context takeover. */
#ifndef SPRY_PROTO_DEFLATE_H
#define SPRY_PROTO_DEFLATE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* Sizes of a window, in bits. zlib can't compress with 8. */
enum { SPRY_WINDOW_MIN = 9, SPRY_WINDOW_MAX = 15 };

struct z_stream_s;

/* What was agreed on with a peer, and from which size on this side makes use of it. All zero is
 * no compression. */
typedef struct spry_deflate_terms {
    bool agreed;
    bool our_takeover, their_takeover;  /* whether a side refers to its earlier messages */
    unsigned char our_bits, their_bits; /* of the window that a side compresses with */
    size_t threshold;                   /* bytes; shorter messages are sent as they are */
} spry_deflate_terms;

/* What connections share: one pool for each engine. All zero is an empty one. It owns what is in
 * it, and must outlive the connections. */
typedef struct spry_deflate_pool {
    struct z_stream_s *compressors[SPRY_WINDOW_MAX - SPRY_WINDOW_MIN + 1]; /* by window, or NULL */
    struct z_stream_s *inflater; /* a spare one, or NULL */
} spry_deflate_pool;

void spry_deflate_pool_free(spry_deflate_pool *pool);

/* A connection's part. */
typedef struct spry_deflate {
    spry_deflate_terms terms;
    spry_deflate_pool *pool;
    struct z_stream_s *compressor; /* its own, with takeover and after the first message */
    struct z_stream_s *inflater;   /* its own, or lent by the pool until the message ends */
    bool open;                     /* the message that comes in is inside a series of blocks */
} spry_deflate;

/* NULL when there is no memory. */
spry_deflate *spry_deflate_new(const spry_deflate_terms *terms, spry_deflate_pool *pool);

/* Frees it; harmless with NULL. */
void spry_deflate_free(spry_deflate *d);

/* Frees what compressing needs: no message will be sent any more. Harmless with NULL. */
void spry_deflate_end_output(spry_deflate *d);

/* The same for inflating. */
void spry_deflate_end_input(spry_deflate *d);

/* ---- out ---- */

/* Appends a message as a compressed frame, this connection's next. 1; 0 when that would not make
 * it smaller, and it is to be sent as it is; SPRY_ENOMEM. */
int spry_deflate_put(spry_deflate *d, spry_buf *out, unsigned opcode,
                     spry_slice message) SPRY_MUST_CHECK;

/* The same for every connection whose spry_deflate_is_shared. */
int spry_deflate_put_shared(spry_deflate_pool *pool, spry_buf *out, unsigned opcode,
                            spry_slice message) SPRY_MUST_CHECK;

/* Whether what the pool compresses for all is good for this connection. */
bool spry_deflate_is_shared(const spry_deflate *d);

/* ---- in ---- */

/* Inflates from the front of `input`, a piece of a message's payload, into `room` bytes at `to`.
 * Returns how many it made; `room` says that there may be more, even without input. SPRY_EINVAL
 * for what is not compressed data, SPRY_ENOMEM. */
int64_t spry_inflate(spry_deflate *d, spry_slice *input, char *to, size_t room);

/* What the peer has left out at the end of the message (section 7.2.1): to be inflated as well. */
spry_slice spry_inflate_tail(const spry_deflate *d);

/* Behind that: the message ends. False when it is broken off. */
bool spry_inflate_end(spry_deflate *d);

#endif
