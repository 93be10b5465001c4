#include "server/admin_listener.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "server/listen.h"

enum { ADDRESS_SIZE = 64 };

static int fail(int failed, const char *where, const char *reason, char *error, size_t error_size)
{
    snprintf(error, error_size, "RELAY_ADMIN_LISTEN=%.200s: %s", where, reason);
    return failed;
}

/* "[::1]:3002" and "127.0.0.1:3002"; without an address it would be every interface, for which the
 * operator must name one. */
static int split(const char *where, char address[static ADDRESS_SIZE], uint16_t *ret_port)
{
    const char *colon = strrchr(where, ':');
    struct bytes host = colon == NULL ? bytes_of("", 0) : bytes_of(where, (size_t)(colon - where));
    uint64_t port;

    if (colon == NULL || bytes_to_uint64(bytes_of_text(colon + 1), &port) != 0 ||
        port > UINT16_MAX) {
        return -EINVAL;
    }
    if (host.len > 1 && host.data[0] == '[' && host.data[host.len - 1] == ']') {
        host = bytes_of(host.data + 1, host.len - 2);
    }
    *ret_port = (uint16_t)port;
    return host.len == 0 ? -EINVAL : bytes_to_text(host, address, ADDRESS_SIZE);
}

static int open_tcp(struct admin_listener *listener, const char *where, char *error,
                    size_t error_size)
{
    char address[ADDRESS_SIZE], reason[256];
    uint16_t port;

    if (split(where, address, &port) != 0) {
        return fail(-EINVAL, where, "must be address:port, the path of a socket, or off", error,
                    error_size);
    }
    int failed = listen_open_awaited(address, &port, &listener->fd, 1, reason, sizeof reason);

    if (failed != 0) {
        listener->fd = -1;
        return fail(failed, where, reason, error, error_size);
    }
    snprintf(listener->text, sizeof listener->text,
             strchr(address, ':') == NULL ? "%s:%u" : "[%s]:%u", address, port);
    return 0;
}

static int connect_fails_with(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failed = fd < 0 ? -errno : 0;

    if (failed == 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        failed = -errno;
    }
    if (fd >= 0) {
        close(fd);
    }
    return failed;
}

/* A relay that was killed leaves its socket behind. Anything but a socket stays. */
static void remove_stale(const struct sockaddr_un *address)
{
    struct stat found;

    if (lstat(address->sun_path, &found) == 0 && S_ISSOCK(found.st_mode) &&
        connect_fails_with(address) == -ECONNREFUSED) {
        unlink(address->sun_path);
    }
}

/* The members of the socket's group may use it. */
static int bind_unix(int fd, const struct sockaddr_un *address)
{
    mode_t before = umask(0117);
    int failed = bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : -errno;

    umask(before);
    return failed == 0 && listen(fd, ADMIN_LISTENER_BACKLOG) != 0 ? -errno : failed;
}

static int open_unix(struct admin_listener *listener, const char *path, char *error,
                     size_t error_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) > ADMIN_LISTENER_PATH_MAX) {
        return fail(-ENAMETOOLONG, path, "the path of a socket has at most 107 bytes", error,
                    error_size);
    }
    memcpy(address.sun_path, path, strlen(path));
    remove_stale(&address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failed = fd < 0 ? -errno : bind_unix(fd, &address);

    if (failed != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return fail(failed, path,
                    failed == -EADDRINUSE ? "another program listens there, or a file is there"
                                          : strerror(-failed),
                    error, error_size);
    }
    listener->fd = fd;
    listener->path = path;
    snprintf(listener->text, sizeof listener->text, "%s", path);
    return 0;
}

int admin_listener_open(struct admin_listener *listener, const char *where, char *error,
                        size_t error_size)
{
    *listener = (struct admin_listener){.fd = -1, .text = "off"};
    if (strcmp(where, "off") == 0) {
        return 0;
    }
    return where[0] == '/' ? open_unix(listener, where, error, error_size)
                           : open_tcp(listener, where, error, error_size);
}

void admin_listener_close(struct admin_listener *listener)
{
    if (listener->fd >= 0) {
        close(listener->fd);
        listener->fd = -1;
    }
    if (listener->path != NULL) {
        unlink(listener->path);
        listener->path = NULL;
    }
}
