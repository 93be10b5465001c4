#include "perf/join/join.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "perf/footage/footage_sender.h"
#include "perf/footage/footage_viewer.h"

struct crowd {
    const struct join_config *config;
    struct join_result *result;
    uint64_t start_ns;
    uint64_t *moments_ns; /* from the start, in order */
    _Atomic unsigned next;
    pthread_mutex_t lock; /* of the result */
};

/* One viewer until its first picture. */
struct guest {
    struct connection connection;
    struct footage_viewer viewer;
    uint64_t first_picture_ns; /* 0: not yet */
    bool is_wrong;
};

static void on_picture(void *ctx, unsigned picture)
{
    struct guest *guest = ctx;

    if (guest->first_picture_ns == 0) {
        guest->first_picture_ns = clock_monotonic_ns();
        guest->is_wrong = !guest->viewer.footage->pictures[picture].is_key ||
                          guest->viewer.first != (int)picture || guest->viewer.pictures_broken > 0;
    }
}

/* Until the first picture is whole. 0, or -errno. */
static int picture_await(struct guest *guest)
{
    int failed = frames_take(&guest->viewer.frames,
                             bytes_of(guest->connection.early, guest->connection.early_len));

    while (failed == 0 && guest->first_picture_ns == 0) {
        failed = frames_read(&guest->viewer.frames);
    }
    return guest->first_picture_ns != 0 ? 0 : failed;
}

static int guest_open(struct guest *guest, const struct join_config *config, char *error)
{
    *guest = (struct guest){.first_picture_ns = 0};
    int failed = config->connector.open(config->connector.ctx, 0, CONNECTOR_VIEWER,
                                        &guest->connection, error);

    footage_viewer_init(&guest->viewer, config->footage, &guest->connection.transport, on_picture,
                        guest);
    return failed;
}

static void failure_note(struct crowd *crowd, const char *error)
{
    pthread_mutex_lock(&crowd->lock);
    if (crowd->result->failed++ == 0) {
        snprintf(crowd->result->failure, sizeof crowd->result->failure, "%s", error);
    }
    pthread_mutex_unlock(&crowd->lock);
}

struct times {
    uint64_t due_ns, began_ns, opened_ns;
};

static void success_note(struct crowd *crowd, const struct guest *guest, const struct times *times)
{
    struct join_result *result = crowd->result;
    uint64_t late_ns = times->began_ns - times->due_ns;

    pthread_mutex_lock(&crowd->lock);
    result->joined++;
    result->wrong += guest->is_wrong;
    result->late_ns = late_ns > result->late_ns ? late_ns : result->late_ns;
    histogram_record(&result->open_ns, times->opened_ns - times->began_ns);
    histogram_record(&result->first_ns, guest->first_picture_ns - times->opened_ns);
    pthread_mutex_unlock(&crowd->lock);
}

static void join(struct crowd *crowd, unsigned index, struct guest *guest)
{
    char error[LOAD_TRANSPORT_ERROR_SIZE] = "";
    struct times times = {.due_ns = crowd->start_ns + crowd->moments_ns[index]};

    footage_sender_wait_until(times.due_ns);
    times.began_ns = clock_monotonic_ns();
    if (guest_open(guest, crowd->config, error) != 0) {
        failure_note(crowd, error);
        return;
    }
    times.opened_ns = clock_monotonic_ns();
    if (picture_await(guest) == 0) {
        success_note(crowd, guest, &times);
    } else {
        failure_note(crowd, "the connection ended, or 10 s went by, without a picture");
    }
    load_transport_reset(&guest->connection.transport);
}

static void *thread_main(void *ctx)
{
    struct crowd *crowd = ctx;
    struct guest *guest = malloc(sizeof *guest);
    unsigned index;

    while (guest != NULL && (index = atomic_fetch_add(&crowd->next, 1)) < crowd->config->joins) {
        join(crowd, index, guest);
    }
    free(guest);
    return NULL;
}

/* splitmix64. */
static uint64_t random_next(uint64_t *state)
{
    uint64_t value = *state += UINT64_C(0x9e3779b97f4a7c15);

    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static int compare_moments(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a;
    uint64_t two = *(const uint64_t *)b;

    return one < two ? -1 : one > two;
}

static void moments_choose(struct crowd *crowd)
{
    uint64_t state = crowd->config->seed;

    for (unsigned i = 0; i < crowd->config->joins; i++) {
        crowd->moments_ns[i] = random_next(&state) % (crowd->config->window_ns + 1);
    }
    qsort(crowd->moments_ns, crowd->config->joins, sizeof *crowd->moments_ns, compare_moments);
}

/* -EAGAIN when not even one thread can be started: the others do its work. */
static int join_all(struct crowd *crowd, char *error)
{
    pthread_t threads[JOIN_THREADS];
    unsigned count = 0;

    moments_choose(crowd);
    crowd->start_ns = clock_monotonic_ns();
    while (count < JOIN_THREADS && count < crowd->config->joins &&
           pthread_create(&threads[count], NULL, thread_main, crowd) == 0) {
        count++;
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    return count > 0 ? 0 : load_transport_fail(error, -EAGAIN, "cannot start a thread");
}

/* The stream is live when a viewer that was there before has seen a picture. */
static int join_live(struct crowd *crowd, struct guest *witness, char *error)
{
    const struct join_config *config = crowd->config;
    struct footage_sender_counts counts = {.behind_ns = 0};
    struct footage_sender *sender;
    int failed =
        footage_sender_open(&config->connector, config->footage, config->cut_bytes, &sender, error);

    if (failed != 0) {
        return failed;
    }
    failed = picture_await(witness);
    load_transport_reset(&witness->connection.transport);
    failed = failed != 0 ? load_transport_fail(error, failed, "no picture reaches a viewer")
                         : join_all(crowd, error);
    int ended = footage_sender_end(sender, &counts);

    crowd->result->behind_ns = counts.behind_ns;
    return failed != 0 || ended == 0
               ? failed
               : load_transport_fail(error, ended, "the publisher was cut off");
}

static int join_witnessed(struct crowd *crowd, char *error)
{
    struct guest *witness = malloc(sizeof *witness);

    if (witness == NULL) {
        return load_transport_fail(error, -ENOMEM, "no memory");
    }
    int failed = guest_open(witness, crowd->config, error);

    if (failed == 0) {
        failed = join_live(crowd, witness, error);
        load_transport_reset(&witness->connection.transport);
    }
    free(witness);
    return failed;
}

int join_run(const struct join_config *config, struct join_result *ret_result,
             char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    struct crowd crowd = {.config = config, .result = ret_result};

    CHECK(config->joins > 0 && config->joins <= JOINS_MAX);
    *ret_result = (struct join_result){.joined = 0};
    crowd.moments_ns = calloc(config->joins, sizeof *crowd.moments_ns);
    if (crowd.moments_ns == NULL) {
        return load_transport_fail(error, -ENOMEM, "no memory");
    }
    pthread_mutex_init(&crowd.lock, NULL);
    int failed = join_witnessed(&crowd, error);

    pthread_mutex_destroy(&crowd.lock);
    free(crowd.moments_ns);
    return failed;
}
