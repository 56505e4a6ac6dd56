/* Fan-out: one publisher, and subscribers that get all it sends. A message carries its number and
 * its time; it is done when all subscribers have it, then the next one goes out. */
#include "load.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t number, published_at;
} stamp;

_Static_assert(sizeof(stamp) == FRAME_STAMP, "a stamp is what a reader keeps of a message");

void fan_out_prepare(load *l) {
    if (l->options.bytes < sizeof(stamp)) load_fail("a message to many has at least 16 bytes");
    l->receivers = calloc(l->options.outstanding, sizeof *l->receivers);
    if (!l->receivers) load_fail("no memory");
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
        memcpy(l->payload, &mark, sizeof mark);
        length += frame_write(frames + length, l->payload, o->bytes);
        l->receivers[l->published % o->outstanding] = 0;
    }
    connection_write(&l->all[l->count - 1], frames, length);
    free(frames);
}

void fan_out_read(connection *c, const char *bytes, size_t length) {
    load *l = c->load;
    const options *o = &l->options;
    uint64_t now = load_now();
    while (length && frame_read(&c->frame, &bytes, &length, NULL)) {
        stamp mark;
        memcpy(&mark, c->frame.stamp, sizeof mark);
        if (c->frame.length != o->bytes) load_fail("a message of another length");
        if (mark.number != c->received++) load_fail("a message is missing");
        histogram_add(&l->latencies, now - mark.published_at);
        if (++l->receivers[mark.number % o->outstanding] == o->connections) l->delivered++;
    }
}
