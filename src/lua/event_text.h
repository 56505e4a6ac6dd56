/* A server-sent event as text (HTML Standard, section 9.2). It owns nothing. */
#ifndef SPRY_LUA_EVENT_TEXT_H
#define SPRY_LUA_EVENT_TEXT_H

#include <lua.h>

/* core.eventText(message) -> text | nil, what is wrong with it. A message is the data, or a table
 * of comment, event, id, retry and data. */
int spryl_event_text(lua_State *L);

#endif
