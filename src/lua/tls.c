/* The module sprylua.tls: TLS as seen by a client, OpenSSL's, between two memory BIOs: bytes in,
 * bytes out, and the socket is somebody else's.
 *
 * It is a library of its own, loaded when somebody needs TLS, and takes OpenSSL's as shared ones:
 * linked into the program (also statically, for the tables of pointers in it) they cost every
 * process 1.1 MB, and a millisecond at start.
 *
 * The server has to show a certificate for the host's name that the authorities of the system
 * vouch for, or those that SSL_CERT_FILE and SSL_CERT_DIR name. There is no way around that.
 *
 * OpenSSL never calls Lua, so nothing raises across it. A call that raises in the middle has lost
 * bytes, so the session is over then. */
#include <arpa/inet.h>
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define SESSION_TYPE "sprylua.tls.session"

enum { ROOM = 16384 }; /* bytes of plain text that are read at once: a whole record */

struct session {
    SSL *ssl;  /* owns both BIOs */
    BIO *in;   /* what the server has sent */
    BIO *out;  /* what it is to be sent */
    bool over; /* nothing can be read or written any more; what is in `out` may still go */
};

int luaopen_sprylua_tls(lua_State *L);

/* ---- what is wrong ---- */

/* Pushes a sentence, and leaves no error behind for whoever uses OpenSSL next. */
static void push_problem(lua_State *L, const struct session *s) {
    long verified = SSL_get_verify_result(s->ssl);
    unsigned long error = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(error);
    bool is_plain = ERR_GET_LIB(error) == ERR_LIB_SSL &&
                    ERR_GET_REASON(error) == SSL_R_WRONG_VERSION_NUMBER &&
                    !SSL_is_init_finished(s->ssl);
    ERR_clear_error();
    if (verified != X509_V_OK)
        lua_pushfstring(L, "its certificate is not trusted: %s",
                        X509_verify_cert_error_string(verified));
    else if (is_plain)
        lua_pushliteral(L, "it does not speak TLS");
    else
        lua_pushfstring(L, "TLS has failed: %s", reason ? reason : "there is no memory for it");
}

static int raise(lua_State *L, const char *what) {
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    lua_pushfstring(L, "%s: %s", what, reason ? reason : "out of memory");
    ERR_clear_error();
    return lua_error(L);
}

/* ---- making a session ---- */

/* The name is checked as an address when it is one; names go to the server too, which may have
 * certificates for several. */
static bool expect_host(SSL *ssl, const char *host, size_t len) {
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip(param, address, sizeof(struct in_addr));
    if (inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip(param, address, sizeof(struct in6_addr));
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, host, len) && SSL_set_tlsext_host_name(ssl, host);
}

/* A context for each: connections are few, and files of certificates may change. */
static SSL *new_ssl(void) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context) return NULL;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    bool ok = SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) &&
              SSL_CTX_set_default_verify_paths(context);
    SSL *ssl = ok ? SSL_new(context) : NULL;
    SSL_CTX_free(context); /* the SSL holds it too */
    return ssl;
}

static bool attach_bios(struct session *s) {
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    if (in && out) {
        s->in = in, s->out = out;
        SSL_set_bio(s->ssl, in, out);
        return true;
    }
    BIO_free(in);
    BIO_free(out);
    return false;
}

/* client(host) -> session, which has its first words for the server already */
static int new_client(lua_State *L) {
    size_t len;
    const char *host = luaL_checklstring(L, 1, &len);
    /* OpenSSL would not check an empty one. */
    luaL_argcheck(L, len > 0 && strlen(host) == len, 1, "the name of a host");
    struct session *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (struct session){.over = true};
    luaL_setmetatable(L, SESSION_TYPE);
    ERR_clear_error();
    s->ssl = new_ssl();
    if (!s->ssl || !attach_bios(s) || !expect_host(s->ssl, host, len))
        return raise(L, "TLS can't begin");
    SSL_set_connect_state(s->ssl);
    SSL_do_handshake(s->ssl); /* wants to read now, or fails as the first feed does */
    ERR_clear_error();
    s->over = false;
    return 1;
}

/* ---- bytes in and out ---- */

static struct session *check(lua_State *L) {
    return luaL_checkudata(L, 1, SESSION_TYPE);
}

/* What SSL_read had to say when it gave nothing: pushes why the session is over, or nil. */
static void push_end(lua_State *L, struct session *s, int result) {
    int error = SSL_get_error(s->ssl, result);
    if (error == SSL_ERROR_WANT_READ) {
        s->over = false;
        lua_pushnil(L);
    } else if (error == SSL_ERROR_ZERO_RETURN) {
        lua_pushliteral(L, "the connection was closed");
    } else {
        push_problem(L, s);
    }
}

/* session:feed(bytes) -> what they are in plain text, often "", and a sentence when nothing can
 * come any more. There may be something to send then. */
static int session_feed(lua_State *L) {
    struct session *s = check(L);
    size_t len, got = 0;
    const char *bytes = luaL_checklstring(L, 2, &len);
    luaL_argcheck(L, len <= INT_MAX, 2, "so much can't be taken at once");
    if (s->over) return luaL_error(L, "this session is over");
    s->over = true; /* unless all goes well */
    ERR_clear_error();
    if (len && BIO_write(s->in, bytes, (int)len) != (int)len) return raise(L, "TLS has failed");
    luaL_Buffer plain;
    luaL_buffinit(L, &plain);
    int result;
    while ((result = SSL_read_ex(s->ssl, luaL_prepbuffsize(&plain, ROOM), ROOM, &got)) > 0)
        luaL_addsize(&plain, got);
    luaL_pushresult(&plain);
    push_end(L, s, result);
    return 2;
}

/* session:write(bytes) -> nil | a sentence: they can't be sent. The handshake must be done. */
static int session_write(lua_State *L) {
    struct session *s = check(L);
    size_t len, written = 0;
    const char *bytes = luaL_checklstring(L, 2, &len);
    if (s->over) return luaL_error(L, "this session is over");
    if (!SSL_is_init_finished(s->ssl)) return luaL_error(L, "the handshake is not done");
    ERR_clear_error();
    if (len == 0 || SSL_write_ex(s->ssl, bytes, len, &written) > 0) return 0;
    s->over = true;
    push_problem(L, s);
    return 1;
}

/* session:take() -> bytes for the server, "" for none */
static int session_take(lua_State *L) {
    struct session *s = check(L);
    char *bytes;
    long len = s->out ? BIO_get_mem_data(s->out, &bytes) : 0;
    lua_pushlstring(L, len > 0 ? bytes : "", len > 0 ? (size_t)len : 0);
    if (len > 0) (void)BIO_reset(s->out);
    return 1;
}

/* session:ready() -> whether the handshake is done, and the server who it says it is */
static int session_ready(lua_State *L) {
    struct session *s = check(L);
    lua_pushboolean(L, !s->over && SSL_is_init_finished(s->ssl));
    return 1;
}

/* session:close(): says goodbye; take() has it. */
static int session_close(lua_State *L) {
    struct session *s = check(L);
    if (s->over) return 0;
    s->over = true;
    ERR_clear_error();
    if (SSL_is_init_finished(s->ssl)) SSL_shutdown(s->ssl);
    ERR_clear_error();
    return 0;
}

/* ---- the object ---- */

static int session_collect(lua_State *L) {
    struct session *s = check(L);
    SSL_free(s->ssl);
    *s = (struct session){.over = true};
    return 0;
}

int luaopen_sprylua_tls(lua_State *L) {
    static const luaL_Reg functions[] = {{"client", new_client}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"feed", session_feed},   {"write", session_write},
                                       {"take", session_take},   {"ready", session_ready},
                                       {"close", session_close}, {NULL, NULL}};
    luaL_checkversion(L);
    luaL_newmetatable(L, SESSION_TYPE);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, session_collect);
    lua_setfield(L, -2, "__gc");
    lua_pushliteral(L, "sprylua");
    lua_setfield(L, -2, "__metatable");
    luaL_newlib(L, functions);
    return 1;
}
