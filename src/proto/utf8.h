/* UTF-8 that comes in pieces (RFC 3629), as the text of a WebSocket does. A spry_utf8 is plain data
 * and owns nothing; all zero is the start of a text. */
#ifndef SPRY_PROTO_UTF8_H
#define SPRY_PROTO_UTF8_H

#include <stdbool.h>
#include <stddef.h>

typedef struct spry_utf8 {
    unsigned char need;      /* bytes that the character begun last still needs */
    unsigned char low, high; /* what the next of them may be */
} spry_utf8;

/* Goes on with `n` bytes. False as soon as no continuation could make the text valid. */
bool spry_utf8_feed(spry_utf8 *u, const char *data, size_t n);

/* Whether the text may end here. */
static inline bool spry_utf8_complete(const spry_utf8 *u) {
    return u->need == 0;
}

/* Whether all of it is valid. */
static inline bool spry_utf8_valid(const char *data, size_t n) {
    spry_utf8 u = {0, 0, 0};
    return spry_utf8_feed(&u, data, n) && spry_utf8_complete(&u);
}

#endif
