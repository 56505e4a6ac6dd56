/* Frames as bytes, see frame.h. */
#include "proto/frame.h"

#include <endian.h>
#include <unistd.h>

size_t spry_frame_head_size(const unsigned char *head, size_t n) {
    if (n < 2) return 2;
    unsigned form = head[1] & 0x7f;
    size_t length = form == 126 ? 2 : form == 127 ? 8 : 0;
    return 2 + length + (head[1] & SPRY_FRAME_MASKED ? 4 : 0);
}

uint64_t spry_frame_length(const unsigned char *head) {
    unsigned form = head[1] & 0x7f;
    if (form < 126) return form;
    if (form == 126) return (uint64_t)head[2] << 8 | head[3];
    uint64_t length;
    memcpy(&length, head + 2, sizeof length);
    return be64toh(length);
}

/* As much at once as any processor's vector registers hold: several at once go through memory. */
typedef uint32_t block __attribute__((vector_size(16)));

void spry_frame_mask(char *to, const char *from, size_t n, const unsigned char mask[static 4]) {
    uint32_t key, word;
    block bytes;
    size_t i = 0;
    memcpy(&key, mask, sizeof key);
    for (; n - i >= sizeof bytes; i += sizeof bytes) {
        memcpy(&bytes, from + i, sizeof bytes);
        bytes ^= key;
        memcpy(to + i, &bytes, sizeof bytes);
    }
    for (; n - i >= sizeof word; i += sizeof word) {
        memcpy(&word, from + i, sizeof word);
        word ^= key;
        memcpy(to + i, &word, sizeof word);
    }
    for (; i < n; i++) to[i] = (char)(from[i] ^ mask[i & 3]);
}

size_t spry_frame_head(unsigned char head[static SPRY_HEAD_OUT_MAX], unsigned first, size_t len) {
    head[0] = (unsigned char)(SPRY_FRAME_FIN | first);
    if (len <= 125) {
        head[1] = (unsigned char)len;
        return 2;
    }
    size_t bytes = len <= 0xffff ? 2 : 8;
    head[1] = bytes == 2 ? 126 : 127;
    for (size_t i = 0; i < bytes; i++)
        head[2 + i] = (unsigned char)((uint64_t)len >> (8 * (bytes - 1 - i)));
    return 2 + bytes;
}

int spry_frame_put(spry_buf *out, unsigned opcode, spry_slice payload) {
    if (spry_buf_reserve(out, SPRY_HEAD_OUT_MAX + payload.len)) return SPRY_ENOMEM;
    out->len += spry_frame_head((unsigned char *)out->data + out->len, opcode, payload.len);
    if (payload.len) memcpy(out->data + out->len, payload.data, payload.len);
    out->len += payload.len;
    return SPRY_OK;
}

int spry_frame_put_masked(spry_buf *out, unsigned opcode, spry_slice payload) {
    unsigned char head[SPRY_HEAD_MAX];
    size_t n = spry_frame_head(head, opcode, payload.len);
    unsigned char *mask = head + n;
    head[1] |= SPRY_FRAME_MASKED;
    if (getentropy(mask, SPRY_MASK_SIZE)) return SPRY_ENOMEM;
    n += SPRY_MASK_SIZE;
    if (spry_buf_reserve(out, n + payload.len)) return SPRY_ENOMEM;
    memcpy(out->data + out->len, head, n);
    spry_frame_mask(out->data + out->len + n, payload.data, payload.len, mask);
    out->len += n + payload.len;
    return SPRY_OK;
}
