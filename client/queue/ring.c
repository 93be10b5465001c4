#include "client/queue/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

int ring_init(struct ring *ring, const struct ring_limits *limits)
{
    CHECK(limits->messages_max > 0);
    *ring = (struct ring){.limits = *limits};
    ring->slots = calloc(limits->messages_max, sizeof *ring->slots);
    return ring->slots == NULL ? -ENOMEM : 0;
}

void ring_deinit(struct ring *ring)
{
    ring_rewind(ring);
    ring_drop_all(ring, RING_DISCONNECTED);
    free(ring->slots);
    ring->slots = NULL;
}

void ring_set_limits(struct ring *ring, const struct ring_limits *limits)
{
    uint32_t messages_max = ring->limits.messages_max; /* the slots are made */

    ring->limits = *limits;
    ring->limits.messages_max = messages_max;
    if (limits->drop != RELAY_CLIENT_DROP_KEYFRAME) {
        ring->awaits_random_access = false;
    }
}

struct ring_message *ring_message_create(enum relay_client_type type,
                                         const struct relay_client_slice *slices,
                                         size_t slices_count, size_t len, unsigned flags)
{
    struct ring_message *message = malloc(sizeof *message + len);
    size_t offset = 0;

    if (message == NULL) {
        return NULL;
    }
    *message = (struct ring_message){
        .len = len,
        .type = type,
        .random_access = (flags & RELAY_CLIENT_RANDOM_ACCESS) != 0,
        .on_demand = (flags & RELAY_CLIENT_ON_DEMAND) != 0,
    };
    for (size_t i = 0; i < slices_count; i++) {
        if (slices[i].len > 0) {
            memcpy(message->data + offset, slices[i].data, slices[i].len);
            offset += slices[i].len;
        }
    }
    CHECK(offset == len);
    return message;
}

void ring_message_destroy(struct ring_message *message)
{
    preamble_unref(message->preamble);
    free(message);
}

static uint32_t slot_index(const struct ring *ring, uint32_t position)
{
    return (uint32_t)(((uint64_t)ring->head + position) % ring->limits.messages_max);
}

static struct ring_message *message_at(const struct ring *ring, uint32_t position)
{
    CHECK(position < ring->count);
    return ring->slots[slot_index(ring, position)];
}

void ring_count_drop(struct ring *ring, size_t len, enum ring_cause cause)
{
    ring->dropped_messages[cause]++;
    ring->dropped_bytes += len;
}

/* Removes the message at this position. Those before it, mostly the few in flight, move up by one
 * slot. */
static struct ring_message *take_at(struct ring *ring, uint32_t position)
{
    struct ring_message *message = message_at(ring, position);

    for (; position > 0; position--) {
        ring->slots[slot_index(ring, position)] = message_at(ring, position - 1);
    }
    ring->head = slot_index(ring, 1);
    ring->count--;
    ring->bytes -= message->len;
    return message;
}

static void drop_oldest(struct ring *ring, enum ring_cause cause)
{
    struct ring_message *message = take_at(ring, ring->in_flight);

    ring_count_drop(ring, message->len, cause);
    ring_message_destroy(message);
}

static bool has_waiting(const struct ring *ring)
{
    return ring->count > ring->in_flight;
}

struct ring_message *ring_take_on_demand(struct ring *ring)
{
    for (uint32_t position = ring->in_flight; position < ring->count; position++) {
        if (message_at(ring, position)->on_demand) {
            return take_at(ring, position);
        }
    }
    return NULL;
}

void ring_drop_all(struct ring *ring, enum ring_cause cause)
{
    if (has_waiting(ring)) {
        ring_await_random_access(ring, cause);
    }
    while (has_waiting(ring)) {
        drop_oldest(ring, cause);
    }
}

bool ring_has_room(const struct ring *ring, size_t len)
{
    if (ring->count == 0) {
        return true;
    }
    return ring->count < ring->limits.messages_max && ring->bytes + len <= ring->limits.bytes_max;
}

static void make_room(struct ring *ring, size_t len)
{
    switch (ring->limits.drop) {
    case RELAY_CLIENT_DROP_NONE:
    case RELAY_CLIENT_DROP_NEWEST:
        break;
    case RELAY_CLIENT_DROP_OLDEST:
        while (!ring_has_room(ring, len) && has_waiting(ring)) {
            drop_oldest(ring, RING_OVERFLOW);
        }
        break;
    case RELAY_CLIENT_DROP_KEYFRAME:
        ring_drop_all(ring, RING_OVERFLOW);
        ring_await_random_access(ring, RING_OVERFLOW);
        break;
    }
}

static int refuse(struct ring *ring, const struct ring_message *message, enum ring_cause cause)
{
    if (ring->limits.drop != RELAY_CLIENT_DROP_NONE) {
        ring_count_drop(ring, message->len, cause);
    }
    return -EAGAIN;
}

int ring_push(struct ring *ring, struct ring_message *message, uint64_t now_ns)
{
    if (!ring_has_room(ring, message->len)) {
        make_room(ring, message->len);
    }
    if (!ring_has_room(ring, message->len)) {
        return refuse(ring, message, RING_OVERFLOW);
    }
    if (ring->awaits_random_access && !message->random_access) {
        return refuse(ring, message, ring->awaiting_cause);
    }
    ring->awaits_random_access = false;
    message->queued_ns = now_ns;
    ring->slots[slot_index(ring, ring->count)] = message;
    ring->count++;
    ring->bytes += message->len;
    return 0;
}

void ring_await_random_access(struct ring *ring, enum ring_cause cause)
{
    if (ring->limits.drop == RELAY_CLIENT_DROP_KEYFRAME) {
        ring->awaits_random_access = true;
        ring->awaiting_cause = cause;
    }
}

static bool is_too_old(const struct ring *ring, const struct ring_message *message, uint64_t now_ns)
{
    return ring->limits.age_max_ns > 0 && now_ns > message->queued_ns + ring->limits.age_max_ns;
}

/* A stream cut by age is useless up to its next random access. */
static void drop_to_random_access(struct ring *ring)
{
    while (has_waiting(ring) && !message_at(ring, ring->in_flight)->random_access) {
        drop_oldest(ring, RING_AGE);
    }
    if (!has_waiting(ring)) {
        ring_await_random_access(ring, RING_AGE);
    }
}

static void drop_aged(struct ring *ring, uint64_t now_ns)
{
    while (has_waiting(ring) && is_too_old(ring, message_at(ring, ring->in_flight), now_ns)) {
        drop_oldest(ring, RING_AGE);
        if (ring->limits.drop == RELAY_CLIENT_DROP_KEYFRAME) {
            drop_to_random_access(ring);
        }
    }
}

const struct ring_message *ring_next(struct ring *ring, uint64_t now_ns)
{
    drop_aged(ring, now_ns);
    return has_waiting(ring) ? message_at(ring, ring->in_flight) : NULL;
}

struct ring_message *ring_start(struct ring *ring, uint64_t now_ns)
{
    if (ring_next(ring, now_ns) == NULL) {
        return NULL;
    }
    ring->in_flight++;
    return message_at(ring, ring->in_flight - 1);
}

struct ring_message *ring_oldest_in_flight(const struct ring *ring)
{
    return ring->in_flight == 0 ? NULL : message_at(ring, 0);
}

struct ring_message *ring_release(struct ring *ring)
{
    CHECK(ring->in_flight > 0);
    struct ring_message *message = message_at(ring, 0);

    ring->head = slot_index(ring, 1);
    ring->count--;
    ring->in_flight--;
    ring->bytes -= message->len;
    return message;
}

void ring_rewind(struct ring *ring)
{
    ring->in_flight = 0;
}

uint64_t ring_age_ns(const struct ring *ring, uint64_t now_ns)
{
    uint64_t queued_ns = ring->count == 0 ? now_ns : message_at(ring, 0)->queued_ns;

    return now_ns > queued_ns ? now_ns - queued_ns : 0;
}
