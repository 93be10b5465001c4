#include "server/placement/placement.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"

/* More than there are descriptors for. */
enum { READERS_MAX = 1 << 30 };

static const uint64_t WRITERS_ARE_MANY = UINT64_C(1) << 63;

/* One worker; on a cache line of its own. */
struct desk {
    _Alignas(64) uint32_t members;     /* of all topics; under the mutex */
    _Atomic uint32_t busy_us;          /* in a second, lately; written by the worker */
    uint64_t looked_ms, looked_cpu_us; /* the worker's own */
};

struct placement {
    pthread_mutex_t mutex;
    unsigned workers_count;
    struct desk desks[];
};

/* In the order of preference; the first that differ decide. */
struct rank {
    uint64_t first, load, distance;
};

static bool is_before(const struct rank *rank, const struct rank *other)
{
    if (rank->first != other->first) {
        return rank->first < other->first;
    }
    return rank->load != other->load ? rank->load < other->load : rank->distance < other->distance;
}

/* A share that was begun is filled first, the fullest of them; then one is begun; then the smallest
 * grows. */
static uint32_t fill_order(uint32_t members)
{
    if (members == 0) {
        return PLACEMENT_SHARE_MIN;
    }
    return members < PLACEMENT_SHARE_MIN ? PLACEMENT_SHARE_MIN - members
                                         : PLACEMENT_SHARE_MIN + members;
}

/* A reader that begins a share does so where most write. */
static uint64_t reader_order(const struct placement_share *share)
{
    return (uint64_t)fill_order(share->readers) << 32 | (UINT32_MAX - share->writers);
}

/* One that only publishes adds nothing to what is sent: it goes where most read, as long as few
 * write there. Beyond that it goes where fewest write, or all of a topic would load one worker. */
static uint64_t writer_order(const struct placement_share *share)
{
    uint32_t fill = fill_order(share->writers);

    return share->writers < PLACEMENT_SHARE_MIN
               ? (uint64_t)(READERS_MAX - share->readers) << 32 | fill
               : WRITERS_ARE_MANY | fill;
}

unsigned placement_choose(const struct placement_share *shares, unsigned workers_count,
                          unsigned here, bool can_read)
{
    struct rank best = {.first = UINT64_MAX};
    unsigned chosen = here;

    for (unsigned i = 0; i < workers_count; i++) {
        struct rank rank = {.first = can_read ? reader_order(&shares[i]) : writer_order(&shares[i]),
                            .load = shares[i].load,
                            .distance = i == here ? 0 : 1};

        if (is_before(&rank, &best)) {
            best = rank;
            chosen = i;
        }
    }
    return chosen;
}

struct placement *placement_create(unsigned workers_count)
{
    size_t size = sizeof(struct placement) + workers_count * sizeof(struct desk);
    struct placement *placement = aligned_alloc(64, (size + 63) / 64 * 64);

    if (placement == NULL) {
        return NULL;
    }
    *placement = (struct placement){.workers_count = workers_count};
    pthread_mutex_init(&placement->mutex, NULL);
    for (unsigned i = 0; i < workers_count; i++) {
        placement->desks[i] = (struct desk){0};
    }
    return placement;
}

void placement_destroy(struct placement *placement)
{
    if (placement == NULL) {
        return;
    }
    for (unsigned i = 0; i < placement->workers_count; i++) {
        CHECK(placement->desks[i].members == 0);
    }
    pthread_mutex_destroy(&placement->mutex);
    free(placement);
}

/* A worker's load is its work of late, plus as much for each member as one did on average: members
 * that have just come have done nothing yet, and a hundred may come before the next look. */
static void weigh(const struct placement *placement, const struct topic *topic,
                  struct placement_share *ret_shares)
{
    uint64_t busy_us = 0, members = 0;

    for (unsigned i = 0; i < placement->workers_count; i++) {
        busy_us += atomic_load_explicit(&placement->desks[i].busy_us, memory_order_relaxed);
        members += placement->desks[i].members;
    }
    uint64_t average_us = members == 0 ? 0 : busy_us / members;

    for (unsigned i = 0; i < placement->workers_count; i++) {
        const struct desk *desk = &placement->desks[i];

        ret_shares[i].readers = topic->parts[i].readers;
        ret_shares[i].writers = topic->parts[i].writers;
        ret_shares[i].load = atomic_load_explicit(&desk->busy_us, memory_order_relaxed) +
                             desk->members * (average_us + 1);
    }
}

static uint32_t *members_of(struct topic *topic, unsigned worker_index, bool can_read)
{
    struct topic_part *part = &topic->parts[worker_index];

    return can_read ? &part->readers : &part->writers;
}

static void add(struct placement *placement, struct topic *topic, unsigned worker_index,
                bool can_read)
{
    ++*members_of(topic, worker_index, can_read);
    placement->desks[worker_index].members++;
}

unsigned placement_reserve(struct placement *placement, struct topic *topic, unsigned here,
                           bool can_read)
{
    struct placement_share shares[WORKERS_MAX];

    if (placement == NULL) {
        return here;
    }
    pthread_mutex_lock(&placement->mutex);
    weigh(placement, topic, shares);
    unsigned chosen = placement_choose(shares, placement->workers_count, here, can_read);

    add(placement, topic, chosen, can_read);
    pthread_mutex_unlock(&placement->mutex);
    return chosen;
}

void placement_enter(struct placement *placement, struct topic *topic, unsigned worker_index,
                     bool can_read)
{
    if (placement != NULL) {
        pthread_mutex_lock(&placement->mutex);
        add(placement, topic, worker_index, can_read);
        pthread_mutex_unlock(&placement->mutex);
    }
}

void placement_leave(struct placement *placement, struct topic *topic, unsigned worker_index,
                     bool can_read)
{
    if (placement != NULL) {
        pthread_mutex_lock(&placement->mutex);
        uint32_t *members = members_of(topic, worker_index, can_read);

        CHECK(*members > 0);
        CHECK(placement->desks[worker_index].members > 0);
        --*members;
        placement->desks[worker_index].members--;
        pthread_mutex_unlock(&placement->mutex);
    }
}

/* The calling thread's. A worker that waits uses none, and the kernel makes sends on its time. */
static uint64_t cpu_us(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

void placement_on_turn_end(struct placement *placement, const struct worker *worker)
{
    if (placement == NULL) {
        return;
    }
    struct desk *desk = &placement->desks[worker->index];
    uint64_t passed_ms = worker->now_ms - desk->looked_ms;

    if (passed_ms < PLACEMENT_PERIOD_MS) {
        return;
    }
    uint64_t used_us = cpu_us();
    uint64_t busy_us = (used_us - desk->looked_cpu_us) * 1000 / passed_ms;
    uint32_t before_us = atomic_load_explicit(&desk->busy_us, memory_order_relaxed);

    desk->looked_ms = worker->now_ms;
    desk->looked_cpu_us = used_us;
    atomic_store_explicit(&desk->busy_us, (uint32_t)((before_us + busy_us) / 2),
                          memory_order_relaxed);
}
