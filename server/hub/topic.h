/* A topic: a name, and for each worker the list of its subscribers. The registry finds or creates
 * topics under a mutex, when connections come and go; publishing takes no lock: it reads the mask
 * of workers with subscribers and touches only its own worker's part. A topic lives while it is
 * referenced: by a connection that joined, or by a message in flight between workers. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/list.h"
#include "server/limits.h"
#include "server/loop/worker.h"

/* The part of a topic that one worker owns; on a cache line of its own. */
struct topic_part {
    _Alignas(64) struct list subscribers; /* struct subscriber.node; readers only */
    uint32_t subscribers_count;
};

struct topic {
    struct topic *next_in_bucket; /* private to the registry */
    struct topic_registry *registry;
    _Atomic uint32_t references;
    _Atomic uint64_t
        interested; /* bit i: worker i has subscribers; each worker writes its own bit */
    uint32_t hash;
    char name[TOPIC_NAME_SIZE];
    struct topic_part parts[];
};

enum topic_limits { TOPIC_BUCKETS = 4096 };

struct topic_registry {
    pthread_mutex_t mutex;
    struct topic *buckets[TOPIC_BUCKETS];
    uint32_t topics_count;
    unsigned workers_count;
    uint32_t hash_key; /* random, so that names cannot be chosen to collide */
};

void topic_registry_init(struct topic_registry *registry, unsigned workers_count);

/* CHECKs that no topic is left. */
void topic_registry_deinit(struct topic_registry *registry);

/* Number of referenced topics. Any thread. */
uint32_t topic_registry_count(struct topic_registry *registry);

/* The topic of that name with one more reference; NULL when out of memory or the name is too long.
 * Any thread. */
MUST_USE struct topic *topic_find_or_create(struct topic_registry *registry, const char *name);

/* Any thread. topic_ref requires an existing reference. */
void topic_ref(struct topic *topic);
void topic_unref(struct topic *topic);

struct subscriber;

/* On the subscriber's worker. The worker receives every message published after topic_subscribe
 * returned, on any worker. */
void topic_subscribe(struct topic *topic, struct worker *worker, struct subscriber *subscriber);
void topic_unsubscribe(struct topic *topic, struct worker *worker, struct subscriber *subscriber);
