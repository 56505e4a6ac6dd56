/* What Lua would do with patterns for nearly every request, fields of sprylua.core. They own
 * nothing.
 */
#ifndef SPRY_LUA_TEXT_H
#define SPRY_LUA_TEXT_H

#include <lua.h>
#include <stdbool.h>

/* core.token(value) -> it in lower case | nil: it is no token (RFC 9110 section 5.6.2). */
int spryl_text_token(lua_State *L);

/* core.isFieldValue(text) -> whether it has no line break and no NUL, which would split a response.
 */
int spryl_text_is_field_value(lua_State *L);

/* Puts the string at `index` in lower case; raises when it is none. */
void spryl_lower(lua_State *L, int index);

/* What these two do for C: pushes the token in lower case, or gives false; false for anything but
 * text, too. */
bool spryl_push_token(lua_State *L, int index);
bool spryl_is_field_value(lua_State *L, int index);

/* Does what core.pairs does, with the text and the function at these indexes. */
void spryl_push_pairs(lua_State *L, int text, int decode);

/* core.integer(text) -> the number that a "-" and digits, and nothing else, write | nil. */
int spryl_text_integer(lua_State *L);

/* core.integerAt(table, key) -> the number that table[key], a string there, writes | nil. */
int spryl_text_integer_at(lua_State *L);

/* core.pairs(text, decode) -> { name, value, … } of "a=1&b=2". Names and values that may
 * be written otherwise than they are (with "%", "+", or bytes beyond ASCII) go through `decode`. */
int spryl_text_pairs(lua_State *L);

#endif
