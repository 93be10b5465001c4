/* Writes down that a booking is allowed, without waiting for the disk. Owner worker only. */
#pragma once

#include <stdint.h>

struct booking_store;
struct worker;

/* It may be lost with the disk, which is counted: the next session request repeats it. store may be
 * NULL: bookings are in memory only. */
void booking_note(struct worker *worker, struct booking_store *store, const char *booking_id,
                  int64_t exp_s);
