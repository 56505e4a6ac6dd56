/* The load client: one thread, epoll, connections to 127.0.0.1. What its parts share. */
#ifndef LOAD_H
#define LOAD_H

#include "answer.h"
#include "event.h"
#include "frame.h"
#include "histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct load load;
typedef struct connection connection;

typedef struct {
    int port;
    const char *path;
    bool is_websocket;        /* but for subscribers that read events */
    bool reads_events;        /* fan-out: the subscribers are streams of server-sent events */
    bool is_idle;             /* the connections are opened, and then held */
    const char *publish_path; /* fan-out: where the one publisher connects */
    const char *body_file;    /* what is posted */
    size_t bytes;             /* of a WebSocket message */
    unsigned connections;
    unsigned outstanding; /* requests or messages of a connection; of the publisher in a fan-out */
    unsigned stalled;     /* subscribers more that never read */
    double seconds;
} options;

typedef enum { CONNECTING, SHAKING, OPEN, CLOSED } state;
typedef enum { EXCHANGE, SUBSCRIBER, PUBLISHER, STALLED } role;

struct connection {
    load *load;
    int descriptor;
    state state;
    role role;
    bool waits_to_write;
    answer_reader answer; /* HTTP, and the answer to a handshake */
    frame_reader frame;
    event_reader event;
    size_t at, unsent;   /* the next byte of the request to write, and how many are due */
    uint64_t *sent_at;   /* of what is outstanding, as a ring */
    unsigned first, due; /* the oldest in the ring, and how many there are */
    uint64_t received;   /* messages of a publisher */
};

struct load {
    options options;
    int poll;
    connection *all;
    unsigned count, next, open; /* how many there shall be, are begun, are open */
    char *request;              /* what an exchange sends, several times in a row */
    size_t request_length;      /* of one */
    char *payload;              /* of a message */
    histogram latencies;
    uint64_t published, delivered; /* messages, those that all subscribers have */
    unsigned *receivers;           /* of the messages in flight, by number modulo `outstanding` */
};

uint64_t load_now(void); /* nanoseconds */
_Noreturn void load_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* connection.c */
void connection_open_more(load *l);
void connection_poll(load *l, int milliseconds);
void connection_write(connection *c, const char *bytes, size_t length); /* waits */
void connection_send_requests(connection *c, unsigned count, uint64_t now);

/* exchange.c: requests and their answers, messages and their echoes */
void exchange_prepare(load *l);
void exchange_handshake(connection *c);
bool exchange_read_handshake(connection *c, const char **bytes, size_t *length);
void exchange_read(connection *c, const char *bytes, size_t length);

/* fan_out.c */
void fan_out_prepare(load *l);
void fan_out_publish(load *l);
void fan_out_read(connection *c, const char *bytes, size_t length);

#endif
