/* Places of open WebSockets: how many there may be, over all workers, and how many of them one
 * owner may hold. An owner is a booking, or, for tokens without one, a topic. An owner that is
 * alone may hold PLACES_SHARE times as many as remain free, so that there is always room for
 * another; connections that may write (hosts, mostly) find some left when readers have taken
 * theirs. Shared by all workers behind a mutex, which is taken when WebSockets open and end, never
 * on the data path. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "server/bookings/permission.h"

struct places;

enum places_limits {
    PLACES_SHARE = 4,    /* of 65536 connections one owner may hold some 49,000 */
    PLACES_FLOOR = 8,    /* an owner's, while there are any */
    PLACES_RESERVE = 16, /* one in so many is not for readers, one not for WebSockets at all */
};

/* The answer of a request that finds none, and how long its client should wait. */
#define PLACES_CROWDED "too many connections, of all or of this booking; try again later"
enum { PLACES_RETRY_MS = 5000 };

/* connections_max: of all kinds. NULL when memory is out. */
MUST_USE struct places *places_create(uint32_t connections_max);

/* CHECKs that all were given back. Accepts NULL. */
void places_destroy(struct places *places);

/* A place for the permission's owner. 0; -EDQUOT: its share is used; -ENOSPC: all are; -ENOMEM. */
MUST_USE int places_take(struct places *places, const struct permission *permission);

/* The answer that places_take would give now; takes nothing. */
MUST_USE int places_look(struct places *places, const struct permission *permission);

/* Gives back one place that the owner took; booking_id and topic as in its permission. */
void places_give(struct places *places, const char *booking_id, const char *topic);

/* Those that are taken. */
uint32_t places_count(struct places *places);
