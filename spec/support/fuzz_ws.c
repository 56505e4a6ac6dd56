/* Gives the same bytes to three WebSockets: one gets them in one piece, so that whole messages go
 * past wslay's parser; one byte by byte, so that none does; one in pieces, and what spry_ws_peek
 * finds is taken from the input as a session's reader takes it. All must see and say the same.
 *
 *   fuzz_ws SEED COUNT       makes COUNT inputs from SEED on, and ends with 1 at a difference
 *   fuzz_ws < FILE           one input, as a fuzzer writes it
 *
 * With clang -fsanitize=fuzzer -DSPRY_FUZZER it is a target for libFuzzer. */
#include "base/utf8.h"
#include "proto/ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a WebSocket whose messages are written down ---- */

typedef struct side {
    spry_ws ws;
    spry_buf out;  /* what it says */
    spry_buf seen; /* what it sees */
} side;

static void need(bool done) {
    if (!done) abort();
}

static void note(side *s, unsigned kind, unsigned code, spry_slice data) {
    unsigned long long head[] = {kind, code, data.len};
    need(spry_buf_append(&s->seen, head, sizeof head) == 0);
    need(data.len == 0 || spry_buf_append(&s->seen, data.data, data.len) == 0);
}

static void drain(side *s) {
    for (spry_message *m; (m = spry_ws_next(&s->ws));) {
        note(s, m->kind, m->code, spry_slice_of(m->data, m->len));
        if (m->kind == SPRY_CLOSE) need(spry_ws_release_close(&s->ws) == 0);
        free(m);
    }
}

/* As a reader that waits. */
static void take_whole(side *s, spry_slice *in) {
    spry_whole whole;
    while (spry_ws_peek(&s->ws, *in, &whole)) {
        char *data = malloc(whole.payload.len + 1);
        need(data);
        spry_whole_copy(&whole, data);
        spry_slice payload = spry_slice_of(data, whole.payload.len);
        bool valid = whole.opcode == SPRY_BINARY || spry_utf8_valid(payload);
        if (valid) {
            note(s, whole.opcode, 0, payload);
            in->data += whole.size, in->len -= whole.size;
        }
        free(data);
        if (!valid) return;
    }
}

static void feed(side *s, const char *data, size_t n, bool takes) {
    spry_slice in = spry_slice_of(data, n);
    do {
        if (takes) take_whole(s, &in);
        need(spry_ws_feed(&s->ws, &in) == 0);
        drain(s);
    } while (in.len || s->ws.pong_due);
}

static void begin(side *s, bool is_client, size_t max_message) {
    *s = (side){.out = {0}};
    spry_ws_init(&s->ws, max_message, &s->out);
    s->ws.is_client = is_client;
}

static void end(side *s) {
    spry_ws_free(&s->ws);
    spry_buf_free(&s->out);
    spry_buf_free(&s->seen);
}

static bool same(const spry_buf *a, const spry_buf *b) {
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* ---- one input: two bytes of settings, then what comes in ---- */

static void run(side *s, const unsigned char *data, size_t n, bool is_client, size_t max) {
    const char *bytes = (const char *)data;
    for (int i = 0; i < 3; i++) begin(&s[i], is_client, max);
    feed(&s[0], bytes, n, false);
    for (size_t i = 0; i < n; i++) feed(&s[1], bytes + i, 1, false);
    for (size_t at = 0, piece; at < n; at += piece) {
        piece = 1 + (data[at] * 31u + data[n - 1]) % 97;
        if (piece > n - at) piece = n - at;
        feed(&s[2], bytes + at, piece, true);
    }
}

/* A client masks what it says with random keys, so only what it sees is compared. */
static bool agree(const unsigned char *data, size_t n) {
    if (n < 2) return true;
    bool is_client = data[0] & 1, agreed = true;
    size_t max = data[0] & 2 ? 64 : 200000;
    side s[3];
    run(s, data + 2, n - 2, is_client, max);
    for (int i = 1; i < 3; i++) {
        if (!same(&s[0].seen, &s[i].seen)) agreed = false;
        if (!is_client && !same(&s[0].out, &s[i].out)) agreed = false;
        if (s[0].ws.ended != s[i].ws.ended || s[0].ws.end_code != s[i].ws.end_code) agreed = false;
    }
    for (int i = 0; i < 3; i++) end(&s[i]);
    return agreed;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n) {
    if (!agree(data, n)) abort();
    return 0;
}

#ifndef SPRY_FUZZER

/* ---- inputs that are mostly right ---- */

static unsigned long long state;

static unsigned pick(unsigned below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}

static bool sometimes(unsigned in) {
    return pick(in) == 0;
}

static size_t some_length(bool is_control) {
    static const size_t lengths[] = {0,   1,   2,   5,   7,   8,   16,    63,    64,
                                     100, 125, 126, 127, 300, 999, 65535, 65536, 70000};
    if (is_control) return sometimes(20) ? 126 : pick(20);
    return lengths[pick(sometimes(30) ? 18 : 15)];
}

/* Text, cut anywhere so that a character may be in two frames, or bytes. */
static void fill(char *to, size_t n, unsigned opcode) {
    static const char text[] = "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x8d ok ";
    size_t at = sometimes(4) ? pick(sizeof text - 1) : 0;
    for (size_t i = 0; i < n; i++)
        to[i] = (char)(opcode == 2 ? pick(256) : (unsigned char)text[(at + i) % (sizeof text - 1)]);
    if (opcode == 1 && n && !sometimes(3)) memset(to, 'a', n);
    if (opcode == 8 && n >= 2) to[0] = 3, to[1] = (char)(sometimes(3) ? pick(256) : 0xe8);
    if (opcode == 8 && n > 2) memset(to + 2, 'b', n - 2);
}

static void add_frame(spry_buf *b, bool is_client) {
    static const unsigned char opcodes[] = {1, 1, 1, 2, 2, 2, 0, 0, 9, 9, 10, 8};
    unsigned opcode = sometimes(50) ? pick(16) : opcodes[pick(sometimes(3) ? 12 : 11)];
    size_t n = some_length(opcode & 8);
    unsigned char head[SPRY_HEAD_MAX];
    char *payload = malloc(n + 1);
    need(payload);
    fill(payload, n, opcode);
    size_t size = spry_frame_head(head, opcode, n);
    if (!(opcode & 8) && sometimes(5)) head[0] &= (unsigned char)~SPRY_FRAME_FIN;
    if (sometimes(80)) head[0] |= (unsigned char)(0x10 << pick(3));
    if (is_client == sometimes(100)) {
        head[1] |= SPRY_FRAME_MASKED;
        for (int i = 0; i < 4; i++) head[size + (size_t)i] = (unsigned char)pick(256);
        spry_frame_mask(payload, payload, n, head + size);
        size += 4;
    }
    need(spry_buf_append(b, head, size) == 0 && (n == 0 || spry_buf_append(b, payload, n) == 0));
    free(payload);
}

static void make_input(spry_buf *b) {
    unsigned char settings[2] = {(unsigned char)pick(4), 0};
    b->len = 0;
    need(spry_buf_append(b, settings, sizeof settings) == 0);
    for (unsigned frames = 1 + pick(12); frames; frames--) add_frame(b, settings[0] & 1);
    if (sometimes(3)) b->data[2 + pick((unsigned)b->len - 2)] ^= (char)(1 << pick(8));
    if (sometimes(4)) b->len -= pick((unsigned)b->len - 2);
}

static int run_file(void) {
    static unsigned char data[1 << 20];
    return agree(data, fread(data, 1, sizeof data, stdin)) ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc != 3) return run_file();
    unsigned long seed = strtoul(argv[1], NULL, 10), count = strtoul(argv[2], NULL, 10);
    spry_buf input = {0};
    size_t bytes = 0;
    for (unsigned long i = 0; i < count; i++) {
        state = (seed + i) * 0x9e3779b97f4a7c15u + 1;
        make_input(&input);
        bytes += input.len;
        if (agree((unsigned char *)input.data, input.len)) continue;
        printf("seed %lu: the ways differ\n", seed + i);
        return 1;
    }
    printf("%lu inputs, %zu bytes\n", count, bytes);
    spry_buf_free(&input);
    return 0;
}

#endif
