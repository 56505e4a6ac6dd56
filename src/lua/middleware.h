/* Middleware round an entry. It owns nothing. */
#ifndef SPRY_LUA_MIDDLEWARE_H
#define SPRY_LUA_MIDDLEWARE_H

#include <lua.h>

/* core.around { call, inner, scope, scope of inner, capture, settled } -> f(event), which calls
 * call(event, next, scope). `next` can be called once: it calls inner(event), and whatever happens
 * inside, gives a Response that belongs to this request. A string becomes one at once, and one of
 * this request's own is it; of anything else settled(event, ok, value, scope of inner) makes one:
 * `value` is what was returned, or what the message handler `capture` made of what was raised. */
int spryl_middleware_around(lua_State *L);

#endif
