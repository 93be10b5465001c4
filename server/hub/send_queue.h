/* Messages waiting for one connection, or parts of messages, in the order in which they are sent,
 * as references (struct share). The first entries may be in flight: the kernel has them
 * (SEND_SLICES_MAX of SEND_BYTES_MAX bytes, or one larger message). Which message is queued where,
 * and which is dropped for it, is decided in hub/drop_policy.h. Holds one reference for each entry.
 * Owner worker only; never blocks. Storage is a few inline places, and a block while more are
 * waiting. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/attributes.h"
#include "server/hub/message_part.h"

struct envelopes; /* hub/v1/envelopes.h */

enum send_queue_limits {
    SEND_SLICES_MAX = 64,
    SEND_BYTES_MAX = 256 * 1024, /* of one coalesced sendmsg; a single larger message goes alone */
    SEND_ENTRY_SLICES_MAX = MESSAGE_PART_SLICES + 1, /* with an envelope */
    SEND_QUEUE_INLINE = 4,
};
_Static_assert((SEND_QUEUE_INLINE & (SEND_QUEUE_INLINE - 1)) == 0, "indices are masked");

struct send_entry {
    struct share *share;
    uint32_t late_ms; /* queued so long after it was received: its age counts from then */
    uint8_t part;     /* enum message_part; the message has it */
    bool is_catch_up; /* a viewer begins with it; not live */
};

struct send_queue {
    struct send_entry *entries; /* inline_entries or a block; a ring */
    struct send_entry inline_entries[SEND_QUEUE_INLINE];
    struct envelopes *envelopes; /* of a viewer that asked for them; or NULL */
    uint64_t bytes;              /* of all entries, without their envelopes */
    uint64_t catch_up_bytes;
    uint64_t payload_sent; /* of data messages, over the whole lifetime */
    uint32_t sent_offset;  /* bytes of the first entry already sent */
    uint32_t begun_turn;   /* worker.whole_turns when the send in flight began */
    uint16_t capacity, head, count;
    uint16_t in_flight;   /* entries at the head that are in flight */
    uint16_t parts_count; /* entries that may take more than one slice */
    uint16_t catch_up_count;
    struct topic *topic; /* charged with the block, referenced; NULL: none is */
};

/* An entry of a whole message. */
static inline struct send_entry send_entry_of(struct share *share)
{
    return (struct send_entry){.share = share, .part = MESSAGE_WHOLE};
}

/* Bytes of its frame. */
static inline size_t send_entry_len(const struct send_entry *entry)
{
    return message_part_len(entry->share->message, (enum message_part)entry->part);
}

/* The time from which its age counts. */
static inline uint64_t send_entry_since_ms(const struct send_entry *entry)
{
    return entry->share->message->received_ms + entry->late_ms;
}

void send_queue_init(struct send_queue *queue);

/* Until the queue is empty again, the block is on the topic's budget (hub/topic.h): for queues that
 * one viewer, or the topic itself, fills at once. */
void send_queue_charge(struct send_queue *queue, struct worker *worker, struct topic *topic);

/* Drops everything, and gives the block of the envelopes back. Nothing may be in flight. */
void send_queue_clear(struct send_queue *queue, struct worker *worker);

bool send_queue_empty(const struct send_queue *queue);

/* Number of entries at the head that must stay as they are: in flight, or begun. */
static inline unsigned send_queue_pinned(const struct send_queue *queue)
{
    return queue->in_flight > 0 ? queue->in_flight : queue->sent_offset > 0 ? 1 : 0;
}

/* Entry index, 0 being the next to be sent; until the queue is changed. */
static inline const struct send_entry *send_queue_entry(const struct send_queue *queue,
                                                        unsigned index)
{
    return &queue->entries[(queue->head + index) & (queue->capacity - 1u)];
}

/* Its message. */
static inline const struct message *send_queue_at(const struct send_queue *queue, unsigned index)
{
    return send_queue_entry(queue, index)->share->message;
}

/* Queues entry as entry index (pinned to count), with a reference of its own. False without memory
 * for more entries; counted. Cheap at the end and near the head. */
MUST_USE bool send_queue_insert(struct send_queue *queue, struct worker *worker, unsigned index,
                                struct send_entry entry);

/* Drops entry index (pinned to count - 1). Cheap at the end and near the head. */
void send_queue_remove(struct send_queue *queue, struct worker *worker, unsigned index);

/* Puts entry, with a reference of its own, in place of entry index, which is dropped. */
void send_queue_replace(struct send_queue *queue, struct worker *worker, unsigned index,
                        struct send_entry entry);

/* Their ages count from so much later: nothing could be sent for so long. */
void send_queue_delay(struct send_queue *queue, uint64_t ms);

/* Slices that a send of all entries takes, at most. */
static inline unsigned send_queue_slices(const struct send_queue *queue)
{
    unsigned slices = (queue->envelopes == NULL ? 1u : 2u) * queue->count + queue->parts_count;

    return slices < SEND_SLICES_MAX ? slices : SEND_SLICES_MAX;
}

/* Describes the next send in slices (at most slices_max, which is SEND_ENTRY_SLICES_MAX
 * or send_queue_slices at least; SEND_BYTES_MAX bytes unless one message is larger) and marks it as
 * in flight. Returns the number of slices. Nothing may be in flight. */
unsigned send_queue_begin(struct send_queue *queue, const struct worker *worker,
                          struct iovec *slices, unsigned slices_max);

/* Call when the kernel has taken len bytes of the send, perhaps not all; nothing is in flight any
 * more. Returns the number of messages that are completely sent, published
 * ones only. */
unsigned send_queue_end(struct send_queue *queue, struct worker *worker, size_t len);
