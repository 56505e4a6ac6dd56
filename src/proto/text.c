/* Text in pieces, see text.h. */
#include "proto/text.h"

#include "base/utf8.h"

/* Whether more bytes could complete the character. What a first byte allows as its second includes
 * one of these two (RFC 3629 section 4). */
static bool may_go_on(const unsigned char *s, size_t len) {
    static const unsigned char fill[] = {0x80, 0xA0};
    for (size_t i = 0; i < sizeof fill; i++) {
        unsigned char whole[4] = {fill[i], fill[i], fill[i], fill[i]};
        memcpy(whole, s, len);
        if (spry_utf8_sequence(whole, sizeof whole) > len) return true;
    }
    return false;
}

/* Completes the character that has begun, from the front of the piece. */
static bool complete(spry_text *text, spry_slice *piece) {
    while (text->len && piece->len) {
        text->tail[text->len++] = (unsigned char)*piece->data++;
        piece->len--;
        if (spry_utf8_sequence(text->tail, text->len))
            text->len = 0;
        else if (!may_go_on(text->tail, text->len))
            return false;
    }
    return true;
}

/* How much of the end of the piece may be a character of which the rest is to come. */
static size_t open_end(spry_slice piece) {
    for (size_t n = 1; n <= 3 && n <= piece.len; n++) {
        const unsigned char *s = (const unsigned char *)piece.data + piece.len - n;
        if ((*s & 0xC0) != 0x80) return may_go_on(s, n) ? n : 0;
    }
    return 0;
}

bool spry_text_feed(spry_text *text, spry_slice piece) {
    if (!complete(text, &piece)) return false;
    if (!piece.len) return true;
    text->len = (unsigned char)open_end(piece);
    piece.len -= text->len;
    memcpy(text->tail, piece.data + piece.len, text->len);
    return spry_utf8_valid(piece);
}
