/* How messages lie in a stream of bytes between processes: each is a list of strings, behind its
 * length; each string is behind its own (both 4 bytes, little endian). core.framing:
 *   encode(…) -> the bytes of a message
 *   reader() -> what has come of a stream; reader:add(bytes), reader:next() -> the strings of the
 *     next message, nothing when it has not come as a whole.
 * What a reader holds is no memory of Lua's, and stays until Lua was given it. */
#ifndef SPRY_LUA_FRAMING_H
#define SPRY_LUA_FRAMING_H

#include "base/buf.h"

#include <lua.h>

/* Pushes the table core.framing. */
void spryl_framing_open(lua_State *L);

/* The bytes of a message of the strings at `first` and above it. -- raises for what is no string */
size_t spryl_framing_size(lua_State *L, int first);

/* Writes it, of the strings from `first` to `last`, in so many bytes. -- never raises */
void spryl_framing_put(lua_State *L, int first, int last, size_t size, char *to);

/* What a reader has and has not given, to be appended to; until Lua runs. -- raises for what is no
 * reader */
spry_buf *spryl_framing_inflow(lua_State *L, int index);

#endif
