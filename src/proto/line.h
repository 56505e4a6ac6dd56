/* The lines of an HTTP/1.x request (RFC 9112 sections 2.2, 3, 5, 7.1), looked at as bytes before
 * the parser sees them: its reading of line ends, folds, white space and chunk extensions is not
 * the RFC's, and a server that reads a request otherwise than the proxy before it can be smuggled
 * into. Sans-IO; owns and allocates nothing.
 *
 * All functions return 0, or the status that the request deserves; `why` then gets a static
 * sentence. Lines include their line end, which is CRLF and nothing else. */
#ifndef SPRY_PROTO_LINE_H
#define SPRY_PROTO_LINE_H

#include "base/slice.h"

#include <stdint.h>

/* Whether a byte may stand in a token (RFC 9110 section 5.6.2). */
static inline bool spry_is_token_byte(char c) {
    const uint64_t low = 0x03FF6CFA00000000u;  /* !#$%&'*+-. 0-9 */
    const uint64_t high = 0x57FFFFFFC7FFFFFEu; /* A-Z ^_` a-z |~ */
    unsigned char u = (unsigned char)c;
    return u < 128 && ((u < 64 ? low : high) >> (u & 63) & 1);
}

enum spry_line_part { SPRY_LINE_METHOD, SPRY_LINE_TARGET, SPRY_LINE_VERSION };

/* A request line, as far as it has been looked at. Zeroed at the start. */
typedef struct spry_request_line {
    enum spry_line_part part; /* where `seen` is */
    size_t seen;              /* bytes looked at */
    size_t part_at;           /* where that part begins */
    size_t target_at, target_len;
    int method;        /* an llhttp_method_t, -1 for none; from the part TARGET on */
    char major, minor; /* of the version, digits */
} spry_request_line;

/* Looks at the bytes of `line`, its end or not, that have come since the last call. A target of
 * more than `target_max` bytes is a 414. A version or a method that is not implemented shows when
 * the whole line is there and sound. */
int spry_line_request(spry_request_line *r, spry_slice line, size_t target_max, const char **why);

/* Checks a whole field line, or the empty line behind the last: it ends in CRLF, does not continue
 * the line before (obs-fold, which a server may refuse), and has a name. `len` gets its length
 * without the line end and the white space before that. The parser checks the rest. */
int spry_line_field(spry_slice line, size_t *len, const char **why);

/* How many bytes at the front of `bytes` are whole field lines that pass that check, and have no
 * white space to be cut off, up to and with the empty line behind the last: these can be parsed at
 * once, as they are. */
size_t spry_line_plain_fields(spry_slice bytes);

/* Checks a whole line that begins a chunk, chunk extensions included, and says how many
 * hexadecimal digits its size has. */
int spry_line_chunk(spry_slice line, size_t *digits, const char **why);

#endif
