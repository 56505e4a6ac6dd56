/* OpenSSL's side of a server, between two memory BIOs, for spec/native/tls_spec.lua. */
#include <lauxlib.h>
#include <lua.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#define PEER "spec.tls_peer"

static SSL *check(lua_State *L) {
    return *(SSL **)luaL_checkudata(L, 1, PEER);
}

/* server(certificate, key, newest, asks) -> peer: files of PEM; "1.1", "1.2" or "1.3"; whether it
 * insists on a certificate of the client's */
static int new_server(lua_State *L) {
    static const char *const names[] = {"1.1", "1.2", "1.3", NULL};
    static const int versions[] = {TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
    const char *certificate = luaL_checkstring(L, 1), *key = luaL_checkstring(L, 2);
    int newest = versions[luaL_checkoption(L, 3, "1.3", names)];
    SSL **peer = lua_newuserdatauv(L, sizeof *peer, 0);
    *peer = NULL;
    luaL_setmetatable(L, PEER);
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context, newest);
    if (newest == TLS1_1_VERSION) SSL_CTX_set_security_level(context, 0);
    if (lua_toboolean(L, 4))
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        SSL_CTX_free(context);
        return luaL_error(L, "no certificate at %s", certificate);
    }
    *peer = SSL_new(context);
    SSL_CTX_free(context);
    SSL_set_bio(*peer, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(*peer);
    return 1;
}

/* peer:feed(bytes) -> plain text, and a reason when it has failed */
static int feed(lua_State *L) {
    SSL *ssl = check(L);
    size_t len, got;
    const char *bytes = luaL_checklstring(L, 2, &len);
    if (len) BIO_write(SSL_get_rbio(ssl), bytes, (int)len);
    ERR_clear_error();
    luaL_Buffer plain;
    luaL_buffinit(L, &plain);
    int result;
    while ((result = SSL_read_ex(ssl, luaL_prepbuffsize(&plain, 16384), 16384, &got)) > 0)
        luaL_addsize(&plain, got);
    luaL_pushresult(&plain);
    if (SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ) return 1;
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    lua_pushstring(L, reason ? reason : "closed");
    ERR_clear_error();
    return 2;
}

static int take(lua_State *L) {
    char *bytes;
    long len = BIO_get_mem_data(SSL_get_wbio(check(L)), &bytes);
    lua_pushlstring(L, len > 0 ? bytes : "", len > 0 ? (size_t)len : 0);
    (void)BIO_reset(SSL_get_wbio(check(L)));
    return 1;
}

static int peer_write(lua_State *L) {
    size_t len, written;
    const char *bytes = luaL_checklstring(L, 2, &len);
    lua_pushboolean(L, SSL_write_ex(check(L), bytes, len, &written));
    return 1;
}

static int update_key(lua_State *L) {
    lua_pushboolean(L, SSL_key_update(check(L), SSL_KEY_UPDATE_REQUESTED) &&
                           SSL_do_handshake(check(L)) == 1);
    return 1;
}

static int renegotiate(lua_State *L) {
    SSL_renegotiate(check(L));
    SSL_do_handshake(check(L));
    ERR_clear_error();
    return 0;
}

static int name(lua_State *L) {
    lua_pushstring(L, SSL_get_servername(check(L), TLSEXT_NAMETYPE_host_name));
    return 1;
}

static int end(lua_State *L) {
    SSL_shutdown(check(L));
    return 0;
}

static int collect(lua_State *L) {
    SSL_free(check(L));
    return 0;
}

int luaopen_tls_peer(lua_State *L);

int luaopen_tls_peer(lua_State *L) {
    static const luaL_Reg functions[] = {{"server", new_server}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"feed", feed},
                                       {"take", take},
                                       {"write", peer_write},
                                       {"updateKey", update_key},
                                       {"renegotiate", renegotiate},
                                       {"name", name},
                                       {"close", end},
                                       {NULL, NULL}};
    luaL_newmetatable(L, PEER);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    luaL_newlib(L, functions);
    return 1;
}
