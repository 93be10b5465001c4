/* The live connections of one worker, for the program that follows this one (docs/handover.md): its
 * WebSockets with its part of their topics, and connections between two requests. The running
 * program freezes each worker, writes a part for each when all are frozen, and then lets go of what
 * it wrote, or thaws. The new one reads each part into one of its workers, and starts. A part
 * stands for itself, so one worker may take the parts of several. Connections that cannot move go
 * on in the first one. On the worker that each function names; never blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "server/conn/conn.h"
#include "server/handover/handover_writer.h"

/* Descriptors of a part, in the order of its records: what a record says it has is taken from the
 * front. */
struct live_fds {
    const int *fds;
    size_t count;
};

/* The old program. */

/* Stops receives, sends and deadlines of all that may move; what the kernel has taken is known
 * then. done runs on this worker, in a turn in which nothing of theirs is in flight any more and
 * everything that they published has left for other workers; it may run at once. Messages of
 * others, and of the relay, are queued meanwhile. Accepts, handshakes and requests go on: those
 * are the caller's. Once at a time; table->hold tells that it is frozen. */
void live_part_freeze(struct conn_table *table, void (*done)(struct conn_table *table));

/* As it was before: receives, sends and deadlines go on. Not after live_part_let_go. Harmless when
 * nothing is frozen; before done has run, done does not run any more. */
void live_part_thaw(struct conn_table *table);

/* Bytes that live_part_write takes at most, and descriptors. When all workers are frozen; they
 * stand until the thaw. */
size_t live_part_size(struct conn_table *table);
size_t live_part_fds(const struct conn_table *table);

/* Writes prelude and records; ret_fds has room for live_part_fds, and stays of the connections.
 * False: it does not fit, and what was written is none. All workers are frozen. */
MUST_USE bool live_part_write(struct conn_table *table, struct handover_writer *writer,
                              int *ret_fds);

/* The other program serves them: releases them, and closes this program's descriptors of them,
 * which tells the peers nothing. What did not move goes on. */
void live_part_let_go(struct conn_table *table);

/* The new program. */

/* Makes what stands in the part, with the descriptors, which are the table's then. Nothing is
 * received, sent or due before live_part_start. False, with one line in error: the part is none of
 * a relay, or there is no place or no memory; then all that was made waits for live_part_drop. The
 * worker runs, with its topics, bookings and places; before any connection is accepted. */
MUST_USE bool live_part_read(struct conn_table *table, struct bytes part, struct live_fds fds,
                             char *error, size_t error_size);

/* The old program has let go: receives, sends and deadlines begin. What was denied or has expired
 * meanwhile is closed. */
void live_part_start(struct conn_table *table);

/* Forgets what was read, and closes the descriptors: the old program goes on with them. */
void live_part_drop(struct conn_table *table);
