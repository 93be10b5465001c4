#include "server/hub/topic.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/random.h"
#include "server/hub/subscriber.h"
#include "server/hub/v1/lease.h"

void topic_registry_init(struct topic_registry *registry, unsigned workers_count)
{
    *registry = (struct topic_registry){.workers_count = workers_count};
    pthread_mutex_init(&registry->mutex, NULL);
    random_bytes(&registry->hash_key, sizeof registry->hash_key);
    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        list_init(&registry->caches[i]);
    }
}

void topic_registry_deinit(struct topic_registry *registry)
{
    CHECK(registry->topics_count == 0);
    pthread_mutex_destroy(&registry->mutex);
}

uint32_t topic_registry_count(struct topic_registry *registry)
{
    pthread_mutex_lock(&registry->mutex);
    uint32_t count = registry->topics_count;

    pthread_mutex_unlock(&registry->mutex);
    return count;
}

static struct topic **find_place(struct topic_registry *registry, uint64_t hash, const char *name)
{
    struct topic **place = &registry->buckets[hash % TOPIC_BUCKETS];

    while (*place != NULL && ((*place)->hash != hash || strcmp((*place)->name, name) != 0)) {
        place = &(*place)->next_in_bucket;
    }
    return place;
}

static void init_parts(struct topic *topic)
{
    for (unsigned i = 0; i < topic->registry->workers_count; i++) {
        struct topic_part *part = &topic->parts[i];

        list_init(&part->subscribers);
        part->subscribers_count = 0;
        part->readers = 0;
        part->writers = 0;
        part->published = 0;
        part->streams_count = 0;
        part->listed = 0;
        part->cache = NULL;
        part->budget = (struct budget){0};
        part->parcel = NULL;
        underway_init(&part->underway);
        audience_part_init(&part->audience, topic);
    }
}

static struct topic *create(struct topic_registry *registry, uint64_t hash, const char *name)
{
    size_t size = sizeof(struct topic) + registry->workers_count * sizeof(struct topic_part);
    bool is_exclusive = topic_policy_is_exclusive(registry->policies, name);
    struct lease *lease = is_exclusive ? lease_create(registry->lease_idle_ms) : NULL;
    struct topic *topic = aligned_alloc(64, (size + 63) / 64 * 64);

    if (topic == NULL || (is_exclusive && lease == NULL)) {
        lease_destroy(lease);
        free(topic);
        return NULL;
    }
    *topic = (struct topic){.registry = registry,
                            .hash = hash,
                            .policy = topic_policy_find(registry->policies, name),
                            .lease = lease};
    memcpy(topic->name, name, strlen(name) + 1);
    init_parts(topic);
    topic->counts_row = topic_counts_take(registry->counts, name);
    registry->topics_count++;
    return topic;
}

struct topic *topic_find_or_create(struct topic_registry *registry, const char *name)
{
    /* A random start is enough: only holders of a signed token can choose names. */
    uint64_t hash = bytes_hash(registry->hash_key, bytes_of_text(name));

    if (strlen(name) >= TOPIC_NAME_SIZE) {
        return NULL;
    }
    pthread_mutex_lock(&registry->mutex);
    struct topic **place = find_place(registry, hash, name);

    if (*place == NULL) {
        *place = create(registry, hash, name);
    }
    struct topic *topic = *place;

    if (topic != NULL) {
        topic_ref(topic);
    }
    pthread_mutex_unlock(&registry->mutex);
    return topic;
}

struct topic_counts *topic_counts_at(const struct topic *topic, const struct worker *worker)
{
    return topic_counts_of(topic->registry->counts, topic->counts_row, worker->index);
}

void topic_ref(struct topic *topic)
{
    atomic_fetch_add_explicit(&topic->references, 1, memory_order_relaxed);
}

static void check_unused(const struct topic *topic)
{
    CHECK(atomic_load(&topic->interested) == 0);
    for (unsigned i = 0; i < topic->registry->workers_count; i++) {
        CHECK(topic->parts[i].budget.bytes == 0);
        CHECK(topic->parts[i].readers == 0 && topic->parts[i].writers == 0);
        CHECK(topic->parts[i].parcel == NULL);
        underway_check_empty(&topic->parts[i].underway);
        CHECK(topic->parts[i].cache == NULL);
        audience_part_check_empty(&topic->parts[i].audience);
    }
}

static void destroy_unreferenced(struct topic *topic)
{
    struct topic_registry *registry = topic->registry;

    pthread_mutex_lock(&registry->mutex);
    if (atomic_fetch_sub_explicit(&topic->references, 1, memory_order_acq_rel) == 1) {
        struct topic **place = find_place(registry, topic->hash, topic->name);

        CHECK(*place == topic);
        check_unused(topic);
        *place = topic->next_in_bucket;
        registry->topics_count--;
        topic_counts_put(registry->counts, topic->counts_row);
        lease_destroy(topic->lease);
        free(topic);
    }
    pthread_mutex_unlock(&registry->mutex);
}

void topic_unref(struct topic *topic)
{
    uint32_t references = atomic_load_explicit(&topic->references, memory_order_relaxed);

    CHECK(references > 0);
    /* The last reference is released only under the mutex, or a find could return a dying topic. */
    while (references > 1) {
        if (atomic_compare_exchange_weak_explicit(&topic->references, &references, references - 1,
                                                  memory_order_acq_rel, memory_order_relaxed)) {
            return;
        }
    }
    destroy_unreferenced(topic);
}

uint16_t topic_next_source(struct topic *topic)
{
    return (uint16_t)(1 + atomic_fetch_add(&topic->sources, 1) % UINT16_MAX);
}

uint32_t topic_next_stream(struct topic *topic, const struct worker *worker)
{
    uint32_t *count = &topic->parts[worker->index].streams_count;
    uint32_t before = atomic_load(&topic->streams_before);

    *count = (*count > before ? *count : before) + 1;
    return *count * WORKERS_MAX + worker->index;
}

static void raise_to(_Atomic uint32_t *count, uint32_t least)
{
    uint32_t before = atomic_load(count);

    while (before < least && !atomic_compare_exchange_weak(count, &before, least)) {
    }
}

void topic_raise_streams(struct topic *topic, uint32_t count)
{
    raise_to(&topic->streams_before, count);
}

void topic_raise_sources(struct topic *topic, uint32_t sources)
{
    raise_to(&topic->sources, sources);
}

void topic_charge(struct topic *topic, const struct worker *worker, size_t bytes)
{
    struct budget *budget = &topic->parts[worker->index].budget;

    if (budget->bytes == 0) {
        topic_ref(topic);
    }
    budget_charge(budget, bytes);
}

void topic_credit(struct topic *topic, const struct worker *worker, size_t bytes)
{
    struct budget *budget = &topic->parts[worker->index].budget;

    budget_credit(budget, bytes);
    if (budget->bytes == 0) {
        topic_unref(topic);
    }
}

bool topic_may_take(const struct topic *topic, const struct worker *worker, size_t bytes)
{
    return budget_may_take(&topic->parts[worker->index].budget, bytes,
                           worker_memory_left(worker, worker->index));
}

void topic_subscribe(struct topic *topic, struct worker *worker, struct subscriber *subscriber)
{
    struct topic_part *part = &topic->parts[worker->index];

    CHECK(list_empty(&subscriber->node));
    list_append(&part->subscribers, &subscriber->node);
    part->subscribers_count++;
    if (part->subscribers_count == 1) {
        atomic_fetch_or(&topic->interested, UINT64_C(1) << worker->index);
    }
}

void topic_unsubscribe(struct topic *topic, struct worker *worker, struct subscriber *subscriber)
{
    struct topic_part *part = &topic->parts[worker->index];

    CHECK(part->subscribers_count > 0 && !list_empty(&subscriber->node));
    list_remove(&subscriber->node);
    part->subscribers_count--;
    if (part->subscribers_count == 0) {
        atomic_fetch_and(&topic->interested, ~(UINT64_C(1) << worker->index));
    }
}
