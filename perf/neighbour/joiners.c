#include "perf/neighbour/joiners.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

enum {
    THREADS_MAX = 256,
    RETRY_MS = 50,
    STAYS_MAX = 1024, /* places of each thread */
};

struct joiner {
    const struct attack *attack;
    const struct connector *connector;
    struct attack_counts *counts;
    uint64_t end_ns;
    unsigned topic;
    struct load_transport *places; /* those that it stays on */
    unsigned places_count;
    pthread_t thread;
};

static void leave(struct joiner *joiner, struct load_transport *transport)
{
    load_transport_reset(transport);
    joiner->counts->open--;
}

static void retry_wait(void)
{
    struct timespec time = {.tv_nsec = RETRY_MS * 1000000L};

    nanosleep(&time, NULL);
}

static void count_open(struct attack_counts *counts)
{
    uint64_t open = ++counts->open;
    uint64_t peak = counts->open_peak;

    counts->opened++;
    while (open > peak && !atomic_compare_exchange_weak(&counts->open_peak, &peak, open)) {
    }
}

static void join_once(struct joiner *joiner)
{
    struct connection connection = {.early_len = 0};
    char error[LOAD_TRANSPORT_ERROR_SIZE] = "";

    if (joiner->connector->open(joiner->connector->ctx, joiner->topic, CONNECTOR_VIEWER,
                                &connection, error) != 0) {
        if (joiner->counts->refused++ == 0) {
            memcpy(joiner->counts->error, error, sizeof error);
        }
        retry_wait();
        return;
    }
    count_open(joiner->counts);
    if (joiner->attack->stays) {
        joiner->places[joiner->places_count++] = connection.transport;
    } else {
        leave(joiner, &connection.transport);
    }
}

static void *joiner_main(void *ctx)
{
    struct joiner *joiner = ctx;

    while (clock_monotonic_ns() < joiner->end_ns) {
        if (joiner->places_count < STAYS_MAX) {
            join_once(joiner);
        } else {
            retry_wait();
        }
    }
    for (unsigned i = 0; i < joiner->places_count; i++) {
        leave(joiner, &joiner->places[i]);
    }
    return NULL;
}

void joiners_run(const struct attack *attack, const struct connector *connector,
                 struct attack_counts *counts, uint64_t end_ns)
{
    unsigned wanted = attack->connections < THREADS_MAX ? attack->connections : THREADS_MAX;
    struct joiner *joiners = calloc(wanted, sizeof *joiners);
    unsigned count = 0;

    wanted = joiners != NULL ? wanted : 0;
    for (unsigned i = 0; i < wanted; i++) {
        struct joiner *joiner = &joiners[count];

        *joiner = (struct joiner){
            .attack = attack,
            .connector = connector,
            .counts = counts,
            .end_ns = end_ns,
            .topic = attack->stays ? 0 : i,
        };
        joiner->places = calloc(STAYS_MAX, sizeof *joiner->places);
        if (joiner->places == NULL ||
            pthread_create(&joiner->thread, NULL, joiner_main, joiner) != 0) {
            free(joiner->places);
            break;
        }
        count++;
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(joiners[i].thread, NULL);
        free(joiners[i].places);
    }
    free(joiners);
}
