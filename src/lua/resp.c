/* The module sprylua.resp: what a Redis server sends, taken apart by hiredis' reader. It is meant
 * for a server that nobody trusts: an answer has bounds, in bytes, in elements and in depth (eight
 * lists in each other, which is hiredis' own), and what breaks one of them ends the stream.
 *
 * Commands are not written here: hiredis counts their bytes in an int. */
#define _GNU_SOURCE /* memmem */
#include <hiredis/hiredis.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define READER_TYPE "sprylua.resp.reader"

enum {
    MOST = 128 << 20,  /* bytes that an answer may take, and that may wait to be one */
    COST = 64,         /* bytes that each element of an answer takes beside its text */
    LINE_MOST = 65536, /* bytes of a status, an error, or a number; hiredis reads it again and again
                        * until it is complete */
    KEPT_MOST = 65536, /* bytes of memory that a reader without work keeps */
};

struct reader {
    redisReader *hiredis; /* NULL when it is over */
    redisReply *reply;    /* the one that Lua is being given */
    redisReplyObjectFunctions make;
    const redisReplyObjectFunctions *made_by; /* hiredis' own, which `make` calls */
    size_t answer;                            /* bytes that the answer takes that is being read */
    size_t fed;                               /* bytes since the reader of hiredis is new */
    const char *problem;                      /* why it is over, unless hiredis says it */
};

int luaopen_sprylua_resp(lua_State *L);

/* ---- the making of answers, within bounds ---- */

static const char TOO_LARGE[] = "it sent an answer that takes more than 128 MiB";
static const char NO_MEMORY[] = "there is no memory for what it sent";

/* False: the answer is too large. What hiredis is given then is NULL, as when memory ran out. */
static bool may_take(const redisReadTask *task, unsigned long long bytes) {
    struct reader *r = task->privdata;
    if (bytes <= MOST - r->answer) {
        r->answer += (size_t)bytes;
        return true;
    }
    r->problem = TOO_LARGE;
    return false;
}

static void *make_string(const redisReadTask *task, char *text, size_t len) {
    struct reader *r = task->privdata;
    if (!may_take(task, COST + (unsigned long long)len)) return NULL;
    return r->made_by->createString(task, text, len);
}

static void *make_array(const redisReadTask *task, int count) {
    struct reader *r = task->privdata;
    if (!may_take(task, COST * ((unsigned long long)count + 1))) return NULL;
    return r->made_by->createArray(task, count);
}

static bool renew(struct reader *r) {
    redisReader *fresh = redisReaderCreate();
    if (!fresh) return false;
    if (r->hiredis) redisReaderFree(r->hiredis);
    r->hiredis = fresh;
    r->made_by = fresh->fn;
    r->make = *fresh->fn;
    r->make.createString = make_string;
    r->make.createArray = make_array;
    fresh->fn = &r->make;
    fresh->privdata = r;
    fresh->maxbuf = 0; /* it gives up memory in a way that ends the process when there is none */
    r->fed = 0;
    return true;
}

static void give_up(struct reader *r, const char *problem) {
    if (!r->problem) r->problem = problem;
    if (r->hiredis) redisReaderFree(r->hiredis);
    r->hiredis = NULL;
}

static void drop_reply(struct reader *r) {
    if (r->reply) freeReplyObject(r->reply);
    r->reply = NULL;
}

/* ---- answers as Lua has them ---- */

static void push_reply(lua_State *L, const redisReply *reply, bool within);

static void push_array(lua_State *L, const redisReply *reply) {
    lua_createtable(L, (int)reply->elements, 0);
    for (size_t i = 0; i < reply->elements; i++) {
        push_reply(L, reply->element[i], true);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* Within a list it is false for nothing, and { err = message } for an error, as Redis' own Lua has
 * them. */
static void push_reply(lua_State *L, const redisReply *reply, bool within) {
    luaL_checkstack(L, 4, "an answer of Redis");
    switch (reply->type) {
    case REDIS_REPLY_INTEGER: lua_pushinteger(L, reply->integer); break;
    case REDIS_REPLY_ARRAY: push_array(L, reply); break;
    case REDIS_REPLY_NIL:
        if (within)
            lua_pushboolean(L, 0);
        else
            lua_pushnil(L);
        break;
    case REDIS_REPLY_ERROR:
        if (within) lua_createtable(L, 0, 1);
        lua_pushlstring(L, reply->str, reply->len);
        if (within) lua_setfield(L, -2, "err");
        break;
    default: lua_pushlstring(L, reply->str, reply->len);
    }
}

static const char *kind_of(const redisReply *reply) {
    switch (reply->type) {
    case REDIS_REPLY_STRING: return "string";
    case REDIS_REPLY_ARRAY: return "array";
    case REDIS_REPLY_INTEGER: return "integer";
    case REDIS_REPLY_STATUS: return "status";
    case REDIS_REPLY_ERROR: return "error";
    default: return "nil";
    }
}

/* ---- readers ---- */

static struct reader *check(lua_State *L) {
    return luaL_checkudata(L, 1, READER_TYPE);
}

/* reader:feed(bytes): what the server has sent. */
static int reader_feed(lua_State *L) {
    struct reader *r = check(L);
    size_t len;
    const char *bytes = luaL_checklstring(L, 2, &len);
    if (!r->hiredis || r->hiredis->err) return 0;
    if (len > MOST || r->hiredis->len - r->hiredis->pos > MOST - len)
        give_up(r, TOO_LARGE);
    else if (redisReaderFeed(r->hiredis, bytes, len) != REDIS_OK)
        give_up(r, NO_MEMORY);
    else
        r->fed += len;
    return 0;
}

/* Everything begins with a line. */
static bool has_endless_line(const redisReader *hiredis) {
    return hiredis->len - hiredis->pos > LINE_MOST &&
           !memmem(hiredis->buf + hiredis->pos, LINE_MOST, "\r\n", 2);
}

/* Reads the next answer. False: there is none yet, or never. */
static bool read_reply(struct reader *r) {
    if (!r->hiredis) return false;
    void *reply = NULL;
    if (redisReaderGetReply(r->hiredis, &reply) != REDIS_OK) {
        if (r->hiredis->err == REDIS_ERR_OOM && !r->problem) r->problem = NO_MEMORY;
        if (r->problem) give_up(r, r->problem);
        return false;
    }
    r->reply = reply;
    if (reply) r->answer = 0;
    if (!reply && has_endless_line(r->hiredis)) give_up(r, "it sent a line that does not end");
    return reply;
}

/* Nothing waits: much memory that was needed once is given back. */
static void rest(struct reader *r) {
    const redisReader *hiredis = r->hiredis;
    if (hiredis && hiredis->pos == hiredis->len && hiredis->ridx < 0 && r->fed > KEPT_MOST &&
        !renew(r))
        give_up(r, NO_MEMORY);
}

static int push_problem(lua_State *L, const struct reader *r) {
    lua_pushnil(L);
    if (r->problem)
        lua_pushstring(L, r->problem);
    else
        lua_pushfstring(L, "it does not speak as Redis does: %s", r->hiredis->errstr);
    return 2;
}

/* reader:next() -> kind, value | nothing yet | nil, sentence: the stream is over. It is when this
 * raised before, because memory ran out: that answer is lost. A finalizer that calls this while an
 * answer is given ends the stream too; the answer is left alone. */
static int reader_next(lua_State *L) {
    struct reader *r = check(L);
    if (r->reply) give_up(r, NO_MEMORY);
    if (!read_reply(r)) {
        if (!r->problem && !r->hiredis->err) rest(r);
        return r->problem || r->hiredis->err ? push_problem(L, r) : 0;
    }
    lua_pushstring(L, kind_of(r->reply));
    push_reply(L, r->reply, false);
    drop_reply(r);
    return 2;
}

static int reader_close(lua_State *L) {
    give_up(check(L), "it is closed");
    return 0;
}

static int reader_collect(lua_State *L) {
    drop_reply(check(L));
    return reader_close(L);
}

/* reader() -> reader */
static int new_reader(lua_State *L) {
    struct reader *r = lua_newuserdatauv(L, sizeof *r, 0);
    memset(r, 0, sizeof *r);
    luaL_setmetatable(L, READER_TYPE);
    if (!renew(r)) return luaL_error(L, "out of memory");
    return 1;
}

int luaopen_sprylua_resp(lua_State *L) {
    static const luaL_Reg functions[] = {{"reader", new_reader}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"feed", reader_feed}, {"next", reader_next}, {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__gc", reader_collect}, {"__close", reader_close}, {NULL, NULL}};
    luaL_checkversion(L);
    luaL_newmetatable(L, READER_TYPE);
    luaL_setfuncs(L, metamethods, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "sprylua");
    lua_setfield(L, -2, "__metatable");
    luaL_newlib(L, functions);
    return 1;
}
