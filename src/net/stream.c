/* TCP connections, see stream.h. What is written goes out with one uv_try_write; only what the
 * kernel does not take at once is queued, as one write at a time. */
#include "net/stream.h"

#include "net/server.h"

#include <stdio.h>
#include <stdlib.h>

static spry_stream *stream_of(spry_transport *t) {
    return spry_container_of(t, spry_stream, io);
}

static uv_stream_t *handle_of(spry_stream *s) {
    return (uv_stream_t *)&s->tcp;
}

/* ---- writing ---- */

/* Most connections never need one, so it is made when the kernel does not take something, and kept
 * while there is more. libuv knows its address until on_written. */
typedef struct spry_write {
    uv_write_t request;
    spry_stream *stream;
    spry_buf sending; /* what the request sends */
    spry_buf waiting; /* what came after it */
} spry_write;

static void free_write(spry_stream *s) {
    spry_buf_free(&s->write->sending);
    spry_buf_free(&s->write->waiting);
    free(s->write);
    s->write = NULL;
}

static void on_written(uv_write_t *request, int status);

/* Queues `sending` from byte `sent` on. */
static int send_rest(spry_write *w, size_t sent) {
    uv_buf_t rest = uv_buf_init(w->sending.data + sent, (unsigned)(w->sending.len - sent));
    return uv_write(&w->request, handle_of(w->stream), &rest, 1, on_written);
}

static void on_written(uv_write_t *request, int status) {
    spry_write *w = spry_container_of(request, spry_write, request);
    spry_stream *s = w->stream;
    spry_buf_free(&w->sending);
    spry_buf_swap(&w->sending, &w->waiting);
    s->io.inflight = w->sending.len;
    if (!s->closing && status == 0 && w->sending.len && send_rest(w, 0) == 0) return;
    bool complete = status == 0 && !w->sending.len;
    free_write(s);
    if (s->closing) return;
    if (complete)
        spry_conn_sent(&s->conn);
    else
        spry_conn_lost(&s->conn);
}

/* Queues what the kernel has not taken: `out` from byte `sent` on. */
static int send_later(spry_stream *s, spry_buf *out, size_t sent) {
    spry_write *w = s->write = calloc(1, sizeof *w);
    if (!w) return SPRY_ENOMEM;
    w->stream = s;
    spry_buf_swap(&w->sending, out);
    s->io.inflight = w->sending.len;
    if (send_rest(w, sent) == 0) return SPRY_OK;
    free_write(s);
    return SPRY_ECLOSED;
}

/* One write is under way: get in line. */
static int get_in_line(spry_stream *s, spry_buf *out, spry_slice more) {
    spry_buf *line = &s->write->waiting;
    if (spry_buf_reserve(line, out->len + more.len) || spry_buf_append(line, out->data, out->len) ||
        spry_buf_append(line, more.data, more.len))
        return SPRY_ENOMEM;
    s->io.inflight += out->len + more.len;
    out->len = 0;
    return SPRY_OK;
}

/* What the kernel takes at once, in bytes; negative: the connection broke. */
static int try_write(spry_stream *s, const spry_buf *out, spry_slice more) {
    uv_buf_t bytes[] = {uv_buf_init(out->data, (unsigned)out->len),
                        uv_buf_init((char *)more.data, (unsigned)more.len)};
    int sent = uv_try_write(handle_of(s), bytes, more.len ? 2 : 1);
    return sent == UV_EAGAIN ? 0 : sent;
}

static int io_flush(spry_transport *t, spry_buf *out, spry_slice more) {
    spry_stream *s = stream_of(t);
    if (s->closing) return SPRY_ECLOSED;
    if (s->write) return get_in_line(s, out, more);
    int written = try_write(s, out, more);
    if (written < 0) return SPRY_ECLOSED;
    size_t sent = (size_t)written;
    if (sent >= out->len) { /* of the rest only what is not out yet */
        sent -= out->len, out->len = 0;
        more.data += sent, more.len -= sent;
        sent = 0;
    }
    if (spry_buf_append(out, more.data, more.len)) return SPRY_ENOMEM;
    return out->len ? send_later(s, out, sent) : SPRY_OK;
}

static void io_progress(spry_transport *t) {
    const spry_stream *s = stream_of(t);
    if (!s->write) return;
    t->inflight =
        uv_stream_get_write_queue_size((const uv_stream_t *)&s->tcp) + s->write->waiting.len;
}

static void on_shutdown(uv_shutdown_t *request, int status) {
    (void)status; /* the connection lingers, and has a deadline for that: also without the memory */
    free(request);
}

static void io_shutdown(spry_transport *t) {
    spry_stream *s = stream_of(t);
    uv_shutdown_t *request = s->closing ? NULL : malloc(sizeof *request);
    if (request && uv_shutdown(request, handle_of(s), on_shutdown)) free(request);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf) {
    (void)hint;
    spry_stream *s = spry_container_of(handle, spry_stream, tcp);
    *buf = uv_buf_init(s->server->read_buf, SPRY_READ_MAX);
}

static void on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf) {
    spry_stream *s = spry_container_of(handle, spry_stream, tcp);
    if (n == 0) return;
    if (n > 0) {
        spry_conn_feed(&s->conn, buf->base, (size_t)n);
    } else if (n == UV_EOF) {
        uv_read_stop(handle); /* else libuv reports the end again and again */
        spry_conn_eof(&s->conn);
    } else {
        uv_read_stop(handle);
        spry_conn_lost(&s->conn);
    }
}

static void io_read(spry_transport *t, bool on) {
    spry_stream *s = stream_of(t);
    if (s->closing) return;
    if (on)
        (void)uv_read_start(handle_of(s), on_alloc, on_read);
    else
        uv_read_stop(handle_of(s));
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle) {
    spry_stream *s = spry_container_of(handle, spry_stream, tcp);
    spry_server *server = s->server;
    spry_conn_closed(&s->conn);
    spry_server_stream_closed(server);
}

static void io_close(spry_transport *t, bool reset) {
    spry_stream *s = stream_of(t);
    s->closing = true;
    if (reset && uv_tcp_close_reset(&s->tcp, on_closed) == 0) return;
    uv_close((uv_handle_t *)&s->tcp, on_closed);
}

static void io_destroy(spry_transport *t) {
    free(stream_of(t));
}

static void io_address(spry_transport *t, char *to, size_t room) {
    struct sockaddr_storage peer;
    int len = sizeof peer;
    to[0] = '\0';
    if (uv_tcp_getpeername(&stream_of(t)->tcp, (struct sockaddr *)&peer, &len) == 0)
        (void)uv_ip_name((struct sockaddr *)&peer, to, room);
}

static const spry_transport_ops ops = {io_flush, io_progress, io_read,   io_shutdown,
                                       io_close, io_destroy,  io_address};

int spry_stream_accept(spry_server *server) {
    spry_stream *s = calloc(1, sizeof *s);
    if (!s) return UV_ENOMEM;
    s->io.ops = &ops, s->server = server;
    int err = uv_tcp_init(server->loop, &s->tcp);
    if (err) {
        free(s);
        return err;
    }
    server->streams++;
    spry_conn_init(&s->conn, &server->engine, &s->io, server->engine.handler);
    err = uv_accept((uv_stream_t *)&server->listener, handle_of(s));
    if (err)
        spry_conn_abort(&s->conn);
    else
        uv_tcp_nodelay(&s->tcp, 1);
    return err;
}
