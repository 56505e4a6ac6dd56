/* The ceiling: the same answers and sessions as bench/app, on the same libraries, without Lua.
 *
 * What makes it fast is what a server can do at best: one read buffer and one output buffer for the
 * whole loop, and one write for all that one read asked for. Its answers are constant, so it does
 * not encode JSON, read a file, or look at parameters; its WebSocket frames are read by hand, and
 * neither UTF-8 nor the order of fragments is checked. */
#ifndef CEILING_H
#define CEILING_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

typedef struct server server;
typedef struct connection connection;

/* What a connection has become. A follower reads server-sent events, which an announcer makes. */
typedef enum {
    ROLE_HTTP,
    ROLE_ECHO,
    ROLE_SUBSCRIBER,
    ROLE_PUBLISHER,
    ROLE_FOLLOWER,
    ROLE_ANNOUNCER
} role;

/* A whole response: head and body. */
typedef struct {
    const char *path;
    bool is_prefix; /* of a path that goes on */
    char *bytes;
    size_t length;
} answer;

typedef struct {
    char *bytes;
    size_t length, capacity;
} buffer;

/* The state of HTTP, freed when a connection becomes a WebSocket. */
typedef struct {
    llhttp_t parser;
    char url[64], field[24], key[24]; /* as much of them as matters */
    size_t url_length, field_length, key_length;
} http;

struct connection {
    uv_tcp_t tcp; /* first, so that a handle is its connection */
    server *server;
    http *http;     /* NULL for a WebSocket */
    buffer partial; /* the beginning of a frame that is not all here */
    size_t place;   /* among the subscribers */
    role role;
    bool closes;  /* as soon as everything is written */
    bool stopped; /* reading, because the peer does not read */
};

struct server {
    uv_loop_t *loop;
    uv_tcp_t listener;
    uv_timer_t clock; /* for the Date of the answers */
    llhttp_settings_t settings;
    buffer output; /* what the read that is being looked at has asked for */
    connection **subscribers;
    size_t subscriber_count, subscriber_capacity;
    char input[512 << 10];
};

/* answers.c */
void answers_make(void);
void answers_set_date(void);
const answer *answers_find(const char *url, size_t length); /* the last one is a 404 */

/* events.c */
void events_open(connection *c);
void events_add(connection *c, const char *data, size_t length); /* to the gathered output */

/* output.c: ends the program when there is no memory */
char *buffer_room(buffer *b, size_t length);
void buffer_add(buffer *b, const void *bytes, size_t length);
void buffer_free(buffer *b);
void output_write(connection *c, const char *bytes, size_t length); /* around the gathered output */
void output_flush(connection *c); /* a publisher's goes to all subscribers */
void output_subscribe(connection *c);
void output_unsubscribe(connection *c);

/* http.c */
void http_prepare(server *s);
void http_open(connection *c);
void http_read(connection *c, char *bytes, size_t length);

/* websocket.c */
void websocket_open(connection *c, role as, const char key[24]);
void websocket_read(connection *c, const char *bytes, size_t length);

/* main.c */
void connection_drop(connection *c);
void connection_read(connection *c, bool on);

#endif
