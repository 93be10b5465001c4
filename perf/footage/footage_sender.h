/* Publishes footage at the pace of its pictures, over and over, on a thread of its own: one message
 * for each picture, or messages of one size, which cut the stream anywhere. Says when each picture
 * was last sent, to any thread. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "perf/footage/footage.h"
#include "perf/load/connector.h"

struct footage_sender;

/* One picture, as it was last sent. */
struct footage_sent {
    uint64_t at_ns; /* monotonic, before the message with its last byte; 0: never */
    unsigned mark;
};

/* Takes ownership of the publisher's connection, which blocks. cut_bytes: of a message; 0: one
 * picture. NULL: no memory or thread, and the connection is closed. */
struct footage_sender *footage_sender_start(const struct footage *footage, size_t cut_bytes,
                                            struct connection *connection);

/* The same with a publisher's connection of its own. 0, or -errno with a reason in error. */
MUST_USE int footage_sender_open(const struct connector *connector, const struct footage *footage,
                                 size_t cut_bytes, struct footage_sender **ret_sender,
                                 char error[static LOAD_TRANSPORT_ERROR_SIZE]);

struct footage_sent footage_sender_sent(const struct footage_sender *sender, unsigned picture);

/* Pictures sent from now on carry the mark. */
void footage_sender_mark(struct footage_sender *sender, unsigned mark);

/* Pictures sent so far with each mark, and the most by which one was late. */
enum footage_sender_marks { FOOTAGE_MARKS = 4 };
struct footage_sender_counts {
    unsigned pictures[FOOTAGE_MARKS];
    uint64_t behind_ns;
};

/* Sends no more. Call once. */
void footage_sender_stop(struct footage_sender *sender);

/* Sleeps until that monotonic time. */
void footage_sender_wait_until(uint64_t due_ns);

/* Stops, if that was not done, and ends the connection. 0, or -errno when the server ended it;
 * accepts NULL. */
MUST_USE int footage_sender_end(struct footage_sender *sender,
                                struct footage_sender_counts *ret_counts);
