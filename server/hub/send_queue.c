#include "server/hub/send_queue.h"

#include <string.h>

#include "base/check.h"

void send_queue_init(struct send_queue *queue)
{
    *queue = (struct send_queue){.capacity = SEND_QUEUE_INLINE};
    queue->entries = queue->inline_entries;
}

bool send_queue_empty(const struct send_queue *queue)
{
    return queue->count == 0;
}

static struct share **entry(struct send_queue *queue, unsigned index)
{
    return &queue->entries[(queue->head + index) & (queue->capacity - 1u)];
}

static size_t entry_bytes(const struct share *share)
{
    return (size_t)share->message->header_len + share->message->payload_len;
}

/* Entries that must not be dropped: in flight, or begun. */
static unsigned pinned(const struct send_queue *queue)
{
    return queue->in_flight > 0 ? queue->in_flight : queue->sent_offset > 0 ? 1 : 0;
}

/* Messages without a frame header are HTTP responses; they precede all frames. */
static bool is_answer(const struct share *share)
{
    return share->message->header_len == 0;
}

static void release_block(struct send_queue *queue, struct worker *worker)
{
    if (queue->entries != queue->inline_entries) {
        block_pool_put(&worker->blocks, queue->entries);
    }
    queue->entries = queue->inline_entries;
    queue->capacity = SEND_QUEUE_INLINE;
    queue->head = 0;
}

/* Accounts for a removed entry. */
static void forget(struct send_queue *queue, struct worker *worker, struct share *share)
{
    queue->bytes -= entry_bytes(share);
    share_unref(worker, share);
    if (queue->count == 0) {
        CHECK(queue->bytes == 0);
        release_block(queue, worker);
    }
}

static void pop(struct send_queue *queue, struct worker *worker)
{
    struct share *share = *entry(queue, 0);

    CHECK(queue->count > 0);
    queue->head = (uint16_t)((queue->head + 1) & (queue->capacity - 1u));
    queue->count--;
    queue->sent_offset = 0;
    forget(queue, worker, share);
}

/* Removes entry index by moving the earlier ones up by one place: at most the few in flight. */
static void remove_at(struct send_queue *queue, struct worker *worker, unsigned index)
{
    struct share *removed = *entry(queue, index);

    for (unsigned i = index; i > 0; i--) {
        *entry(queue, i) = *entry(queue, i - 1);
    }
    *entry(queue, 0) = removed;
    uint32_t sent_offset = queue->sent_offset;
    bool was_first = index == 0;

    pop(queue, worker);
    queue->sent_offset = was_first ? 0 : sent_offset;
}

void send_queue_drop_waiting(struct send_queue *queue, struct worker *worker)
{
    while (queue->count > pinned(queue) && !is_answer(*entry(queue, queue->count - 1u))) {
        struct share *last = *entry(queue, queue->count - 1u);

        queue->count--;
        forget(queue, worker, last);
    }
}

void send_queue_clear(struct send_queue *queue, struct worker *worker)
{
    CHECK(queue->in_flight == 0);
    while (queue->count > 0) {
        pop(queue, worker);
    }
}

/* Index of the oldest entry that may be dropped, or count. */
static unsigned oldest_droppable(struct send_queue *queue)
{
    unsigned index = pinned(queue);

    while (index < queue->count && (*entry(queue, index))->message->is_control) {
        index++;
    }
    return index;
}

static bool drop_oldest(struct send_queue *queue, struct worker *worker)
{
    unsigned index = oldest_droppable(queue);

    if (index == queue->count) {
        return false;
    }
    remove_at(queue, worker, index);
    return true;
}

static bool grow(struct send_queue *queue, struct worker *worker, unsigned capacity)
{
    struct share **entries =
        block_pool_take_reserved(&worker->blocks, capacity * sizeof(struct share *));

    if (entries == NULL) {
        return false;
    }
    for (unsigned i = 0; i < queue->count; i++) {
        entries[i] = *entry(queue, i);
    }
    if (queue->entries != queue->inline_entries) {
        block_pool_put(&worker->blocks, queue->entries);
    }
    queue->entries = entries;
    queue->capacity = (uint16_t)capacity;
    queue->head = 0;
    return true;
}

static unsigned burst_max(const struct send_queue_bounds *bounds)
{
    return bounds->messages_max > SEND_BURST_MAX ? bounds->messages_max : SEND_BURST_MAX;
}

/* A viewer that has taken everything sent is not slow: a burst that came in one turn is about to be
 * sent, and only then does its bound mean anything. */
static unsigned waiting_max(const struct send_queue *queue, const struct send_queue_bounds *bounds)
{
    return pinned(queue) > 0 ? bounds->messages_max : burst_max(bounds);
}

static uint64_t pinned_bytes(struct send_queue *queue)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < pinned(queue); i++) {
        bytes += entry_bytes(*entry(queue, i));
    }
    return bytes;
}

/* Never more than is left of the message's memory: however many slow viewers and topics there are,
 * their queues then leave an equal share for new messages. */
static uint64_t waiting_bytes_max(const struct send_queue_bounds *bounds,
                                  const struct worker *worker, const struct share *share)
{
    uint64_t left = worker_memory_left(worker, share->message->home);

    return left < bounds->bytes_max ? left : bounds->bytes_max;
}

static bool is_over_bounds(struct send_queue *queue, const struct worker *worker,
                           const struct send_queue_bounds *bounds, const struct share *share)
{
    unsigned waiting = queue->count - pinned(queue);

    if (waiting == 0) {
        return false;
    }
    uint64_t bytes_max = waiting_bytes_max(bounds, worker, share);
    uint64_t bytes = queue->bytes + entry_bytes(share);

    return waiting >= waiting_max(queue, bounds) ||
           (bytes > bytes_max && bytes - pinned_bytes(queue) > bytes_max);
}

/* The newest message is always queued, even when nothing older can be dropped. */
static bool make_room(struct send_queue *queue, struct worker *worker,
                      const struct send_queue_bounds *bounds, const struct share *share)
{
    if (share->message->is_control) {
        /* Regardless of a burst's backlog: a ping or Close that cannot be queued costs the viewer
         * its connection. */
        return queue->count - pinned(queue) < burst_max(bounds) + SEND_QUEUE_CONTROL;
    }
    while (is_over_bounds(queue, worker, bounds, share) && drop_oldest(queue, worker)) {
        counters_increment(&worker->counters, messages_dropped_queue);
    }
    return true;
}

/* Index of the next urgent entry: right after those in flight, the HTTP responses (no frame may
 * overtake the 101) and waiting urgent ones. */
static unsigned urgent_end(struct send_queue *queue)
{
    unsigned index = pinned(queue);

    while (index < queue->count &&
           ((*entry(queue, index))->message->is_urgent || is_answer(*entry(queue, index)))) {
        index++;
    }
    return index;
}

/* Inserts by moving the few preceding entries down by one place: a ping must not wait for all the
 * data of a slow viewer. */
static void insert_urgent(struct send_queue *queue, struct share *share)
{
    unsigned position = urgent_end(queue);

    queue->head = (uint16_t)((queue->head - 1u) & (queue->capacity - 1u));
    for (unsigned i = 0; i < position; i++) {
        *entry(queue, i) = *entry(queue, i + 1);
    }
    *entry(queue, position) = share;
}

bool send_queue_replace_pong(struct send_queue *queue, struct worker *worker, struct share *share)
{
    unsigned first = pinned(queue);
    unsigned pongs = 0;
    struct share **newest = NULL;

    for (unsigned i = first; i < urgent_end(queue); i++) {
        if ((*entry(queue, i))->message->is_pong) {
            newest = entry(queue, i);
            pongs++;
        }
    }
    if (pongs < PONGS_QUEUED_MAX) {
        return false;
    }
    struct share *old = *newest;

    share_ref(share);
    *newest = share;
    queue->bytes += entry_bytes(share);
    queue->bytes -= entry_bytes(old);
    share_unref(worker, old);
    return true;
}

bool send_queue_push(struct send_queue *queue, struct worker *worker,
                     const struct send_queue_bounds *bounds, struct share *share)
{
    if (!make_room(queue, worker, bounds, share)) {
        counters_increment(&worker->counters, messages_dropped_queue);
        return false;
    }
    if (queue->count == queue->capacity && !grow(queue, worker, queue->capacity * 4u)) {
        counters_increment(&worker->counters, messages_dropped_memory);
        worker_alarm(worker, ALARM_MESSAGE_MEMORY);
        return false;
    }
    share_ref(share);
    if (share->message->is_urgent) {
        insert_urgent(queue, share);
    } else {
        *entry(queue, queue->count) = share;
    }
    queue->count++;
    queue->bytes += entry_bytes(share);
    return true;
}

void send_queue_drop_old(struct send_queue *queue, struct worker *worker,
                         const struct send_queue_bounds *bounds)
{
    unsigned index = oldest_droppable(queue);

    /* Another worker's clock reading may be a little ahead of this one's: no subtraction. */
    while (bounds->age_ms_max > 0 && index < queue->count &&
           (*entry(queue, index))->message->received_ms + bounds->age_ms_max < worker->now_ms) {
        remove_at(queue, worker, index);
        counters_increment(&worker->counters, messages_dropped_age);
        index = oldest_droppable(queue);
    }
}

unsigned send_queue_begin(struct send_queue *queue, struct worker *worker,
                          const struct send_queue_bounds *bounds, struct iovec *slices,
                          unsigned slices_max)
{
    size_t total = 0;
    unsigned count = 0;

    CHECK(queue->in_flight == 0);
    send_queue_drop_old(queue, worker, bounds);
    while (count < queue->count && count < slices_max) {
        struct bytes bytes = message_bytes((*entry(queue, count))->message);

        if (count == 0) {
            bytes = bytes_skip(bytes, queue->sent_offset);
        } else if (total + bytes.len > SEND_BYTES_MAX) {
            break;
        }
        slices[count] =
            (struct iovec){.iov_base = (void *)(uintptr_t)bytes.data, .iov_len = bytes.len};
        total += bytes.len;
        count++;
    }
    queue->in_flight = (uint16_t)count;
    return count;
}

unsigned send_queue_end(struct send_queue *queue, struct worker *worker, size_t len)
{
    unsigned completed = 0;

    CHECK(queue->in_flight > 0);
    queue->in_flight = 0;
    while (len > 0) {
        CHECK(queue->count > 0);
        size_t left = entry_bytes(*entry(queue, 0)) - queue->sent_offset;

        if (len < left) {
            queue->sent_offset += (uint32_t)len;
            return completed;
        }
        len -= left;
        const struct message *message = (*entry(queue, 0))->message;

        completed += !message->is_control;
        queue->payload_sent += message->is_control ? 0 : message->payload_len;
        pop(queue, worker);
    }
    return completed;
}
