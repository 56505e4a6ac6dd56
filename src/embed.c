/* Writes a C file that holds the framework's Lua modules as precompiled chunks, so that the
 * executable needs no other file, and does not compile them at every start. Runs at build time.
 *
 *   embed OUTPUT {NAME CHUNKNAME FILE}...
 *
 * The table it writes is declared in embedded.h. Chunks keep their debug information. */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>

struct writer {
    FILE *out;
    size_t size;
};

static int write_bytes(lua_State *L, const void *bytes, size_t n, void *ud) {
    struct writer *w = ud;
    (void)L;
    for (size_t i = 0; i < n; i++, w->size++)
        fprintf(w->out, "%u,%s", ((const unsigned char *)bytes)[i], w->size % 32 == 31 ? "\n" : "");
    return ferror(w->out);
}

/* The whole file, with a final NUL; NULL when it can't be read. */
static char *read_file(const char *path, size_t *size) {
    FILE *in = fopen(path, "rb");
    char *text = NULL;
    long end;
    if (in && !fseek(in, 0, SEEK_END) && (end = ftell(in)) >= 0 && !fseek(in, 0, SEEK_SET))
        text = malloc((size_t)end + 1);
    if (text) {
        *size = fread(text, 1, (size_t)end, in);
        text[*size] = '\0';
    }
    if (in) fclose(in);
    return text;
}

/* Writes the chunk of one module; its size, or 0 when something is wrong, which is told. */
static size_t write_chunk(lua_State *L, FILE *out, int index, const char *chunkname,
                          const char *path) {
    size_t size = 0;
    char *text = read_file(path, &size);
    struct writer w = {out, 0};
    char at[256];
    snprintf(at, sizeof at, "@%s", chunkname);
    fprintf(out, "static const unsigned char chunk_%d[] = {\n", index);
    if (!text)
        fprintf(stderr, "embed: cannot read %s\n", path);
    else if (luaL_loadbufferx(L, text, size, at, "t") != LUA_OK)
        fprintf(stderr, "embed: %s\n", lua_tostring(L, -1));
    else if (lua_dump(L, write_bytes, &w, 0))
        w.size = 0;
    fprintf(out, "};\n\n");
    lua_settop(L, 0);
    free(text);
    return w.size;
}

static int write_all(lua_State *L, FILE *out, int count, char **modules) {
    size_t *sizes = calloc((size_t)count + 1, sizeof *sizes);
    int failed = !sizes;
    fprintf(out, "/* Made by src/embed.c. */\n#include \"embedded.h\"\n\n");
    for (int i = 0; i < count && !failed; i++) {
        sizes[i] = write_chunk(L, out, i, modules[3 * i + 1], modules[3 * i + 2]);
        failed = !sizes[i];
    }
    fprintf(out, "const struct spry_embedded_module spry_embedded[] = {\n");
    for (int i = 0; i < count && !failed; i++)
        fprintf(out, "    {\"%s\", \"@%s\", (const char *)chunk_%d, %zu},\n", modules[3 * i],
                modules[3 * i + 1], i, sizes[i]);
    fprintf(out, "};\nconst size_t spry_embedded_count = %d;\n", count);
    free(sizes);
    return failed || ferror(out);
}

int main(int argc, char **argv) {
    if (argc < 5 || (argc - 2) % 3) {
        fprintf(stderr, "usage: embed OUTPUT {NAME CHUNKNAME FILE}...\n");
        return 64;
    }
    lua_State *L = luaL_newstate();
    FILE *out = fopen(argv[1], "w");
    int failed = !L || !out || write_all(L, out, (argc - 2) / 3, argv + 2);
    if (out && fclose(out)) failed = 1;
    if (L) lua_close(L);
    if (failed) remove(argv[1]);
    return failed;
}
