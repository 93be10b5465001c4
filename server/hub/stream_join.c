#include "server/hub/stream_join.h"

#include "base/check.h"
#include "server/hub/lag/key_wait.h"
#include "server/hub/lag/video_policy.h"
#include "server/hub/stream_cache.h"

struct item {
    struct message *message; /* a hold of the asking worker */
    uint8_t part;
};

/* All that the cache held. Memory of the cache's worker, which it returns to, on the topic's
 * budget. */
struct answer {
    struct call call;
    struct topic *topic; /* lives while it is charged */
    unsigned home;
    uint32_t count;
    uint32_t key_count; /* as of the cache */
    bool key_stops;
    struct item items[];
};

/* Memory of the asking worker, on the topic's budget. */
struct stream_join {
    struct call call;
    unsigned asker;
    struct topic *topic;           /* referenced */
    struct subscriber *subscriber; /* NULL: it has left; the asking worker only */
    struct answer *answer;         /* or NULL: nothing is cached, or there was no memory */
    uint32_t number;               /* of the topic's newest message on the cache's worker */
    bool awaits_key;
};

static struct worker *worker_at(const struct worker *worker, unsigned index)
{
    return &worker->group->workers[index];
}

static void await_key(struct worker *worker, struct subscriber *subscriber)
{
    subscriber->state = SUBSCRIBER_AWAITS_KEY;
    subscriber->awaits_since_ms = worker->now_ms;
    if (subscriber->on_wants_key != NULL) {
        subscriber->on_wants_key(subscriber, RELAY_V1_KEY_JOINED);
    }
}

static void go_live(struct worker *worker, struct subscriber *subscriber, bool awaits_key)
{
    subscriber->state =
        subscriber->joined_home == SUBSCRIBER_NO_HOME ? SUBSCRIBER_LIVE : SUBSCRIBER_CATCHES_UP;
    if (awaits_key) {
        counters_increment(&worker->counters, joins_awaiting_key);
        await_key(worker, subscriber);
    }
    if (!send_queue_empty(&subscriber->queue)) {
        subscriber->on_queued(subscriber);
    }
}

/* Its age counts from now on: the viewer could not have taken it earlier. */
static bool queue(struct worker *worker, struct subscriber *subscriber, struct share *share,
                  uint8_t part)
{
    uint64_t received_ms = share->message->received_ms;
    uint64_t late_ms = worker->now_ms > received_ms ? worker->now_ms - received_ms : 0;
    struct send_entry entry = {
        .share = share,
        .late_ms = late_ms < UINT32_MAX ? (uint32_t)late_ms : UINT32_MAX,
        .part = part,
        .is_catch_up = true,
    };

    if (part == MESSAGE_START) {
        video_policy_begin(subscriber, share->message);
        subscriber->lag.begins_until_ms = worker->now_ms + STREAM_BEGIN_MS_MAX;
    }
    return send_queue_insert(&subscriber->queue, worker, subscriber->queue.count, entry);
}

/* Few messages have places in the queue itself. Others need memory, which live messages come
 * before: many viewers that join and do not read must not use up what the worker has for all
 * topics. */
static bool fit(const struct worker *worker, uint32_t count)
{
    return count <= SEND_QUEUE_INLINE ||
           (count <= STREAM_JOIN_MESSAGES_MAX &&
            worker_memory_has_half(worker, worker->index,
                                   (size_t)count * STREAM_JOIN_MESSAGE_BYTES));
}

/* A viewer begins with all of so many messages, with the key picture alone, or with none. */
static uint32_t count_to_take(const struct worker *worker, uint32_t count, uint32_t key_count)
{
    if (fit(worker, count)) {
        return count;
    }
    return fit(worker, key_count) ? key_count : 0;
}

/* Where only the key picture is taken, it may end within its last message. */
static uint8_t part_of(uint8_t part, bool is_last_of_key, bool key_stops)
{
    return is_last_of_key && key_stops ? MESSAGE_STOP : part;
}

/* Without all of it the viewer has a gap, and goes on with the next key picture. */
static void join_here(struct worker *worker, const struct stream_cache *cache,
                      struct subscriber *subscriber)
{
    uint32_t count = count_to_take(worker, cache->messages.count, cache->key_count);
    bool is_all = count == cache->messages.count;
    bool queued = true;

    send_queue_charge(&subscriber->queue, worker, cache->topic);
    for (uint32_t i = 0; i < count && queued; i++) {
        const struct send_entry *entry = send_queue_entry(&cache->messages, i);

        queued = queue(worker, subscriber, entry->share,
                       part_of(entry->part, !is_all && i + 1 == count, cache->key_stops));
    }
    if (count > 0) {
        counters_increment(&worker->counters, joins_from_cache);
    }
    go_live(worker, subscriber, stream_cache_awaits_key(cache) || !is_all || !queued);
}

static void run_return(struct worker *worker, struct call *call)
{
    struct answer *answer = container_of(call, struct answer, call);
    struct topic *topic = answer->topic;
    size_t bytes = block_pool_capacity(answer);

    block_pool_put(&worker->blocks, answer);
    topic_credit(topic, worker, bytes);
}

/* Back on the asking worker. Holds of messages become the subscriber's, or are dropped. Returns
 * whether all became so. */
static bool take_items(struct worker *worker, const struct answer *answer,
                       struct subscriber *subscriber)
{
    uint32_t count = count_to_take(worker, answer->count, answer->key_count);
    bool is_all = count == answer->count;
    bool queued = true;

    if (subscriber != NULL) {
        send_queue_charge(&subscriber->queue, worker, answer->topic);
    }
    for (uint32_t i = 0; i < answer->count; i++) {
        const struct item *item = &answer->items[i];

        if (subscriber == NULL || !queued || i >= count) {
            message_drop_hold(worker, item->message);
            continue;
        }
        struct share *share = message_take_share_charged(worker, item->message);

        queued = share != NULL &&
                 queue(worker, subscriber, share,
                       part_of(item->part, !is_all && i + 1 == count, answer->key_stops));
        if (share != NULL) {
            share_unref(worker, share);
        }
    }
    return queued && is_all;
}

/* The answer came late, after live messages that it does not have. */
static bool has_gap(const struct subscriber *subscriber)
{
    return subscriber->has_skipped &&
           (int32_t)(subscriber->skipped_number - subscriber->joined_number) > 0;
}

static void release(struct worker *worker, struct stream_join *join)
{
    struct topic *topic = join->topic;

    topic_credit(topic, worker, block_pool_capacity(join));
    block_pool_put(&worker->blocks, join);
    topic_unref(topic);
}

/* Another publisher took over meanwhile, and the viewer has a picture of it: older ones must not
 * come after that. */
static bool is_overtaken(const struct stream_join *join)
{
    return join->answer != NULL && join->subscriber != NULL && join->subscriber->has_picture &&
           atomic_load(&join->topic->cache_home) != join->answer->home + 1;
}

/* Whether the viewer goes on from it: of a stream that was overtaken it has no picture. */
static bool begin_with_answer(struct worker *worker, const struct stream_join *join)
{
    const struct answer *answer = join->answer;
    bool is_stream = message_is_stream(answer->items[0].message);

    if (is_overtaken(join)) {
        (void)take_items(worker, answer, NULL);
        return !is_stream;
    }
    if (join->subscriber != NULL) {
        counters_increment(&worker->counters, joins_from_cache);
    }
    return take_items(worker, answer, join->subscriber);
}

static void run_answer(struct worker *worker, struct call *call)
{
    struct stream_join *join = container_of(call, struct stream_join, call);
    struct subscriber *subscriber = join->subscriber;
    struct answer *answer = join->answer;
    bool is_whole = answer == NULL || begin_with_answer(worker, join);

    if (subscriber != NULL) {
        subscriber->join = NULL;
        subscriber->joined_number = join->number;
        go_live(worker, subscriber,
                join->awaits_key || !is_whole || subscriber->has_missed || has_gap(subscriber));
    }
    if (answer != NULL) {
        answer->call.run = run_return;
        worker_call(worker, worker_at(worker, answer->home), &answer->call);
    }
    release(worker, join);
}

/* While half of the memory is left (fit), a topic may take what viewers begin with: it has less
 * than what that leaves. NULL: a viewer can begin with nothing of it, or there is no memory. */
static struct answer *make_answer(struct worker *worker, const struct stream_cache *cache)
{
    uint32_t count = count_to_take(worker, cache->messages.count, cache->key_count);
    bool is_all = count == cache->messages.count;
    struct answer *answer =
        count == 0 ? NULL
                   : block_pool_take(&worker->blocks, sizeof *answer + count * sizeof(struct item));

    if (answer == NULL) {
        return NULL;
    }
    topic_charge(cache->topic, worker, block_pool_capacity(answer));
    *answer = (struct answer){.topic = cache->topic,
                              .home = worker->index,
                              .count = count,
                              .key_count = cache->key_count,
                              .key_stops = cache->key_stops};
    for (uint32_t i = 0; i < count; i++) {
        const struct send_entry *entry = send_queue_entry(&cache->messages, i);

        message_hold(entry->share->message, 1);
        answer->items[i] = (struct item){
            .message = entry->share->message,
            .part = part_of(entry->part, !is_all && i + 1 == count, cache->key_stops),
        };
    }
    return answer;
}

/* Whether the answer has less than the cache. */
static bool leaves_gap(const struct stream_cache *cache, const struct answer *answer)
{
    return cache->is_stream && (answer == NULL || answer->count < cache->messages.count);
}

/* On the cache's worker. */
static void run_ask(struct worker *worker, struct call *call)
{
    struct stream_join *join = container_of(call, struct stream_join, call);
    const struct topic_part *part = &join->topic->parts[worker->index];

    join->number = part->published;
    if (part->cache != NULL) {
        join->answer = make_answer(worker, part->cache);
        join->awaits_key =
            stream_cache_awaits_key(part->cache) || leaves_gap(part->cache, join->answer);
    }
    call->run = run_answer;
    worker_call(worker, worker_at(worker, join->asker), call);
}

static void ask(struct worker *worker, struct topic *topic, struct subscriber *subscriber,
                unsigned home)
{
    struct stream_join *join = block_pool_take_reserved(&worker->blocks, sizeof *join);

    if (join == NULL) {
        go_live(worker, subscriber, true);
        return;
    }
    topic_ref(topic);
    topic_charge(topic, worker, block_pool_capacity(join));
    *join = (struct stream_join){
        .call.run = run_ask, .asker = worker->index, .topic = topic, .subscriber = subscriber};
    subscriber->join = join;
    subscriber->joined_home = (uint16_t)home;
    subscriber->state = SUBSCRIBER_JOINING;
    worker_call(worker, worker_at(worker, home), &join->call);
}

void stream_join_begin(struct worker *worker, struct topic *topic, struct subscriber *subscriber,
                       enum stream_join_mode mode)
{
    uint32_t home = atomic_load(&topic->cache_home);

    subscriber->state = SUBSCRIBER_LIVE;
    subscriber->join = NULL;
    subscriber->has_missed = false;
    subscriber->has_picture = false;
    subscriber->has_skipped = false;
    subscriber->joined_home = SUBSCRIBER_NO_HOME;
    if (home == 0 || mode == JOIN_LATEST) {
        return;
    }
    if (mode == JOIN_NEXT_KEYFRAME) {
        go_live(worker, subscriber, true);
    } else if (home - 1 != worker->index) {
        ask(worker, topic, subscriber, home - 1);
    } else {
        CHECK(topic->parts[worker->index].cache != NULL);
        join_here(worker, topic->parts[worker->index].cache, subscriber);
    }
}

void stream_join_end(struct subscriber *subscriber)
{
    if (subscriber->join != NULL) {
        subscriber->join->subscriber = NULL;
        subscriber->join = NULL;
    }
}

/* It was in the cache, or it is older. */
static bool is_joined(const struct subscriber *subscriber, const struct message *message)
{
    return message->home == subscriber->joined_home &&
           (int32_t)(message->number - subscriber->joined_number) <= 0;
}

/* The answer has those of its worker. Others' streams go on later, from a key picture. */
static bool admits_joining(struct subscriber *subscriber, const struct message *message)
{
    if (message->home == subscriber->joined_home) {
        if (message_is_stream(message)) {
            subscriber->has_skipped = true;
            subscriber->skipped_number = message->number;
        }
        return false;
    }
    subscriber->has_missed |= message_is_stream(message);
    subscriber->has_picture |= !message_is_stream(message);
    return !message_is_stream(message);
}

/* Data and pictures that need no other go to one that awaits a key picture all the same. */
static bool admits_waiting(struct subscriber *subscriber, const struct message *message,
                           enum message_part *ret_part)
{
    if (!message_is_stream(message)) {
        return true;
    }
    if (message->class == MESSAGE_KEY && message_part_exists(message, MESSAGE_START)) {
        *ret_part = MESSAGE_START;
    } else if (!key_wait_is_over(message, subscriber->awaits_since_ms, message->received_ms)) {
        return false;
    }
    /* Messages that the answer overtook may still come. */
    subscriber->state =
        subscriber->joined_home == SUBSCRIBER_NO_HOME || message->home == subscriber->joined_home
            ? SUBSCRIBER_LIVE
            : SUBSCRIBER_CATCHES_UP;
    return true;
}

bool stream_join_admits(struct subscriber *subscriber, const struct message *message,
                        enum message_part *ret_part)
{
    if (message->class == MESSAGE_DATA) { /* never in an answer */
        return true;
    }
    if (subscriber->state == SUBSCRIBER_JOINING) {
        return admits_joining(subscriber, message);
    }
    if (is_joined(subscriber, message)) {
        return false;
    }
    if (subscriber->state == SUBSCRIBER_AWAITS_KEY) {
        return admits_waiting(subscriber, message, ret_part);
    }
    if (message->home == subscriber->joined_home) {
        subscriber->state = SUBSCRIBER_LIVE;
    }
    return true;
}
