#include "server/hub/lag/send_bounds.h"

unsigned send_bounds_burst(const struct send_queue_bounds *bounds)
{
    return bounds->messages_max > SEND_BURST_MAX ? bounds->messages_max : SEND_BURST_MAX;
}

/* A send that the kernel can take at once is complete in the next turn. One that is still in flight
 * after that waits for the peer. */
static bool has_taken_all(const struct send_queue *queue, const struct worker *worker)
{
    return send_queue_pinned(queue) == 0 ||
           (queue->sent_offset == 0 && worker->whole_turns - queue->begun_turn <= 1);
}

/* A viewer that has taken everything sent is not slow: a burst that came in one turn, or goes out
 * in several, is about to be sent, and only then does its bound mean anything. */
static unsigned waiting_max(const struct send_queue *queue, const struct worker *worker,
                            const struct send_queue_bounds *bounds, unsigned messages_max)
{
    return has_taken_all(queue, worker) ? send_bounds_burst(bounds) : messages_max;
}

/* Entries at the head that do not count: those in flight or begun, or all up to the last one of
 * what the viewer begins with. */
static unsigned uncounted(const struct send_queue *queue)
{
    unsigned pinned = send_queue_pinned(queue);

    return pinned > queue->catch_up_count ? pinned : queue->catch_up_count;
}

static uint64_t uncounted_bytes(const struct send_queue *queue)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < send_queue_pinned(queue); i++) {
        bytes += send_entry_len(send_queue_entry(queue, i));
    }
    return bytes > queue->catch_up_bytes ? bytes : queue->catch_up_bytes;
}

/* Never more than is left of the message's memory: however many slow viewers and topics there are,
 * their queues then leave an equal share for new messages. */
static uint64_t waiting_bytes_max(const struct send_queue_bounds *bounds,
                                  const struct worker *worker, const struct message *message)
{
    uint64_t left = worker_memory_left(worker, message->home);

    return left < bounds->bytes_max ? left : bounds->bytes_max;
}

bool send_bounds_are_over(const struct send_queue *queue, const struct worker *worker,
                          const struct send_queue_bounds *bounds, const struct message *message,
                          unsigned messages_max)
{
    unsigned waiting = queue->count - uncounted(queue);

    if (waiting == 0) {
        return false;
    }
    uint64_t bytes_max = waiting_bytes_max(bounds, worker, message);
    uint64_t bytes = queue->bytes + message_len(message);

    return waiting >= waiting_max(queue, worker, bounds, messages_max) ||
           (bytes > bytes_max && bytes - uncounted_bytes(queue) > bytes_max);
}

uint64_t send_bounds_age_ms(const struct send_queue_bounds *bounds, const struct lag *lag,
                            bool is_picture)
{
    uint64_t age_ms_max = is_picture ? bounds->video_age_ms_max : bounds->age_ms_max;

    if (lag->age_ms_max > 0 && (age_ms_max == 0 || lag->age_ms_max < age_ms_max)) {
        return lag->age_ms_max;
    }
    return age_ms_max;
}

/* Another worker's clock reading may be a little ahead of this one's: no subtraction. */
static bool is_older(const struct send_entry *entry, uint64_t age_ms_max, uint64_t now_ms)
{
    return age_ms_max > 0 && send_entry_since_ms(entry) + age_ms_max < now_ms;
}

/* A picture waits in the decoder too. */
static uint64_t shown_ms(const struct lag *lag, uint64_t now_ms)
{
    return now_ms + lag->behind_ms;
}

bool send_bounds_are_outlived(const struct send_queue_bounds *bounds, const struct lag *lag,
                              const struct send_entry *entry, uint64_t now_ms)
{
    bool is_picture = message_is_picture(entry->share->message);

    if (is_picture && now_ms < lag->begins_until_ms) {
        return false;
    }
    return is_older(entry, send_bounds_age_ms(bounds, lag, is_picture),
                    is_picture ? shown_ms(lag, now_ms) : now_ms);
}

bool send_bounds_are_half_outlived(const struct send_queue_bounds *bounds, const struct lag *lag,
                                   const struct send_entry *entry, uint64_t now_ms)
{
    return now_ms >= lag->begins_until_ms &&
           is_older(entry, (send_bounds_age_ms(bounds, lag, true) + 1) / 2, shown_ms(lag, now_ms));
}

bool send_bounds_may_be_outlived(const struct send_queue_bounds *bounds, const struct lag *lag,
                                 const struct send_queue *queue, uint64_t now_ms)
{
    unsigned index = send_queue_pinned(queue);

    while (index < queue->count && !message_is_published(send_queue_at(queue, index))) {
        index++;
    }
    if (index == queue->count) {
        return false;
    }
    const struct send_entry *oldest = send_queue_entry(queue, index);

    return send_bounds_are_half_outlived(bounds, lag, oldest, now_ms) ||
           is_older(oldest, send_bounds_age_ms(bounds, lag, true), shown_ms(lag, now_ms)) ||
           is_older(oldest, send_bounds_age_ms(bounds, lag, false), now_ms);
}
