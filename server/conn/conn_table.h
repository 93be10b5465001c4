/* All connections of one worker, and its listeners. Memory for the largest number is reserved at
 * start; the kernel provides pages as they are used. Owner worker only. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "server/access/access.h"
#include "server/config.h"
#include "server/conn/address.h"
#include "server/hub/send_queue.h"
#include "server/hub/topic.h"
#include "server/loop/worker.h"
#include "server/tls/ktls.h"

struct conn;

/* The service of a listener; one may serve both. */
enum listener_role {
    LISTENER_ACCESS = 1,
    LISTENER_RELAY = 2,
    LISTENER_BOTH = LISTENER_ACCESS | LISTENER_RELAY,
};

enum { LISTENERS_MAX = 2 };

struct listener {
    struct op accept_op;
    int fd; /* -1: closed */
    enum listener_role role;
    bool paused; /* no descriptors left; accept_retry arms it again */
    struct conn_table *table;
};

struct booking_store;
struct phase_ops;

/* The two shapes of reports that clients know: the topic's (all keys, camelCase) and that of
 * GET /status (snake_case, empty ones left out). */
enum report_shape { REPORT_TOPIC, REPORT_STATUS, REPORT_SHAPES };

/* Reports of one shape: one is made at a time, and who asks meanwhile waits for the next. */
struct report_line {
    struct report *current;  /* being made, or NULL */
    struct report_ask *asks; /* for the next one */
    uint32_t asks_count;
    bool is_wanted; /* begin the next one when this is done */
};

/* Shared by the tables of all workers; immutable but for the counts. */
struct conn_shared {
    const struct phase_ops *const *phases; /* by enum conn_phase */
    /* A message was published on the stats topic, on whatever worker. */
    void (*on_command)(struct worker *worker, struct bytes payload);
    struct booking_store *store; /* NULL: bookings are in memory only */
    struct topic *stats_topic;   /* referenced */
    int64_t started_s;
    struct address_list trusted_proxies;
    const struct server_config *config;
    struct access_context access;
    struct topic_registry *topics;
    struct send_queue_bounds bounds;
    struct tls_slot *tls; /* NULL: plain TCP */
    struct ktls_support ktls;
    bool ktls_required;
    _Atomic uint32_t connections; /* over all workers */
    _Atomic bool update_asked;    /* a command for a report is on its way to the first worker */
};

struct conn_table {
    struct worker *worker;
    struct conn_shared *shared;
    struct conn *conns; /* conns_max; below conns_made they were used at least once */
    uint32_t conns_max;
    uint32_t conns_made;
    uint32_t open_count;
    struct list free;
    struct list open;
    struct list ready;                         /* connections to send on at the end of the turn */
    struct list bookings[BOOKING_BUCKETS];     /* WebSockets by booking id */
    uint32_t deferred;                         /* answers that other threads owe to this worker */
    struct report_line reports[REPORT_SHAPES]; /* first worker only, as the next two */
    struct timer report_timer;
    uint64_t report_last_ms;
    uint64_t serial_last; /* of the connection that was opened last */
    struct list starved;  /* connections to receive on when buffers are back */
    struct listener listeners[LISTENERS_MAX];
    unsigned listeners_count;
    struct timer accept_retry;
    int64_t wall_ahead_ms; /* of now_ms, when ends of tokens were last looked at */
    struct log_limit refusals_log_limit;
    uint8_t *plaintext; /* TLS_RECORD_PAYLOAD_MAX: what user-space TLS decrypts, for one turn */
};

/* The WebSockets of bookings in the same bucket as this one: compare the id. */
struct list *conn_table_booking(struct conn_table *table, const char *booking_id);

/* A free connection, or NULL at the bound. */
MUST_USE struct conn *conn_table_take(struct conn_table *table);
void conn_table_put(struct conn_table *table, struct conn *conn);
