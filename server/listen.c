#include "server/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/clock.h"
#include "server/passed_socket.h"

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

    if (text_is_empty(address)) {
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

/* Inherited by the accepted sockets, which saves three system calls for each. */
static void set_options_to_inherit(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_SEND_BUFFER_BYTES);
    set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, SOCKET_UNSENT_BYTES);
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
    set_options_to_inherit(fd);
    if (bind(fd, (const struct sockaddr *)&endpoint->address, endpoint->len) != 0) {
        int error = -errno;

        close(fd);
        return error;
    }
    return fd;
}

/* SO_REUSEPORT would let a second relay share the port in silence. Without it the bind fails when
 * another program listens there. */
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
                       : error == -EACCES   ? "; ports below 1024 need a socket unit of "
                                              "systemd (relay.socket) or CAP_NET_BIND_SERVICE"
                                            : "";

    snprintf(text, text_size, "cannot listen on %s port %u: %s%s",
             text_is_empty(address) ? "all addresses" : address, port,
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

int listen_open_awaited(const char *address, uint16_t *port, int *fds, unsigned count, char *error,
                        size_t error_size)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    uint64_t deadline_ms = clock_monotonic_ms() + LISTEN_TAKEN_WAIT_MS;
    int failed = listen_open(address, port, fds, count, error, error_size);

    while (failed == -EADDRINUSE && clock_monotonic_ms() < deadline_ms) {
        nanosleep(&pause, NULL);
        failed = listen_open(address, port, fds, count, error, error_size);
    }
    return failed;
}

static void close_all(const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        close(fds[i]);
    }
}

static void close_port(struct listen_port *port)
{
    close_all(port->fds, port->count);
    port->count = port->sockets = 0;
}

/* Each worker closes a descriptor of its own, also of a socket that it shares. */
static int share(struct listen_port *port, unsigned workers, char *error, size_t error_size)
{
    while (port->count < workers) {
        int fd = fcntl(port->fds[port->count % port->sockets], F_DUPFD_CLOEXEC, 0);

        if (fd < 0) {
            int failed = -errno;

            close_port(port);
            snprintf(error, error_size, "cannot share a listening socket: %s", strerror(-failed));
            return failed;
        }
        port->fds[port->count++] = fd;
        port->is_shared = true;
    }
    return 0;
}

static uint16_t number_of(int fd)
{
    struct endpoint endpoint = {.len = sizeof endpoint.address};

    getsockname(fd, (struct sockaddr *)&endpoint.address, &endpoint.len);
    return ntohs(*port_of(&endpoint));
}

int listen_port_adopt(struct listen_port *port, const int *fds, unsigned count, unsigned workers,
                      char *error, size_t error_size)
{
    CHECK(count > 0 && count <= WORKERS_MAX);
    memcpy(port->fds, fds, count * sizeof *fds);
    port->count = port->sockets = count;
    port->number = number_of(fds[0]);
    return share(port, workers, error, error_size);
}

struct port_request {
    const char *name;       /* of systemd's socket */
    const char *other_name; /* that does as well, or NULL */
    const char *address;
    unsigned workers;
    struct listen_port *port;
};

static int open_port(const struct port_request *request, struct activation *activation, char *error,
                     size_t error_size)
{
    struct listen_port *port = request->port;
    int fd = passed_socket_take(activation, request->name, &port->number, error, error_size);

    if (fd == -ENOENT && request->other_name != NULL) {
        fd = passed_socket_take(activation, request->other_name, &port->number, error, error_size);
    }
    if (fd >= 0) {
        port->is_passed = port->is_shared = true;
        set_options_to_inherit(fd);
        return listen_port_adopt(port, &fd, 1, request->workers, error, error_size);
    }
    if (fd != -ENOENT) {
        return fd;
    }
    int failed = listen_open_awaited(request->address, &port->number, port->fds, request->workers,
                                     error, error_size);

    port->count = port->sockets = failed == 0 ? request->workers : 0;
    return failed;
}

int listen_ports_open(struct listen_ports *ports, const struct server_config *config,
                      struct activation *activation, char *error, size_t error_size)
{
    bool is_one = config->port_access != 0 && config->port_access == config->port_relay;
    struct port_request request = {.name = "access",
                                   .other_name = is_one ? "relay" : NULL,
                                   .address = config->bind_address,
                                   .workers = (unsigned)config->workers,
                                   .port = &ports->access};

    *ports = (struct listen_ports){.access.number = (uint16_t)config->port_access,
                                   .relay.number = (uint16_t)config->port_relay,
                                   .is_one = is_one};
    int failed = open_port(&request, activation, error, error_size);

    if (failed == 0 && is_one) {
        ports->relay.number = ports->access.number;
    } else if (failed == 0) {
        request.name = "relay";
        request.port = &ports->relay;
        failed = open_port(&request, activation, error, error_size);
    }
    if (failed == 0) {
        failed = passed_socket_check_rest(activation, error, error_size);
    }
    if (failed != 0) {
        listen_ports_close(ports);
    }
    return failed;
}

void listen_ports_forget(struct listen_ports *ports)
{
    ports->is_taken = true;
}

void listen_ports_close(struct listen_ports *ports)
{
    if (!ports->is_taken) {
        close_port(&ports->access);
        close_port(&ports->relay);
    }
}
