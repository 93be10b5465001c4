#include "server/hub/fanout.h"

#include "base/check.h"
#include "base/probe.h"
#include "server/hub/stream_cache.h"
#include "server/hub/stream_join.h"

/* A viewer that is live gets the whole. */
static bool admits(struct subscriber *subscriber, const struct message *message,
                   enum message_part *ret_part)
{
    *ret_part = MESSAGE_WHOLE;
    return subscriber->state == SUBSCRIBER_LIVE ||
           stream_join_admits(subscriber, message, ret_part);
}

/* The first is sent to first: each is so in its turn. */
static void let_another_begin(struct list *subscribers)
{
    if (!list_empty(subscribers)) {
        list_append(subscribers, list_take_first(subscribers));
    }
}

static void deliver(struct worker *worker, struct topic *topic, struct share *share,
                    const struct subscriber *publisher, const struct send_queue_bounds *bounds)
{
    struct list *subscribers = &topic->parts[worker->index].subscribers;

    list_for_each(node, subscribers)
    {
        struct subscriber *subscriber = container_of(node, struct subscriber, node);
        enum message_part part;

        if (subscriber != publisher && admits(subscriber, share->message, &part) &&
            drop_policy_push_part(subscriber, worker, bounds, share, part)) {
            subscriber->on_queued(subscriber);
        }
    }
    let_another_begin(subscribers);
    PROBE3(fanout, topic->name, share->message->payload_len, worker->index);
}

static void pack(struct worker *worker, struct topic *topic, uint64_t targets,
                 struct message *message)
{
    if (!parcel_pack(worker, topic, targets, message)) {
        counters_add(&worker->counters, messages_dropped_memory,
                     (unsigned)__builtin_popcountll(targets));
        worker_alarm(worker, ALARM_MESSAGE_MEMORY);
    }
}

/* Most topics are plain data and have no cache. */
static void follow(struct worker *worker, struct topic *topic, struct message *message,
                   const struct subscriber *publisher)
{
    struct topic_part *part = &topic->parts[worker->index];

    part->published++;
    message->number = part->published;
    if (message->class == MESSAGE_KEY) {
        atomic_store_explicit(&topic->audience.key_ms, worker->now_ms, memory_order_relaxed);
    }
    if (message->class != MESSAGE_DATA || part->cache != NULL) {
        stream_cache_follow(worker, topic, message, publisher);
    }
}

void fanout_publish(struct worker *worker, struct topic *topic, struct message *message,
                    const struct subscriber *publisher, const struct send_queue_bounds *bounds)
{
    if (message->topic == NULL) {
        message_charge(worker, message, topic);
    }
    CHECK(message->home == worker->index);
    CHECK(message->topic == topic);
    PROBE3(message_in, topic->name, message->payload_len, worker->index);
    follow(worker, topic, message, publisher);
    uint64_t others = atomic_load(&topic->interested) & ~(UINT64_C(1) << worker->index);

    if (others != 0) {
        pack(worker, topic, others, message);
    }
    deliver(worker, topic, &message->home_share, publisher, bounds);
    share_unref(worker, &message->home_share);
}

void fanout_flush(struct worker *worker)
{
    struct outbox_item *item = outbox_take(&worker->outbox);

    while (item != NULL) {
        struct outbox_item *next = outbox_next(item);

        parcel_post(worker, container_of(item, struct parcel, item));
        item = next;
    }
}

static void receive(struct worker *worker, struct message *message,
                    const struct send_queue_bounds *bounds)
{
    struct share *share = message_take_share(worker, message);

    if (share == NULL) {
        counters_increment(&worker->counters, messages_dropped_memory);
        worker_alarm(worker, ALARM_MESSAGE_MEMORY);
        return;
    }
    CHECK(message->topic != NULL); /* it lives until the message comes home */
    deliver(worker, message->topic, share, NULL, bounds);
    share_unref(worker, share);
}

void fanout_receive(struct worker *worker, struct parcel *parcel,
                    const struct send_queue_bounds *bounds)
{
    parcel_arrive(parcel);
    for (unsigned i = 0; i < parcel->count; i++) {
        receive(worker, parcel->messages[i], bounds);
    }
    parcel_drop_hold(worker, parcel);
}
