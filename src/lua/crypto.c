/* Hashes, random bytes and base64url, see crypto.h. SHA-256 is OpenSSL's; of its interfaces this
 * takes the old one, which needs no memory and so can't fail or leave anything behind. HMAC is a
 * few lines on top of it, where OpenSSL's own would allocate at each call. */
#define OPENSSL_API_COMPAT 0x10100000L
#include "lua/crypto.h"

#include <lauxlib.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum {
    BLOCK = SHA256_CBLOCK, /* bytes that the hash takes at once */
    DIGEST = SHA256_DIGEST_LENGTH,
    ENTROPY_MAX = 256,    /* bytes that getentropy gives at once */
    RANDOM_MAX = 1 << 20, /* more is nobody's key */
};

/* ---- hashes ---- */

static void hash(const void *head, size_t head_len, const void *rest, size_t rest_len,
                 unsigned char *digest) {
    SHA256_CTX sha;
    SHA256_Init(&sha);
    SHA256_Update(&sha, head, head_len);
    SHA256_Update(&sha, rest, rest_len);
    SHA256_Final(digest, &sha);
    OPENSSL_cleanse(&sha, sizeof sha);
}

/* sha256(data) -> 32 bytes */
static int sha256(lua_State *L) {
    size_t len;
    const char *data = luaL_checklstring(L, 1, &len);
    unsigned char digest[DIGEST];
    hash(data, len, "", 0, digest);
    lua_pushlstring(L, (char *)digest, DIGEST);
    return 1;
}

/* hmac(key, data) -> 32 bytes (RFC 2104 with SHA-256) */
static int hmac(lua_State *L) {
    size_t key_len, len;
    const char *key = luaL_checklstring(L, 1, &key_len);
    const char *data = luaL_checklstring(L, 2, &len);
    unsigned char pad[BLOCK] = {0}, digest[DIGEST];
    if (key_len > BLOCK)
        hash(key, key_len, "", 0, pad);
    else
        memcpy(pad, key, key_len);
    for (size_t i = 0; i < BLOCK; i++) pad[i] ^= 0x36;
    hash(pad, BLOCK, data, len, digest);
    for (size_t i = 0; i < BLOCK; i++) pad[i] ^= 0x36 ^ 0x5c;
    hash(pad, BLOCK, digest, DIGEST, digest);
    OPENSSL_cleanse(pad, sizeof pad);
    lua_pushlstring(L, (char *)digest, DIGEST);
    return 1;
}

/* equal(a, b): takes as long for strings of one length whatever is in them. */
static int equal(lua_State *L) {
    size_t a_len, b_len;
    const char *a = luaL_checklstring(L, 1, &a_len), *b = luaL_checklstring(L, 2, &b_len);
    lua_pushboolean(L, a_len == b_len && CRYPTO_memcmp(a, b, a_len) == 0);
    return 1;
}

/* ---- random bytes ---- */

/* random(n) -> n bytes that nobody can guess, from the system */
static int random_bytes(lua_State *L) {
    lua_Integer n = luaL_checkinteger(L, 1);
    luaL_argcheck(L, n >= 0 && n <= RANDOM_MAX, 1, "a number of bytes from 0 to 1048576");
    luaL_Buffer out;
    char *to = luaL_buffinitsize(L, &out, (size_t)n);
    for (size_t at = 0, left = (size_t)n; left;) {
        size_t part = left < ENTROPY_MAX ? left : ENTROPY_MAX;
        if (getentropy(to + at, part)) return luaL_error(L, "the system gives no random bytes");
        at += part, left -= part;
    }
    luaL_pushresultsize(&out, (size_t)n);
    return 1;
}

/* ---- base64url without padding (RFC 4648 section 5) ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* base64url(bytes) -> text */
static int base64url(lua_State *L) {
    size_t len, n = 0;
    const char *data = luaL_checklstring(L, 1, &len);
    luaL_Buffer out;
    char *to = luaL_buffinitsize(L, &out, len + len / 3 + 2);
    uint32_t bits = 0; /* the lowest `have` of them are still to be written */
    unsigned have = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | (unsigned char)data[i];
        for (have += 8; have >= 6; have -= 6) to[n++] = alphabet[bits >> (have - 6) & 63];
    }
    if (have) to[n++] = alphabet[bits << (6 - have) & 63];
    luaL_pushresultsize(&out, n);
    return 1;
}

/* unbase64url(text) -> bytes | nil: there is one text for each string of bytes, and no other is
 * taken, so that bits left over at the end must be zero. */
static int unbase64url(lua_State *L) {
    size_t len, n = 0;
    const char *text = luaL_checklstring(L, 1, &len);
    luaL_Buffer out;
    char *to = luaL_buffinitsize(L, &out, len);
    uint32_t bits = 0;
    unsigned have = 0;
    const char *found = alphabet;
    for (size_t i = 0; i < len; i++) {
        found = memchr(alphabet, text[i], sizeof alphabet - 1);
        if (!found) break;
        bits = bits << 6 | (uint32_t)(found - alphabet);
        have += 6;
        if (have < 8) continue;
        have -= 8;
        to[n++] = (char)(bits >> have);
        bits &= (1u << have) - 1;
    }
    if (!found || bits || have == 6)
        luaL_pushfail(L);
    else
        luaL_pushresultsize(&out, n);
    return 1;
}

void spryl_crypto_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"sha256", sha256},
                                         {"hmac", hmac},
                                         {"equal", equal},
                                         {"random", random_bytes},
                                         {"base64url", base64url},
                                         {"unbase64url", unbase64url},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
}
