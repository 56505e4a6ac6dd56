/* Server-sent events to followers, each in a chunk of its own. */
#include "ceiling.h"

#include <stdio.h>

void events_open(connection *c) {
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Cache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n";
    buffer_add(&c->server->output, head, sizeof head - 1);
    output_flush(c);
    c->role = ROLE_FOLLOWER;
    output_subscribe(c);
}

void events_add(connection *c, const char *data, size_t length) {
    buffer *output = &c->server->output;
    char size[24];
    int digits = snprintf(size, sizeof size, "%zx\r\n", length + 8);
    buffer_add(output, size, (size_t)digits);
    buffer_add(output, "data: ", 6);
    buffer_add(output, data, length);
    buffer_add(output, "\n\n\r\n", 4);
}
