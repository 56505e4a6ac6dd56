/* Writing JSON text: the output buffer, scalars, errors. Private to write.c, which has them,
 * and encode.c, which goes through tables. A writer lives for one call; its text belongs to a
 * userdata on the Lua stack, so that every function here may raise. */
#ifndef SPRY_LUA_JSON_WRITE_H
#define SPRY_LUA_JSON_WRITE_H

#include "lua/json/json.h"

/* A buffer between calls, in a userdata that frees it. */
typedef struct spryl_json_out {
    char *data;
    size_t cap;
} spryl_json_out;

/* Where in the value the writer is, for messages. */
struct spryl_json_step {
    const char *key; /* NULL = in an array */
    lua_Integer index;
};

typedef struct spryl_json_writer {
    lua_State *L;
    spryl_json_out *out;
    size_t len;                        /* bytes written to out */
    const void *null, *array, *object; /* identities of the module's values */
    bool sort;                         /* members in the order of their keys */
    int indent;                        /* spaces a level, 0 = all on one line */
    int depth;                         /* tables that are open */
    struct spryl_json_step path[SPRYL_JSON_DEPTH];
} spryl_json_writer;

/* Makes room for `more` bytes. */
void spryl_json_grow(spryl_json_writer *w, size_t more);

/* Raises "json.encode: <message> at <path>". */
void spryl_json_fail(spryl_json_writer *w, const char *format, ...);

/* Raises when the text is not UTF-8. */
void spryl_json_write_string(spryl_json_writer *w, const char *text, size_t len);

void spryl_json_write_integer(spryl_json_writer *w, lua_Integer value);

/* Raises when the value is not finite. */
void spryl_json_write_float(spryl_json_writer *w, lua_Number value);

/* Room for `more` bytes at the end; what is written there counts when `len` is moved. */
static inline char *spryl_json_room(spryl_json_writer *w, size_t more) {
    if (w->out->cap - w->len < more) spryl_json_grow(w, more);
    return w->out->data + w->len;
}

static inline void spryl_json_put(spryl_json_writer *w, const char *text, size_t len) {
    memcpy(spryl_json_room(w, len), text, len);
    w->len += len;
}

static inline void spryl_json_put_char(spryl_json_writer *w, char c) {
    *spryl_json_room(w, 1) = c;
    w->len++;
}

#endif
