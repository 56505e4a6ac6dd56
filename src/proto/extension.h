/* The negotiation of extensions in the opening handshake (RFC 6455 section 9.1): of the only one
 * that there is, permessage-deflate (RFC 7692 section 7.1). Stateless. */
#ifndef SPRY_PROTO_EXTENSION_H
#define SPRY_PROTO_EXTENSION_H

#include "proto/deflate.h"
#include "proto/http.h"

/* What this side wants. */
typedef struct spry_deflate_policy {
    bool on;
    bool takeover;      /* contexts are kept from message to message, on both sides */
    unsigned char bits; /* the largest window that is kept for that */
    size_t threshold;   /* see spry_deflate_terms */
} spry_deflate_policy;

/* Accepts the first of the client's offers that can be accepted, appends the field line that says
 * so, and gives the terms. When there is none, or the policy is off, nothing is agreed on, and
 * nothing said. 0 or SPRY_ENOMEM. */
int spry_extension_accept(const spry_http *h, const spry_deflate_policy *policy,
                          spry_deflate_terms *terms, spry_buf *out) SPRY_MUST_CHECK;

#endif
