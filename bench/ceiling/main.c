/* The ceiling's loop: ceiling PORT, on 127.0.0.1, until it is killed. */
#include "ceiling.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *to) {
    (void)hint;
    server *s = ((connection *)handle)->server;
    *to = uv_buf_init(s->input, sizeof s->input);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *from) {
    connection *c = (connection *)stream;
    if (length < 0) connection_drop(c);
    if (length <= 0) return;
    if (c->role == ROLE_HTTP)
        http_read(c, from->base, (size_t)length);
    else if (c->role != ROLE_FOLLOWER)
        websocket_read(c, from->base, (size_t)length);
    output_flush(c);
    if (c->closes && c->tcp.write_queue_size == 0) connection_drop(c);
}

void connection_read(connection *c, bool on) {
    c->stopped = !on;
    if (on)
        (void)uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    else
        (void)uv_read_stop((uv_stream_t *)&c->tcp);
}

static void on_closed(uv_handle_t *handle) {
    connection *c = (connection *)handle;
    buffer_free(&c->partial);
    free(c->http);
    free(c);
}

void connection_drop(connection *c) {
    if (uv_is_closing((uv_handle_t *)&c->tcp)) return;
    output_unsubscribe(c);
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void on_connection(uv_stream_t *listener, int status) {
    if (status < 0) return;
    connection *c = calloc(1, sizeof *c);
    if (!c) abort();
    c->server = listener->data;
    (void)uv_tcp_init(c->server->loop, &c->tcp);
    if (uv_accept(listener, (uv_stream_t *)&c->tcp)) {
        connection_drop(c);
        return;
    }
    (void)uv_tcp_nodelay(&c->tcp, 1);
    http_open(c);
    connection_read(c, true);
}

static void on_second(uv_timer_t *clock) {
    (void)clock;
    answers_set_date();
}

static int listen_on(server *s, int port) {
    struct sockaddr_in address;
    (void)uv_tcp_init(s->loop, &s->listener);
    s->listener.data = s;
    int err = uv_ip4_addr("127.0.0.1", port, &address);
    if (!err) err = uv_tcp_bind(&s->listener, (const struct sockaddr *)&address, 0);
    if (!err) err = uv_listen((uv_stream_t *)&s->listener, 4096, on_connection);
    return err;
}

int main(int argc, char **argv) {
    int port = argc == 2 ? atoi(argv[1]) : 0;
    if (port < 1 || port > 65535) {
        (void)fprintf(stderr, "usage: ceiling PORT\n");
        return 64;
    }
    server *s = calloc(1, sizeof *s);
    if (!s) abort();
    (void)signal(SIGPIPE, SIG_IGN);
    s->loop = uv_default_loop();
    http_prepare(s);
    answers_make();
    answers_set_date();
    (void)uv_timer_init(s->loop, &s->clock);
    (void)uv_timer_start(&s->clock, on_second, 1000, 1000);
    int err = listen_on(s, port);
    if (err) {
        (void)fprintf(stderr, "ceiling: cannot listen on 127.0.0.1:%d: %s\n", port,
                      uv_strerror(err));
        return 69;
    }
    return uv_run(s->loop, UV_RUN_DEFAULT);
}
