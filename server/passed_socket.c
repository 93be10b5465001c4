#include "server/passed_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/attributes.h"

/* FileDescriptorName= of sockets that say themselves which one they are. */
static bool says_which(const char *name)
{
    static const char *const names[] = {"access", "relay"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int option_of(int fd, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

/* 0: it does not listen on TCP. */
static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;

    if (option_of(fd, SO_TYPE) != SOCK_STREAM || option_of(fd, SO_ACCEPTCONN) != 1 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return 0;
    }
    switch (address.ss_family) {
    case AF_INET:
        return ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
    case AF_INET6:
        return ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
    }
    return 0;
}

static bool is_for(const struct activation_socket *socket, const char *name, uint16_t port)
{
    if (socket->fd < 0) {
        return false;
    }
    return says_which(socket->name) ? strcmp(socket->name, name) == 0
                                    : port != 0 && port_of(socket->fd) == port;
}

static int fail(char *error, size_t error_size, const char *text, const char *name)
{
    snprintf(error, error_size, "%s: %s", name, text);
    return -EINVAL;
}

/* io_uring would report EAGAIN for a socket that does not block, instead of waiting. */
static bool make_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0;
}

int passed_socket_take(struct activation *activation, const char *name, uint16_t *port, char *error,
                       size_t error_size)
{
    struct activation_socket *found = NULL;

    for (unsigned i = 0; i < activation->count; i++) {
        if (!is_for(&activation->sockets[i], name, *port)) {
            continue;
        }
        if (found != NULL) {
            return fail(error, error_size,
                        "systemd passed two sockets for this port; one ListenStream= without an "
                        "address serves IPv4 and IPv6",
                        name);
        }
        found = &activation->sockets[i];
    }
    if (found == NULL) {
        return -ENOENT;
    }
    uint16_t actual = port_of(found->fd);
    int fd = found->fd;

    if (actual == 0 || !make_blocking(fd)) {
        return fail(error, error_size,
                    "the socket that systemd passed does not listen on TCP: use ListenStream= with "
                    "a port, and Accept=no",
                    name);
    }
    *port = actual;
    found->fd = -1;
    return fd;
}

int passed_socket_check_rest(const struct activation *activation, char *error, size_t error_size)
{
    for (unsigned i = 0; i < activation->count; i++) {
        if (activation->sockets[i].fd >= 0) {
            snprintf(error, error_size,
                     "systemd passed a socket (\"%s\", port %u) that is of no use: its port must "
                     "be RELAY_PORT_ACCESS or RELAY_PORT_RELAY; correct ListenStream= of the "
                     "socket unit, or the option",
                     activation->sockets[i].name, port_of(activation->sockets[i].fd));
            return -EINVAL;
        }
    }
    return 0;
}
