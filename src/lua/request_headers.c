/* The header fields of a request: core.request.header and its like, which take an event or the view
 * that event.headers is. The view is let in by the event's ticket, as the event. */
#include "lua/views.h"

#include <lauxlib.h>

static const spryl_class class;

static const spry_http *http_of(lua_State *L) {
    const spryl_event *view = spryl_object_test(L, 1, &class);
    const spry_task *task = view ? spryl_event_task(view) : spryl_event_check(L, 1);
    if (!task) spryl_event_over(L);
    return task->conn->http;
}

static void push_slice(lua_State *L, spry_slice s) {
    lua_pushlstring(L, s.data, s.len);
}

static spry_slice field_name(lua_State *L) {
    spry_slice name;
    name.data = luaL_checklstring(L, 2, &name.len);
    return name;
}

/* header(event, name): repeated fields are one list (RFC 9110 section 5.3). */
static int header(lua_State *L) {
    const spry_http *http = http_of(L);
    spry_slice name = field_name(L);
    const char *separator = spry_slice_eq_nocase(name, spry_slice_lit("cookie")) ? "; " : ", ";
    lua_settop(L, 2);
    for (size_t i = 0; i < http->field_count; i++) {
        if (!spry_http_is_named(http, &http->fields[i], name)) continue;
        bool first = lua_gettop(L) == 2;
        if (!first) lua_pushstring(L, separator);
        push_slice(L, spry_http_text(http, http->fields[i].value));
        if (!first) lua_concat(L, 3);
    }
    if (lua_gettop(L) == 2) lua_pushnil(L);
    return 1;
}

static int has(lua_State *L) {
    header(L);
    lua_pushboolean(L, !lua_isnil(L, -1));
    return 1;
}

static int header_all(lua_State *L) {
    const spry_http *http = http_of(L);
    spry_slice name = field_name(L);
    lua_newtable(L);
    lua_Integer n = 0;
    for (size_t i = 0; i < http->field_count; i++) {
        if (!spry_http_is_named(http, &http->fields[i], name)) continue;
        push_slice(L, spry_http_text(http, http->fields[i].value));
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

static void push_lower(lua_State *L, spry_slice s) {
    luaL_Buffer b;
    char *to = luaL_buffinitsize(L, &b, s.len);
    for (size_t i = 0; i < s.len; i++) to[i] = spry_lower(s.data[i]);
    luaL_pushresultsize(&b, s.len);
}

/* headers(event) -> a list of names, in lower case, and values */
static int headers(lua_State *L) {
    const spry_http *http = http_of(L);
    lua_createtable(L, (int)http->field_count * 2, 0);
    for (size_t i = 0; i < http->field_count; i++) {
        push_lower(L, spry_http_text(http, http->fields[i].name));
        lua_rawseti(L, -2, (lua_Integer)(2 * i + 1));
        push_slice(L, spry_http_text(http, http->fields[i].value));
        lua_rawseti(L, -2, (lua_Integer)(2 * i + 2));
    }
    return 1;
}

/* view(event) -> event.headers, with the methods get, getAll, has */
static int view(lua_State *L) {
    spry_task *task = spryl_event_check(L, 1);
    spryl_event *view = spryl_object_new(L, &class, sizeof *view, 0);
    view->task = task, view->ticket = task->ticket;
    return 1;
}

static const luaL_Reg methods[] = {
    {"get", header}, {"getAll", header_all}, {"has", has}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {{NULL, NULL}};
static const spryl_class class = {
    "sprylua.RequestHeaders", "event.headers", NULL, methods, metamethods, NULL};

void spryl_request_headers_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"header", header},
                                         {"headerAll", header_all},
                                         {"headers", headers},
                                         {"headersView", view},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    spryl_class_new(L, &class);
    luaL_getmetatable(L, class.name);
    lua_setfield(L, -2, "RequestHeaders");
}
