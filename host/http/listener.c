#include "host/http/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"

enum {
    BACKLOG = 128,
    PAUSE_MS = 100,
    KEEPALIVE_S = 15,
    KEEPALIVE_PROBES = 4,
};

bool listener_is_loopback(const struct sockaddr_storage *address)
{
    const struct sockaddr_in6 *v6 = (const void *)address;
    const struct sockaddr_in *v4 = (const void *)address;

    if (address->ss_family == AF_INET) {
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    return address->ss_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
            (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127));
}

static void set_option(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof value);
}

/* A camera whose machine has gone is found even if nothing is sent to it. */
static void prepare_peer(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

static void watch_all(struct listener *listener, uint32_t events)
{
    for (unsigned i = 0; i < listener->count; i++) {
        loop_watch_change(listener->loop, &listener->watches[i], events);
    }
}

static void on_pause_over(struct loop_timer *timer)
{
    watch_all(container_of(timer, struct listener, pause), EPOLLIN);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct listener *listener = watch->owner;

    for (unsigned i = 0; i < LISTENER_ACCEPTS_MAX; i++) {
        struct sockaddr_storage address = {0};
        socklen_t len = sizeof address;
        int fd =
            accept4(watch->fd, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            prepare_peer(fd);
            listener->on_accepted(listener, fd, listener_is_loopback(&address));
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            watch_all(listener, 0);
            loop_timer_arm(listener->loop, &listener->pause, listener->loop->now_ms + PAUSE_MS);
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return;
        }
    }
}

static int listen_at(struct listener *listener, const struct sockaddr *address, socklen_t len)
{
    struct loop_watch *watch = &listener->watches[listener->count];
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int failed;

    if (fd < 0) {
        return -errno;
    }
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (address->sa_family == AF_INET6) {
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    *watch =
        (struct loop_watch){.fd = fd, .events = EPOLLIN, .on_ready = on_ready, .owner = listener};
    failed = bind(fd, address, len) != 0 || listen(fd, BACKLOG) != 0 ? -errno : 0;
    if (failed == 0) {
        failed = loop_watch_add(listener->loop, watch);
    }
    if (failed != 0) {
        close(fd);
        return failed;
    }
    listener->count++;
    return 0;
}

static int listen_v4(struct listener *listener, struct in_addr address, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = address};

    return listen_at(listener, (struct sockaddr *)&at, sizeof at);
}

static int listen_v6(struct listener *listener, struct in6_addr address, uint16_t port)
{
    struct sockaddr_in6 at = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = address};

    return listen_at(listener, (struct sockaddr *)&at, sizeof at);
}

/* A machine may lack one of the families. */
static int listen_everywhere(struct listener *listener, uint16_t port)
{
    int failed_v6 = listen_v6(listener, in6addr_any, port);
    int failed_v4 = listen_v4(listener, (struct in_addr){.s_addr = htonl(INADDR_ANY)}, port);

    if (failed_v4 == -EADDRINUSE || failed_v6 == -EADDRINUSE) {
        return -EADDRINUSE;
    }
    return failed_v6 == 0 ? 0 : failed_v4;
}

static int listen_on(struct listener *listener, const char *text, uint16_t port)
{
    struct in6_addr v6;
    struct in_addr v4;

    if (text_is_empty(text)) {
        return listen_everywhere(listener, port);
    }
    if (inet_pton(AF_INET, text, &v4) == 1) {
        return listen_v4(listener, v4, port);
    }
    return inet_pton(AF_INET6, text, &v6) == 1 ? listen_v6(listener, v6, port) : -EINVAL;
}

int listener_open(struct listener *listener, struct loop *loop, const char *address, uint16_t port,
                  void (*on_accepted)(struct listener *listener, int fd, bool is_loopback))
{
    *listener = (struct listener){.loop = loop, .on_accepted = on_accepted};
    loop_timer_init(&listener->pause, on_pause_over);
    int failed = listen_on(listener, address, port);

    if (failed != 0) {
        listener_close(listener);
    }
    return failed;
}

void listener_close(struct listener *listener)
{
    while (listener->count > 0) {
        struct loop_watch *watch = &listener->watches[--listener->count];

        loop_watch_remove(listener->loop, watch);
        close(watch->fd);
    }
    if (listener->loop != NULL) {
        loop_timer_disarm(&listener->pause);
    }
}
