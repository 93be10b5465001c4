#include "server/hub/topic.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/random.h"
#include "server/hub/subscriber.h"

void topic_registry_init(struct topic_registry *registry, unsigned workers_count)
{
    *registry = (struct topic_registry){.workers_count = workers_count};
    pthread_mutex_init(&registry->mutex, NULL);
    random_bytes(&registry->hash_key, sizeof registry->hash_key);
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

/* FNV-1a with a random start: only holders of a signed token can choose topic names. */
static uint32_t hash_name(const struct topic_registry *registry, const char *name)
{
    uint32_t hash = UINT32_C(2166136261) ^ registry->hash_key;

    for (; *name != '\0'; name++) {
        hash = (hash ^ (uint8_t)*name) * UINT32_C(16777619);
    }
    return hash;
}

static struct topic **find_place(struct topic_registry *registry, uint32_t hash, const char *name)
{
    struct topic **place = &registry->buckets[hash % TOPIC_BUCKETS];

    while (*place != NULL && ((*place)->hash != hash || strcmp((*place)->name, name) != 0)) {
        place = &(*place)->next_in_bucket;
    }
    return place;
}

static struct topic *create(struct topic_registry *registry, uint32_t hash, const char *name)
{
    size_t size = sizeof(struct topic) + registry->workers_count * sizeof(struct topic_part);
    struct topic *topic = aligned_alloc(64, (size + 63) / 64 * 64);

    if (topic == NULL) {
        return NULL;
    }
    *topic = (struct topic){.registry = registry, .hash = hash};
    memcpy(topic->name, name, strlen(name) + 1);
    for (unsigned i = 0; i < registry->workers_count; i++) {
        list_init(&topic->parts[i].subscribers);
        topic->parts[i].subscribers_count = 0;
    }
    registry->topics_count++;
    return topic;
}

struct topic *topic_find_or_create(struct topic_registry *registry, const char *name)
{
    uint32_t hash = hash_name(registry, name);

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

void topic_ref(struct topic *topic)
{
    atomic_fetch_add_explicit(&topic->references, 1, memory_order_relaxed);
}

static void destroy_unreferenced(struct topic *topic)
{
    struct topic_registry *registry = topic->registry;

    pthread_mutex_lock(&registry->mutex);
    if (atomic_fetch_sub_explicit(&topic->references, 1, memory_order_acq_rel) == 1) {
        struct topic **place = find_place(registry, topic->hash, topic->name);

        CHECK(*place == topic);
        CHECK(atomic_load(&topic->interested) == 0);
        *place = topic->next_in_bucket;
        registry->topics_count--;
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

void topic_subscribe(struct topic *topic, struct worker *worker, struct subscriber *subscriber)
{
    struct topic_part *part = &topic->parts[worker->index];

    list_append(&part->subscribers, &subscriber->node);
    part->subscribers_count++;
    if (part->subscribers_count == 1) {
        atomic_fetch_or(&topic->interested, UINT64_C(1) << worker->index);
    }
}

void topic_unsubscribe(struct topic *topic, struct worker *worker, struct subscriber *subscriber)
{
    struct topic_part *part = &topic->parts[worker->index];

    CHECK(part->subscribers_count > 0);
    list_remove(&subscriber->node);
    part->subscribers_count--;
    if (part->subscribers_count == 0) {
        atomic_fetch_and(&topic->interested, ~(UINT64_C(1) << worker->index));
    }
}
