/* Serialises HTTP/1.1 responses (RFC 9112 section 4) at the end of a buffer. Sans-IO and stateless:
 * the caller calls in the order of the bytes: start, fields, framing, end of head, content.
 * Functions return 0, SPRY_ENOMEM, or what they say; a caller that gives up half way truncates the
 * buffer to where it began. */
#ifndef SPRY_PROTO_RESPONSE_H
#define SPRY_PROTO_RESPONSE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* The status line. `date` is a complete Date field line with its CRLF. */
int spry_response_start(spry_buf *out, int status, spry_slice date) SPRY_MUST_CHECK;

/* One field line. SPRY_EINVAL unless the name is a token and the value has no control bytes but
 * tabs (RFC 9110 section 5.5), so that no value can split the response. */
int spry_response_field(spry_buf *out, spry_slice name, spry_slice value) SPRY_MUST_CHECK;

/* Whether the bytes are a token (RFC 9110 section 5.6.2). */
bool spry_response_is_token(spry_slice s);

/* The end of the head, and the content, or as much of it as is here. `length` is the
 * Content-Length, SPRY_NO_LENGTH for none; `connection` a complete field line, or nothing. */
#define SPRY_NO_LENGTH UINT64_MAX
int spry_response_end(spry_buf *out, uint64_t length, spry_slice connection,
                      spry_slice content) SPRY_MUST_CHECK;

/* Any bytes as they are: a fixed field line, content. */
int spry_response_raw(spry_buf *out, spry_slice bytes) SPRY_MUST_CHECK;

/* One chunk of the chunked coding (RFC 9112 section 7.1); nothing for no bytes, which would be
 * the end of the content. */
int spry_response_chunk(spry_buf *out, spry_slice bytes) SPRY_MUST_CHECK;

/* A whole response that closes the connection, with `why` as its text. */
int spry_response_canned(spry_buf *out, int status, spry_slice date, const char *why,
                         bool head_only) SPRY_MUST_CHECK;

/* Whether a response with this status has no content, and no framing that says so
 * (RFC 9110 section 6.4.1). */
bool spry_response_is_bodiless(int status);

/* The reason phrase of RFC 9110 section 15, "Unknown" for others. Static. */
const char *spry_response_reason(int status);

#endif
