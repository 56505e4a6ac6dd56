/* The listener and its clock, see server.h. */
#include "net/server.h"

#include "net/reserve.h"
#include "net/stream.h"

#include <stdlib.h>

static uint64_t loop_time(const void *loop) {
    return uv_now(loop);
}

/* When a graceful stop has nothing left to wait for, the loop ends. */
static void check_stopped(spry_server *server) {
    if (server->stopping && server->streams == 0) uv_stop(server->loop);
}

void spry_server_stream_closed(spry_server *server) {
    server->streams--;
    server->engine.feeds++; /* what it held may be given back */
    check_stopped(server);
}

/* ---- the clock ---- */

static void on_deadline(uv_timer_t *timer);

static void set_deadline(spry_server *server) {
    uint64_t at = spry_engine_next(&server->engine);
    if (at == server->deadline_at) return;
    server->deadline_at = at;
    if (at == UINT64_MAX) {
        uv_timer_stop(&server->deadline);
        return;
    }
    uint64_t now = uv_now(server->loop);
    uv_timer_start(&server->deadline, on_deadline, at > now ? at - now : 0, 0);
}

static void on_overdue(uv_timer_t *timer) {
    spry_server *server = spry_container_of(timer, spry_server, deadline);
    server->deadline_at = UINT64_MAX;
    spry_engine_advance(&server->engine, server->overdue_since);
}

/* What holds up the loop keeps it from reading too, and timers come before sockets then. So first
 * there is a turn to read what has come in time; that may put the deadline off. What comes due in
 * that turn gets one of its own. */
static void on_deadline(uv_timer_t *timer) {
    spry_server *server = spry_container_of(timer, spry_server, deadline);
    server->overdue_since = uv_now(server->loop);
    uv_timer_start(timer, on_overdue, 1, 0);
}

enum { REST_AFTER = 500, REST_AGAIN = 20 }; /* ms */

/* When nothing was said since it looked last, there is time to tidy up. */
static void on_rest(uv_timer_t *timer) {
    spry_server *server = spry_container_of(timer, spry_server, rest);
    bool quiet = server->feeds_seen == server->engine.feeds;
    server->feeds_seen = server->engine.feeds;
    if (!quiet) {
        uv_timer_start(timer, on_rest, REST_AFTER, 0);
        return;
    }
    spry_engine_rest(&server->engine);
    if (server->engine.handler->ops->on_rest(server->engine.handler))
        uv_timer_start(timer, on_rest, REST_AGAIN, 0);
}

static void expect_rest(spry_server *server) {
    if (server->feeds_seen == server->engine.feeds || uv_is_active((uv_handle_t *)&server->rest))
        return;
    server->feeds_seen = server->engine.feeds;
    uv_timer_start(&server->rest, on_rest, REST_AFTER, 0);
}

static void on_settle(uv_prepare_t *prepare) {
    spry_server *server = spry_container_of(prepare, spry_server, settle);
    server->engine.handler->ops->on_turn(server->engine.handler);
    spry_engine_settle(&server->engine);
    set_deadline(server);
    expect_rest(server);
}

/* ---- life ---- */

static void on_connection(uv_stream_t *listener, int status) {
    spry_server *server = spry_container_of(listener, spry_server, listener);
    if (status == 0) (void)spry_stream_accept(server);
}

int spry_server_init(spry_server *server, uv_loop_t *loop, spry_handler *handler) {
    server->loop = loop;
    server->deadline_at = UINT64_MAX;
    server->streams = server->handles = 0;
    server->stopping = false;
    server->read_buf = malloc(SPRY_READ_MAX); /* of its own: what is never filled costs nothing */
    spry_engine_init(&server->engine);
    server->engine.handler = handler;
    server->engine.clock = loop_time, server->engine.clock_of = loop;
    uv_prepare_init(loop, &server->settle);
    uv_timer_init(loop, &server->deadline);
    uv_timer_init(loop, &server->patience);
    uv_timer_init(loop, &server->dismissal);
    uv_timer_init(loop, &server->rest);
    server->handles = 5;
    uv_prepare_start(&server->settle, on_settle);
    uv_unref((uv_handle_t *)&server->settle);
    uv_unref((uv_handle_t *)&server->deadline);
    uv_unref((uv_handle_t *)&server->rest);
    int err = server->read_buf ? uv_tcp_init(loop, &server->listener) : UV_ENOMEM;
    if (!err) server->handles++;
    return err;
}

static int bound_port(spry_server *server) {
    struct sockaddr_storage at;
    int len = sizeof at;
    if (uv_tcp_getsockname(&server->listener, (struct sockaddr *)&at, &len)) return 0;
    return spry_port_of(&at);
}

static int start_listening(spry_server *server) {
    return uv_listen((uv_stream_t *)&server->listener, SPRY_BACKLOG, on_connection);
}

int spry_server_listen(spry_server *server, const char *host, int *port) {
    struct sockaddr_storage address;
    int err = spry_resolve(server->loop, host, *port, &address);
    if (!err) err = uv_tcp_bind(&server->listener, (struct sockaddr *)&address, 0);
    if (!err) err = start_listening(server);
    if (!err) *port = bound_port(server);
    return err;
}

int spry_server_adopt(spry_server *server, int descriptor, int *port) {
    int err = uv_tcp_open(&server->listener, descriptor);
    if (!err) err = start_listening(server);
    if (!err) *port = bound_port(server);
    return err;
}

static void on_handle_closed(uv_handle_t *handle) {
    spry_server *server = handle->data;
    server->handles--;
}

static void close_handle(spry_server *server, uv_handle_t *handle) {
    if (handle->type == UV_UNKNOWN_HANDLE || uv_is_closing(handle)) return;
    handle->data = server;
    uv_close(handle, on_handle_closed);
}

static void on_impatient(uv_timer_t *timer) {
    spry_engine_abort(&spry_container_of(timer, spry_server, patience)->engine);
}

enum { DISMISS_EVERY = 50 /* ms */ };

static void on_dismissal(uv_timer_t *timer) {
    spry_server *server = spry_container_of(timer, spry_server, dismissal);
    if (!spry_engine_dismiss(&server->engine, server->dismissed)) uv_timer_stop(timer);
}

/* Closes one session after the other, so that their clients don't all come back in one instant: the
 * more there are the faster, for all have to go within the better part of the time that there is.
 */
static void dismiss_all(spry_server *server, uint64_t timeout) {
    size_t sessions = spry_engine_dismiss(&server->engine, 0);
    size_t times = 1 + timeout * 4 / 5 / DISMISS_EVERY;
    server->dismissed = (sessions + times - 1) / times;
    uv_timer_start(&server->dismissal, on_dismissal, 0, DISMISS_EVERY);
}

void spry_server_stop(spry_server *server, uint64_t timeout, uint16_t code) {
    server->stopping = true;
    close_handle(server, (uv_handle_t *)&server->listener);
    if (timeout) {
        uv_timer_start(&server->patience, on_impatient, timeout, 0);
        spry_engine_stop(&server->engine, code);
        dismiss_all(server, timeout);
    } else {
        spry_engine_abort(&server->engine);
    }
    check_stopped(server);
}

void spry_server_close(spry_server *server) {
    close_handle(server, (uv_handle_t *)&server->listener);
    close_handle(server, (uv_handle_t *)&server->settle);
    close_handle(server, (uv_handle_t *)&server->deadline);
    close_handle(server, (uv_handle_t *)&server->patience);
    close_handle(server, (uv_handle_t *)&server->dismissal);
    close_handle(server, (uv_handle_t *)&server->rest);
}

void spry_server_free(spry_server *server) {
    spry_engine_free(&server->engine);
    free(server->read_buf);
}
