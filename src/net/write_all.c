/* A write that waits, and meanwhile reads, see write_all.h. */
#include "net/write_all.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>
#include <uv.h>

enum { PIECE = 64 << 10, MOST_RECEIVED = 256 << 20 }; /* bytes */

/* Reads a piece: its length, 0 at the end, -1 when there is nothing or no room for it. An error is
 * the end too, and said once: the other side has gone and left something unread. */
static ssize_t read_piece(int descriptor, spry_buf *received) {
    if (received->len >= MOST_RECEIVED || spry_buf_reserve(received, PIECE)) return -1;
    ssize_t length = read(descriptor, received->data + received->len, PIECE);
    if (length < 0) return errno == EAGAIN || errno == EINTR ? -1 : 0;
    received->len += (size_t)length;
    return length;
}

static bool read_pieces(int descriptor, spry_buf *received) {
    ssize_t length;
    do length = read_piece(descriptor, received);
    while (length > 0);
    return length == 0;
}

bool spry_read_all(int descriptor, int patience, spry_buf *received) {
    size_t before = received->len;
    bool ended = read_pieces(descriptor, received);
    if (ended || received->len > before || !patience) return ended;
    struct pollfd event = {.fd = descriptor, .events = POLLIN};
    return poll(&event, 1, patience) > 0 && read_pieces(descriptor, received);
}

/* Waits for room, and takes what comes until then. 0 or a libuv error. */
static int await_room(int descriptor, spry_buf *received) {
    struct pollfd events = {.fd = descriptor, .events = POLLIN | POLLOUT};
    do {
        if (poll(&events, 1, -1) < 0) return errno == EINTR ? 0 : uv_translate_sys_error(errno);
        if (events.revents & POLLIN && read_piece(descriptor, received) <= 0)
            events.events = POLLOUT;
    } while (!(events.revents & ~POLLIN));
    return 0;
}

int spry_write_all(int descriptor, spry_slice bytes, spry_buf *received) {
    int err = 0;
    while (bytes.len && !err) {
        ssize_t written = write(descriptor, bytes.data, bytes.len);
        if (written >= 0)
            bytes.data += written, bytes.len -= (size_t)written;
        else if (errno == EAGAIN)
            err = await_room(descriptor, received);
        else if (errno != EINTR)
            err = uv_translate_sys_error(errno);
    }
    return err;
}
