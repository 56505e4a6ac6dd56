/* What the files of the module sprylua.json share; private to them. Nothing here outlives a call
 * but the values in the upvalues below. */
#ifndef SPRY_LUA_JSON_JSON_H
#define SPRY_LUA_JSON_JSON_H

#include "base/utf8.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Arrays and objects inside each other, both ways. */
#define SPRYL_JSON_DEPTH 256

/* Upvalue indices of every function of the module. */
#define SPRYL_JSON_NULL lua_upvalueindex(1)   /* userdata json.null */
#define SPRYL_JSON_ARRAY lua_upvalueindex(2)  /* metatable that makes a table an array */
#define SPRYL_JSON_OBJECT lua_upvalueindex(3) /* metatable that makes a table an object */
#define SPRYL_JSON_OUT lua_upvalueindex(4)    /* userdata, see spryl_json_push_out */
#define SPRYL_JSON_BLOCKS lua_upvalueindex(5) /* metatable, see spryl_json_push_blocks_type */

int spryl_json_encode(lua_State *L);
int spryl_json_decode(lua_State *L);

/* Pushes an empty output buffer for the encoder: a userdata that owns malloc'ed memory. */
void spryl_json_push_out(lua_State *L);

/* Pushes the metatable of what owns the decoder's memory. */
void spryl_json_push_blocks_type(lua_State *L);

/* Eight bytes at a time: the high bit of each byte that equals `c`. Bytes behind the first such
 * one may be marked wrongly. */
static inline uint64_t spryl_json_equal(uint64_t word, unsigned char c) {
    uint64_t x = word ^ (0x0101010101010101u * c);
    return (x - 0x0101010101010101u) & ~x & 0x8080808080808080u;
}

static inline uint64_t spryl_json_load(const unsigned char *s) {
    uint64_t word;
    memcpy(&word, s, sizeof(word));
    return word;
}

#endif
