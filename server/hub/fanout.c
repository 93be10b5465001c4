#include "server/hub/fanout.h"

#include "base/check.h"

static void deliver(struct worker *worker, struct topic *topic, struct share *share,
                    const struct subscriber *publisher, const struct send_queue_bounds *bounds)
{
    struct list *subscribers = &topic->parts[worker->index].subscribers;

    list_for_each(node, subscribers)
    {
        struct subscriber *subscriber = container_of(node, struct subscriber, node);

        if (subscriber != publisher && send_queue_push(&subscriber->queue, worker, bounds, share)) {
            subscriber->on_queued(subscriber);
        }
    }
}

/* The hold and the topic's reference are taken before the letter is posted: the receiver may
 * release both before this call returns. */
static void post(struct worker *worker, unsigned target, struct topic *topic,
                 struct message *message)
{
    if (message->topic == NULL) {
        topic_ref(topic);
        message->topic = topic;
    }
    message_hold(message);
    if (!worker_post_message(worker, target, message)) {
        counters_increment(&worker->counters, messages_dropped_mailbox);
        worker_alarm(worker, ALARM_MAILBOX);
        message_drop_hold(worker, message);
    }
}

void fanout_publish(struct worker *worker, struct topic *topic, struct message *message,
                    const struct subscriber *publisher, const struct send_queue_bounds *bounds)
{
    uint64_t others = atomic_load(&topic->interested) & ~(UINT64_C(1) << worker->index);

    CHECK(message->home == worker->index);
    while (others != 0) {
        post(worker, (unsigned)__builtin_ctzll(others), topic, message);
        others &= others - 1;
    }
    deliver(worker, topic, &message->home_share, publisher, bounds);
    share_unref(worker, &message->home_share);
}

void fanout_receive(struct worker *worker, struct message *message,
                    const struct send_queue_bounds *bounds)
{
    struct share *share = message_take_share(worker, message);

    if (share == NULL) {
        counters_increment(&worker->counters, messages_dropped_memory);
        worker_alarm(worker, ALARM_MESSAGE_MEMORY);
        return;
    }
    deliver(worker, message->topic, share, NULL, bounds);
    share_unref(worker, share);
}
