/* The messages of one topic on their way from one worker to others, in parcels (hub/parcel.h), and
 * the publishers there that wait because they are too many: those are not received from, so that
 * TCP slows them down. Owner worker only; never blocks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "server/hub/subscriber.h"

enum underway_limits {
    UNDERWAY_MESSAGES_MAX = 4096,
    UNDERWAY_BYTES_MAX = 8 * 1024 * 1024, /* one more message of any size may go beyond */
};

struct underway {
    struct list waiting; /* struct subscriber.room_node */
    uint32_t messages;
    uint64_t bytes;
};

void underway_init(struct underway *underway);

/* CHECKs that nothing is on its way and that no publisher waits. */
void underway_check_empty(const struct underway *underway);

/* False: publishers should wait (underway_await_room). */
bool underway_has_room(const struct underway *underway);

/* There is no room: calls publisher->on_room once half of it is free again, unless room_node is
 * removed before. */
void underway_await_room(struct underway *underway, struct subscriber *publisher);

/* A message leaves; never refuses. */
void underway_add(struct underway *underway, uint64_t bytes);

/* That many messages have arrived, with their bytes. */
void underway_remove(struct underway *underway, uint32_t messages, uint64_t bytes);
