/* Hashes, random bytes and base64url, see crypto.h. SHA-256 is OpenSSL's, by its old interface:
 * that needs no memory, and none of the providers, settings and texts behind the new one, which are
 * a megabyte and a half of any process that links them. HMAC is put together from it here. */
#define OPENSSL_API_COMPAT 0x10100000L
#include "lua/crypto.h"

#include <lauxlib.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum {
    DIGEST = SHA256_DIGEST_LENGTH,
    ENTROPY_MAX = 256,    /* bytes that getentropy gives at once */
    RANDOM_MAX = 1 << 20, /* more is nobody's key */
};

/* ---- hashes ---- */

/* Of the two pieces behind each other; `digest` may be one of them. */
static void hash(const void *first, size_t first_len, const void *second, size_t second_len,
                 unsigned char digest[static DIGEST]) {
    SHA256_CTX sha;
    SHA256_Init(&sha);
    SHA256_Update(&sha, first, first_len);
    SHA256_Update(&sha, second, second_len);
    SHA256_Final(digest, &sha);
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
    unsigned char inner[SHA256_CBLOCK] = {0}, outer[SHA256_CBLOCK], digest[DIGEST];
    if (key_len > sizeof inner)
        hash(key, key_len, "", 0, inner);
    else
        memcpy(inner, key, key_len);
    for (size_t i = 0; i < sizeof inner; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    hash(inner, sizeof inner, data, len, digest);
    hash(outer, sizeof outer, digest, sizeof digest, digest);
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
