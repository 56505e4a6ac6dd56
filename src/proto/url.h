/* Request targets: their forms, percent-encoding, and the one canonical form of a path that
 * everything after the parser sees. Sans-IO; owns and allocates nothing.
 *
 * Canonical path: begins with "/", has no empty, "." or ".." segment, no "/" at the end unless it
 * is "/", and is percent-decoded once; only "/" and "%" inside a segment are written "%2F" and
 * "%25". So "/" always separates, and one resource has one spelling: a prefix check cannot be
 * bypassed by encoding. */
#ifndef SPRY_PROTO_URL_H
#define SPRY_PROTO_URL_H

#include "base/slice.h"
#include "base/spry.h"

#include <sys/types.h>

/* A request-target taken apart; the slices point into it, or at static bytes. */
struct spry_target {
    spry_slice path;  /* as sent, not canonical; "/" when an absolute-form has none */
    spry_slice query; /* without "?"; data is NULL when !has_query */
    spry_slice host;  /* the authority of an absolute-form; else data is NULL */
    bool has_query;   /* tells "?" without anything from no query */
    bool asterisk;    /* the target is "*", and so is path */
};

/* Takes an origin-form, absolute-form (http or https) or asterisk-form apart (RFC 9112 section
 * 3.2). 0, or SPRY_EINVAL: another form, user information (RFC 9110 section 4.2.4) or a malformed
 * or empty authority. Bytes that are not allowed there, "#" among them, are the parser's to refuse.
 */
int spry_url_split(spry_slice target, struct spry_target *out) SPRY_MUST_CHECK;

/* Writes the canonical form of `path` (no query) to `out`, which has room for path.len + 1 bytes
 * and does not overlap it, and the length to `out_len`. Each segment is percent-decoded once, then
 * dots are resolved, never above the root. 0, or SPRY_EINVAL: a broken escape, or a NUL. */
int spry_url_normalize(spry_slice path, char *out, size_t *out_len) SPRY_MUST_CHECK;

/* Writes a byte of a segment, decoded, as it stands in a canonical path: 1 or 3 bytes. Returns how
 * many. */
static inline size_t spry_url_put_canonical(char byte, char *out) {
    if (byte != '/' && byte != '%') {
        *out = byte;
        return 1;
    }
    out[0] = '%', out[1] = '2', out[2] = byte == '/' ? 'F' : '5';
    return 3;
}

/* Percent-decodes `in` to `out`, which has room for in.len bytes and may be in.data itself. With
 * `plus`, "+" is a space, as in queries and forms. The length, or SPRY_EINVAL: a broken escape. */
ssize_t spry_url_decode(spry_slice in, bool plus, char *out) SPRY_MUST_CHECK;

/* Decodes a part of a canonical path to `out`, which has room for in.len bytes and may be in.data
 * itself, and returns the length. With `keep_slash`, "%2F" stays, so that "/" still separates:
 * that is for a part of more than one segment. */
size_t spry_url_decode_canonical(spry_slice in, bool keep_slash, char *out);

/* Whether `host` can be the value of a Host header: uri-host [":" port] (RFC 9110 section 7.2,
 * RFC 3986 section 3.2.2), a port of at most 65535. Empty is valid: RFC 9112 section 3.2 wants
 * that when the target has no authority. */
bool spry_url_host_valid(spry_slice host);

#endif
