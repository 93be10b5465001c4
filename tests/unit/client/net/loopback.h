/* A listener of the test's own on the loopback, and patience for what comes over it. */
#pragma once

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/attributes.h"
#include "wire/address/url.h"

enum { LOOPBACK_PATIENCE_MS = 20000 };

struct loopback {
    int fd;
    uint16_t port;
};

UNUSED static void loopback_open(struct loopback *loopback)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    loopback->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(loopback->fd, 0);
    cr_assert_eq(bind(loopback->fd, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(loopback->fd, 8), 0);
    cr_assert_eq(getsockname(loopback->fd, (struct sockaddr *)&address, &len), 0);
    loopback->port = ntohs(address.sin_port);
}

/* From now on connecting is refused. */
UNUSED static void loopback_close(struct loopback *loopback)
{
    if (loopback->fd >= 0) {
        close(loopback->fd);
        loopback->fd = -1;
    }
}

/* For instance "http", "/path". */
UNUSED static struct url loopback_url(const struct loopback *loopback, const char *scheme,
                                      const char *target)
{
    char text[256];
    struct url url;

    snprintf(text, sizeof text, "%s://127.0.0.1:%u%s", scheme, loopback->port, target);
    cr_assert_eq(url_parse(text, &url), URL_OK, "%s", text);
    return url;
}

/* Waits for a connection; -1 when none comes. */
UNUSED static int loopback_accept(const struct loopback *loopback)
{
    struct pollfd ready = {.fd = loopback->fd, .events = POLLIN};

    return poll(&ready, 1, LOOPBACK_PATIENCE_MS) == 1 ? accept(loopback->fd, NULL, NULL) : -1;
}

/* Reads a request's head; false when it does not come whole. */
UNUSED static bool loopback_read_head(int fd, char *head, size_t size)
{
    size_t len = 0;

    head[0] = '\0';
    while (strstr(head, "\r\n\r\n") == NULL) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t got = poll(&ready, 1, LOOPBACK_PATIENCE_MS) == 1
                          ? recv(fd, head + len, size - 1 - len, 0)
                          : 0;

        if (got <= 0) {
            return false;
        }
        len += (size_t)got;
        head[len] = '\0';
    }
    return true;
}
