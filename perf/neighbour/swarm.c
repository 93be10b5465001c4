#include "perf/neighbour/swarm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "wire/address/url.h"

enum {
    EVENTS_MAX = 256,
    TICK_MS = 20,
    READS_MAX = 16,
    READ_BYTES = 64 * 1024,
    WRITE_BYTES_MAX = 64 * 1024,
    DESCRIPTORS_SPARED = 64,
};

static const uint64_t ms_ns = 1000000;
static const uint64_t second_ns = 1000000000;

struct swarm_conn {
    struct load_transport transport;
    uint64_t sent; /* bytes of the payload that repeats */
};

struct swarm {
    struct swarm_config config;
    struct payload payload;
    size_t slice_bytes;
    struct swarm_conn *conns; /* senders first; then viewers, which only read */
    unsigned count;
    unsigned senders;
    unsigned cursor; /* where the next connection is opened */
    int epoll_fd;
    uint64_t start_ns;
    uint64_t opens; /* since the start, failures included */
    uint8_t *read_buf;
};

uint64_t swarm_allowance(const struct attack *attack, size_t slice_bytes, uint64_t elapsed_ns,
                         unsigned index, unsigned count)
{
    uint64_t slices = 1;

    if (attack->interval_ms == 0 && attack->slices == 0) {
        return UINT64_MAX;
    }
    if (attack->interval_ms > 0) {
        uint64_t interval_ns = attack->interval_ms * ms_ns;

        slices += (elapsed_ns + interval_ns * index / count) / interval_ns;
    }
    if (attack->slices > 0 && slices > attack->slices) {
        slices = attack->slices;
    }
    return slices * slice_bytes;
}

static bool is_open(const struct swarm_conn *conn)
{
    return conn->transport.ops != NULL;
}

static bool is_sender(const struct swarm *swarm, const struct swarm_conn *conn)
{
    return swarm->payload.len > 0 && (unsigned)(conn - swarm->conns) < swarm->senders;
}

/* With a reset: an end that waits on both sides would use up the ports of this machine. */
static void conn_reset(struct swarm *swarm, struct swarm_conn *conn)
{
    struct linger none = {.l_onoff = 1};

    setsockopt(conn->transport.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    load_transport_close(&conn->transport);
    swarm->config.counts->open--;
}

static void conn_on_cut(struct swarm *swarm, struct swarm_conn *conn)
{
    conn_reset(swarm, conn);
    swarm->config.counts->cut++;
}

/* Bytes of the payload that a connection leaves out at its beginning. */
static uint64_t first_byte(const struct swarm *swarm, unsigned index)
{
    unsigned tail = swarm->config.attack.tail;
    bool is_tail =
        tail > 0 && index < swarm->senders && index >= swarm->senders - swarm->senders / tail;

    return is_tail ? swarm->slice_bytes : 0;
}

static void conn_write(struct swarm *swarm, struct swarm_conn *conn)
{
    unsigned index = (unsigned)(conn - swarm->conns);
    uint64_t allowance =
        swarm_allowance(&swarm->config.attack, swarm->slice_bytes,
                        clock_monotonic_ns() - swarm->start_ns, index, swarm->senders);
    uint64_t first = first_byte(swarm, index);

    while (conn->sent < allowance) {
        size_t offset = (first + conn->sent) % swarm->payload.len;
        uint64_t len = swarm->payload.len - offset;

        len = len > allowance - conn->sent ? allowance - conn->sent : len;
        len = len > WRITE_BYTES_MAX ? WRITE_BYTES_MAX : len;
        ssize_t sent =
            conn->transport.ops->write(&conn->transport, swarm->payload.data + offset, (size_t)len);

        if (sent <= 0) {
            if (sent != -EAGAIN) {
                conn_on_cut(swarm, conn);
            }
            return;
        }
        conn->sent += (uint64_t)sent;
        swarm->config.counts->sent_bytes += (uint64_t)sent;
        if (allowance == UINT64_MAX) {
            return; /* the others' turn; epoll says when there is room again */
        }
    }
}

static void conn_read(struct swarm *swarm, struct swarm_conn *conn)
{
    for (unsigned i = 0; i < READS_MAX; i++) {
        ssize_t len = conn->transport.ops->read(&conn->transport, swarm->read_buf, READ_BYTES);

        if (len == -EAGAIN) {
            return;
        }
        if (len <= 0) {
            conn_on_cut(swarm, conn);
            return;
        }
        swarm->config.counts->read_bytes += (uint64_t)len;
        if (swarm->config.attack.ends_at_answer) {
            conn_reset(swarm, conn);
            return;
        }
        if (len < READ_BYTES && !conn->transport.ops->has_pending(&conn->transport)) {
            return;
        }
    }
}

static int conn_watch(struct swarm *swarm, struct swarm_conn *conn)
{
    const struct attack *attack = &swarm->config.attack;
    bool is_endless = attack->interval_ms == 0 && attack->slices == 0;
    struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = conn};

    event.events |= attack->reads ? EPOLLIN : 0u;
    event.events |= is_endless && is_sender(swarm, conn) ? EPOLLOUT : 0u;
    if (epoll_ctl(swarm->epoll_fd, EPOLL_CTL_ADD, conn->transport.fd, &event) != 0) {
        return -errno;
    }
    return 0;
}

/* On loopback a connection is there at once, or the server's backlog is full: then it is made in
 * the background, and the first write waits for the next tick. */
static int tcp_open(uint16_t port, struct load_transport *ret_transport)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
        int failed = -errno;

        close(fd);
        return failed;
    }
    load_transport_adopt(ret_transport, fd);
    return 0;
}

static int http_open(const struct swarm *swarm, struct load_transport *ret_transport, char *error)
{
    struct load_transport_peer peer = {
        .host = "127.0.0.1",
        .port = swarm->config.port,
        .tls = swarm->config.session->tls,
        .verify_name = !swarm->config.session->insecure,
    };
    int failed = load_transport_open(&peer, ret_transport, error);

    return failed != 0 ? failed : load_transport_set_nonblocking(ret_transport);
}

static int member_open(const struct swarm *swarm, unsigned index,
                       struct load_transport *ret_transport, char *error)
{
    const struct connector *connector = &swarm->config.connector;
    const struct attack *attack = &swarm->config.attack;
    bool is_viewer = index >= swarm->senders;
    unsigned topic = is_viewer ? 0 : attack->topics > 0 ? index % attack->topics : index;
    struct connection connection = {.early_len = 0};
    int failed =
        connector->open(connector->ctx, topic, is_viewer ? CONNECTOR_VIEWER : CONNECTOR_PUBLISHER,
                        &connection, error);

    if (failed != 0) {
        return failed;
    }
    *ret_transport = connection.transport;
    return load_transport_set_nonblocking(ret_transport);
}

/* False when it was refused. */
static bool conn_open(struct swarm *swarm, struct swarm_conn *conn)
{
    struct attack_counts *counts = swarm->config.counts;
    unsigned index = (unsigned)(conn - swarm->conns);
    bool is_plain = swarm->config.attack.entry == ATTACK_TCP || swarm->config.session->tls == NULL;
    int failed;

    *conn = (struct swarm_conn){.transport.fd = -1};
    if (swarm->config.attack.entry == ATTACK_MEMBERS) {
        failed = member_open(swarm, index, &conn->transport, counts->error);
    } else if (is_plain) {
        failed = tcp_open(swarm->config.port, &conn->transport);
    } else {
        failed = http_open(swarm, &conn->transport, counts->error);
    }
    if (failed == 0) {
        failed = conn_watch(swarm, conn);
    }
    if (failed != 0) {
        load_transport_close(&conn->transport);
        counts->refused++;
        return false;
    }
    counts->opened++;
    counts->open++;
    counts->open_peak = counts->open > counts->open_peak ? counts->open : counts->open_peak;
    return true;
}

/* Connections that take several exchanges to open are opened before the attack and not again:
 * during it each would wait for the server that is being held up. */
static bool opens_beforehand(const struct swarm *swarm)
{
    return swarm->config.attack.entry == ATTACK_MEMBERS ||
           (swarm->config.attack.entry == ATTACK_HTTP && swarm->config.session->tls != NULL);
}

static struct swarm_conn *place_find(struct swarm *swarm)
{
    for (unsigned i = 0; i < swarm->count; i++) {
        struct swarm_conn *conn = &swarm->conns[swarm->cursor];

        swarm->cursor = (swarm->cursor + 1) % swarm->count;
        if (!is_open(conn)) {
            return conn;
        }
        if (swarm->config.attack.is_recycled) {
            conn_reset(swarm, conn);
            return conn;
        }
    }
    return NULL;
}

static void open_due(struct swarm *swarm, uint64_t now_ns)
{
    uint64_t elapsed_ns = now_ns - swarm->start_ns + TICK_MS * ms_ns;
    uint64_t due =
        (uint64_t)((unsigned __int128)elapsed_ns * swarm->config.attack.opens_per_s / second_ns);

    while (swarm->opens < due) {
        struct swarm_conn *conn =
            swarm->config.attack.is_recycled || swarm->config.counts->open < swarm->count
                ? place_find(swarm)
                : NULL;

        if (conn == NULL) {
            swarm->opens = due; /* what was not needed is not saved up for a burst */
            return;
        }
        swarm->opens++;
        if (conn_open(swarm, conn) && is_sender(swarm, conn)) {
            conn_write(swarm, conn);
        }
    }
}

static void on_tick(struct swarm *swarm, uint64_t now_ns)
{
    if (!opens_beforehand(swarm)) {
        open_due(swarm, now_ns);
    }
    for (unsigned i = 0; i < swarm->senders; i++) {
        if (is_open(&swarm->conns[i]) && is_sender(swarm, &swarm->conns[i])) {
            conn_write(swarm, &swarm->conns[i]);
        }
    }
}

static void on_event(struct swarm *swarm, const struct epoll_event *event)
{
    struct swarm_conn *conn = event->data.ptr;

    if (is_open(conn) && (event->events & EPOLLIN) != 0) {
        conn_read(swarm, conn);
    } else if (is_open(conn) && (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        conn_on_cut(swarm, conn);
    }
    if (is_open(conn) && (event->events & EPOLLOUT) != 0) {
        conn_write(swarm, conn);
    }
}

void swarm_run(struct swarm *swarm, uint64_t end_ns)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t tick_ns = now_ns;

    swarm->start_ns = now_ns;
    swarm->opens = 0;
    while (now_ns < end_ns) {
        if (now_ns >= tick_ns) {
            on_tick(swarm, now_ns);
            tick_ns = now_ns + TICK_MS * ms_ns;
        }
        now_ns = clock_monotonic_ns();
        int wait_ms = now_ns < tick_ns ? (int)((tick_ns - now_ns) / ms_ns) : 0;
        int count = epoll_wait(swarm->epoll_fd, events, EVENTS_MAX, wait_ms);

        CHECK(count >= 0 || errno == EINTR);
        for (int i = 0; i < count; i++) {
            on_event(swarm, &events[i]);
        }
        now_ns = clock_monotonic_ns();
    }
}

/* The rest of the process needs some descriptors too. */
static unsigned within_descriptors(unsigned count)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < 2 * DESCRIPTORS_SPARED) {
        return count < DESCRIPTORS_SPARED ? count : DESCRIPTORS_SPARED;
    }
    uint64_t most = limit.rlim_cur - DESCRIPTORS_SPARED;

    return count < most ? count : (unsigned)most;
}

/* Viewers first, so that they see all that is sent. */
static void open_beforehand(struct swarm *swarm)
{
    for (unsigned i = swarm->count; i-- > 0;) {
        (void)!conn_open(swarm, &swarm->conns[i]);
    }
}

static bool swarm_init(struct swarm *swarm)
{
    const struct attack *attack = &swarm->config.attack;
    int failed =
        attack->payload != NULL ? attack->payload(swarm->config.session, &swarm->payload) : 0;

    swarm->count = within_descriptors(attack->connections + attack->viewers);
    swarm->senders = swarm->count - (attack->viewers < swarm->count ? attack->viewers : 0);
    swarm->slice_bytes = attack->slice_bytes > 0 ? attack->slice_bytes : swarm->payload.len;
    swarm->conns = calloc(swarm->count, sizeof *swarm->conns);
    swarm->read_buf = malloc(READ_BYTES);
    swarm->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (failed != 0 || swarm->conns == NULL || swarm->read_buf == NULL || swarm->epoll_fd < 0) {
        snprintf(swarm->config.counts->error, LOAD_TRANSPORT_ERROR_SIZE,
                 "cannot make what the attack needs: %s", strerror(failed != 0 ? -failed : ENOMEM));
        return false;
    }
    for (unsigned i = 0; i < swarm->count; i++) {
        swarm->conns[i].transport.fd = -1;
    }
    if (!opens_beforehand(swarm)) {
        return true;
    }
    open_beforehand(swarm);
    return swarm->config.counts->open > 0;
}

struct swarm *swarm_create(const struct swarm_config *config)
{
    struct swarm *swarm = calloc(1, sizeof *swarm);

    if (swarm == NULL) {
        return NULL;
    }
    swarm->config = *config;
    swarm->epoll_fd = -1;
    if (!swarm_init(swarm)) {
        swarm_destroy(swarm);
        return NULL;
    }
    return swarm;
}

void swarm_destroy(struct swarm *swarm)
{
    if (swarm == NULL) {
        return;
    }
    for (unsigned i = 0; swarm->conns != NULL && i < swarm->count; i++) {
        if (is_open(&swarm->conns[i])) {
            conn_reset(swarm, &swarm->conns[i]);
        }
    }
    if (swarm->epoll_fd >= 0) {
        close(swarm->epoll_fd);
    }
    payload_release(&swarm->payload);
    free(swarm->conns);
    free(swarm->read_buf);
    free(swarm);
}
