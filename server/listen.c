#include "server/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/limits.h"

struct endpoint {
    struct sockaddr_storage address;
    socklen_t len;
};

static bool has_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

/* One IPv6 socket serves both families; a machine without IPv6 gets an IPv4 one. */
static int resolve(const char *address, uint16_t port, struct endpoint *endpoint)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char port_text[8];

    if (address == NULL || address[0] == '\0') {
        address = has_ipv6() ? "::" : "0.0.0.0";
    }
    snprintf(port_text, sizeof port_text, "%u", port);
    if (getaddrinfo(address, port_text, &hints, &found) != 0) {
        return -EINVAL;
    }
    memcpy(&endpoint->address, found->ai_addr, found->ai_addrlen);
    endpoint->len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static void set_option(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof value);
}

static int bind_socket(const struct endpoint *endpoint, bool reuse_port)
{
    int fd = socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -errno;
    }
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (reuse_port) {
        set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (endpoint->address.ss_family == AF_INET6) {
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    }
    /* Inherited by the accepted sockets, which saves two system calls for each. */
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_SEND_BUFFER_BYTES);
    if (bind(fd, (const struct sockaddr *)&endpoint->address, endpoint->len) != 0) {
        int error = -errno;

        close(fd);
        return error;
    }
    return fd;
}

/* SO_REUSEPORT would let a second relay share the port in silence. Without it the bind fails when
 * somebody listens there. */
static int check_not_taken(const struct endpoint *endpoint)
{
    int fd = bind_socket(endpoint, false);

    if (fd < 0) {
        return fd;
    }
    close(fd);
    return 0;
}

static uint16_t *port_of(struct endpoint *endpoint)
{
    if (endpoint->address.ss_family == AF_INET6) {
        return &((struct sockaddr_in6 *)(void *)&endpoint->address)->sin6_port;
    }
    return &((struct sockaddr_in *)(void *)&endpoint->address)->sin_port;
}

static int open_one(struct endpoint *endpoint)
{
    int fd = bind_socket(endpoint, true);

    if (fd < 0) {
        return fd;
    }
    if (listen(fd, LISTEN_BACKLOG) != 0) {
        int error = -errno;

        close(fd);
        return error;
    }
    endpoint->len = sizeof endpoint->address;
    getsockname(fd, (struct sockaddr *)&endpoint->address, &endpoint->len);
    return fd;
}

static int fail(int error, const char *address, uint16_t port, char *text, size_t text_size)
{
    const char *cure = error == -EADDRINUSE ? "; another program listens there"
                       : error == -EACCES   ? "; ports below 1024 need CAP_NET_BIND_SERVICE"
                                            : "";

    snprintf(text, text_size, "cannot listen on %s port %u: %s%s",
             address == NULL || address[0] == '\0' ? "all addresses" : address, port,
             error == -EINVAL ? "not a numeric address" : strerror(-error), cure);
    return error;
}

int listen_open(const char *address, uint16_t *port, int *fds, unsigned count, char *error,
                size_t error_size)
{
    struct endpoint endpoint = {0};
    int failed = resolve(address, *port, &endpoint);

    if (failed == 0 && *port != 0) {
        failed = check_not_taken(&endpoint);
    }
    if (failed != 0) {
        return fail(failed, address, *port, error, error_size);
    }
    for (unsigned i = 0; i < count; i++) {
        fds[i] = open_one(&endpoint);
        if (fds[i] < 0) {
            failed = fds[i];
            while (i-- > 0) {
                close(fds[i]);
            }
            return fail(failed, address, *port, error, error_size);
        }
    }
    *port = ntohs(*port_of(&endpoint));
    return 0;
}
