/* The opening handshake, see handshake.h. SHA-1 and base64 are OpenSSL's; of its interfaces to
 * SHA-1 this takes the old one, which needs no memory and so can't fail. */
#define OPENSSL_API_COMPAT 0x10100000L
#include "proto/handshake.h"

#include "proto/response.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

enum { KEY_LENGTH = 24 }; /* base64 of 16 bytes */

bool spry_handshake_is_upgrade(const spry_http *h) {
    return h->upgrade &&
           spry_http_header_lists(h, spry_slice_lit("upgrade"), spry_slice_lit("websocket"));
}

static size_t count(const spry_http *h, spry_slice name) {
    size_t n = 0;
    for (size_t i = 0; i < h->field_count; i++) n += spry_http_is_named(h, &h->fields[i], name);
    return n;
}

/* 16 bytes in base64: 22 characters of the alphabet and "==". */
static bool is_key(spry_slice key) {
    if (key.len != KEY_LENGTH) return false;
    for (size_t i = 0; i < KEY_LENGTH - 2; i++) {
        char c = key.data[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '+' || c == '/'))
            return false;
    }
    return key.data[22] == '=' && key.data[23] == '=';
}

static int refuse(int status, const char **why, const char *sentence) {
    *why = sentence;
    return status;
}

int spry_handshake_check(const spry_http *h, const char **why) {
    if (h->method != SPRY_GET) return refuse(405, why, "a WebSocket handshake is a GET request");
    if (spry_http_is_1_0(h)) return refuse(426, why, "a WebSocket handshake needs HTTP/1.1");
    if (!spry_http_header_lists(h, spry_slice_lit("upgrade"), spry_slice_lit("websocket")))
        return refuse(426, why, "the header \"Upgrade: websocket\" is missing");
    if (!spry_http_header_lists(h, spry_slice_lit("connection"), spry_slice_lit("upgrade")))
        return refuse(426, why, "the header \"Connection: Upgrade\" is missing");
    spry_slice version = spry_http_header(h, spry_slice_lit("sec-websocket-version"));
    if (!version.data)
        return refuse(426, why, "the header \"Sec-WebSocket-Version: 13\" is missing");
    if (count(h, spry_slice_lit("sec-websocket-version")) > 1 ||
        !spry_slice_eq(version, spry_slice_lit("13")))
        return refuse(426, why, "Sec-WebSocket-Version is not 13");
    spry_slice key = spry_http_header(h, spry_slice_lit("sec-websocket-key"));
    if (!key.data) return refuse(400, why, "the header Sec-WebSocket-Key is missing");
    if (count(h, spry_slice_lit("sec-websocket-key")) > 1)
        return refuse(400, why, "there are two Sec-WebSocket-Key headers");
    if (!is_key(key)) return refuse(400, why, "Sec-WebSocket-Key is not 16 bytes in base64");
    if (h->phase != SPRY_HTTP_DONE || h->body_received)
        return refuse(400, why, "a WebSocket handshake has no body");
    return 101;
}

void spry_handshake_key(spry_slice key, char accept[static SPRY_ACCEPT_LENGTH + 1]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char digest[SHA_DIGEST_LENGTH];
    SHA_CTX sha;
    SHA1_Init(&sha);
    SHA1_Update(&sha, key.data, key.len);
    SHA1_Update(&sha, guid, sizeof guid - 1);
    SHA1_Final(digest, &sha);
    EVP_EncodeBlock((unsigned char *)accept, digest, SHA_DIGEST_LENGTH);
}

int spry_handshake_accept(const spry_http *h, spry_slice protocol, spry_buf *out) {
    if (protocol.len && !spry_response_is_token(protocol)) return SPRY_EINVAL;
    char accept[SPRY_ACCEPT_LENGTH + 1];
    spry_slice key = spry_http_header(h, spry_slice_lit("sec-websocket-key"));
    if (key.len != KEY_LENGTH) return SPRY_EINVAL;
    spry_handshake_key(key, accept);
    int err =
        spry_response_raw(out, spry_slice_lit("Upgrade: websocket\r\nConnection: Upgrade\r\n"));
    if (!err)
        err = spry_response_field(out, spry_slice_lit("Sec-WebSocket-Accept"),
                                  spry_slice_of(accept, SPRY_ACCEPT_LENGTH));
    if (!err && protocol.len)
        err = spry_response_field(out, spry_slice_lit("Sec-WebSocket-Protocol"), protocol);
    return err;
}
