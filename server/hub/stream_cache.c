#include "server/hub/stream_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static struct stream_cache **place_of(struct topic *topic, const struct worker *worker)
{
    return &topic->parts[worker->index].cache;
}

static void destroy(struct stream_cache *cache)
{
    struct worker *worker = cache->worker;
    struct topic *topic = cache->topic;
    uint32_t home = worker->index + 1;

    send_queue_clear(&cache->messages, worker);
    timer_disarm(&cache->release);
    list_remove(&cache->node);
    *place_of(topic, worker) = NULL;
    atomic_compare_exchange_strong(&topic->cache_home, &home, 0);
    topic_credit(topic, worker, block_pool_capacity(cache));
    block_pool_put(&worker->blocks, cache);
    topic_unref(topic);
}

/* Those that hold messages come first, so that one to drop is found at once. */
static void place_in_list(struct stream_cache *cache)
{
    struct list *caches = &cache->topic->registry->caches[cache->worker->index];

    list_remove(&cache->node);
    if (cache->messages.count > 0) {
        list_prepend(caches, &cache->node);
    } else {
        list_append(caches, &cache->node);
    }
}

/* Holds nothing until the next picture. */
static void drop_messages(struct stream_cache *cache)
{
    send_queue_clear(&cache->messages, cache->worker);
    cache->key_count = 0;
    cache->key_stops = false;
    cache->is_cut = true;
    place_in_list(cache);
}

/* For so long the messages of a stream are of use when its publisher says no more. */
static uint64_t silence_ms_max(const struct stream_cache *cache)
{
    uint64_t time_ms_max = cache->topic->registry->cache_bounds.time_ms_max;

    return time_ms_max > STREAM_CACHE_LINGER_MS ? time_ms_max : STREAM_CACHE_LINGER_MS;
}

static void await_silence(struct stream_cache *cache)
{
    timer_arm(&cache->worker->timers, &cache->release, cache->newest_ms + silence_ms_max(cache));
}

/* Its publisher has left, or may have fallen silent. */
static void on_release(struct timer *timer)
{
    struct stream_cache *cache = container_of(timer, struct stream_cache, release);

    if (cache->publisher == NULL) {
        destroy(cache);
    } else if (cache->worker->now_ms < cache->newest_ms + silence_ms_max(cache)) {
        await_silence(cache);
    } else {
        drop_messages(cache);
    }
}

static struct stream_cache *create(struct worker *worker, struct topic *topic)
{
    struct stream_cache *cache = block_pool_take(&worker->blocks, sizeof *cache);

    if (cache == NULL) {
        return NULL;
    }
    *cache = (struct stream_cache){.worker = worker, .topic = topic};
    topic_ref(topic);
    topic_charge(topic, worker, block_pool_capacity(cache));
    send_queue_init(&cache->messages);
    timer_init(&cache->release, on_release);
    list_append(&topic->registry->caches[worker->index], &cache->node);
    *place_of(topic, worker) = cache;
    return cache;
}

/* Keeps the key picture, if its end is known, and nothing more until the next one. */
static void cut(struct stream_cache *cache)
{
    struct send_queue *messages = &cache->messages;

    counters_increment(&cache->worker->counters, cache_cut);
    cache->is_cut = true;
    if (cache->key_count > messages->count) { /* its last message could not be kept */
        cache->key_count = 0;
        cache->key_stops = false;
    }
    while (messages->count > cache->key_count) {
        send_queue_remove(messages, cache->worker, messages->count - 1u);
    }
    if (cache->key_stops && messages->count > 0) {
        struct send_entry last = *send_queue_entry(messages, messages->count - 1u);

        last.part = MESSAGE_STOP;
        send_queue_replace(messages, cache->worker, messages->count - 1u, last);
    }
    place_in_list(cache);
}

/* All caches together leave half of the memory to live messages. */
static bool has_room(const struct stream_cache *cache, const struct message *message)
{
    const struct stream_cache_bounds *bounds = &cache->topic->registry->cache_bounds;
    uint64_t bytes = cache->messages.bytes + message_len(message);

    return cache->messages.count < STREAM_CACHE_MESSAGES_MAX && bytes <= bounds->bytes_max &&
           worker_memory_has_half(cache->worker, cache->worker->index, message_len(message)) &&
           message->received_ms <= cache->started_ms + bounds->time_ms_max;
}

static void keep(struct stream_cache *cache, struct message *message, enum message_part part)
{
    struct send_entry entry = {.share = &message->home_share, .part = (uint8_t)part};

    if (!has_room(cache, message) ||
        !send_queue_insert(&cache->messages, cache->worker, cache->messages.count, entry)) {
        cut(cache);
    }
}

/* A picture that needs no earlier one: all before it is dropped. */
static void begin(struct stream_cache *cache, struct message *message,
                  const struct subscriber *publisher)
{
    bool is_stream = message->class == MESSAGE_KEY;

    timer_disarm(&cache->release);
    send_queue_clear(&cache->messages, cache->worker);
    cache->publisher = publisher;
    cache->is_stream = is_stream;
    cache->started_ms = message->received_ms;
    cache->newest_ms = message->received_ms;
    cache->is_cut = false;
    cache->key_stops = false;
    cache->key_count = !is_stream || message->may_stop;
    send_queue_charge(&cache->messages, cache->worker, cache->topic);
    keep(cache, message, is_stream ? MESSAGE_START : MESSAGE_WHOLE);
    place_in_list(cache);
    if (is_stream) {
        await_silence(cache);
    }
    atomic_store(&cache->topic->cache_home, cache->worker->index + 1);
}

/* Where the key picture ends: before this message, or within it. */
static void find_key_end(struct stream_cache *cache, const struct message *message)
{
    if (message->starts_at_boundary) {
        cache->key_count = cache->messages.count;
    } else if (message_part_exists(message, MESSAGE_STOP) && has_room(cache, message)) {
        cache->key_count = (uint16_t)(cache->messages.count + 1);
        cache->key_stops = true;
    }
}

/* Data is not kept: a viewer that joins again would get it twice. */
static void go_on(struct stream_cache *cache, struct message *message)
{
    if (!cache->is_stream || !message_is_stream(message)) {
        return;
    }
    cache->newest_ms = message->received_ms;
    if (cache->is_cut) {
        return;
    }
    if (cache->key_count == 0) {
        find_key_end(cache, message);
    }
    keep(cache, message, MESSAGE_WHOLE);
}

static bool is_start(const struct message *message)
{
    return message->class == MESSAGE_JPEG || message->class == MESSAGE_LATEST ||
           (message->class == MESSAGE_KEY && message_part_exists(message, MESSAGE_START));
}

void stream_cache_follow(struct worker *worker, struct topic *topic, struct message *message,
                         const struct subscriber *publisher)
{
    struct stream_cache *cache = *place_of(topic, worker);

    if (is_start(message) && topic->registry->cache_bounds.bytes_max > 0 && !worker->stopping) {
        cache = cache != NULL ? cache : create(worker, topic);
        if (cache != NULL) {
            begin(cache, message, publisher);
        }
    } else if (cache != NULL && cache->publisher == publisher) {
        go_on(cache, message);
    }
}

struct stream_cache *stream_cache_make(struct worker *worker, struct topic *topic,
                                       uint64_t newest_ms)
{
    struct stream_cache *older = *place_of(topic, worker);

    if (topic->registry->cache_bounds.bytes_max == 0 ||
        (older != NULL && older->newest_ms >= newest_ms)) {
        return NULL;
    }
    if (older != NULL) {
        destroy(older);
    }
    struct stream_cache *cache = create(worker, topic);

    if (cache != NULL) {
        cache->newest_ms = newest_ms;
        send_queue_charge(&cache->messages, worker, topic);
    }
    return cache;
}

void stream_cache_made(struct stream_cache *cache, bool is_home)
{
    struct worker *worker = cache->worker;

    place_in_list(cache);
    if (cache->publisher == NULL) {
        timer_arm(&worker->timers, &cache->release, worker->now_ms + STREAM_CACHE_LINGER_MS);
    } else if (cache->is_stream) {
        await_silence(cache);
    }
    if (is_home || atomic_load(&cache->topic->cache_home) == 0) {
        atomic_store(&cache->topic->cache_home, worker->index + 1);
    }
}

void stream_cache_end(struct worker *worker, struct topic *topic,
                      const struct subscriber *publisher)
{
    struct stream_cache *cache = *place_of(topic, worker);

    if (cache == NULL || cache->publisher != publisher) {
        return;
    }
    cache->publisher = NULL;
    timer_arm(&worker->timers, &cache->release, worker->now_ms + STREAM_CACHE_LINGER_MS);
}

bool stream_cache_give_way(struct worker *worker, struct topic *topic)
{
    struct stream_cache *cache = *place_of(topic, worker);

    if (cache == NULL || cache->messages.count == 0) {
        return false;
    }
    counters_increment(&worker->counters, cache_cut);
    drop_messages(cache);
    return true;
}

bool stream_cache_give_way_any(struct worker *worker, struct topic_registry *registry)
{
    struct list *caches = &registry->caches[worker->index];

    return !list_empty(caches) &&
           stream_cache_give_way(worker,
                                 container_of(caches->next, struct stream_cache, node)->topic);
}

bool stream_cache_awaits_key(const struct stream_cache *cache)
{
    return cache->is_stream && (cache->is_cut || cache->publisher == NULL);
}

/* Entries that the picture has, and the part of the last one that belongs to it. */
static unsigned picture_count(const struct stream_cache *cache)
{
    return cache->key_count > 0 && cache->key_count < cache->messages.count ? cache->key_count
                                                                            : cache->messages.count;
}

static enum message_part picture_part(const struct stream_cache *cache, unsigned index)
{
    const struct send_entry *entry = send_queue_entry(&cache->messages, index);

    return cache->key_stops && index + 1u == cache->key_count ? MESSAGE_STOP
                                                              : (enum message_part)entry->part;
}

static size_t picture_len(const struct stream_cache *cache)
{
    size_t len = 0;

    for (unsigned i = 0; i < picture_count(cache); i++) {
        len += message_part_payload_len(send_queue_at(&cache->messages, i), picture_part(cache, i));
    }
    return len;
}

/* Without the header of its frame. Returns its length. */
static size_t copy_payload(const struct message *message, enum message_part part, char *target)
{
    size_t len = message_part_payload_len(message, part);
    struct iovec slices[MESSAGE_PART_SLICES];
    size_t copied = 0;

    if (len == 0) {
        return 0;
    }
    unsigned count =
        message_part_slices(message, part, message_part_len(message, part) - len, slices);

    for (unsigned i = 0; i < count; i++) {
        memcpy(target + copied, slices[i].iov_base, slices[i].iov_len);
        copied += slices[i].iov_len;
    }
    CHECK(copied == len);
    return len;
}

struct stream_picture stream_cache_copy_picture(const struct worker *worker, struct topic *topic)
{
    const struct stream_cache *cache = *place_of(topic, worker);
    struct stream_picture picture = {0};

    if (cache == NULL || cache->messages.count == 0) {
        return picture;
    }
    size_t len = picture_len(cache);

    if (len > MESSAGE_BYTES_MAX) {
        return picture;
    }
    picture.class = send_queue_at(&cache->messages, 0)->class;
    picture.bytes = malloc(len + 1);
    for (unsigned i = 0; picture.bytes != NULL && i < picture_count(cache); i++) {
        picture.len += copy_payload(send_queue_at(&cache->messages, i), picture_part(cache, i),
                                    picture.bytes + picture.len);
    }
    return picture;
}

void stream_cache_drop_all(struct worker *worker, struct topic_registry *registry)
{
    struct list *caches = &registry->caches[worker->index];

    while (!list_empty(caches)) {
        destroy(container_of(caches->next, struct stream_cache, node));
    }
}
