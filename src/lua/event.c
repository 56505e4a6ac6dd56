/* event: the view of a request. See views.h. */
#include "lua/class.h"
#include "lua/views.h"

#define EVENT "sprylua.event"

enum field { METHOD, PATHNAME, PATH, ID, REMOTE_ADDRESS, WS, LOCALS };
static const char *const fields[] = {"method",        "pathname", "path",   "id",
                                     "remoteAddress", "ws",       "locals", NULL};

static const spryl_class class;

int spryl_event_over(lua_State *L) {
    return luaL_error(L,
                      "this event's request is over: copy what you need from it before you answer");
}

spry_task *spryl_event_check(lua_State *L, int index) {
    spry_task *task = spryl_event_task(spryl_object_check(L, index, &class));
    if (!task) spryl_event_over(L);
    return task;
}

static void alive(lua_State *L) {
    spryl_event_check(L, 1);
}

static void push_slice(lua_State *L, spry_slice s) {
    lua_pushlstring(L, s.data, s.len);
}

static void push_path(lua_State *L, const spry_http *http) {
    push_slice(L, spry_http_text(http, http->pathname));
    if (!http->has_query) return;
    lua_pushliteral(L, "?");
    push_slice(L, spry_http_text(http, http->query));
    lua_concat(L, 3);
}

/* The epoch in eight hexadecimal digits, "-", the serial. It is asked for with each request, and
 * snprintf takes 2500 instructions. */
static void push_id(lua_State *L, const spry_task *task) {
    char id[32];
    size_t at = sizeof id;
    for (uint64_t n = task->serial; n || at == sizeof id; n /= 10) id[--at] = (char)('0' + n % 10);
    id[--at] = '-';
    uint32_t epoch = (uint32_t)task->conn->engine->epoch;
    for (int i = 0; i < 8; i++, epoch >>= 4) id[--at] = "0123456789abcdef"[epoch & 15];
    lua_pushlstring(L, id + at, sizeof id - at);
}

static void push_address(lua_State *L, spry_conn *conn) {
    char address[64];
    spry_conn_address(conn, address, sizeof address);
    lua_pushstring(L, address);
}

/* event.ws is made once, so that it can be told apart from another request's. */
static int push_upgrade(lua_State *L) {
    if (lua_getiuservalue(L, 1, SPRYL_UPGRADE) != LUA_TNIL) return 1;
    spryl_upgrade_new(L, 1);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, SPRYL_UPGRADE);
    return 1;
}

static int push_locals(lua_State *L) {
    if (lua_getiuservalue(L, 1, SPRYL_LOCALS) != LUA_TNIL) return 1;
    lua_createtable(L, 0, 4); /* it would grow to that in three steps */
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, SPRYL_LOCALS);
    return 1;
}

static int field(lua_State *L, int number) {
    spry_task *task = spryl_event_check(L, 1);
    const spry_http *http = task->conn->http;
    switch ((enum field)number) {
    case METHOD: lua_pushstring(L, spry_http_method_name(http)); break;
    case PATHNAME: push_slice(L, spry_http_text(http, http->pathname)); break;
    case PATH: push_path(L, http); break;
    case ID: push_id(L, task); break;
    case REMOTE_ADDRESS: push_address(L, task->conn); break;
    case WS: return push_upgrade(L);
    case LOCALS: return push_locals(L);
    }
    return 1;
}

static int event_index(lua_State *L) {
    return spryl_class_index(L, &class, field, alive);
}

static int event_newindex(lua_State *L) {
    return luaL_error(L, "an event's fields can't be set: keep your own values in event.locals");
}

static int event_tostring(lua_State *L) {
    const spry_task *task = spryl_event_task(spryl_object_check(L, 1, &class));
    if (!task) {
        lua_pushliteral(L, "event (over)");
        return 1;
    }
    const spry_http *http = task->conn->http;
    lua_pushfstring(L, "event %s ", spry_http_method_name(http));
    push_slice(L, spry_http_text(http, http->pathname));
    lua_concat(L, 2);
    return 1;
}

static const luaL_Reg methods[] = {{NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__newindex", event_newindex}, {"__tostring", event_tostring}, {NULL, NULL}};
static const spryl_class class = {EVENT, "event", fields, methods, metamethods, event_index};

void spryl_event_open(lua_State *L) {
    spryl_class_new(L, &class);
}

void spryl_event_new(lua_State *L, spry_task *task) {
    spryl_event *event = spryl_object_new(L, &class, sizeof *event, SPRYL_EVENT_VALUES);
    event->task = task, event->ticket = task->ticket;
}

bool spryl_event_is_over(lua_State *L, int index) {
    const spryl_event *event = spryl_object_test(L, index, &class);
    return event && !spryl_event_task(event);
}

spry_task *spryl_event_task(const spryl_event *event) {
    return event->task->ticket == event->ticket ? event->task : NULL;
}
