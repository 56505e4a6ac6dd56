/* A write that waits, see write_all.h. */
#include "net/write_all.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>
#include <uv.h>

/* Waits for room, after `error` has said that there is none. 0 or a libuv error. */
static int await_room(int descriptor, int error) {
    struct pollfd room = {.fd = descriptor, .events = POLLOUT};
    if (error == EINTR) return 0;
    if (error != EAGAIN && error != EWOULDBLOCK) return uv_translate_sys_error(error);
    return poll(&room, 1, -1) < 0 && errno != EINTR ? uv_translate_sys_error(errno) : 0;
}

int spry_write_all(int descriptor, const char *bytes, size_t length) {
    int err = 0;
    while (length && !err) {
        ssize_t written = write(descriptor, bytes, length);
        if (written < 0) {
            err = await_room(descriptor, errno);
        } else {
            bytes += written;
            length -= (size_t)written;
        }
    }
    return err;
}
