/* Messages and bytes of each topic, for monitoring. A bounded number of topics has a row of its
 * own, the others share one: names come from tokens, and monitoring must not grow with them. A row
 * outlives its topic, so that a publisher that reconnects goes on counting in it, until a new topic
 * needs the place. Each worker counts in its own part; any thread may read (relaxed). Rows are
 * given and read under the caller's mutex, that of the topic registry. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

enum topic_counts_limits { TOPIC_COUNTS_NAMED_MAX = 1001, TOPIC_COUNTS_NAME_SIZE = 256 };

/* Member, family of its metric (hub/drop_policy.h has the policies), labels, help. */
#define TOPIC_COUNTERS(X)                                                                          \
    X(messages_received, "topic_messages_received", "", "Messages received, by topic")             \
    X(bytes_received, "topic_received_bytes", "", "Payload received, by topic")                    \
    X(messages_sent, "topic_messages_sent", "", "Messages sent to viewers, by topic")              \
    X(bytes_sent, "topic_sent_bytes", "", "Payload sent to viewers, by topic")                     \
    X(dropped_data, "topic_messages_dropped", "policy=\"data\"",                                   \
      "Messages that slow viewers lost, by topic")                                                 \
    X(dropped_video, "topic_messages_dropped", "policy=\"keyframe\"",                              \
      "Messages that slow viewers lost, by topic")                                                 \
    X(dropped_latest, "topic_messages_dropped", "policy=\"latest\"",                               \
      "Messages that slow viewers lost, by topic")

struct topic_counts {
#define TOPIC_COUNTERS_MEMBER(name, ...) _Atomic uint64_t name;
    _Alignas(64) TOPIC_COUNTERS(TOPIC_COUNTERS_MEMBER)
#undef TOPIC_COUNTERS_MEMBER
        _Atomic uint64_t viewers,
        publishers;               /* that are connected */
    _Atomic uint64_t received_ms; /* the newest message, of the run clock; 0: none */
};

/* NULL counts: nothing is counted. Owner worker only. */
#define topic_counts_add(counts, member, value)                                                    \
    do {                                                                                           \
        struct topic_counts *counts_ = (counts);                                                   \
                                                                                                   \
        if (counts_ != NULL) {                                                                     \
            atomic_store_explicit(&counts_->member,                                                \
                                  atomic_load_explicit(&counts_->member, memory_order_relaxed) +   \
                                      (value),                                                     \
                                  memory_order_relaxed);                                           \
        }                                                                                          \
    } while (0)

/* A connection joins or leaves; a message of so many bytes arrived. counts: NULL, or the owner's.
 */
void topic_counts_enter(struct topic_counts *counts, bool is_viewer, bool is_publisher);
void topic_counts_leave(struct topic_counts *counts, bool is_viewer, bool is_publisher);
void topic_counts_receive(struct topic_counts *counts, uint64_t bytes, uint64_t now_ms);

struct topic_counts_table;

/* named_max rows and the one that others share. NULL: no memory. */
MUST_USE struct topic_counts_table *topic_counts_create(unsigned named_max, unsigned workers_count);
/* Accepts NULL. */
void topic_counts_destroy(struct topic_counts_table *table);

/* The row of a topic that comes into being; with the name of one that had a row before, the same
 * if it is still there. Under the mutex. */
unsigned topic_counts_take(struct topic_counts_table *table, const char *name);
/* The topic ends: nothing counts in its row any more. Under the mutex. */
void topic_counts_put(struct topic_counts_table *table, unsigned row);

/* A worker's part of a row; NULL without a table. Any thread. */
struct topic_counts *topic_counts_of(struct topic_counts_table *table, unsigned row,
                                     unsigned worker);

/* Rows that have or had a topic; the last one is what the others share. Under the mutex. */
unsigned topic_counts_rows(const struct topic_counts_table *table);
/* The sums of a row over all workers, and its name: false for a place that was never used. Under
 * the mutex. */
bool topic_counts_read(const struct topic_counts_table *table, unsigned row, const char **ret_name,
                       struct topic_counts *ret_sum);
