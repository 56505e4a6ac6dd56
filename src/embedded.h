/*
 * embedded.h - the framework's Lua modules, as part of the executable.
 *
 * Lifetime: static and constant; nothing is ever freed. The table is written at build time by
 * src/embed.c from lua/sprylua/ (and the option parser of the command line, "argparse").
 */
#ifndef SPRYLUA_EMBEDDED_H
#define SPRYLUA_EMBEDDED_H

#include <stddef.h>

/* One Lua module. */
struct spry_embedded_module {
    const char *name;      /* as in require: "sprylua", "sprylua.cli.serve" */
    const char *chunkname; /* for luaL_loadbufferx: "@sprylua/cli/serve.lua" */
    const char *chunk;     /* precompiled, by the Lua that is linked in */
    size_t length;         /* of chunk, in bytes */
};

/* Every embedded module, in no order. */
extern const struct spry_embedded_module spry_embedded[];

/* How many entries spry_embedded has. */
extern const size_t spry_embedded_count;

#endif
