/* core.crypto: what signed cookies and entity tags are made of. Functions on strings of bytes. */
#ifndef SPRY_LUA_CRYPTO_H
#define SPRY_LUA_CRYPTO_H

#include <lua.h>

/* Pushes the table of functions. */
void spryl_crypto_open(lua_State *L);

#endif
