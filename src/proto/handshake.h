/* The server's side of the WebSocket opening handshake (RFC 6455 section 4.2). Stateless: reads
 * a complete request, appends to a buffer. */
#ifndef SPRY_PROTO_HANDSHAKE_H
#define SPRY_PROTO_HANDSHAKE_H

#include "proto/http.h"

enum { SPRY_ACCEPT_LENGTH = 28 }; /* base64 of a SHA-1 */

/* Whether the request asks for a WebSocket: "Upgrade: websocket" and "Connection: upgrade". The
 * rest of the handshake may still be wrong. */
bool spry_handshake_is_upgrade(const spry_http *h);

/* The status that the request deserves: 101, 405 (not GET), 426 (no upgrade, or not version 13)
 * or 400 (key, body). `why` gets a static sentence that says what was wrong. */
int spry_handshake_check(const spry_http *h, const char **why);

/* What Sec-WebSocket-Accept must be for a Sec-WebSocket-Key (section 4.2.2), with a final zero. */
void spry_handshake_key(spry_slice key, char accept[static SPRY_ACCEPT_LENGTH + 1]);

/* The field lines of the answer: Upgrade, Connection, Sec-WebSocket-Accept, and the subprotocol
 * unless it is empty. Needs a request that passed the check. 0, SPRY_ENOMEM, or SPRY_EINVAL for a
 * subprotocol that is not a token. */
int spry_handshake_accept(const spry_http *h, spry_slice protocol, spry_buf *out) SPRY_MUST_CHECK;

#endif
