#include "server/hub/send_queue.h"

#include <stdlib.h>

#include "base/check.h"
#include "server/hub/topic.h"
#include "server/hub/v1/envelopes.h"

void send_queue_init(struct send_queue *queue)
{
    *queue = (struct send_queue){.capacity = SEND_QUEUE_INLINE};
    queue->entries = queue->inline_entries;
}

bool send_queue_empty(const struct send_queue *queue)
{
    return queue->count == 0;
}

static struct send_entry *entry_at(struct send_queue *queue, unsigned index)
{
    return &queue->entries[(queue->head + index) & (queue->capacity - 1u)];
}

static bool has_block(const struct send_queue *queue)
{
    return queue->entries != queue->inline_entries;
}

static void put_block(struct send_queue *queue, struct worker *worker)
{
    if (!has_block(queue)) {
        return;
    }
    if (queue->topic != NULL) {
        topic_credit(queue->topic, worker, block_pool_capacity(queue->entries));
    }
    block_pool_put(&worker->blocks, queue->entries);
}

static void charge_block(const struct send_queue *queue, const struct worker *worker,
                         const struct send_entry *block)
{
    if (queue->topic != NULL) {
        topic_charge(queue->topic, worker, block_pool_capacity(block));
    }
}

static void end_charge(struct send_queue *queue)
{
    if (queue->topic != NULL) {
        topic_unref(queue->topic);
        queue->topic = NULL;
    }
}

static void release_block(struct send_queue *queue, struct worker *worker)
{
    put_block(queue, worker);
    end_charge(queue);
    queue->entries = queue->inline_entries;
    queue->capacity = SEND_QUEUE_INLINE;
    queue->head = 0;
}

/* Accounts for a new entry, which gets a reference. */
static void take_in(struct send_queue *queue, const struct send_entry *entry)
{
    size_t len = send_entry_len(entry); /* CHECKs that the message has the part */

    share_ref(entry->share);
    queue->bytes += len;
    queue->parts_count = (uint16_t)(queue->parts_count + (entry->part != MESSAGE_WHOLE));
    if (entry->is_catch_up) {
        queue->catch_up_count++;
        queue->catch_up_bytes += len;
    }
}

/* Accounts for a removed entry. */
static void let_go(struct send_queue *queue, struct worker *worker, const struct send_entry *entry)
{
    size_t len = send_entry_len(entry);

    queue->bytes -= len;
    queue->parts_count = (uint16_t)(queue->parts_count - (entry->part != MESSAGE_WHOLE));
    if (entry->is_catch_up) {
        queue->catch_up_count--;
        queue->catch_up_bytes -= len;
    }
    share_unref(worker, entry->share);
}

/* The same, and it was perhaps the last. */
static void forget(struct send_queue *queue, struct worker *worker, struct send_entry entry)
{
    let_go(queue, worker, &entry);
    if (queue->count == 0) {
        CHECK(queue->bytes == 0);
        release_block(queue, worker);
    }
}

static void pop(struct send_queue *queue, struct worker *worker)
{
    struct send_entry entry = *entry_at(queue, 0);

    CHECK(queue->count > 0);
    queue->head = (uint16_t)((queue->head + 1) & (queue->capacity - 1u));
    queue->count--;
    forget(queue, worker, entry);
}

void send_queue_charge(struct send_queue *queue, struct worker *worker, struct topic *topic)
{
    CHECK(queue->topic == NULL || queue->topic == topic);
    if (queue->topic != NULL) {
        return;
    }
    topic_ref(topic);
    queue->topic = topic;
    if (has_block(queue)) {
        charge_block(queue, worker, queue->entries);
    }
}

void send_queue_clear(struct send_queue *queue, struct worker *worker)
{
    CHECK(queue->in_flight == 0);
    queue->sent_offset = 0;
    while (queue->count > 0) {
        pop(queue, worker);
    }
    end_charge(queue); /* of one that was empty before */
    free(queue->envelopes);
    queue->envelopes = NULL;
}

void send_queue_remove(struct send_queue *queue, struct worker *worker, unsigned index)
{
    struct send_entry removed = *entry_at(queue, index);

    CHECK(index >= send_queue_pinned(queue) && index < queue->count);
    if (index == queue->count - 1u) {
        queue->count--;
        forget(queue, worker, removed);
        return;
    }
    /* The earlier ones move up by one place: at most the few that are in flight or go first. */
    for (unsigned i = index; i > 0; i--) {
        *entry_at(queue, i) = *entry_at(queue, i - 1);
    }
    *entry_at(queue, 0) = removed;
    pop(queue, worker);
}

static bool grow(struct send_queue *queue, struct worker *worker, unsigned capacity)
{
    struct send_entry *entries =
        block_pool_take_reserved(&worker->blocks, capacity * sizeof(struct send_entry));

    if (entries == NULL) {
        return false;
    }
    for (unsigned i = 0; i < queue->count; i++) {
        entries[i] = *entry_at(queue, i);
    }
    charge_block(queue, worker, entries);
    put_block(queue, worker);
    queue->entries = entries;
    queue->capacity = (uint16_t)capacity;
    queue->head = 0;
    return true;
}

/* Empties place index by moving the earlier ones down by one place. */
static void make_gap(struct send_queue *queue, unsigned index)
{
    queue->head = (uint16_t)((queue->head - 1u) & (queue->capacity - 1u));
    for (unsigned i = 0; i < index; i++) {
        *entry_at(queue, i) = *entry_at(queue, i + 1);
    }
}

bool send_queue_insert(struct send_queue *queue, struct worker *worker, unsigned index,
                       struct send_entry entry)
{
    CHECK(index >= send_queue_pinned(queue) && index <= queue->count);
    if (queue->count == queue->capacity && !grow(queue, worker, queue->capacity * 4u)) {
        counters_increment(&worker->counters, messages_dropped_memory);
        worker_alarm(worker, ALARM_MESSAGE_MEMORY);
        return false;
    }
    if (index < queue->count) {
        make_gap(queue, index);
    }
    take_in(queue, &entry);
    *entry_at(queue, index) = entry;
    queue->count++;
    return true;
}

void send_queue_replace(struct send_queue *queue, struct worker *worker, unsigned index,
                        struct send_entry entry)
{
    struct send_entry old = *entry_at(queue, index);

    CHECK(index >= send_queue_pinned(queue) && index < queue->count);
    take_in(queue, &entry);
    *entry_at(queue, index) = entry;
    let_go(queue, worker, &old);
}

void send_queue_delay(struct send_queue *queue, uint64_t ms)
{
    for (unsigned i = 0; i < queue->count; i++) {
        struct send_entry *entry = entry_at(queue, i);
        uint64_t late_ms = entry->late_ms + ms;

        entry->late_ms = late_ms < UINT32_MAX ? (uint32_t)late_ms : UINT32_MAX;
    }
}

/* The slices of entry index, of which the first bytes may be sent. */
static unsigned slice(const struct send_queue *queue, unsigned index, struct iovec *slices)
{
    const struct send_entry *entry = send_queue_entry(queue, index);
    size_t skip = index == 0 ? queue->sent_offset : 0;

    if (queue->envelopes != NULL) {
        return envelopes_slices(queue->envelopes, index, entry, skip, slices);
    }
    return message_part_slices(entry->share->message, (enum message_part)entry->part, skip, slices);
}

static size_t length_of(const struct iovec *slices, unsigned count)
{
    size_t len = 0;

    for (unsigned i = 0; i < count; i++) {
        len += slices[i].iov_len;
    }
    return len;
}

static unsigned entries_max(const struct send_queue *queue)
{
    return queue->envelopes != NULL && queue->count > ENVELOPES_MAX ? ENVELOPES_MAX : queue->count;
}

unsigned send_queue_begin(struct send_queue *queue, const struct worker *worker,
                          struct iovec *slices, unsigned slices_max)
{
    size_t total = 0;
    unsigned entries = 0;
    unsigned used = 0;

    CHECK(queue->in_flight == 0);
    if (queue->envelopes != NULL) {
        envelopes_begin(queue->envelopes);
    }
    while (entries < entries_max(queue)) {
        struct iovec own[SEND_ENTRY_SLICES_MAX];
        unsigned count = slice(queue, entries, own);
        size_t len = length_of(own, count);

        if (used + count > slices_max || (entries > 0 && total + len > SEND_BYTES_MAX)) {
            break;
        }
        for (unsigned i = 0; i < count; i++) {
            slices[used++] = own[i];
        }
        total += len;
        entries++;
    }
    CHECK(entries > 0 || queue->count == 0);
    queue->in_flight = (uint16_t)entries;
    queue->begun_turn = worker->whole_turns;
    return used;
}

/* Bytes of the first entry, which was at that place of the send. */
static size_t frame_len(const struct send_queue *queue, unsigned place)
{
    const struct send_entry *entry = send_queue_entry(queue, 0);

    return queue->envelopes == NULL ? send_entry_len(entry)
                                    : envelopes_frame_len(queue->envelopes, place, entry);
}

/* A viewer that joins begins with messages that are old on purpose. Another worker may have looked
 * at the clock later than this one. */
static void count_delivery(struct worker *worker, const struct send_entry *entry)
{
    uint64_t received_ms = entry->share->message->received_ms;

    if (!entry->is_catch_up) {
        histogram_add(&worker->deliveries,
                      worker->now_ms > received_ms ? (worker->now_ms - received_ms) * 1000 : 0);
    }
}

unsigned send_queue_end(struct send_queue *queue, struct worker *worker, size_t len)
{
    unsigned completed = 0;

    CHECK(queue->in_flight > 0);
    queue->in_flight = 0;
    for (unsigned place = 0; len > 0; place++) {
        CHECK(queue->count > 0);
        const struct send_entry *entry = send_queue_entry(queue, 0);
        const struct message *message = entry->share->message;
        size_t left = frame_len(queue, place) - queue->sent_offset;

        if (len < left) {
            queue->sent_offset += (uint32_t)len;
            if (queue->envelopes != NULL) {
                envelopes_keep(queue->envelopes, place);
            }
            return completed;
        }
        len -= left;
        queue->sent_offset = 0;
        if (message_is_published(message)) {
            completed++;
            count_delivery(worker, entry);
            queue->payload_sent +=
                message_part_payload_len(message, (enum message_part)entry->part);
        }
        pop(queue, worker);
    }
    return completed;
}
