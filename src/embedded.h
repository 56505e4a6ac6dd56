/*
 * embedded.h - the framework's Lua sources, as part of the executable.
 *
 * Lifetime: static and constant; nothing is ever freed. The table is written at build time by
 * src/embed.cmake from lua/sprylua/ (and the option parser of the command line, "argparse").
 */
#ifndef SPRYLUA_EMBEDDED_H
#define SPRYLUA_EMBEDDED_H

#include <stddef.h>

/* One Lua module. */
struct spry_embedded_module {
    const char *name;      /* as in require: "sprylua", "sprylua.cli.serve" */
    const char *chunkname; /* for luaL_loadbufferx: "@sprylua/cli/serve.lua" */
    const char *source;    /* text, not binary chunk */
    size_t length;         /* of source, in bytes, without the final zero */
};

/* Every embedded module, by name in ascending order but for "argparse", which is last. */
extern const struct spry_embedded_module spry_embedded[];

/* How many entries spry_embedded has. */
extern const size_t spry_embedded_count;

#endif
