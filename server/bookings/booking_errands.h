/* Denials on their way to the program before this one, which drains what it could not hand over
 * (docs/handover.md): a denial is carried out when it has closed its connections too. A thread of
 * its own waits for the answers. */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"
#include "server/bookings/booking_store.h"

struct booking_errands;

/* channel_fd: the socket to that program; it stays the caller's, and must outlive this. NULL with
 * nothing left behind: no memory, no thread. */
MUST_USE struct booking_errands *booking_errands_open(int channel_fd);

/* Any thread; never blocks. job->on_done is called on the thread of this, with 0, when that program
 * has carried it out, or has ended. False, with nothing taken: it has ended. */
MUST_USE bool booking_errands_submit(struct booking_errands *errands, struct booking_job *job);

/* All jobs are done from now on: that program ends its connections with the socket. Accepts NULL.
 */
void booking_errands_end(struct booking_errands *errands);

/* The same, and waits for the thread. Accepts NULL. */
void booking_errands_close(struct booking_errands *errands);
