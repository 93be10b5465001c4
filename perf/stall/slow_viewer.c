#include "perf/stall/slow_viewer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "perf/footage/footage_viewer.h"

enum {
    READ_BYTES = 4096,
    STEP_MS = 10,
    NS_PER_S = 1000000000,
};

struct slow_viewer {
    struct slow_viewer_config config;
    struct connection connection;
    struct footage_viewer viewer;
    struct slow_viewer_result result;
    pthread_t thread;
    atomic_bool is_ending;
    _Atomic uint64_t slow_ns; /* from when on it is slow; 0: it is not yet */
    uint64_t bytes_read;      /* since then */
};

static void on_picture(void *ctx, unsigned picture)
{
    struct slow_viewer *viewer = ctx;
    struct footage_sent sent = footage_sender_sent(viewer->config.sender, picture);

    if (sent.mark == viewer->config.mark) {
        viewer->result.seen++;
        histogram_record(&viewer->result.age_ns, clock_monotonic_ns() - sent.at_ns);
    }
}

static uint64_t bytes_allowed(const struct slow_viewer *viewer, uint64_t slow_for_ns)
{
    const struct footage *footage = viewer->config.footage;
    double bytes_per_ns = (double)footage->len * footage->rate / footage->pictures_count / NS_PER_S;

    return (uint64_t)((double)slow_for_ns * bytes_per_ns * viewer->config.percent / 100);
}

static bool may_read(const struct slow_viewer *viewer)
{
    uint64_t slow_ns = atomic_load(&viewer->slow_ns);
    uint64_t slow_for_ns = slow_ns == 0 ? 0 : clock_monotonic_ns() - slow_ns;

    return slow_ns == 0 || slow_for_ns >= viewer->config.stall_ns ||
           viewer->bytes_read < bytes_allowed(viewer, slow_for_ns);
}

/* Small pieces: with a large one it would be fast for a moment. */
static int piece_read(struct slow_viewer *viewer)
{
    uint8_t buffer[READ_BYTES];
    struct load_transport *transport = &viewer->connection.transport;
    ssize_t len = transport->ops->read(transport, buffer, sizeof buffer);

    if (len == -EAGAIN) {
        struct pollfd fd = {.fd = transport->fd, .events = POLLIN};

        poll(&fd, 1, STEP_MS);
        return 0;
    }
    if (len <= 0) {
        return len == 0 ? -ECONNRESET : (int)len;
    }
    viewer->bytes_read += atomic_load(&viewer->slow_ns) != 0 ? (uint64_t)len : 0;
    return frames_take(&viewer->viewer.frames, bytes_of(buffer, (size_t)len));
}

static void *thread_main(void *ctx)
{
    struct slow_viewer *viewer = ctx;
    int failed = frames_take(&viewer->viewer.frames,
                             bytes_of(viewer->connection.early, viewer->connection.early_len));

    while (failed == 0 && !atomic_load(&viewer->is_ending)) {
        if (may_read(viewer)) {
            failed = piece_read(viewer);
        } else {
            poll(NULL, 0, STEP_MS);
        }
    }
    viewer->result.is_cut = failed != 0;
    return NULL;
}

static int viewer_open(struct slow_viewer *viewer, char *error)
{
    const struct connector *connector = viewer->config.connector;
    int failed = connector->open(connector->ctx, 0, CONNECTOR_VIEWER, &viewer->connection, error);

    if (failed != 0) {
        return failed;
    }
    footage_viewer_init(&viewer->viewer, viewer->config.footage, &viewer->connection.transport,
                        on_picture, viewer);
    failed = load_transport_set_nonblocking(&viewer->connection.transport);
    if (failed == 0) {
        failed = -pthread_create(&viewer->thread, NULL, thread_main, viewer);
    }
    if (failed != 0) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "cannot start the slow viewer");
        load_transport_close(&viewer->connection.transport);
    }
    return failed;
}

struct slow_viewer *slow_viewer_start(const struct slow_viewer_config *config,
                                      char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    struct slow_viewer *viewer = calloc(1, sizeof *viewer);

    if (viewer == NULL) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "no memory");
        return NULL;
    }
    viewer->config = *config;
    if (viewer_open(viewer, error) != 0) {
        free(viewer);
        return NULL;
    }
    return viewer;
}

void slow_viewer_slow_down(struct slow_viewer *viewer)
{
    atomic_store(&viewer->slow_ns, clock_monotonic_ns());
}

void slow_viewer_end(struct slow_viewer *viewer, struct slow_viewer_result *ret_result)
{
    atomic_store(&viewer->is_ending, true);
    pthread_join(viewer->thread, NULL);
    load_transport_close(&viewer->connection.transport);
    *ret_result = viewer->result;
    ret_result->broken = viewer->viewer.pictures_broken + viewer->viewer.packets_stray;
    free(viewer);
}
