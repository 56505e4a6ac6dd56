/* Between http.c and http_head.c: what a complete head says, and whether it may say that (RFC 9110,
 * RFC 9112). */
#ifndef SPRY_PROTO_HTTP_HEAD_H
#define SPRY_PROTO_HTTP_HEAD_H

#include "proto/http.h"

/* Records what is wrong with the request, a static sentence; the value, -1, makes llhttp stop. */
int spry_http_broken(spry_http *h, int status, const char *reason);

/* Looks at target and fields, and sets what follows from them. 0, or the request is broken. */
int spry_http_check_head(spry_http *h);

/* Splits the target and appends the normalised path to the block, which has room for it. An
 * absolute-form overrides the host. 0, or the request is broken. */
int spry_http_check_target(spry_http *h);

static inline bool spry_http_is_chunked(const spry_http *h) {
    return (h->parser.flags & F_CHUNKED) != 0;
}

#endif
