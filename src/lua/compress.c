/* The module sprylua.compress: encoder(coding, level) for gzip (zlib) and br (Brotli).
 *
 * An encoder owns what its library allocated, and is an object of Lua's, so that raising in the
 * middle leaks nothing. Bytes that were made when a call raised are lost; the encoder then takes
 * no more, for what would follow could not be decoded. */
#define ZLIB_CONST /* deflate does not write to its input */
#include <brotli/encode.h>
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#define ENCODER_TYPE "sprylua.compress.encoder"

enum {
    ROOM = 16384,          /* bytes of output made at once */
    GZIP_WINDOW = 15 + 16, /* 32 KiB; 16 asks for gzip's head and tail */
    GZIP_MEMORY = 8,       /* with the window 256 KiB */
    BROTLI_WINDOW = 19,    /* 512 KiB: an encoder then takes 2 MiB and not 10 */
};

enum operation { WRITE, FLUSH, FINISH };
enum outcome { DONE, MORE, FAILED };

/* Input that is left, and room for output. */
struct step {
    const char *in;
    size_t left;
    char *out;
    size_t made; /* of ROOM bytes */
};

struct encoder;

struct coding {
    const char *name;
    lua_Integer least, most;                           /* levels */
    bool (*start)(struct encoder *encoder, int level); /* false: out of memory */
    enum outcome (*run)(struct encoder *encoder, enum operation operation, struct step *step);
    void (*end)(struct encoder *encoder);
};

struct encoder {
    const struct coding *coding; /* NULL = it owns nothing (any more) */
    bool broken;                 /* a call raised: some of the output is lost */
    union {
        z_stream gzip;
        BrotliEncoderState *brotli;
    } state;
};

int luaopen_sprylua_compress(lua_State *L);

/* ---- gzip ---- */

static bool gzip_start(struct encoder *encoder, int level) {
    return deflateInit2(&encoder->state.gzip, level, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                        Z_DEFAULT_STRATEGY) == Z_OK;
}

static enum outcome gzip_run(struct encoder *encoder, enum operation operation, struct step *step) {
    static const int flushes[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH};
    z_stream *z = &encoder->state.gzip;
    uInt given = step->left < UINT_MAX ? (uInt)step->left : UINT_MAX;
    z->next_in = (const Bytef *)step->in;
    z->avail_in = given;
    z->next_out = (Bytef *)step->out;
    z->avail_out = ROOM;
    int result = deflate(z, given == step->left ? flushes[operation] : Z_NO_FLUSH);
    step->in += given - z->avail_in;
    step->left -= given - z->avail_in;
    step->made = ROOM - z->avail_out;
    if (result == Z_STREAM_END) return DONE;
    /* Z_BUF_ERROR says no more than that there was nothing to do. */
    if (result != Z_OK && result != Z_BUF_ERROR) return FAILED;
    return operation == FINISH || step->left || z->avail_out == 0 ? MORE : DONE;
}

static void gzip_end(struct encoder *encoder) {
    deflateEnd(&encoder->state.gzip);
}

/* ---- br ---- */

static bool brotli_start(struct encoder *encoder, int level) {
    BrotliEncoderState *brotli = BrotliEncoderCreateInstance(NULL, NULL, NULL);
    if (!brotli) return false;
    BrotliEncoderSetParameter(brotli, BROTLI_PARAM_QUALITY, (uint32_t)level);
    BrotliEncoderSetParameter(brotli, BROTLI_PARAM_LGWIN, BROTLI_WINDOW);
    encoder->state.brotli = brotli;
    return true;
}

static enum outcome brotli_run(struct encoder *encoder, enum operation operation,
                               struct step *step) {
    static const BrotliEncoderOperation operations[] = {
        BROTLI_OPERATION_PROCESS, BROTLI_OPERATION_FLUSH, BROTLI_OPERATION_FINISH};
    BrotliEncoderState *brotli = encoder->state.brotli;
    const uint8_t *in = (const uint8_t *)step->in;
    uint8_t *out = (uint8_t *)step->out;
    size_t room = ROOM;
    if (!BrotliEncoderCompressStream(brotli, operations[operation], &step->left, &in, &room, &out,
                                     NULL))
        return FAILED;
    step->in = (const char *)in;
    step->made = ROOM - room;
    bool done = operation == FINISH ? BrotliEncoderIsFinished(brotli)
                                    : !step->left && !BrotliEncoderHasMoreOutput(brotli);
    return done ? DONE : MORE;
}

static void brotli_end(struct encoder *encoder) {
    BrotliEncoderDestroyInstance(encoder->state.brotli);
}

static const char *const names[] = {"gzip", "br", NULL};
static const struct coding codings[] = {{"gzip", 1, 9, gzip_start, gzip_run, gzip_end},
                                        {"br", 0, 11, brotli_start, brotli_run, brotli_end}};

/* ---- encoders ---- */

static void release(struct encoder *encoder) {
    if (encoder->coding) encoder->coding->end(encoder);
    encoder->coding = NULL;
}

/* encoder(coding, level) -> encoder */
static int new_encoder(lua_State *L) {
    const struct coding *coding = &codings[luaL_checkoption(L, 1, NULL, names)];
    lua_Integer level = luaL_checkinteger(L, 2);
    if (level < coding->least || level > coding->most)
        return luaL_error(L, "a level of %s is a whole number from %I to %I, not %I", coding->name,
                          (LUAI_UACINT)coding->least, (LUAI_UACINT)coding->most,
                          (LUAI_UACINT)level);
    struct encoder *encoder = lua_newuserdatauv(L, sizeof *encoder, 0);
    memset(encoder, 0, sizeof *encoder);
    luaL_setmetatable(L, ENCODER_TYPE);
    if (!coding->start(encoder, (int)level)) return luaL_error(L, "out of memory");
    encoder->coding = coding;
    return 1;
}

static int run(lua_State *L, enum operation operation) {
    struct encoder *encoder = luaL_checkudata(L, 1, ENCODER_TYPE);
    struct step step = {0};
    step.in = operation == WRITE ? luaL_checklstring(L, 2, &step.left)
                                 : luaL_optlstring(L, 2, "", &step.left);
    if (!encoder->coding) return luaL_error(L, "this encoder is finished");
    if (encoder->broken) return luaL_error(L, "this encoder ran out of memory before");
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    encoder->broken = true;
    enum outcome outcome;
    do {
        step.out = luaL_prepbuffsize(&out, ROOM);
        outcome = encoder->coding->run(encoder, operation, &step);
        if (outcome == FAILED) return luaL_error(L, "out of memory");
        luaL_addsize(&out, step.made);
    } while (outcome == MORE);
    luaL_pushresult(&out);
    encoder->broken = false;
    if (operation == FINISH) release(encoder);
    return 1;
}

/* encoder:write(bytes) -> what there is of the compressed bytes by now, often "" */
static int encoder_write(lua_State *L) {
    return run(L, WRITE);
}

/* encoder:flush(bytes?) -> with these bytes, all that was written can be decoded */
static int encoder_flush(lua_State *L) {
    return run(L, FLUSH);
}

/* encoder:finish(bytes?) -> the last bytes; nothing comes after them */
static int encoder_finish(lua_State *L) {
    return run(L, FINISH);
}

/* __gc and __close */
static int encoder_release(lua_State *L) {
    release(luaL_checkudata(L, 1, ENCODER_TYPE));
    return 0;
}

int luaopen_sprylua_compress(lua_State *L) {
    static const luaL_Reg functions[] = {{"encoder", new_encoder}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"write", encoder_write},
                                       {"flush", encoder_flush},
                                       {"finish", encoder_finish},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__gc", encoder_release}, {"__close", encoder_release}, {NULL, NULL}};
    luaL_checkversion(L);
    luaL_newmetatable(L, ENCODER_TYPE);
    luaL_setfuncs(L, metamethods, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    luaL_newlib(L, functions);
    return 1;
}
