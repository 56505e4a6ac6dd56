/* What goes out: gathered while a read is looked at, then written at once, to one connection or to
 * all subscribers. Only what the kernel does not take is kept. */
#include "ceiling.h"

#include <stdlib.h>
#include <string.h>

enum {
    BACKLOG = 1 << 20
}; /* bytes that may wait for a slow peer: as the ws.maxBuffered of sprylua */

typedef struct {
    uv_write_t request;
    char bytes[];
} rest;

char *buffer_room(buffer *b, size_t length) {
    if (b->capacity - b->length < length) {
        size_t capacity = b->capacity ? b->capacity : 64;
        while (capacity - b->length < length) capacity *= 2;
        b->bytes = realloc(b->bytes, capacity);
        if (!b->bytes) abort();
        b->capacity = capacity;
    }
    return b->bytes + b->length;
}

void buffer_add(buffer *b, const void *bytes, size_t length) {
    memcpy(buffer_room(b, length), bytes, length);
    b->length += length;
}

void buffer_free(buffer *b) {
    free(b->bytes);
    *b = (buffer){0};
}

static void on_written(uv_write_t *request, int status) {
    connection *c = (connection *)request->handle;
    free(request);
    if (status < 0 || (c->closes && c->tcp.write_queue_size == 0))
        connection_drop(c);
    else if (c->stopped && c->tcp.write_queue_size == 0)
        connection_read(c, true);
}

static void write_rest(connection *c, const char *bytes, size_t length) {
    rest *r = malloc(sizeof *r + length);
    if (!r) abort();
    memcpy(r->bytes, bytes, length);
    uv_buf_t all = uv_buf_init(r->bytes, (unsigned)length);
    if (uv_write(&r->request, (uv_stream_t *)&c->tcp, &all, 1, on_written)) {
        free(r);
        connection_drop(c);
    } else if (c->tcp.write_queue_size > BACKLOG) {
        if (c->role == ROLE_SUBSCRIBER || c->role == ROLE_FOLLOWER)
            connection_drop(c);
        else
            connection_read(c, false);
    }
}

void output_write(connection *c, const char *bytes, size_t length) {
    if (!length || uv_is_closing((uv_handle_t *)&c->tcp)) return;
    uv_buf_t all = uv_buf_init((char *)bytes, (unsigned)length);
    int written = uv_try_write((uv_stream_t *)&c->tcp, &all, 1);
    if (written == UV_EAGAIN) written = 0;
    if (written < 0)
        connection_drop(c);
    else if ((size_t)written < length)
        write_rest(c, bytes + written, length - (size_t)written);
}

void output_flush(connection *c) {
    server *s = c->server;
    size_t length = s->output.length;
    s->output.length = 0;
    if (c->role != ROLE_PUBLISHER && c->role != ROLE_ANNOUNCER) {
        output_write(c, s->output.bytes, length);
        return;
    }
    /* Backwards: one that is dropped gives its place to the last. */
    for (size_t i = s->subscriber_count; length && i-- > 0;)
        output_write(s->subscribers[i], s->output.bytes, length);
}

void output_subscribe(connection *c) {
    server *s = c->server;
    if (s->subscriber_count == s->subscriber_capacity) {
        s->subscriber_capacity = s->subscriber_capacity ? 2 * s->subscriber_capacity : 64;
        s->subscribers = realloc(s->subscribers, s->subscriber_capacity * sizeof *s->subscribers);
        if (!s->subscribers) abort();
    }
    c->place = s->subscriber_count;
    s->subscribers[s->subscriber_count++] = c;
}

void output_unsubscribe(connection *c) {
    server *s = c->server;
    if (c->role != ROLE_SUBSCRIBER && c->role != ROLE_FOLLOWER) return;
    s->subscribers[c->place] = s->subscribers[--s->subscriber_count];
    s->subscribers[c->place]->place = c->place;
}
