/* The bytes of WebSocket frames (RFC 6455 section 5.2): heads, masks, and whole frames. Stateless.
 */
#ifndef SPRY_PROTO_FRAME_H
#define SPRY_PROTO_FRAME_H

#include "base/buf.h"

#include <stdint.h>

/* Bits of the first two bytes. */
enum {
    SPRY_FRAME_FIN = 0x80,
    SPRY_FRAME_RSV = 0x70,
    SPRY_FRAME_DEFLATED = 0x40, /* RSV1, RFC 7692 section 6 */
    SPRY_FRAME_OPCODE = 0x0f,
    SPRY_FRAME_MASKED = 0x80,
};

/* The longest head of a frame: two bytes, eight of length, four of mask; and without a mask. */
enum { SPRY_MASK_SIZE = 4, SPRY_HEAD_MAX = 14, SPRY_HEAD_OUT_MAX = 10 };

/* How long a head is, as far as its first `n` bytes tell. */
size_t spry_frame_head_size(const unsigned char *head, size_t n);

/* The length of the payload, from a complete head. */
uint64_t spry_frame_length(const unsigned char *head);

/* XORs `n` bytes with the mask (section 5.3), which is its own inverse. `to` and `from` may be the
 * same. */
void spry_frame_mask(char *to, const char *from, size_t n, const unsigned char mask[static 4]);

/* Writes a head with FIN and the bits of `first`, an opcode and maybe SPRY_FRAME_DEFLATED, and the
 * shortest form of the length. Returns its size. */
size_t spry_frame_head(unsigned char head[static SPRY_HEAD_OUT_MAX], unsigned first, size_t len);

/* Appends a whole frame, as a server sends it. 0 or SPRY_ENOMEM. */
int spry_frame_put(spry_buf *out, unsigned opcode, spry_slice payload) SPRY_MUST_CHECK;

/* The same as a client sends it: masked, with a key that nobody can guess. SPRY_ENOMEM also when
 * the system has no random bytes. */
int spry_frame_put_masked(spry_buf *out, unsigned opcode, spry_slice payload) SPRY_MUST_CHECK;

#endif
