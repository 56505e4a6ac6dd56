/* UTF-8 as RFC 3629 has it: no overlong form, no surrogate, at most U+10FFFF. Owns nothing. */
#ifndef SPRY_BASE_UTF8_H
#define SPRY_BASE_UTF8_H

#include "base/slice.h"

#include <stdint.h>

/* Length of the well-formed sequence of more than one byte at `s`, 0 when it is none. `len`, the
 * bytes that are there, is at least 1. */
static inline size_t spry_utf8_sequence(const unsigned char *s, size_t len) {
    unsigned char c = s[0], low = 0x80, high = 0xBF;
    size_t n = c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
    if (n == 0 || len < n) return 0;
    if (c == 0xE0) low = 0xA0;
    if (c == 0xED) high = 0x9F;
    if (c == 0xF0) low = 0x90;
    if (c == 0xF4) high = 0x8F;
    if (s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    return n;
}

/* Whether all of the text is well-formed. Runs of ASCII are skipped eight bytes at a time. */
static inline bool spry_utf8_valid(spry_slice text) {
    const unsigned char *s = (const unsigned char *)text.data;
    for (size_t i = 0; i < text.len;) {
        uint64_t word;
        if (text.len - i >= sizeof word) {
            memcpy(&word, s + i, sizeof word);
            if (!(word & 0x8080808080808080u)) {
                i += sizeof word;
                continue;
            }
        }
        size_t n = s[i] < 0x80 ? 1 : spry_utf8_sequence(s + i, text.len - i);
        if (n == 0) return false;
        i += n;
    }
    return true;
}

#endif
