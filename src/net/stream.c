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

static int send_rest(spry_stream *s, size_t sent);

static void on_written(uv_write_t *req, int status) {
    spry_stream *s = spry_container_of(req, spry_stream, write);
    spry_buf_free(&s->sending);
    spry_buf_swap(&s->sending, &s->waiting);
    s->io.inflight = s->sending.len;
    if (s->closing) return;
    if (status < 0 || (s->sending.len && send_rest(s, 0)))
        spry_conn_lost(&s->conn);
    else if (s->io.inflight == 0)
        spry_conn_sent(&s->conn);
}

/* Queues `sending` from byte `sent` on. */
static int send_rest(spry_stream *s, size_t sent) {
    uv_buf_t rest = uv_buf_init(s->sending.data + sent, (unsigned)(s->sending.len - sent));
    return uv_write(&s->write, handle_of(s), &rest, 1, on_written);
}

static int io_flush(spry_transport *t, spry_buf *out) {
    spry_stream *s = stream_of(t);
    if (s->closing) return SPRY_ECLOSED;
    if (s->sending.len) { /* one is under way: get in line */
        int err = spry_buf_append(&s->waiting, out->data, out->len);
        if (!err) t->inflight += out->len;
        out->len = 0;
        return err;
    }
    uv_buf_t bytes = uv_buf_init(out->data, (unsigned)out->len);
    int sent = uv_try_write(handle_of(s), &bytes, 1);
    if (sent == UV_EAGAIN) sent = 0;
    if (sent < 0) return SPRY_ECLOSED;
    if ((size_t)sent == out->len) {
        out->len = 0;
        return SPRY_OK;
    }
    spry_buf_swap(&s->sending, out);
    t->inflight += s->sending.len;
    return send_rest(s, (size_t)sent) ? SPRY_ECLOSED : SPRY_OK;
}

static void io_progress(spry_transport *t) {
    const spry_stream *s = stream_of(t);
    t->inflight = uv_stream_get_write_queue_size((const uv_stream_t *)&s->tcp) + s->waiting.len;
}

static void on_shutdown(uv_shutdown_t *req, int status) {
    (void)req, (void)status; /* the connection lingers, and has a deadline for that */
}

static void io_shutdown(spry_transport *t) {
    spry_stream *s = stream_of(t);
    if (!s->closing) (void)uv_shutdown(&s->shutdown, handle_of(s), on_shutdown);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf) {
    (void)hint;
    spry_stream *s = spry_container_of(handle, spry_stream, tcp);
    *buf = uv_buf_init(s->server->read_buf, sizeof s->server->read_buf);
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
    spry_stream *s = stream_of(t);
    spry_buf_free(&s->sending);
    spry_buf_free(&s->waiting);
    free(s);
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

int spry_stream_accept(spry_server *server, spry_handler *handler) {
    spry_stream *s = calloc(1, sizeof *s);
    if (!s) return UV_ENOMEM;
    s->io.ops = &ops, s->server = server;
    int err = uv_tcp_init(server->loop, &s->tcp);
    if (err) {
        free(s);
        return err;
    }
    server->streams++;
    spry_conn_init(&s->conn, &server->engine, &s->io, handler);
    err = uv_accept((uv_stream_t *)&server->listener, handle_of(s));
    if (err)
        spry_conn_abort(&s->conn);
    else
        uv_tcp_nodelay(&s->tcp, 1);
    return err;
}
