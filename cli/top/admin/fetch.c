#include "cli/top/admin/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/version.h"

void fetch_init(struct fetch *fetch)
{
    *fetch = (struct fetch){.fd = -1};
}

static enum progress fail(struct fault *fault, int failed)
{
    return fault_set(fault, RELAY_CLIENT_FAULT_CONNECT, "%s", strerror(failed));
}

/* A Unix socket whose backlog is full answers EAGAIN, and is as good as one that refuses. */
static bool connect_begins(int fd, const struct admin_address *address)
{
    return connect(fd, (const struct sockaddr *)&address->address, address->len) == 0 ||
           errno == EINPROGRESS;
}

enum progress fetch_start(struct fetch *fetch, const struct admin_address *address,
                          const char *target, uint64_t now_ms, struct fault *fault)
{
    int family = address->address.ss_family;

    fetch->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fetch->fd < 0 || !connect_begins(fetch->fd, address)) {
        return fail(fault, errno);
    }
    fetch->request_len =
        (size_t)snprintf(fetch->request, sizeof fetch->request,
                         "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: relay-top/%s\r\n"
                         "Accept: application/json\r\nConnection: close\r\n\r\n",
                         target, RELAY_VERSION);
    fetch->sent = 0;
    fetch->due_ms = now_ms + FETCH_WAIT_MS;
    http_body_init(&fetch->body, FETCH_BYTES_MAX);
    return PROGRESS_WAIT;
}

/* The failure of a connect shows here, too. */
static enum progress send_rest(struct fetch *fetch, struct fault *fault)
{
    ssize_t sent = send(fetch->fd, fetch->request + fetch->sent, fetch->request_len - fetch->sent,
                        MSG_NOSIGNAL);

    if (sent < 0) {
        return errno == EAGAIN || errno == ENOTCONN ? PROGRESS_WAIT : fail(fault, errno);
    }
    fetch->sent += (size_t)sent;
    return fetch->sent == fetch->request_len ? PROGRESS_DONE : PROGRESS_WAIT;
}

static enum progress receive(struct fetch *fetch, struct fault *fault)
{
    enum progress progress = PROGRESS_WAIT;
    char data[16384];

    while (progress == PROGRESS_WAIT) {
        ssize_t len = recv(fetch->fd, data, sizeof data, 0);

        if (len < 0) {
            return errno == EAGAIN ? PROGRESS_WAIT : fail(fault, errno);
        }
        progress = http_body_feed(&fetch->body, data, (size_t)len, fault);
    }
    return progress;
}

static enum progress step(struct fetch *fetch, struct fault *fault)
{
    if (fetch->sent < fetch->request_len) {
        enum progress progress = send_rest(fetch, fault);

        if (progress != PROGRESS_DONE) {
            return progress;
        }
    }
    return receive(fetch, fault);
}

enum progress fetch_advance(struct fetch *fetch, uint64_t now_ms, struct fault *fault)
{
    enum progress progress = step(fetch, fault);

    if (progress == PROGRESS_WAIT && now_ms >= fetch->due_ms) {
        return fault_set(fault, RELAY_CLIENT_FAULT_TIMEOUT, "no answer within %d s",
                         FETCH_WAIT_MS / 1000);
    }
    return progress;
}

struct pollfd fetch_pollfd(const struct fetch *fetch)
{
    return (struct pollfd){.fd = fetch->fd,
                           .events = fetch->sent < fetch->request_len ? POLLOUT : POLLIN};
}

void fetch_end(struct fetch *fetch)
{
    if (fetch->fd >= 0) {
        close(fetch->fd);
        fetch->fd = -1;
    }
    http_body_release(&fetch->body);
}
