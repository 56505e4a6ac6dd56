/* Requests and their answers, WebSocket messages and their echoes: as soon as one is back, the next
 * one goes out. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_BODY = 1 << 20 };

#define HOST "Host: 127.0.0.1\r\n"

/* ---- what is sent ---- */

static char *read_file(const char *name, size_t *length) {
    FILE *file = fopen(name, "rb");
    char *bytes = malloc(LONGEST_BODY);
    if (!file || !bytes) load_fail("cannot read %s", name);
    *length = fread(bytes, 1, LONGEST_BODY, file);
    (void)fclose(file);
    return bytes;
}

static char *make_request(const options *o, size_t *length) {
    size_t body_length = 0;
    char *body = o->body_file ? read_file(o->body_file, &body_length) : NULL;
    size_t room = strlen(o->path) + body_length + 256;
    char *request = malloc(room);
    if (!request) load_fail("no memory");
    int head = body ? snprintf(request, room,
                               "POST %s HTTP/1.1\r\n" HOST "Content-Type: application/json\r\n"
                               "Content-Length: %zu\r\n\r\n",
                               o->path, body_length)
                    : snprintf(request, room, "GET %s HTTP/1.1\r\n" HOST "\r\n", o->path);
    *length = (size_t)head + body_length;
    if (body) memcpy(request + head, body, body_length);
    free(body);
    return request;
}

static char *make_message(const load *l, size_t *length) {
    char *message = malloc(l->options.bytes + FRAME_HEAD);
    if (!message) load_fail("no memory");
    *length = frame_write(message, l->payload, l->options.bytes);
    return message;
}

/* One more than can be due, for one may have been begun. */
void exchange_prepare(load *l) {
    size_t length;
    char *one =
        l->options.is_websocket ? make_message(l, &length) : make_request(&l->options, &length);
    unsigned copies = l->options.outstanding + 1;
    l->request_length = length;
    l->request = malloc(length * copies);
    if (!l->request) load_fail("no memory");
    for (unsigned i = 0; i < copies; i++) memcpy(l->request + i * length, one, length);
    free(one);
}

/* ---- opening ---- */

static bool opens_websocket(const connection *c) {
    const options *o = &c->load->options;
    return o->is_websocket && (c->role == PUBLISHER || !o->reads_events);
}

void exchange_handshake(connection *c) {
    const load *l = c->load;
    const char *path = c->role == PUBLISHER ? l->options.publish_path : l->options.path;
    if (!l->options.is_websocket) {
        connection_write(c, l->request, l->request_length);
        return;
    }
    static const char fields[] = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                 "Sec-WebSocket-Version: 13\r\n";
    char text[512];
    int length = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n" HOST "%s\r\n", path,
                          opens_websocket(c) ? fields : "");
    connection_write(c, text, (size_t)length);
}

bool exchange_read_handshake(connection *c, const char **bytes, size_t *length) {
    const options *o = &c->load->options;
    bool switches = opens_websocket(c), streams = o->is_websocket && !switches;
    bool (*read)(answer_reader *, const char **, size_t *) =
        streams ? answer_read_head : answer_read;
    if (!read(&c->answer, bytes, length)) return false;
    if (c->answer.status != (switches ? 101 : 200))
        load_fail("an answer with status %d", c->answer.status);
    return true;
}

/* ---- what comes ---- */

static bool read_one(connection *c, const char **bytes, size_t *length) {
    const load *l = c->load;
    if (!l->options.is_websocket) {
        if (!answer_read(&c->answer, bytes, length)) return false;
        if (c->answer.status != 200) load_fail("an answer with status %d", c->answer.status);
        return true;
    }
    if (!frame_read(&c->frame, bytes, length, l->payload)) return false;
    if (c->frame.length != l->options.bytes) load_fail("an echo of another length");
    return true;
}

void exchange_read(connection *c, const char *bytes, size_t length) {
    load *l = c->load;
    uint64_t now = load_now();
    unsigned ended = 0;
    while (length && read_one(c, &bytes, &length)) {
        if (!c->due) load_fail("an answer that nobody asked for");
        histogram_add(&l->latencies, now - c->sent_at[c->first]);
        c->first = (c->first + 1) % l->options.outstanding;
        c->due--;
        ended++;
    }
    if (ended) connection_send_requests(c, ended, now);
}
