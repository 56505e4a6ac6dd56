/* Fan-out: one publisher, and subscribers that get all it sends. A message carries its number and
 * its time; it is done when all subscribers have it, then the next one goes out. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t number, published_at;
} stamp;

_Static_assert(sizeof(stamp) == FRAME_STAMP, "a stamp is what a reader keeps of a message");

/* As text, which an event is. */
enum { STAMP_TEXT = 2 * (int)sizeof(stamp) };

void fan_out_prepare(load *l) {
    if (l->options.bytes < STAMP_TEXT) load_fail("a message to many has at least 32 bytes");
    if (l->options.reads_events && l->options.bytes > EVENT_LINE - 6) load_fail("a longer event");
    l->receivers = calloc(l->options.outstanding, sizeof *l->receivers);
    if (!l->receivers) load_fail("no memory");
}

static void write_stamp(load *l, const stamp *mark) {
    char text[STAMP_TEXT + 1];
    if (l->options.reads_events) {
        (void)snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)mark->number,
                       (unsigned long long)mark->published_at);
        memcpy(l->payload, text, STAMP_TEXT);
    } else {
        memcpy(l->payload, mark, sizeof *mark);
    }
}

/* As many messages as may be in flight, in one write. */
void fan_out_publish(load *l) {
    const options *o = &l->options;
    size_t length = 0, room = o->outstanding * (o->bytes + FRAME_HEAD);
    if (l->published - l->delivered == o->outstanding) return;
    char *frames = malloc(room);
    if (!frames) load_fail("no memory");
    for (; l->published - l->delivered < o->outstanding; l->published++) {
        stamp mark = {l->published, load_now()};
        write_stamp(l, &mark);
        length += frame_write(frames + length, l->payload, o->bytes);
        l->receivers[l->published % o->outstanding] = 0;
    }
    connection_write(&l->all[l->count - 1], frames, length);
    free(frames);
}

static uint64_t hexadecimal(const char *digits) {
    char text[17] = "";
    memcpy(text, digits, 16);
    return strtoull(text, NULL, 16);
}

/* The next message; its length is returned, 0: more bytes are needed. */
static size_t read_event(connection *c, const char **bytes, size_t *length, stamp *mark) {
    event_reader *r = &c->event;
    if (!event_read(r, &c->answer, bytes, length)) return 0;
    *mark = (stamp){hexadecimal(r->line + 6), hexadecimal(r->line + 22)};
    return r->length - 6;
}

static size_t read_message(connection *c, const char **bytes, size_t *length, stamp *mark) {
    if (!frame_read(&c->frame, bytes, length, NULL)) return 0;
    memcpy(mark, c->frame.stamp, sizeof *mark);
    return (size_t)c->frame.length;
}

void fan_out_read(connection *c, const char *bytes, size_t length) {
    load *l = c->load;
    const options *o = &l->options;
    bool is_event = o->reads_events && c->role == SUBSCRIBER;
    uint64_t now = load_now();
    for (;;) {
        stamp mark;
        size_t size = is_event ? read_event(c, &bytes, &length, &mark)
                               : read_message(c, &bytes, &length, &mark);
        if (!size) return;
        if (size != o->bytes) load_fail("a message of another length");
        if (mark.number != c->received++) load_fail("a message is missing");
        histogram_add(&l->latencies, now - mark.published_at);
        if (++l->receivers[mark.number % o->outstanding] == o->connections) l->delivered++;
    }
}
