#include "perf/churn/churn.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "perf/load/frame_reader.h"

enum { READ_BYTES = 65536 };

/* Messages end with the window. A viewer that joined so long before has had its message, however
 * busy the machine is, or there is a fault. */
static const uint64_t served_within_ns = 1000000000;

static const uint64_t second_ns = 1000000000;

struct churn {
    struct churn_config config;
    struct churn_counts counts;
    pthread_mutex_t lock; /* of all that follows, and of the counts */
    pthread_cond_t begun;
    uint64_t start_ns; /* 0: not yet */
    bool is_over;
    unsigned next;
    pthread_t threads[CHURN_THREADS];
    unsigned threads_count;
};

struct visit {
    uint64_t due_ns, began_ns, joined_ns, seen_ns;
};

static void wait_until(uint64_t due_ns)
{
    struct timespec time = {.tv_sec = (time_t)(due_ns / second_ns),
                            .tv_nsec = (long)(due_ns % second_ns)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR) {
    }
}

/* True when a message has ended. */
static bool has_message(struct frame_reader *reader, struct bytes input)
{
    enum frame_reader_result result;

    while ((result = frame_reader_next(reader, &input)) != FRAME_READER_MORE) {
        if (result == FRAME_READER_RECORD) {
            return true;
        }
        if (result == FRAME_READER_BAD) {
            break; /* nothing after it has a meaning */
        }
    }
    return false;
}

static int message_await(const struct churn *churn, struct connection *connection)
{
    uint8_t data[READ_BYTES];
    struct frame_reader reader;
    ssize_t len;

    frame_reader_init(&reader, churn->config.record_bytes);
    if (has_message(&reader, bytes_of(connection->early, connection->early_len))) {
        return 0;
    }
    do {
        len = connection->transport.ops->read(&connection->transport, data, sizeof data);
        if (len <= 0) {
            return len == 0 ? -ECONNRESET : (int)len;
        }
    } while (!has_message(&reader, bytes_of(data, (size_t)len)));
    return 0;
}

static int visit_make(const struct churn *churn, unsigned topic, struct visit *visit, char *error)
{
    const struct connector *connector = &churn->config.connector;
    struct connection connection = {.early_len = 0};

    wait_until(visit->due_ns);
    visit->began_ns = clock_monotonic_ns();
    int failed = connector->open(connector->ctx, topic, CONNECTOR_VIEWER, &connection, error);

    if (failed != 0) {
        return failed;
    }
    visit->joined_ns = clock_monotonic_ns();
    failed = message_await(churn, &connection);
    visit->seen_ns = clock_monotonic_ns();
    load_transport_reset(&connection.transport);
    return failed == 0 ? 0 : load_transport_fail(error, failed, "no message came to a viewer");
}

/* It waited in vain, and had little time. */
static bool is_unserved(const struct churn *churn, const struct visit *visit, int failed)
{
    uint64_t end_ns = churn->start_ns + churn->config.window_ns;

    return failed == -EAGAIN && visit->joined_ns != 0 &&
           visit->joined_ns + 2 * churn->config.every_ns + served_within_ns > end_ns;
}

/* With the lock held. */
static void visit_note(struct churn *churn, const struct visit *visit, int failed,
                       const char *error)
{
    struct churn_counts *counts = &churn->counts;
    uint64_t behind_ns = visit->began_ns - visit->due_ns;

    counts->behind_ns = behind_ns > counts->behind_ns ? behind_ns : counts->behind_ns;
    if (is_unserved(churn, visit, failed)) {
        counts->unserved++;
        return;
    }
    if (failed != 0) {
        if (counts->failed++ == 0) {
            memcpy(counts->failure, error, sizeof counts->failure);
        }
        return;
    }
    counts->came++;
    histogram_record(&counts->join_ns, visit->joined_ns - visit->due_ns);
    histogram_record(&counts->first_ns, visit->seen_ns - visit->joined_ns);
}

static void *thread_main(void *ctx)
{
    struct churn *churn = ctx;
    const struct churn_config *config = &churn->config;

    pthread_mutex_lock(&churn->lock);
    while (churn->start_ns == 0 && !churn->is_over) {
        pthread_cond_wait(&churn->begun, &churn->lock);
    }
    for (;;) {
        char error[LOAD_TRANSPORT_ERROR_SIZE] = "";
        unsigned index = churn->next++;
        uint64_t after_ns = index * second_ns / config->rate;

        if (churn->start_ns == 0 || after_ns >= config->window_ns) {
            break;
        }
        struct visit visit = {.due_ns = churn->start_ns + after_ns};

        pthread_mutex_unlock(&churn->lock);
        int failed = visit_make(churn, index % config->topics, &visit, error);

        pthread_mutex_lock(&churn->lock);
        visit_note(churn, &visit, failed, error);
    }
    pthread_mutex_unlock(&churn->lock);
    return NULL;
}

struct churn *churn_start(const struct churn_config *config)
{
    struct churn *churn = calloc(1, sizeof *churn);

    CHECK(config->rate > 0 && config->rate <= CHURN_RATE_MAX && config->topics > 0);
    if (churn == NULL) {
        return NULL;
    }
    churn->config = *config;
    histogram_init(&churn->counts.join_ns);
    histogram_init(&churn->counts.first_ns);
    pthread_mutex_init(&churn->lock, NULL);
    pthread_cond_init(&churn->begun, NULL);
    while (churn->threads_count < CHURN_THREADS &&
           pthread_create(&churn->threads[churn->threads_count], NULL, thread_main, churn) == 0) {
        churn->threads_count++;
    }
    if (churn->threads_count == 0) {
        struct churn_counts none;

        churn_end(churn, &none);
        return NULL;
    }
    return churn;
}

void churn_go(void *ctx)
{
    struct churn *churn = ctx;

    pthread_mutex_lock(&churn->lock);
    churn->start_ns = clock_monotonic_ns();
    pthread_cond_broadcast(&churn->begun);
    pthread_mutex_unlock(&churn->lock);
}

void churn_end(struct churn *churn, struct churn_counts *ret_counts)
{
    pthread_mutex_lock(&churn->lock);
    churn->is_over = true;
    pthread_cond_broadcast(&churn->begun);
    pthread_mutex_unlock(&churn->lock);
    for (unsigned i = 0; i < churn->threads_count; i++) {
        pthread_join(churn->threads[i], NULL);
    }
    *ret_counts = churn->counts;
    pthread_cond_destroy(&churn->begun);
    pthread_mutex_destroy(&churn->lock);
    free(churn);
}
