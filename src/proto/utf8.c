/* UTF-8, see utf8.h. Overlong forms, surrogates and what lies above U+10FFFF differ from valid
 * characters in the range of their second byte. */
#include "proto/utf8.h"

#include <stdint.h>
#include <string.h>

/* Skips ASCII, eight bytes at a time while it can. */
static const unsigned char *skip_ascii(const unsigned char *p, const unsigned char *end) {
    uint64_t eight;
    while (end - p >= 8) {
        memcpy(&eight, p, 8);
        if (eight & 0x8080808080808080u) break;
        p += 8;
    }
    while (p < end && *p < 0x80) p++;
    return p;
}

/* The first byte of a character that is not ASCII. */
static bool begin(spry_utf8 *u, unsigned char c) {
    u->low = 0x80, u->high = 0xbf;
    if (c >= 0xc2 && c <= 0xdf) {
        u->need = 1;
    } else if (c >= 0xe0 && c <= 0xef) {
        u->need = 2;
        if (c == 0xe0) u->low = 0xa0;
        if (c == 0xed) u->high = 0x9f;
    } else if (c >= 0xf0 && c <= 0xf4) {
        u->need = 3;
        if (c == 0xf0) u->low = 0x90;
        if (c == 0xf4) u->high = 0x8f;
    } else {
        return false;
    }
    return true;
}

bool spry_utf8_feed(spry_utf8 *u, const char *data, size_t n) {
    if (n == 0) return true;
    const unsigned char *p = (const unsigned char *)data, *end = p + n;
    for (;;) {
        if (!u->need) {
            p = skip_ascii(p, end);
            if (p == end) return true;
            if (!begin(u, *p++)) return false;
        }
        for (; u->need; u->need--) {
            if (p == end) return true;
            if (*p < u->low || *p > u->high) return false;
            u->low = 0x80, u->high = 0xbf;
            p++;
        }
    }
}
