#include "server/handover/live/live_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/conn/close.h"
#include "server/handover/handover_format.h"
#include "server/handover/live/live_cache.h"
#include "server/handover/live/live_fault.h"
#include "server/handover/live/live_format.h"
#include "server/handover/live/live_idle.h"
#include "server/handover/live/live_message.h"
#include "server/handover/live/live_scalars.h"
#include "server/handover/live/live_topic.h"
#include "server/handover/live/live_websocket.h"
#include "server/websocket/phase_websocket.h"

enum { HEAD_BYTES = HANDOVER_PRELUDE_BYTES + 256 }; /* prelude, and the part's own record */

/* The old program */

void live_part_freeze(struct conn_table *table, void (*done)(struct conn_table *table))
{
    hold_begin(table, done);
}

static struct conn *conn_of(struct list *node)
{
    return container_of(node, struct conn, open_node);
}

static struct list *caches_of(const struct conn_table *table)
{
    return &table->shared->topics->caches[table->worker->index];
}

static bool may_move(const struct conn *conn)
{
    return live_websocket_may_move(conn) || live_idle_may_move(conn);
}

/* A number for each that moves, in the order in which they are written; 0 for the others. Returns
 * how many move. */
static uint32_t number_conns(struct conn_table *table)
{
    uint32_t count = 0;

    list_for_each(node, &table->open)
    {
        struct conn *conn = conn_of(node);

        conn->given = may_move(conn) ? ++count : 0;
    }
    return count;
}

void live_part_thaw(struct conn_table *table)
{
    list_for_each(node, &table->open)
    {
        conn_of(node)->given = 0;
    }
    hold_end(table);
}

static void take_census(struct conn_table *table, struct live_census *ret_census)
{
    live_census_init(ret_census, table->worker);
    list_for_each(node, &table->open)
    {
        struct conn *conn = conn_of(node);

        if (conn->given > 0 && conn->phase == PHASE_WEBSOCKET) {
            live_census_add_topic(ret_census, phase_websocket_of(conn)->topic);
            live_census_add_queue(ret_census, &conn->subscriber.queue);
        }
    }
    list_for_each(node, caches_of(table))
    {
        struct stream_cache *cache = container_of(node, struct stream_cache, node);

        live_census_add_topic(ret_census, cache->topic);
        live_census_add_queue(ret_census, &cache->messages);
    }
}

static size_t size_of_conn(const struct conn *conn)
{
    return conn->phase == PHASE_WEBSOCKET ? live_websocket_size(conn) : live_idle_size(conn);
}

static size_t size_of(struct conn_table *table, const struct live_census *census)
{
    size_t size = HEAD_BYTES + (size_t)census->topics_count * LIVE_TOPIC_BYTES;

    for (uint32_t i = 0; i < census->shares_count; i++) {
        size += live_message_size(census->shares[i]->message);
    }
    list_for_each(node, &table->open)
    {
        size += conn_of(node)->given > 0 ? size_of_conn(conn_of(node)) : 0;
    }
    list_for_each(node, caches_of(table))
    {
        size += live_cache_size(container_of(node, struct stream_cache, node));
    }
    return size;
}

size_t live_part_size(struct conn_table *table)
{
    struct live_census census;

    CHECK(table->hold.state == HOLD_DONE);
    number_conns(table);
    take_census(table, &census);
    size_t size = size_of(table, &census);

    live_census_deinit(&census);
    return size;
}

size_t live_part_fds(const struct conn_table *table)
{
    size_t count = 0;

    list_for_each(node, &table->open)
    {
        count += may_move(conn_of(node));
    }
    return count;
}

static const struct live_scalar of_hold[] = {
    LIVE_SCALAR_PAST(struct hold, began_ms, LIVE_PART_HELD_MS),
};

static bool write_head(struct handover_writer *writer, const struct live_census *census,
                       const struct conn_table *table, uint32_t conns_count)
{
    if (!handover_writer_prelude(writer)) {
        return false;
    }
    handover_writer_begin(writer, LIVE_KIND_PART, 0);
    handover_writer_number(writer, LIVE_PART_TOPICS, census->topics_count);
    handover_writer_number(writer, LIVE_PART_MESSAGES, census->shares_count);
    handover_writer_number(writer, LIVE_PART_CONNECTIONS, conns_count);
    live_scalars_write(writer, of_hold, ARRAY_LENGTH(of_hold), &table->hold, table->worker);
    return handover_writer_end(writer);
}

static bool write_listed(struct handover_writer *writer, const struct live_census *census)
{
    for (uint32_t i = 0; i < census->topics_count; i++) {
        if (!live_topic_write(writer, census->worker, census->topics[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < census->shares_count; i++) {
        if (!live_message_write(writer, census, census->shares[i]->message)) {
            return false;
        }
    }
    return true;
}

static bool write_conns(struct handover_writer *writer, const struct live_census *census,
                        const struct conn_table *table, int *ret_fds)
{
    list_for_each(node, &table->open)
    {
        const struct conn *conn = conn_of(node);

        if (conn->given == 0) {
            continue;
        }
        if (conn->phase == PHASE_WEBSOCKET ? !live_websocket_write(writer, census, conn)
                                           : !live_idle_write(writer, conn)) {
            return false;
        }
        ret_fds[conn->given - 1] = conn->fd;
    }
    return true;
}

static int64_t number_of_publisher(const struct stream_cache *cache)
{
    const char *subscriber = (const char *)cache->publisher;

    if (subscriber == NULL) {
        return -1;
    }
    const struct conn *conn =
        (const struct conn *)(const void *)(subscriber - offsetof(struct conn, subscriber));

    return (int64_t)conn->given - 1;
}

static bool write_caches(struct handover_writer *writer, const struct live_census *census,
                         const struct conn_table *table)
{
    list_for_each(node, caches_of(table))
    {
        const struct stream_cache *cache = container_of(node, struct stream_cache, node);

        if (!live_cache_write(writer, census, cache, number_of_publisher(cache))) {
            return false;
        }
    }
    return true;
}

bool live_part_write(struct conn_table *table, struct handover_writer *writer, int *ret_fds)
{
    struct live_census census;

    CHECK(table->hold.state == HOLD_DONE);
    uint32_t conns_count = number_conns(table);

    take_census(table, &census);
    bool is_written = !census.has_failed && write_head(writer, &census, table, conns_count) &&
                      write_listed(writer, &census) &&
                      write_conns(writer, &census, table, ret_fds) &&
                      write_caches(writer, &census, table);

    live_census_deinit(&census);
    return is_written;
}

/* One that was evicted since it was written is closing by itself. */
static void close_given(struct conn_table *table)
{
    list_for_each(node, &table->open)
    {
        struct conn *conn = conn_of(node);

        if (conn->given > 0 && conn->is_held) {
            conn_close_given(conn);
        }
    }
}

void live_part_let_go(struct conn_table *table)
{
    CHECK(table->hold.state == HOLD_DONE);
    close_given(table);
    hold_end(table);
}

/* The new program */

struct reading {
    struct conn_table *table;
    struct live_topics topics;
    struct live_messages messages;
    struct conn **conns;
    size_t topics_max, messages_max, conns_max; /* as the part announces them */
    size_t conns_count, fds_used;
    struct live_fds fds;
    const char *error;
};

static size_t announced(const struct handover_record *record, uint16_t id, size_t max)
{
    uint64_t count = 0;

    (void)!handover_reader_number(record, id, &count);
    return count < max ? (size_t)count : max;
}

/* Each has a record of some bytes, so no part announces more than it has. */
static bool begin(struct reading *reading, const struct handover_record *record, size_t part_len)
{
    size_t max = part_len / HANDOVER_RECORD_HEAD_BYTES;

    if (reading->topics.all != NULL) {
        return live_fault_set(&reading->error, "it begins twice");
    }
    if (!live_scalars_read(record, of_hold, ARRAY_LENGTH(of_hold), &reading->table->hold,
                           reading->table->worker)) {
        return live_fault_set(&reading->error, "it is none");
    }
    reading->topics_max = announced(record, LIVE_PART_TOPICS, max);
    reading->messages_max = announced(record, LIVE_PART_MESSAGES, max);
    reading->conns_max = announced(record, LIVE_PART_CONNECTIONS, max);
    reading->topics.all = calloc(reading->topics_max + 1, sizeof *reading->topics.all);
    reading->messages.all = calloc(reading->messages_max + 1, sizeof *reading->messages.all);
    reading->conns = calloc(reading->conns_max + 1, sizeof(struct conn *));
    return (reading->topics.all != NULL && reading->messages.all != NULL &&
            reading->conns != NULL) ||
           live_fault_set(&reading->error, "no memory");
}

static bool read_topic(struct reading *reading, const struct handover_record *record)
{
    if (reading->topics.count == reading->topics_max) {
        return live_fault_set(&reading->error, "more topics than it says");
    }
    struct topic *topic = live_topic_read(record, reading->table);

    if (topic == NULL) {
        return live_fault_set(&reading->error, "a topic is none, or there is no memory for it");
    }
    reading->topics.all[reading->topics.count++] = topic;
    return true;
}

static bool read_message(struct reading *reading, const struct handover_record *record)
{
    if (reading->messages.count == reading->messages_max) {
        return live_fault_set(&reading->error, "more messages than it says");
    }
    struct message *message =
        live_message_read(record, reading->table->worker, &reading->topics, &reading->error);

    if (message != NULL) {
        reading->messages.all[reading->messages.count++] = message;
    }
    return message != NULL;
}

static bool read_by_kind(struct reading *reading, const struct handover_record *record, int fd,
                         struct conn **ret_conn)
{
    return record->kind == LIVE_KIND_WEBSOCKET
               ? live_websocket_read(record, reading->table, fd, &reading->topics,
                                     &reading->messages, ret_conn, &reading->error)
               : live_idle_read(record, reading->table, fd, ret_conn, &reading->error);
}

static bool read_conn(struct reading *reading, const struct handover_record *record)
{
    if (reading->conns_count == reading->conns_max || reading->fds_used == reading->fds.count ||
        record->fds != 1) {
        return live_fault_set(&reading->error, "more connections than it says");
    }
    struct conn *conn;
    bool is_read = read_by_kind(reading, record, reading->fds.fds[reading->fds_used], &conn);

    reading->fds_used += conn != NULL;
    if (is_read) {
        reading->conns[reading->conns_count++] = conn;
    }
    return is_read;
}

static bool read_cache(struct reading *reading, const struct handover_record *record)
{
    return live_cache_read(record, reading->table, &reading->topics, &reading->messages,
                           reading->conns, reading->conns_count) ||
           live_fault_set(&reading->error, "a cache is none, or there is no memory for it");
}

static bool read_record(struct reading *reading, const struct handover_record *record,
                        size_t part_len)
{
    if (record->kind == LIVE_KIND_PART) {
        return begin(reading, record, part_len);
    }
    if (reading->topics.all == NULL) {
        return live_fault_set(&reading->error, "it has no beginning");
    }
    switch (record->kind) {
    case LIVE_KIND_TOPIC:
        return read_topic(reading, record);
    case LIVE_KIND_MESSAGE:
        return read_message(reading, record);
    case LIVE_KIND_WEBSOCKET:
    case LIVE_KIND_IDLE:
        return read_conn(reading, record);
    case LIVE_KIND_CACHE:
        return read_cache(reading, record);
    default:
        return true;
    }
}

static bool read_records(struct reading *reading, struct bytes part)
{
    struct bytes rest = bytes_skip(part, HANDOVER_PRELUDE_BYTES);
    uint16_t version;

    if (handover_reader_prelude(part, &version) != HANDOVER_READ) {
        return live_fault_set(&reading->error, "it is none");
    }
    while (rest.len > 0) {
        struct handover_record record;
        size_t len;

        if (handover_reader_record(rest, &record, &len) != HANDOVER_READ) {
            return live_fault_set(&reading->error, "a record is none, or cut off");
        }
        if (!read_record(reading, &record, part.len)) {
            return false;
        }
        rest = bytes_skip(rest, len);
    }
    return true;
}

/* Whole: all that it announces, and a use for each descriptor. */
static bool read_part(struct reading *reading, struct bytes part)
{
    return read_records(reading, part) && ((reading->topics.count == reading->topics_max &&
                                            reading->messages.count == reading->messages_max &&
                                            reading->conns_count == reading->conns_max &&
                                            reading->fds_used == reading->fds.count) ||
                                           live_fault_set(&reading->error, "less than it says"));
}

/* Topics and messages that nothing refers to go again. */
static void end(struct reading *reading)
{
    struct worker *worker = reading->table->worker;

    for (uint32_t i = 0; i < reading->messages.count; i++) {
        share_unref(worker, &reading->messages.all[i]->home_share);
    }
    for (uint32_t i = 0; i < reading->topics.count; i++) {
        topic_unref(reading->topics.all[i]);
    }
    for (size_t i = reading->fds_used; i < reading->fds.count; i++) {
        close(reading->fds.fds[i]);
    }
    free(reading->messages.all);
    free(reading->topics.all);
    free(reading->conns);
}

bool live_part_read(struct conn_table *table, struct bytes part, struct live_fds fds, char *error,
                    size_t error_size)
{
    struct reading reading = {.table = table, .fds = fds};
    bool is_read = read_part(&reading, part);

    end(&reading);
    if (!is_read) {
        snprintf(error, error_size, "the part of a worker: %s", reading.error);
    }
    return is_read;
}

/* Its token may have been renewed when the bookings had moved already. */
static void extend_booking(const struct conn *conn, int64_t now_s)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);
    bool is_new;

    if (ws->identity.booking_id[0] != '\0') {
        (void)!bookings_extend(conn->table->shared->access.bookings, ws->identity.booking_id,
                               ws->exp_s, now_s, &is_new);
    }
}

/* A publisher may have been asked for its key picture in the program before, to no end. */
static void ask_again(struct conn *conn)
{
    struct subscriber *subscriber = &conn->subscriber;

    if (phase_websocket_of(conn)->can_read && subscriber->state == SUBSCRIBER_AWAITS_KEY) {
        subscriber->on_wants_key(subscriber, RELAY_V1_KEY_JOINED);
    }
}

/* A denial that came when it was on its way. */
static bool is_denied(const struct conn *conn, int64_t now_s)
{
    const char *booking_id = phase_websocket_seen(conn)->identity.booking_id;

    return booking_id[0] != '\0' &&
           bookings_is_denied(conn->table->shared->access.bookings, booking_id, now_s);
}

void live_part_start(struct conn_table *table)
{
    int64_t now_s = clock_wall_s();

    list_for_each(node, &table->open)
    {
        struct conn *conn = conn_of(node);

        bool is_websocket = conn->is_held && conn->phase == PHASE_WEBSOCKET;

        if (is_websocket && is_denied(conn, now_s)) {
            conn_end(conn, CLOSE_DENIED);
        } else if (is_websocket) {
            extend_booking(conn, now_s);
            ask_again(conn);
        }
    }
    hold_end(table);
}

void live_part_drop(struct conn_table *table)
{
    list_for_each(node, &table->open)
    {
        conn_of(node)->given = conn_of(node)->is_held;
    }
    close_given(table);
}
