/* The Lua view of the router, see router.h.
 *
 * User value 1 of the userdata lists the entries, by route + 1. User value 2 has the constraints:
 * by id + 1 the pattern anchored at both ends, by pattern the id, and at 0 string.find. */
#include "lua/router.h"

#include "proto/url.h"

#include <lauxlib.h>
#include <limits.h>

#define TYPE "sprylua.router"

enum { ENTRIES = 1, CONSTRAINTS = 2, MAX_PARTS = 4 * SPRY_MAX_PARAMS };

struct view {
    spry_router *router;   /* NULL while it is being made, and after __gc */
    bool has_parameters[]; /* by route: of its entry */
};

/* One route being read. Its strings stay on the stack until it has been added. */
struct reader {
    lua_State *L;
    struct view *view;
    int constraints; /* index of the constraints table */
    int route;       /* 1 for the first, for messages */
    spry_segment segments[SPRY_MAX_SEGMENTS];
    size_t segment_count;
    spry_part parts[MAX_PARTS];
    size_t part_count;
};

/* ---- constraints ---- */

/* What is wrong with the character class (or escape, or single character) that begins at *p, which
 * is moved behind it; NULL when nothing is. */
static const char *class_fault(const char **p, const char *end) {
    char c = *(*p)++;
    if (c == '%') {
        if (*p == end) return "it ends with '%'";
        (*p)++;
    } else if (c == '[') {
        if (*p < end && **p == '^') (*p)++;
        do { /* a first ']' is a literal */
            if (*p == end) return "a ']' is missing";
            if (*(*p)++ == '%' && *p < end) (*p)++;
        } while (*p == end || **p != ']');
        (*p)++;
    }
    return NULL;
}

/* What is wrong with a Lua pattern that is to match a whole value; NULL when nothing is. Matching
 * alone would only tell once a value gets as far as the fault. */
static const char *pattern_fault(spry_slice pattern) {
    const char *p = pattern.data, *end = p + pattern.len, *fault = NULL;
    int open = 0, captures = 0;
    if (p < end && *p == '^') return "it is anchored anyway: leave out '^'";
    while (p < end && !fault) {
        if (*p == '(') {
            p++, open++;
            if (++captures > 32) return "it has over 32 captures";
        } else if (*p == ')') {
            p++;
            if (--open < 0) return "a ')' has no '('";
        } else if (*p == '$' && p + 1 == end) {
            return "it is anchored anyway: leave out '$'";
        } else if (end - p >= 2 && p[0] == '%' && p[1] == 'b') {
            if (end - p < 4) return "'%b' lacks its two characters";
            p += 4;
        } else if (end - p >= 2 && p[0] == '%' && p[1] == 'f') {
            p += 2;
            if (p == end || *p != '[') return "'%f' lacks its '['";
        } else if (end - p >= 2 && p[0] == '%' && p[1] >= '0' && p[1] <= '9') {
            if (p[1] == '0' || p[1] - '0' > captures) return "it refers to a capture it has not";
            p += 2;
        } else {
            fault = class_fault(&p, end);
        }
    }
    return fault ? fault : open > 0 ? "a '(' is not closed" : NULL;
}

/* The id of the constraint at the top of the stack, -1 for nil. */
static int read_constraint(struct reader *r) {
    lua_State *L = r->L;
    spry_slice pattern;
    if (lua_isnil(L, -1)) return -1;
    if (lua_type(L, -1) != LUA_TSTRING)
        return luaL_error(L, "core.router: route %d: match must be a Lua pattern", r->route);
    int top = lua_gettop(L), id;
    pattern.data = lua_tolstring(L, -1, &pattern.len);
    lua_pushvalue(L, top);
    if (lua_rawget(L, r->constraints) == LUA_TNUMBER) {
        id = (int)lua_tointeger(L, -1);
    } else {
        const char *fault = pattern_fault(pattern);
        if (fault)
            return luaL_error(L, "core.router: route %d: malformed pattern '%s': %s", r->route,
                              pattern.data, fault);
        id = (int)lua_rawlen(L, r->constraints);
        lua_pushliteral(L, "^");
        lua_pushvalue(L, top);
        lua_pushliteral(L, "$");
        lua_concat(L, 3);
        lua_rawseti(L, r->constraints, id + 1);
        lua_pushvalue(L, top);
        lua_pushinteger(L, id);
        lua_rawset(L, r->constraints);
    }
    lua_settop(L, top);
    return id;
}

/* ---- reading routes ---- */

/* Pushes a field of a table, without metamethods: what they gave would be nobody's. */
static int push_field(lua_State *L, int table, const char *name) {
    lua_pushstring(L, name);
    return lua_rawget(L, table);
}

/* The text of the string at the top of the stack, which must stay there; empty for false. */
static spry_slice read_name(struct reader *r, const char *what) {
    spry_slice name = {"", 0};
    int type = lua_type(r->L, -1);
    if (type == LUA_TSTRING)
        name.data = lua_tolstring(r->L, -1, &name.len);
    else if (type != LUA_TBOOLEAN || lua_toboolean(r->L, -1))
        luaL_error(r->L, "core.router: route %d: %s must be a name or false", r->route, what);
    return name;
}

/* Reads { "literal", { param =, match = }, … }, the table at the top of the stack. */
static void read_parts(struct reader *r, spry_segment *segment) {
    lua_State *L = r->L;
    int list = lua_gettop(L);
    if (!lua_istable(L, list))
        luaL_error(L, "core.router: route %d: parts must be a table", r->route);
    segment->kind = SPRY_SEGMENT_EMBEDDED;
    segment->parts = &r->parts[r->part_count];
    segment->part_count = lua_rawlen(L, list);
    if (segment->part_count > MAX_PARTS - r->part_count)
        luaL_error(L, "core.router: route %d has too many parts", r->route);
    for (size_t i = 0; i < segment->part_count; i++) {
        spry_part *part = &r->parts[r->part_count++];
        luaL_checkstack(L, 8, "route");
        int type = lua_rawgeti(L, list, (lua_Integer)i + 1);
        int at = lua_gettop(L);
        *part = (spry_part){.is_param = type == LUA_TTABLE, .constraint = -1};
        if (type == LUA_TTABLE) {
            push_field(L, at, "match");
            part->constraint = read_constraint(r);
            push_field(L, at, "param");
        } else if (type != LUA_TSTRING) {
            luaL_error(L, "core.router: route %d: a part is a string or a table", r->route);
        }
        part->text = read_name(r, "param");
    }
}

/* Reads the segment at the top of the stack. */
static void read_segment(struct reader *r, spry_segment *segment) {
    lua_State *L = r->L;
    int at = lua_gettop(L);
    *segment = (spry_segment){.kind = SPRY_SEGMENT_STATIC, .constraint = -1};
    if (lua_type(L, at) == LUA_TSTRING) {
        segment->text = read_name(r, "segment");
        return;
    }
    if (!lua_istable(L, at))
        luaL_error(L, "core.router: route %d: a segment is a string or a table", r->route);
    if (push_field(L, at, "parts") != LUA_TNIL) {
        read_parts(r, segment);
    } else if (push_field(L, at, "rest") != LUA_TNIL) {
        segment->kind = SPRY_SEGMENT_REST;
        segment->text = read_name(r, "rest");
        int valid = 1, type = push_field(L, at, "min");
        lua_Integer min = type == LUA_TNIL ? 1 : lua_tointegerx(L, -1, &valid);
        if (!valid || min < 0 || min > 1)
            luaL_error(L, "core.router: route %d: min must be 0 or 1", r->route);
        segment->min = (unsigned)min;
    } else {
        push_field(L, at, "match");
        segment->constraint = read_constraint(r);
        push_field(L, at, "optional");
        segment->kind = lua_toboolean(L, -1) ? SPRY_SEGMENT_OPTIONAL : SPRY_SEGMENT_PARAM;
        if (segment->kind == SPRY_SEGMENT_OPTIONAL && segment->constraint >= 0)
            luaL_error(L, "core.router: route %d: an optional parameter takes no match", r->route);
        push_field(L, at, "param");
        segment->text = read_name(r, "param");
    }
}

static enum spry_method read_method(struct reader *r, int route) {
    lua_State *L = r->L;
    enum spry_method method = SPRY_METHOD_OTHER;
    spry_slice name;
    int type = push_field(L, route, "method");
    if (type == LUA_TNIL) return method;
    if (type == LUA_TSTRING) {
        name.data = lua_tolstring(L, -1, &name.len);
        method = spry_method_parse(name);
    }
    if (method == SPRY_METHOD_OTHER)
        luaL_error(L,
                   "core.router: route %d: method must be nil or one of GET, HEAD, POST, PUT, "
                   "PATCH, DELETE, OPTIONS",
                   r->route);
    return method;
}

/* Whether the entry on top, a function, would see what it is called with. */
static bool has_parameters(lua_State *L) {
    lua_Debug about;
    if (!lua_isfunction(L, -1)) return true;
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">u", &about);
    return about.nparams > 0 || about.isvararg;
}

/* Adds the route at the top of the stack, and its entry to the table at `entries`. */
static void add_route(struct reader *r, spry_router *router, int entries) {
    lua_State *L = r->L;
    int route = lua_gettop(L);
    if (!lua_istable(L, route)) luaL_error(L, "core.router: route %d is no table", r->route);
    enum spry_method method = read_method(r, route);
    if (push_field(L, route, "segments") != LUA_TTABLE)
        luaL_error(L, "core.router: route %d: segments must be a table", r->route);
    int list = lua_gettop(L);
    r->part_count = 0;
    r->segment_count = lua_rawlen(L, list);
    if (r->segment_count > SPRY_MAX_SEGMENTS)
        luaL_error(L, "core.router: route %d has more than %d segments", r->route,
                   SPRY_MAX_SEGMENTS);
    for (size_t i = 0; i < r->segment_count; i++) {
        luaL_checkstack(L, 16, "route");
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        read_segment(r, &r->segments[i]);
    }
    luaL_checkstack(L, 4, "route");
    if (push_field(L, route, "entry") == LUA_TNIL)
        luaL_error(L, "core.router: route %d has no entry", r->route);
    r->view->has_parameters[r->route - 1] = has_parameters(L);
    lua_rawseti(L, entries, r->route);
    int err = spry_router_add(router, method, r->segments, r->segment_count, r->route - 1);
    if (err == SPRY_EEXIST) luaL_error(L, "core.router: route %d is there already", r->route);
    if (err == SPRY_ETOOBIG)
        luaL_error(L, "core.router: route %d has more than %d parameters", r->route,
                   SPRY_MAX_PARAMS);
    if (err == SPRY_EINVAL)
        luaL_error(L,
                   "core.router: route %d can match no path: a segment is empty, '.' or '..', "
                   "an optional or rest is not last, or parts do not alternate",
                   r->route);
    if (err) luaL_error(L, "not enough memory");
}

/* ---- the userdata ---- */

static struct view *check_view(lua_State *L, int index) {
    struct view *view = luaL_checkudata(L, index, TYPE);
    if (!view->router) luaL_argerror(L, index, "the router is closed");
    return view;
}

static int router_gc(lua_State *L) {
    struct view *view = luaL_checkudata(L, 1, TYPE);
    spry_router_delete(view->router);
    view->router = NULL;
    return 0;
}

/* router:match(method, pathname) -> entry, params | nil, allow or nil */
static int router_match(lua_State *L) {
    spry_slice method, path;
    spry_match match;
    check_view(L, 1);
    method.data = luaL_checklstring(L, 2, &method.len);
    path.data = luaL_checklstring(L, 3, &path.len);
    int err = spryl_router_match(L, 1, spry_method_parse(method), path, &match);
    if (err) {
        char allow[SPRY_METHOD_LIST_MAX];
        luaL_pushfail(L);
        if (err == SPRY_EMETHOD)
            lua_pushlstring(L, allow, spry_method_list(match.allow, allow));
        else
            lua_pushnil(L);
        return 2;
    }
    spryl_router_push_entry(L, 1, match.route);
    lua_createtable(L, 0, (int)match.param_count);
    for (size_t i = 0; i < match.param_count; i++) {
        lua_pushlstring(L, match.params[i].name.data, match.params[i].name.len);
        spryl_push_param(L, &match.params[i]);
        lua_rawset(L, -3);
    }
    return 2;
}

static void push_metatable(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"__gc", router_gc}, {"match", router_match}, {NULL, NULL}};
    if (!luaL_newmetatable(L, TYPE)) return;
    luaL_setfuncs(L, functions, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
}

int spryl_router_new(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    size_t count = lua_rawlen(L, 1);
    luaL_argcheck(L, count < INT_MAX, 1, "too many routes");
    struct view *view = lua_newuserdatauv(L, sizeof *view + count * sizeof(bool), 2);
    view->router = NULL;
    push_metatable(L);
    lua_setmetatable(L, 2);
    lua_createtable(L, (int)count, 0);
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, 2, ENTRIES);
    lua_newtable(L);
    lua_pushvalue(L, 4);
    lua_setiuservalue(L, 2, CONSTRAINTS);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, 5, "string") != LUA_TTABLE || lua_getfield(L, 6, "find") != LUA_TFUNCTION)
        return luaL_error(L, "core.router: string.find is missing");
    lua_rawseti(L, 4, 0);
    lua_settop(L, 4);
    view->router = spry_router_new();
    if (!view->router) return luaL_error(L, "not enough memory");
    struct reader r = {.L = L, .view = view, .constraints = 4};
    for (r.route = 1; r.route <= (int)count; r.route++) {
        lua_rawgeti(L, 1, r.route);
        add_route(&r, view->router, 3);
        lua_settop(L, 4);
    }
    lua_settop(L, 2);
    return 1;
}

spry_router *spryl_router_check(lua_State *L, int index) {
    return check_view(L, index)->router;
}

/* ---- matching ---- */

/* Pushes a canonical text decoded. */
static void push_decoded(lua_State *L, spry_slice text, bool keep_slash) {
    if (text.len == 0 || !memchr(text.data, '%', text.len)) {
        lua_pushlstring(L, text.data, text.len);
        return;
    }
    luaL_Buffer out;
    char *to = luaL_buffinitsize(L, &out, text.len);
    luaL_pushresultsize(&out, spry_url_decode_canonical(text, keep_slash, to));
}

struct asker {
    lua_State *L;
    int router; /* absolute index */
};

/* spry_router_check: does string.find(value, "^pattern$") find anything? */
static bool satisfies(void *ud, int constraint, spry_slice value) {
    struct asker *asker = ud;
    lua_State *L = asker->L;
    int top = lua_gettop(L);
    luaL_checkstack(L, 12, "constraint");
    lua_getiuservalue(L, asker->router, CONSTRAINTS);
    lua_rawgeti(L, top + 1, 0);
    push_decoded(L, value, false);
    lua_rawgeti(L, top + 1, constraint + 1);
    int status = lua_pcall(L, 2, 1, 0);
    if (status == LUA_ERRMEM) lua_error(L); /* the search holds nothing */
    bool found = status == LUA_OK && lua_toboolean(L, -1);
    lua_settop(L, top);
    return found;
}

int spryl_router_match(lua_State *L, int index, enum spry_method method, spry_slice path,
                       spry_match *out) {
    struct asker asker = {L, lua_absindex(L, index)};
    const struct view *view = lua_touserdata(L, index);
    return spry_router_match(view->router, method, path, satisfies, &asker, out);
}

enum spryl_entry spryl_router_entry_kind(lua_State *L, int index, int route) {
    const struct view *view = lua_touserdata(L, index);
    return view->has_parameters[route] ? SPRYL_ENTRY_OF_EVENT : SPRYL_ENTRY_OF_NOTHING;
}

void spryl_router_push_entries(lua_State *L, int index) {
    lua_getiuservalue(L, index, ENTRIES);
}

void spryl_router_push_entry(lua_State *L, int index, int route) {
    spryl_router_push_entries(L, index);
    lua_rawgeti(L, -1, route + 1);
    lua_remove(L, -2);
}

void spryl_push_param(lua_State *L, const spry_param *param) {
    push_decoded(L, param->value, param->rest);
}
