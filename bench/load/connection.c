/* Connections: opening them, writing, and what epoll says of them. */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AT_ONCE = 64, EVENTS = 256 };

/* ---- opening ---- */

static role role_of(const load *l, unsigned number) {
    const options *o = &l->options;
    if (!o->publish_path) return EXCHANGE;
    if (number < o->connections) return SUBSCRIBER;
    return number < o->connections + o->stalled ? STALLED : PUBLISHER;
}

static void set(int descriptor, int level, int name, int value) {
    (void)setsockopt(descriptor, level, name, &value, sizeof value);
}

static void open_one(load *l, unsigned number) {
    connection *c = &l->all[number];
    c->load = l;
    c->role = role_of(l, number);
    c->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->descriptor < 0) load_fail("no more sockets: raise ulimit -n");
    set(c->descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    /* The kernel would take megabytes for it otherwise, and nobody would notice that it does not
     * read. */
    if (c->role == STALLED) set(c->descriptor, SOL_SOCKET, SO_RCVBUF, 1);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)l->options.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int err = connect(c->descriptor, (const struct sockaddr *)&address, sizeof address);
    if (err && errno != EINPROGRESS) load_fail("cannot connect: %s", strerror(errno));
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    c->waits_to_write = true;
    (void)epoll_ctl(l->poll, EPOLL_CTL_ADD, c->descriptor, &event);
}

void connection_open_more(load *l) {
    while (l->next < l->count && l->next - l->open < AT_ONCE) open_one(l, l->next++);
}

/* ---- writing ---- */

static void wait_to_write(connection *c, bool on) {
    if (c->waits_to_write == on) return;
    c->waits_to_write = on;
    struct epoll_event event = {.events = EPOLLIN | (on ? EPOLLOUT : 0u), .data.ptr = c};
    (void)epoll_ctl(c->load->poll, EPOLL_CTL_MOD, c->descriptor, &event);
}

static size_t write_some(connection *c, const char *bytes, size_t length) {
    ssize_t written = send(c->descriptor, bytes, length, MSG_NOSIGNAL);
    if (written >= 0) return (size_t)written;
    if (errno != EAGAIN) load_fail("cannot write: %s", strerror(errno));
    return 0;
}

void connection_write(connection *c, const char *bytes, size_t length) {
    while (length) {
        size_t written = write_some(c, bytes, length);
        bytes += written;
        length -= written;
        struct pollfd until = {.fd = c->descriptor, .events = POLLOUT};
        if (length) (void)poll(&until, 1, -1);
    }
}

/* The requests are all alike, so that the byte to go on with is found in the first of them. */
static void flush(connection *c) {
    const load *l = c->load;
    while (c->unsent) {
        c->at %= l->request_length;
        size_t written = write_some(c, l->request + c->at, c->unsent);
        if (!written) break;
        c->at += written;
        c->unsent -= written;
    }
    wait_to_write(c, c->unsent > 0);
}

void connection_send_requests(connection *c, unsigned count, uint64_t now) {
    unsigned size = c->load->options.outstanding;
    for (unsigned i = 0; i < count; i++) c->sent_at[(c->first + c->due++) % size] = now;
    c->unsent += count * c->load->request_length;
    if (!c->waits_to_write) flush(c);
}

/* ---- events ---- */

static void on_connected(connection *c) {
    int err = 0;
    socklen_t size = sizeof err;
    (void)getsockopt(c->descriptor, SOL_SOCKET, SO_ERROR, &err, &size);
    if (err) load_fail("cannot connect: %s", strerror(err));
    c->state = SHAKING;
    wait_to_write(c, false);
    exchange_handshake(c);
}

/* The first answer: a 101, or that of a plain request. */
static void shake(connection *c, const char **bytes, size_t *length) {
    if (!exchange_read_handshake(c, bytes, length)) return;
    c->state = OPEN;
    c->load->open++;
    connection_open_more(c->load);
    if (c->role == STALLED) (void)epoll_ctl(c->load->poll, EPOLL_CTL_DEL, c->descriptor, NULL);
}

static void on_readable(connection *c) {
    static char input[512 << 10];
    ssize_t read = recv(c->descriptor, input, sizeof input, 0);
    if (read < 0 && errno == EAGAIN) return;
    if (read < 0) load_fail("cannot read: %s", strerror(errno));
    if (read == 0) load_fail("the server closed a connection");
    const char *bytes = input;
    size_t length = (size_t)read;
    if (c->state == SHAKING) shake(c, &bytes, &length);
    if (!length || c->role == STALLED) return;
    if (c->role == EXCHANGE)
        exchange_read(c, bytes, length);
    else
        fan_out_read(c, bytes, length);
}

static void on_event(connection *c, uint32_t events) {
    if (c->state == CONNECTING) {
        on_connected(c);
        return;
    }
    if (events & EPOLLOUT) flush(c);
    if (events & ~(uint32_t)EPOLLOUT) on_readable(c);
}

void connection_poll(load *l, int milliseconds) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(l->poll, events, EVENTS, milliseconds);
    for (int i = 0; i < count; i++) on_event(events[i].data.ptr, events[i].events);
}
