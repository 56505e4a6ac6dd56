/* event.ws: the view of a request as a WebSocket handshake. It lives exactly as long as its event.
 * What is decided about a handshake (subprotocols, origins, options) is Lua's. */
#include "lua/class.h"
#include "lua/views.h"
#include "proto/handshake.h"

#define UPGRADE "sprylua.upgrade"

/* The event is a user value, which keeps the pointer to it valid. */
typedef struct spryl_upgrade {
    spryl_object object;
    spryl_event *event;
} spryl_upgrade;
enum { PROTOCOLS_VALUE = 1, EVENT_VALUE };

enum field { IS_SUPPORTED, IS_UPGRADE_REQUEST, ORIGIN, REQUESTED_PROTOCOLS, EVENT };
static const char *const fields[] = {
    "isSupported", "isUpgradeRequest", "origin", "requestedProtocols", "event", NULL};

static const spryl_class class;

static spry_task *check(lua_State *L, int index) {
    const spryl_upgrade *up = spryl_object_check(L, index, &class);
    spry_task *task = spryl_event_task(up->event);
    if (!task) luaL_error(L, "this event's request is over: use what upgrade() gave you");
    return task;
}

static void alive(lua_State *L) {
    check(L, 1);
}

/* The subprotocols that the client asked for, in its order (RFC 6455 section 11.3.4). */
static int requested_protocols(lua_State *L, const spry_http *http) {
    if (lua_getiuservalue(L, 1, PROTOCOLS_VALUE) != LUA_TNIL) return 1;
    lua_newtable(L);
    lua_Integer n = 0;
    for (size_t i = 0; i < http->field_count; i++) {
        if (!spry_http_is_named(http, &http->fields[i], spry_slice_lit("sec-websocket-protocol")))
            continue;
        spry_slice list = spry_http_text(http, http->fields[i].value), name;
        while (spry_slice_next_item(&list, &name)) {
            lua_pushlstring(L, name.data, name.len);
            lua_rawseti(L, -2, ++n);
        }
    }
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, PROTOCOLS_VALUE);
    return 1;
}

static int field(lua_State *L, int number) {
    const spry_task *task = check(L, 1);
    const spry_http *http = task->conn->http;
    spry_slice origin;
    switch ((enum field)number) {
    case IS_SUPPORTED: lua_pushboolean(L, task->app->websocket); break;
    case IS_UPGRADE_REQUEST: lua_pushboolean(L, spry_handshake_is_upgrade(http)); break;
    case ORIGIN:
        origin = spry_http_header(http, spry_slice_lit("origin"));
        if (origin.data)
            lua_pushlstring(L, origin.data, origin.len);
        else
            lua_pushnil(L);
        break;
    case REQUESTED_PROTOCOLS: return requested_protocols(L, http);
    case EVENT: lua_getiuservalue(L, 1, EVENT_VALUE); break;
    }
    return 1;
}

int spryl_handshake(lua_State *L) {
    const spry_task *task = check(L, 1);
    const char *why;
    int status = 501;
    if (!task->app->websocket)
        why = "this server was started without WebSockets";
    else
        status = spry_handshake_check(task->conn->http, &why);
    if (status == 101) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushinteger(L, status);
    lua_pushstring(L, why);
    return 3;
}

static int upgrade_index(lua_State *L) {
    return spryl_class_index(L, &class, field, alive);
}

static const luaL_Reg methods[] = {{NULL, NULL}};
static const luaL_Reg metamethods[] = {{NULL, NULL}};
static const spryl_class class = {UPGRADE, "event.ws", fields, methods, metamethods, upgrade_index};

void spryl_upgrade_open(lua_State *L) {
    spryl_class_new(L, &class);
}

int spryl_upgrade_new(lua_State *L, int event) {
    event = lua_absindex(L, event);
    spryl_upgrade *up = spryl_object_new(L, &class, sizeof *up, EVENT_VALUE);
    up->event = lua_touserdata(L, event);
    lua_pushvalue(L, event);
    lua_setiuservalue(L, -2, EVENT_VALUE);
    return 1;
}
