#include "perf/stall/stall.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "perf/footage/footage_viewer.h"

enum {
    MARK_NONE,
    MARK_WITHOUT,
    MARK_WITH,
    EVENTS = 64,
    WAIT_MS = 50,
    QUIET_MS = 500,
    NS_PER_MS = 1000000
};

struct audience;

struct other {
    struct audience *audience;
    struct connection connection;
    struct footage_viewer viewer;
};

/* The others, on one thread. */
struct audience {
    struct other *others;
    unsigned count;
    int epoll_fd;
    const struct footage_sender *sender;
    struct stall_result *result; /* what the others saw; the thread's until it has ended */
    pthread_t thread;
    atomic_bool is_ending;
    int failed;
};

struct hall {
    const struct stall_config *config;
    struct stall_result *result;
    struct audience audience;
    struct footage_sender *sender;
};

/* ---- the others ---- */

static void on_picture(void *ctx, unsigned picture)
{
    const struct other *other = ctx;
    struct footage_sent sent = footage_sender_sent(other->audience->sender, picture);
    struct stall_result *result = other->audience->result;
    struct stall_others *others = sent.mark == MARK_WITH ? &result->with : &result->without;

    if (sent.mark != MARK_NONE) {
        others->seen++;
        histogram_record(&others->latency_ns, clock_monotonic_ns() - sent.at_ns);
    }
}

static int other_read(struct other *other)
{
    int failed;

    do {
        failed = frames_read(&other->viewer.frames);
    } while (failed == 0 &&
             other->connection.transport.ops->has_pending(&other->connection.transport));
    return failed;
}

/* At the end it waits until nothing comes any more: a busy machine loses no pictures. */
static void *audience_main(void *ctx)
{
    struct audience *audience = ctx;
    struct epoll_event events[EVENTS];

    while (audience->failed == 0) {
        bool is_ending = atomic_load(&audience->is_ending);
        int count = epoll_wait(audience->epoll_fd, events, EVENTS, is_ending ? QUIET_MS : WAIT_MS);

        if (count == 0 && is_ending) {
            break;
        }
        for (int i = 0; i < count && audience->failed == 0; i++) {
            audience->failed = other_read(events[i].data.ptr);
        }
    }
    return NULL;
}

static int other_open(struct hall *hall, struct other *other, char *error)
{
    const struct connector *connector = &hall->config->connector;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = other};
    int failed = connector->open(connector->ctx, 0, CONNECTOR_VIEWER, &other->connection, error);

    if (failed != 0) {
        return failed;
    }
    other->audience = &hall->audience;
    footage_viewer_init(&other->viewer, hall->config->footage, &other->connection.transport,
                        on_picture, other);
    failed = load_transport_set_nonblocking(&other->connection.transport);
    if (failed == 0 && epoll_ctl(hall->audience.epoll_fd, EPOLL_CTL_ADD,
                                 other->connection.transport.fd, &event) != 0) {
        failed = -errno;
    }
    if (failed == 0) {
        failed = frames_take(&other->viewer.frames,
                             bytes_of(other->connection.early, other->connection.early_len));
    }
    return failed == 0 ? 0 : load_transport_fail(error, failed, "a viewer cannot be watched");
}

static int audience_open(struct hall *hall, char *error)
{
    struct audience *audience = &hall->audience;
    int failed = 0;

    audience->result = hall->result;
    audience->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    audience->others = calloc(hall->config->viewers, sizeof *audience->others);
    if (audience->epoll_fd < 0 || audience->others == NULL) {
        return load_transport_fail(error, -ENOMEM, "no memory");
    }
    while (failed == 0 && audience->count < hall->config->viewers) {
        failed = other_open(hall, &audience->others[audience->count++], error);
    }
    return failed;
}

static void audience_close(struct audience *audience)
{
    for (unsigned i = 0; i < audience->count; i++) {
        const struct footage_viewer *viewer = &audience->others[i].viewer;

        audience->result->others_broken += viewer->pictures_broken + viewer->packets_stray;
        load_transport_close(&audience->others[i].connection.transport);
    }
    free(audience->others);
    if (audience->epoll_fd >= 0) {
        close(audience->epoll_fd);
    }
}

/* ---- periods ---- */

static void wait_ns(uint64_t duration_ns)
{
    uint64_t end_ns = clock_monotonic_ns() + duration_ns;
    uint64_t now_ns;

    while ((now_ns = clock_monotonic_ns()) < end_ns) {
        poll(NULL, 0, (int)((end_ns - now_ns) / NS_PER_MS % 1000 + 1));
    }
}

static void period_pass(const struct hall *hall, unsigned mark)
{
    footage_sender_mark(hall->sender, mark);
    wait_ns(hall->config->period_ns);
    footage_sender_mark(hall->sender, MARK_NONE);
    wait_ns(STALL_GRACE_MS * (uint64_t)NS_PER_MS);
}

static int period_with(struct hall *hall, char *error)
{
    const struct stall_config *config = hall->config;
    struct slow_viewer_config slow = {
        .connector = &config->slow_connector,
        .footage = config->footage,
        .sender = hall->sender,
        .mark = MARK_WITH,
        .stall_ns = config->stall_ns,
        .percent = config->percent,
    };
    struct slow_viewer *viewer = slow_viewer_start(&slow, error);

    if (viewer == NULL) {
        return -EIO;
    }
    wait_ns(STALL_GRACE_MS * (uint64_t)NS_PER_MS);
    slow_viewer_slow_down(viewer);
    period_pass(hall, MARK_WITH);
    slow_viewer_end(viewer, &hall->result->slow);
    return 0;
}

static int periods_pass(struct hall *hall, char *error)
{
    if (!hall->config->with_first) {
        period_pass(hall, MARK_WITHOUT);
    }
    int failed = period_with(hall, error);

    if (failed == 0 && hall->config->with_first) {
        period_pass(hall, MARK_WITHOUT);
    }
    return failed;
}

static int watched_run(struct hall *hall, char *error)
{
    struct audience *audience = &hall->audience;

    audience->sender = hall->sender;
    if (pthread_create(&audience->thread, NULL, audience_main, audience) != 0) {
        return load_transport_fail(error, -EAGAIN, "cannot start a thread");
    }
    wait_ns(STALL_GRACE_MS * (uint64_t)NS_PER_MS);
    int failed = periods_pass(hall, error);

    footage_sender_stop(hall->sender);
    atomic_store(&audience->is_ending, true);
    pthread_join(audience->thread, NULL);
    return failed != 0 || audience->failed == 0
               ? failed
               : load_transport_fail(error, audience->failed, "a viewer that reads was cut off");
}

static void dues_note(struct hall *hall, const struct footage_sender_counts *counts)
{
    struct stall_result *result = hall->result;

    result->behind_ns = counts->behind_ns;
    result->slow_due = counts->pictures[MARK_WITH];
    result->with.due = counts->pictures[MARK_WITH] * hall->config->viewers;
    result->without.due = counts->pictures[MARK_WITHOUT] * hall->config->viewers;
}

static int published_run(struct hall *hall, char *error)
{
    const struct stall_config *config = hall->config;
    struct footage_sender_counts counts = {.behind_ns = 0};
    int failed = footage_sender_open(&config->connector, config->footage, config->cut_bytes,
                                     &hall->sender, error);

    if (failed != 0) {
        return failed;
    }
    failed = watched_run(hall, error);
    int ended = footage_sender_end(hall->sender, &counts);

    dues_note(hall, &counts);
    return failed != 0 || ended == 0
               ? failed
               : load_transport_fail(error, ended, "the publisher was cut off");
}

int stall_run(const struct stall_config *config, struct stall_result *ret_result,
              char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    struct hall hall = {.config = config, .result = ret_result};

    CHECK(config->viewers > 0 && config->viewers <= STALL_VIEWERS_MAX);
    *ret_result = (struct stall_result){.others_broken = 0};
    int failed = audience_open(&hall, error);

    if (failed == 0) {
        failed = published_run(&hall, error);
    }
    audience_close(&hall.audience);
    return failed;
}
