/* A topic: a name, and for each worker the list of its subscribers. The registry finds or creates
 * topics under a mutex, when connections come and go; publishing takes no lock: it reads the mask
 * of workers with subscribers and touches only its own worker's part. A topic lives while it is
 * referenced: by a connection that joined, or by messages that are charged to it. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/list.h"
#include "server/hub/budget.h"
#include "server/hub/lag/topic_policy.h"
#include "server/hub/underway.h"
#include "server/hub/v1/audience.h"
#include "server/loop/worker.h"
#include "server/stats/topic_counts.h"

struct lease;
struct stream_cache;

/* Same for the caches of all topics; from the options. */
struct stream_cache_bounds {
    uint64_t bytes_max; /* 0: nothing is cached */
    uint64_t time_ms_max;
};

enum topic_limits { TOPIC_NAME_SIZE = 256, TOPIC_BUCKETS = 4096 };
_Static_assert((int)TOPIC_NAME_SIZE == (int)TOPIC_COUNTS_NAME_SIZE, "a row holds each name");

/* The part of a topic that one worker owns; on a cache line of its own. */
struct topic_part {
    _Alignas(64) struct list subscribers; /* struct subscriber.node; readers only */
    uint32_t subscribers_count;
    uint32_t readers;   /* members that are or will be here; of placement/placement.h, under its */
    uint32_t writers;   /* mutex; members that only publish */
    uint32_t published; /* number of the newest message of this worker */
    uint32_t streams_count;     /* that publishers of this worker began */
    uint32_t listed;            /* its number in a list of the worker's, if it stands there */
    struct stream_cache *cache; /* of a publisher of this worker, or NULL */
    struct budget budget;  /* of messages that this worker made; while it is not 0, a reference */
    struct parcel *parcel; /* of this turn, for other workers, or NULL */
    struct underway underway; /* to them, of what was published here */
    struct audience_part audience;
};

struct topic {
    struct topic *next_in_bucket; /* private to the registry */
    struct topic_registry *registry;
    _Atomic uint32_t references;
    _Atomic uint64_t
        interested; /* bit i: worker i has subscribers; each worker writes its own bit */
    _Atomic uint32_t cache_home;     /* 1 + the worker with the newest cache, or 0 */
    _Atomic uint32_t sources;        /* publishers that came so far */
    _Atomic uint32_t streams_before; /* streams in other programs have no higher counts */
    struct audience audience;
    uint64_t hash;
    enum topic_policy policy;
    unsigned counts_row; /* in the registry's counts */
    struct lease *lease; /* who may publish; NULL: all that may write */
    char name[TOPIC_NAME_SIZE];
    struct topic_part parts[];
};

struct topic_registry {
    pthread_mutex_t mutex;
    struct topic *buckets[TOPIC_BUCKETS];
    uint32_t topics_count;
    unsigned workers_count;
    uint64_t hash_key;                       /* random, so that names cannot be chosen to collide */
    const struct topic_policies *policies;   /* or NULL; set before use */
    struct stream_cache_bounds cache_bounds; /* none, unless set before use */
    struct topic_counts_table *counts;       /* or NULL; set before use; under the mutex */
    uint64_t lease_idle_ms;                  /* the same */
    struct list caches[WORKERS_MAX];         /* struct stream_cache.node; each worker has its own */
};

void topic_registry_init(struct topic_registry *registry, unsigned workers_count);

/* CHECKs that no topic is left. */
void topic_registry_deinit(struct topic_registry *registry);

/* Number of referenced topics. Any thread. */
uint32_t topic_registry_count(struct topic_registry *registry);

/* The worker's part of what is counted of the topic, or NULL. Any thread. */
struct topic_counts *topic_counts_at(const struct topic *topic, const struct worker *worker);

/* The topic of that name with one more reference; NULL when out of memory or the name is too long.
 * Any thread. */
MUST_USE struct topic *topic_find_or_create(struct topic_registry *registry, const char *name);

/* Any thread. topic_ref requires an existing reference. */
void topic_ref(struct topic *topic);
void topic_unref(struct topic *topic);

/* A number that tells a new publisher from the others: not 0, and in turn. Any thread. */
uint16_t topic_next_source(struct topic *topic);

/* A number for a new stream of the calling worker: unlike all others of the topic. */
uint32_t topic_next_stream(struct topic *topic, const struct worker *worker);
/* Streams up to that one, or to so many of each worker, were there in another program. Any thread.
 */
void topic_raise_streams(struct topic *topic, uint32_t count);
void topic_raise_sources(struct topic *topic, uint32_t sources);

/* Charges a message or parcel of the calling worker to the topic, or ends that; bytes of its
 * memory. Until then the topic lives: topic_charge requires an existing reference. */
void topic_charge(struct topic *topic, const struct worker *worker, size_t bytes);
void topic_credit(struct topic *topic, const struct worker *worker, size_t bytes);

/* Whether the topic may take that many bytes more of the calling worker's message memory. */
MUST_USE bool topic_may_take(const struct topic *topic, const struct worker *worker, size_t bytes);

struct subscriber;

/* On the subscriber's worker. The worker receives every message published after topic_subscribe
 * returned, on any worker. */
void topic_subscribe(struct topic *topic, struct worker *worker, struct subscriber *subscriber);
void topic_unsubscribe(struct topic *topic, struct worker *worker, struct subscriber *subscriber);
