/* Listening sockets for other processes, see reserve.h. */
#include "net/reserve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int spry_resolve(uv_loop_t *loop, const char *host, int port, struct sockaddr_storage *to) {
    char service[8];
    uv_getaddrinfo_t req;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    snprintf(service, sizeof service, "%d", port);
    int err = uv_getaddrinfo(loop, &req, NULL, host, service, &hints);
    if (err) return err;
    memcpy(to, req.addrinfo->ai_addr, req.addrinfo->ai_addrlen);
    uv_freeaddrinfo(req.addrinfo);
    return 0;
}

int spry_port_of(const struct sockaddr_storage *address) {
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                                                : ((const struct sockaddr_in *)address)->sin_port);
}

static socklen_t length_of(const struct sockaddr_storage *address) {
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}

/* A socket that listens at `address`, whose port is filled in; negative: a libuv error. */
static int listening(struct sockaddr_storage *address) {
    int on = 1;
    socklen_t len = length_of(address);
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return uv_translate_sys_error(errno);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) ||
        bind(fd, (struct sockaddr *)address, len) || listen(fd, SPRY_BACKLOG) ||
        getsockname(fd, (struct sockaddr *)address, &len)) {
        int err = uv_translate_sys_error(errno);
        close(fd);
        return err;
    }
    return fd;
}

/* Whether nobody else listens there: two servers that share an address by SO_REUSEPORT would each
 * get a part of what was meant for the other. */
static int check_free(const struct sockaddr_storage *address) {
    int on = 1, err = 0;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return uv_translate_sys_error(errno);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        bind(fd, (const struct sockaddr *)address, length_of(address)) || listen(fd, 1))
        err = uv_translate_sys_error(errno);
    close(fd);
    return err;
}

int spry_reserve(uv_loop_t *loop, const char *host, int *port, int count, int *descriptors) {
    struct sockaddr_storage address;
    int err = spry_resolve(loop, host, *port, &address);
    if (!err) err = check_free(&address);
    int made = 0;
    while (!err && made < count) {
        int fd = listening(&address);
        if (fd < 0)
            err = fd;
        else
            descriptors[made++] = fd;
    }
    while (err && made) close(descriptors[--made]);
    *port = spry_port_of(&address);
    return err;
}
