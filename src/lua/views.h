/* The views that routes hold: event, event.ws and ws. Each is severed when what it shows ends;
 * from then on reading it raises a sentence, and sending through it returns nil, "closed". */
#ifndef SPRY_LUA_VIEWS_H
#define SPRY_LUA_VIEWS_H

#include "lua/class.h"
#include "lua/task.h"

/* A request; event.headers is another of these. It has no finalizer, which would cost the collector
 * a second round for each: instead of being severed it is let in by a ticket that is used once. */
typedef struct spryl_event {
    spryl_object object;
    spry_task *task;
    uint64_t ticket;
} spryl_event;

/* User values of an event, which has no memo: the extra headers are a flat list of names and
 * values, for whatever response is sent. */
enum {
    SPRYL_EXTRA_HEADERS = 1,
    SPRYL_LOCALS,
    SPRYL_UPGRADE,
    SPRYL_EVENT_VALUES = SPRYL_GOT + SPRYL_GETTERS - 1,
};

/* A session. */
typedef struct spryl_websocket {
    spryl_object object;
    spry_conn *conn;     /* NULL once the connection is gone */
    uint64_t serial;     /* for ws.id, which begins with the epoch */
    uint64_t dropped;    /* messages lost because the peer was slow, once the connection is gone */
    uint32_t epoch;      /* of the engine */
    uint16_t close_code; /* 0 while not closed */
    bool end_seen;       /* the close event was delivered */
} spryl_websocket;

/* User values of a ws beside its memo. */
enum { SPRYL_EVENTS = 2, SPRYL_WEBSOCKET_VALUES = SPRYL_EVENTS };

/* event.c */
void spryl_event_open(lua_State *L);
void spryl_event_new(lua_State *L, spry_task *task);   /* pushes it */
spry_task *spryl_event_task(const spryl_event *event); /* NULL when the request is over */
spry_task *spryl_event_check(lua_State *L, int index); /* raises when the request is over */
bool spryl_event_is_over(lua_State *L, int index);     /* whether it is an event of the past */
int spryl_event_over(lua_State *L);                    /* raises that it is over */

/* upgrade.c */
void spryl_upgrade_open(lua_State *L);
int spryl_upgrade_new(lua_State *L, int event); /* pushes the event.ws of an event */
int spryl_handshake(lua_State *L);              /* core.handshake */

/* websocket.c */
void spryl_websocket_open(lua_State *L);
void spryl_websocket_functions(lua_State *L);            /* pushes the table core.websocket */
void spryl_websocket_new(lua_State *L, spry_task *task); /* pushes it */
void spryl_websocket_push_id(lua_State *L, const spryl_websocket *ws);
void spryl_websocket_sever(spryl_websocket *ws); /* -- never raises */

spryl_websocket *spryl_websocket_check(lua_State *L, int index); /* raises for anything else */

/* The connection of the ws at `index`, NULL when nothing can be sent to it; raises for anything but
 * a ws. */
spry_conn *spryl_websocket_conn(lua_State *L, int index);

/* websocket_read.c */
void spryl_events_open(lua_State *L);
void spryl_events_push(lua_State *L); /* pushes the ws.events of the ws at index 1 */
int spryl_websocket_receive(lua_State *L);
int spryl_push_kinds(lua_State *L); /* pushes what those who read have as upvalues; how many */

/* request.c */
void spryl_request_open(lua_State *L); /* pushes the table core.request */

/* request_headers.c: adds its functions, and the metatable of event.headers, to the table on top.
 */
void spryl_request_headers_open(lua_State *L);

/* reply.c: writes the value on top as the response of the task at index 2 of its coroutine. It is
 * a string or a response; else nothing is written and false is returned. Raises with nothing
 * committed but bytes behind task->mark. */
bool spryl_is_reply(lua_State *L, const spry_task *task, int index);
int spryl_reply(lua_State *L, spry_task *task, int event, int index);
void spryl_reply_text(lua_State *L, spry_task *task, int event); /* the string on top */
void spryl_reply_json(lua_State *L, spry_task *task, int event); /* the same, JSON */

void spryl_reply_options(lua_State *L, spry_task *task); /* the answer to "OPTIONS *" */

/* app.c: reads a session's settings from the table on top over those that are there. */
void spryl_session_options(lua_State *L, spry_session *s, size_t *max_message,
                           spry_deflate_policy *compress);

/* peer.c */
int spryl_connect(lua_State *L);
void spryl_peer_open(lua_State *L);
extern const luaL_Reg spryl_peer_app_methods[]; /* app:advance, :settle, :stop, :stats */

#endif
