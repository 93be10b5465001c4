/* The lists of bookings on disk, so that a cancellation survives a restart and a kill -9. SQLite on
 * a thread of its own: the loops never wait for a disk. Several waiting changes are written in one
 * transaction. */
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "server/bookings/bookings.h"
#include "server/loop/ring.h"

struct booking_store;

enum booking_store_limits {
    STORE_ERROR_SIZE = 512,
    STORE_JOBS_MAX = 65536, /* changes that wait for the disk; more are refused */
    STORE_BATCH_MAX = 1000,
    STORE_PAUSE_S = 2, /* for the file to be closed */
    STORE_RETRY_S = 5, /* between tries while the disk fails and no request asks for one */
};

/* One booking that changed in memory. Allocated and kept by the caller until on_done was called. */
struct booking_job {
    int64_t exp_s; /* written for a booking that memory has forgotten by then */
    char booking_id[TOKEN_TEXT_SIZE];
    /* On the thread of the store: 0 when the change is on disk, or -EIO. ring: of that thread, to
     * post the answer with. */
    void (*on_done)(struct booking_job *job, int result, struct ring *ring);
    struct booking_job *next; /* private */
};

/* Opens or makes the database (its folder too), reads the lists into bookings, starts the thread.
 * bookings stays the caller's and must outlive the store, which writes what it finds there. A file
 * that cannot be written or made is read if it is there; the store then fails every change, says so
 * and tries again: the first success writes both lists as they are by then. NULL with one line in
 * error when the file is there and what it holds cannot be known (damaged, unreadable, more denials
 * than fit): to start would let denied bookings in. Blocks on the disk. */
MUST_USE struct booking_store *booking_store_open(const char *path, struct bookings *bookings,
                                                  char error[static STORE_ERROR_SIZE]);

/* Writes what waits, ends the thread. Of one that is paused the file stays as it is, and what waits
 * fails. Accepts NULL. */
void booking_store_close(struct booking_store *store);

/* Writes what waits and closes the file: another program may use it. Changes wait from then on.
 * False: the disk did not let go of it in time; then the store is as before. */
MUST_USE bool booking_store_pause(struct booking_store *store);
/* Opens the file again, and writes the changes that wait. */
void booking_store_resume(struct booking_store *store);

/* Memory may hold what the file does not, of a program before this one: writes all of it. */
void booking_store_write_all(struct booking_store *store);

/* True while memory holds changes that the file does not: the last write failed. Any thread. */
bool booking_store_is_behind(const struct booking_store *store);

/* Any thread; never blocks on the disk. False, with nothing taken, when STORE_JOBS_MAX wait. */
MUST_USE bool booking_store_submit(struct booking_store *store, struct booking_job *job);
