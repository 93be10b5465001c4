#include "server/hub/parcel.h"

#include "base/check.h"
#include "server/hub/message.h"
#include "server/hub/topic.h"

static struct topic_part *part_of(const struct worker *worker, struct topic *topic)
{
    return &topic->parts[worker->index];
}

static void come_home(struct worker *worker, struct outbox_item *item)
{
    struct parcel *parcel = container_of(item, struct parcel, item);
    struct topic *topic = parcel->topic;
    size_t memory = block_pool_capacity(parcel);
    uint32_t count = parcel->count;
    uint64_t bytes = parcel->bytes;

    CHECK(parcel->home == worker->index);
    CHECK(atomic_load_explicit(&parcel->holders, memory_order_acquire) == 0);
    block_pool_put(&worker->blocks, parcel);
    underway_remove(&part_of(worker, topic)->underway, count, bytes);
    topic_credit(topic, worker, memory); /* perhaps the topic's end */
}

/* From the reserve, as it is small and without it messages are lost to all other workers. */
static struct parcel *create(struct worker *worker, struct topic *topic, uint64_t targets)
{
    struct parcel *parcel = block_pool_take_reserved(&worker->blocks, sizeof *parcel);

    if (parcel == NULL) {
        return NULL;
    }
    topic_charge(topic, worker, block_pool_capacity(parcel));
    parcel->item.come_home = come_home;
    parcel->topic = topic;
    parcel->targets = targets;
    parcel->home = (uint16_t)worker->index;
    parcel->count = 0;
    parcel->bytes = 0;
    outbox_add(&worker->outbox, &parcel->item);
    return parcel;
}

/* A worker gets what was published while it had subscribers, so other targets need another one. */
static struct parcel *open_for(struct worker *worker, struct topic *topic, uint64_t targets)
{
    struct parcel *open = part_of(worker, topic)->parcel;

    if (open == NULL || open->count == PARCEL_MESSAGES_MAX || open->targets != targets) {
        open = create(worker, topic, targets);
        part_of(worker, topic)->parcel = open;
    }
    return open;
}

bool parcel_pack(struct worker *worker, struct topic *topic, uint64_t targets,
                 struct message *message)
{
    struct parcel *parcel = open_for(worker, topic, targets);

    CHECK(targets != 0);
    if (parcel == NULL) {
        return false;
    }
    message_hold(message, (unsigned)__builtin_popcountll(targets));
    parcel->messages[parcel->count++] = message;
    parcel->bytes += message_len(message);
    underway_add(&part_of(worker, topic)->underway, message_len(message));
    return true;
}

void parcel_post(struct worker *worker, struct parcel *parcel)
{
    uint64_t targets = parcel->targets;
    struct topic_part *part = part_of(worker, parcel->topic);

    CHECK(parcel->home == worker->index && parcel->count > 0);
    if (part->parcel == parcel) {
        part->parcel = NULL;
    }
    /* All holds are there before the first letter, as its receiver may be done at once. Release:
     * what is in the parcel is seen where parcel_arrive acquires. */
    atomic_store_explicit(&parcel->holders, (unsigned)__builtin_popcountll(targets),
                          memory_order_release);
    while (targets != 0) {
        if (!worker_post_parcel(worker, (unsigned)__builtin_ctzll(targets), parcel)) {
            parcel_give_up(worker, parcel);
        }
        targets &= targets - 1;
    }
}

void parcel_arrive(const struct parcel *parcel)
{
    uint32_t holders = atomic_load_explicit(&parcel->holders, memory_order_acquire);

    CHECK(holders > 0);
    CHECK(parcel->count > 0 && parcel->count <= PARCEL_MESSAGES_MAX);
}

void parcel_drop_hold(struct worker *worker, struct parcel *parcel)
{
    /* Nothing is read after the hold is released: its home may reuse the memory. */
    unsigned home = parcel->home;
    bool is_small = parcel->bytes < PARCEL_SMALL_BYTES;

    if (atomic_fetch_sub_explicit(&parcel->holders, 1, memory_order_acq_rel) > 1) {
        return;
    }
    if (home == worker->index) {
        come_home(worker, &parcel->item);
    } else {
        /* Its messages follow soon, where viewers are quick, and it keeps little room meanwhile. */
        outbox_add_homeward(&worker->outbox, home, &parcel->item, is_small);
    }
}

void parcel_give_up(struct worker *worker, struct parcel *parcel)
{
    CHECK(parcel->home == worker->index);
    counters_add(&worker->counters, messages_dropped_mailbox, parcel->count);
    worker_alarm_about(worker, ALARM_MAILBOX, "topic", parcel->topic->name);
    for (unsigned i = 0; i < parcel->count; i++) {
        message_drop_hold(worker, parcel->messages[i]);
    }
    parcel_drop_hold(worker, parcel);
}
