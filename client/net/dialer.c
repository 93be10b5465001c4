#include "client/net/dialer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void dialer_start(struct dialer *dialer, const struct addresses *addresses, uint64_t now_ms)
{
    memset(dialer, 0, sizeof *dialer);
    dialer->addresses = addresses;
    dialer->next_ms = now_ms;
    fault_set(&dialer->last, RELAY_CLIENT_FAULT_CONNECT, "the name has no address");
}

static void address_fault(struct dialer *dialer, unsigned index, int error)
{
    char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";

    getnameinfo((const struct sockaddr *)&dialer->addresses->items[index],
                dialer->addresses->lens[index], host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    fault_set(&dialer->last, RELAY_CLIENT_FAULT_CONNECT, "%s port %s: %s", host, port,
              strerror(error));
}

static void socket_tune(int fd)
{
    int one = 1, notsent = DIALER_NOTSENT_BYTES_MAX;

    /* Best effort: the connection works without these options. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &notsent, sizeof notsent);
}

/* 0 or -errno. */
static int socket_start(struct dialer *dialer, unsigned index)
{
    const struct sockaddr *address = (const struct sockaddr *)&dialer->addresses->items[index];
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -errno;
    }
    socket_tune(fd);
    if (connect(fd, address, dialer->addresses->lens[index]) != 0 && errno != EINPROGRESS) {
        int failed = -errno;

        close(fd);
        return failed;
    }
    dialer->sockets[dialer->sockets_count].fd = fd;
    dialer->sockets[dialer->sockets_count].address = index;
    dialer->sockets_count++;
    return 0;
}

static void socket_remove(struct dialer *dialer, unsigned index)
{
    dialer->sockets_count--;
    dialer->sockets[index] = dialer->sockets[dialer->sockets_count];
}

/* PROGRESS_DONE: connected; PROGRESS_FAILED: with the reason in *ret_error. */
static enum progress socket_state(int fd, int *ret_error)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    socklen_t len = sizeof *ret_error;

    if (poll(&ready, 1, 0) != 1) {
        return PROGRESS_WAIT;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, ret_error, &len) != 0) {
        *ret_error = errno;
    }
    return *ret_error == 0 ? PROGRESS_DONE : PROGRESS_FAILED;
}

/* True when a socket is connected; failed ones are removed. */
static bool sockets_check(struct dialer *dialer, int *ret_fd)
{
    for (unsigned i = 0; i < dialer->sockets_count;) {
        int fd = dialer->sockets[i].fd;
        int error = 0;
        enum progress progress = socket_state(fd, &error);

        if (progress == PROGRESS_WAIT) {
            i++;
            continue;
        }
        if (progress == PROGRESS_FAILED) {
            address_fault(dialer, dialer->sockets[i].address, error);
            close(fd);
        }
        socket_remove(dialer, i);
        if (progress == PROGRESS_DONE) {
            *ret_fd = fd;
            return true;
        }
    }
    return false;
}

static bool may_start_another(const struct dialer *dialer, uint64_t now_ms)
{
    return dialer->next < dialer->addresses->count && dialer->sockets_count < DIALER_SOCKETS_MAX &&
           (dialer->sockets_count == 0 || now_ms >= dialer->next_ms);
}

enum progress dialer_advance(struct dialer *dialer, uint64_t now_ms, int *ret_fd,
                             struct fault *fault)
{
    if (sockets_check(dialer, ret_fd)) {
        dialer_cancel(dialer);
        return PROGRESS_DONE;
    }
    while (may_start_another(dialer, now_ms)) {
        unsigned index = dialer->next++;
        int failed = socket_start(dialer, index);

        if (failed != 0) {
            address_fault(dialer, index, -failed);
        } else {
            dialer->next_ms = now_ms + DIALER_STAGGER_MS;
        }
    }
    if (dialer->sockets_count > 0) {
        return PROGRESS_WAIT;
    }
    *fault = dialer->last;
    return PROGRESS_FAILED;
}

unsigned dialer_poll_fds(const struct dialer *dialer, struct pollfd *fds)
{
    for (unsigned i = 0; i < dialer->sockets_count; i++) {
        fds[i] = (struct pollfd){.fd = dialer->sockets[i].fd, .events = POLLOUT};
    }
    return dialer->sockets_count;
}

uint64_t dialer_wake_ms(const struct dialer *dialer)
{
    bool more =
        dialer->next < dialer->addresses->count && dialer->sockets_count < DIALER_SOCKETS_MAX;

    return more ? dialer->next_ms : UINT64_MAX;
}

void dialer_cancel(struct dialer *dialer)
{
    for (unsigned i = 0; i < dialer->sockets_count; i++) {
        close(dialer->sockets[i].fd);
    }
    dialer->sockets_count = 0;
    dialer->next = dialer->addresses == NULL ? 0 : dialer->addresses->count;
}
