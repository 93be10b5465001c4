#include "perf/crowd/crowd.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "perf/neighbour/payload.h"

enum {
    OPCODE_BINARY = 2,
    MESSAGE_BYTES = 100,
    HEADER_BYTES = 2, /* of a frame to a viewer (RFC 6455 §5.2) */
    START_MS = 20,    /* until the first one comes: all threads have begun */
};

struct crowd {
    const struct crowd_config *config;
    struct crowd_result *result;
    struct load_transport *viewers; /* closed ones were refused */
    uint64_t start_ns;
    _Atomic unsigned next;
    pthread_mutex_t lock; /* of the result */
};

static void wait_until(uint64_t due_ns)
{
    struct timespec due = {.tv_sec = (time_t)(due_ns / 1000000000u),
                           .tv_nsec = (long)(due_ns % 1000000000u)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {
    }
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void note(struct crowd *crowd, uint64_t due_ns, uint64_t began_ns, int failed,
                 const char *error)
{
    struct crowd_result *result = crowd->result;
    uint64_t now_ns = clock_monotonic_ns();

    pthread_mutex_lock(&crowd->lock);
    result->behind_ns = later(result->behind_ns, began_ns - due_ns);
    if (failed == 0) {
        result->joined++;
        result->all_in_ns = later(result->all_in_ns, now_ns - crowd->start_ns);
        histogram_record(&result->join_ns, now_ns - due_ns);
    } else if (result->refused++ == 0) {
        snprintf(result->refusal, sizeof result->refusal, "%s", error);
    }
    pthread_mutex_unlock(&crowd->lock);
}

static void join(struct crowd *crowd, unsigned index)
{
    const struct connector *connector = &crowd->config->connector;
    struct connection connection = {.early_len = 0};
    char error[LOAD_TRANSPORT_ERROR_SIZE] = "";
    uint64_t due_ns = crowd->start_ns + crowd->config->within_ns / crowd->config->viewers * index;

    wait_until(due_ns);
    uint64_t began_ns = clock_monotonic_ns();
    int failed = connector->open(connector->ctx, 0, CONNECTOR_VIEWER, &connection, error);

    if (failed == 0) {
        crowd->viewers[index] = connection.transport;
    }
    note(crowd, due_ns, began_ns, failed, error);
}

static void *thread_main(void *ctx)
{
    struct crowd *crowd = ctx;
    unsigned index;

    while ((index = atomic_fetch_add(&crowd->next, 1)) < crowd->config->viewers) {
        join(crowd, index);
    }
    return NULL;
}

/* -EAGAIN when not even one thread can be started: the others do its work. */
static int join_all(struct crowd *crowd)
{
    pthread_t threads[CROWD_THREADS];
    unsigned count = 0;

    crowd->start_ns = clock_monotonic_ns() + START_MS * UINT64_C(1000000);
    while (count < CROWD_THREADS && count < crowd->config->viewers &&
           pthread_create(&threads[count], NULL, thread_main, crowd) == 0) {
        count++;
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    return count > 0 ? 0 : -EAGAIN;
}

/* The next frame of a viewer is our message. */
static bool has_message(struct load_transport *viewer)
{
    uint8_t frame[HEADER_BYTES + MESSAGE_BYTES];
    size_t len = 0;

    while (len < sizeof frame) {
        ssize_t read = viewer->ops->read(viewer, frame + len, sizeof frame - len);

        if (read <= 0) {
            return false;
        }
        len += (size_t)read;
    }
    return frame[0] == (0x80 | OPCODE_BINARY) && frame[1] == MESSAGE_BYTES;
}

static bool all_have_message(struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->config->viewers; i++) {
        if (crowd->viewers[i].ops != NULL && !has_message(&crowd->viewers[i])) {
            return false;
        }
    }
    return true;
}

/* One short frame, which a socket takes whole. */
static int send_message(struct crowd *crowd, struct load_transport *publisher, char *error)
{
    struct payload message;
    int failed = payload_of_frames(OPCODE_BINARY, MESSAGE_BYTES, 1, &message);

    if (failed != 0) {
        return failed;
    }
    uint64_t start_ns = clock_monotonic_ns();
    ssize_t sent = publisher->ops->write(publisher, message.data, message.len);

    if (sent != (ssize_t)message.len) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "cannot send the message");
        failed = -EIO;
    } else if (all_have_message(crowd)) {
        crowd->result->message_ns = clock_monotonic_ns() - start_ns;
    }
    payload_release(&message);
    return failed;
}

static int publish(struct crowd *crowd, char *error)
{
    const struct connector *connector = &crowd->config->connector;
    struct connection publisher = {.early_len = 0};
    int failed = connector->open(connector->ctx, 0, CONNECTOR_PUBLISHER, &publisher, error);

    if (failed == 0) {
        failed = send_message(crowd, &publisher.transport, error);
        load_transport_close(&publisher.transport);
    }
    return failed;
}

static void leave(struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->config->viewers; i++) {
        load_transport_reset(&crowd->viewers[i]);
    }
}

int crowd_run(const struct crowd_config *config, struct crowd_result *ret_result,
              char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    struct crowd crowd = {.config = config, .result = ret_result};

    CHECK(config->viewers > 0 && config->viewers <= CROWD_VIEWERS_MAX);
    *ret_result = (struct crowd_result){.joined = 0};
    crowd.viewers = calloc(config->viewers, sizeof *crowd.viewers);
    if (crowd.viewers == NULL) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "no memory");
        return -ENOMEM;
    }
    pthread_mutex_init(&crowd.lock, NULL);
    int failed = join_all(&crowd);

    if (failed != 0) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "cannot start a thread");
    } else {
        failed = publish(&crowd, error);
    }
    leave(&crowd);
    pthread_mutex_destroy(&crowd.lock);
    free(crowd.viewers);
    return failed;
}
