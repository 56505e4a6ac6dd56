/* Text that comes in pieces, checked for UTF-8 as it comes: a character may be split between two of
 * them. A spry_text is plain data and owns nothing; all zero is the start of a text. */
#ifndef SPRY_PROTO_TEXT_H
#define SPRY_PROTO_TEXT_H

#include "base/slice.h"

typedef struct spry_text {
    unsigned char tail[4]; /* a character that has begun */
    unsigned char len;     /* how much of it is there */
} spry_text;

/* Goes on with a piece. False as soon as no continuation could make the text valid. */
bool spry_text_feed(spry_text *text, spry_slice piece);

/* Whether the text may end here. */
static inline bool spry_text_is_complete(const spry_text *text) {
    return text->len == 0;
}

#endif
