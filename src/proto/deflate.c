/* Compressed messages, see deflate.h. */
#include "proto/deflate.h"

#include "proto/frame.h"

#define ZLIB_CONST /* it does not write to its input */
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

/* ---- streams ---- */

/* Both halves of a compressor's memory, the window's and the hash's, are of a size then:
 * 2^(bits + 2) bytes each. */
static int memory_level(int bits) {
    return bits - 7;
}

static z_stream *new_compressor(int bits) {
    z_stream *z = calloc(1, sizeof *z);
    if (!z) return NULL;
    if (deflateInit2(z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -bits, memory_level(bits),
                     Z_DEFAULT_STRATEGY) == Z_OK)
        return z;
    free(z);
    return NULL;
}

static z_stream *new_inflater(int bits) {
    z_stream *z = calloc(1, sizeof *z);
    if (!z) return NULL;
    if (inflateInit2(z, -bits) == Z_OK) return z;
    free(z);
    return NULL;
}

static void free_compressor(z_stream **z) {
    if (*z) deflateEnd(*z);
    free(*z);
    *z = NULL;
}

static void free_inflater(z_stream **z) {
    if (*z) inflateEnd(*z);
    free(*z);
    *z = NULL;
}

void spry_deflate_pool_free(spry_deflate_pool *pool) {
    for (int i = 0; i <= SPRY_WINDOW_MAX - SPRY_WINDOW_MIN; i++)
        free_compressor(&pool->compressors[i]);
    free_inflater(&pool->inflater);
}

/* ---- a connection's ---- */

spry_deflate *spry_deflate_new(const spry_deflate_terms *terms, spry_deflate_pool *pool) {
    spry_deflate *d = malloc(sizeof *d);
    if (d) *d = (spry_deflate){.terms = *terms, .pool = pool};
    return d;
}

void spry_deflate_end_output(spry_deflate *d) {
    if (d) free_compressor(&d->compressor);
}

void spry_deflate_end_input(spry_deflate *d) {
    if (d) free_inflater(&d->inflater);
}

void spry_deflate_free(spry_deflate *d) {
    spry_deflate_end_output(d);
    spry_deflate_end_input(d);
    free(d);
}

/* ---- out ---- */

/* The end of an empty block, which ends a message and is left out (RFC 7692 section 7.2.1). */
static const char tail[4] = {0x00, 0x00, (char)0xff, (char)0xff};

/* Compresses into `to`, with room for the message and a tail. Returns the length without the tail,
 * 0 when it is not less than before. Then the compressor forgets the message: it will not be a
 * part of what the peer inflates. */
static size_t compress_message(z_stream *z, bool takeover, spry_slice message, char *to) {
    z->next_in = (const Bytef *)message.data;
    z->avail_in = (uInt)message.len;
    z->next_out = (Bytef *)to;
    z->avail_out = (uInt)(message.len + sizeof tail);
    bool smaller = deflate(z, Z_SYNC_FLUSH) == Z_OK && z->avail_out > 0;
    size_t made = message.len - z->avail_out;
    if (!smaller || !takeover) deflateReset(z);
    return smaller ? made : 0;
}

/* The head is as long as the payload turns out to need. */
static int put(z_stream *z, bool takeover, spry_buf *out, unsigned opcode, spry_slice message) {
    if (!z || spry_buf_reserve(out, SPRY_HEAD_OUT_MAX + message.len + sizeof tail))
        return SPRY_ENOMEM;
    char *to = out->data + out->len;
    size_t len = compress_message(z, takeover, message, to + SPRY_HEAD_OUT_MAX);
    if (!len) return 0;
    unsigned char head[SPRY_HEAD_OUT_MAX];
    size_t head_len = spry_frame_head(head, SPRY_FRAME_DEFLATED | opcode, len);
    memcpy(to, head, head_len);
    memmove(to + head_len, to + SPRY_HEAD_OUT_MAX, len);
    out->len += head_len + len;
    return 1;
}

/* zlib counts in unsigned ints. What is as large as that can go as it is. */
static bool fits(spry_slice message) {
    return message.len && message.len <= UINT_MAX - sizeof tail;
}

static int put_pooled(spry_deflate_pool *pool, int bits, spry_buf *out, unsigned opcode,
                      spry_slice message) {
    z_stream **z = &pool->compressors[bits - SPRY_WINDOW_MIN];
    if (!*z) *z = new_compressor(bits);
    return put(*z, false, out, opcode, message);
}

int spry_deflate_put_shared(spry_deflate_pool *pool, spry_buf *out, unsigned opcode,
                            spry_slice message) {
    return fits(message) ? put_pooled(pool, SPRY_WINDOW_MAX, out, opcode, message) : 0;
}

bool spry_deflate_is_shared(const spry_deflate *d) {
    return !d->terms.our_takeover && d->terms.our_bits == SPRY_WINDOW_MAX;
}

int spry_deflate_put(spry_deflate *d, spry_buf *out, unsigned opcode, spry_slice message) {
    if (!fits(message)) return 0;
    if (!d->terms.our_takeover) return put_pooled(d->pool, d->terms.our_bits, out, opcode, message);
    if (!d->compressor) d->compressor = new_compressor(d->terms.our_bits);
    return put(d->compressor, true, out, opcode, message);
}

/* ---- in ---- */

/* A peer that has promised a window of 8 bits may use 9, as zlib does. */
static int their_window(const spry_deflate *d) {
    return d->terms.their_bits < SPRY_WINDOW_MIN ? SPRY_WINDOW_MIN : d->terms.their_bits;
}

static bool have_inflater(spry_deflate *d) {
    if (d->inflater) return true;
    if (d->pool->inflater && !d->terms.their_takeover) {
        d->inflater = d->pool->inflater;
        d->pool->inflater = NULL;
        if (inflateReset2(d->inflater, -their_window(d)) == Z_OK) return true;
        free_inflater(&d->inflater);
    }
    d->inflater = new_inflater(their_window(d));
    return d->inflater != NULL;
}

/* Behind a final block another series of blocks may follow, which still knows what came before. */
static bool begin_again(z_stream *z) {
    Bytef window[1 << SPRY_WINDOW_MAX];
    uInt len = 0;
    return inflateGetDictionary(z, window, &len) == Z_OK && inflateReset(z) == Z_OK &&
           inflateSetDictionary(z, window, len) == Z_OK;
}

/* One step of zlib's. Z_BUF_ERROR only says that there is nothing to do. */
static int inflate_step(spry_deflate *d) {
    z_stream *z = d->inflater;
    if (z->avail_in) d->open = true;
    switch (inflate(z, Z_SYNC_FLUSH)) {
    case Z_OK:
    case Z_BUF_ERROR: return SPRY_OK;
    case Z_STREAM_END: d->open = false; return begin_again(z) ? SPRY_OK : SPRY_ENOMEM;
    case Z_MEM_ERROR: return SPRY_ENOMEM;
    default: return SPRY_EINVAL;
    }
}

int64_t spry_inflate(spry_deflate *d, spry_slice *input, char *to, size_t room) {
    if (!have_inflater(d)) return SPRY_ENOMEM;
    z_stream *z = d->inflater;
    z->next_out = (Bytef *)to;
    z->avail_out = room < UINT_MAX ? (uInt)room : UINT_MAX;
    int err;
    do {
        uInt given = input->len < UINT_MAX ? (uInt)input->len : UINT_MAX;
        z->next_in = (const Bytef *)input->data;
        z->avail_in = given;
        err = inflate_step(d);
        input->data += given - z->avail_in, input->len -= given - z->avail_in;
    } while (!err && input->len && z->avail_out);
    return err ? err : (int64_t)((char *)z->next_out - to);
}

/* A message that ends with a final block, or is nothing at all, is complete without it. */
spry_slice spry_inflate_tail(const spry_deflate *d) {
    return spry_slice_of(tail, d->open ? sizeof tail : 0);
}

/* Whether zlib stands between two blocks (its manual has the bits of data_type). */
static bool is_between_blocks(const z_stream *z) {
    return z->data_type & 128;
}

bool spry_inflate_end(spry_deflate *d) {
    bool whole = !d->open || is_between_blocks(d->inflater);
    d->open = false;
    if (d->terms.their_takeover) return whole;
    if (!d->pool->inflater) {
        d->pool->inflater = d->inflater;
        d->inflater = NULL;
    }
    spry_deflate_end_input(d);
    return whole;
}
