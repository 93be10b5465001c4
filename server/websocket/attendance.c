#include "server/websocket/attendance.h"

#include "base/clock.h"
#include "server/hub/stream_join.h"
#include "server/hub/v1/audience.h"
#include "server/placement/placement.h"
#include "server/websocket/phase_websocket.h"

bool attendance_take(struct conn *conn, const struct admission *admission,
                     const struct http_request *request, struct phase_websocket *ret_ws)
{
    const struct conn_shared *shared = conn->table->shared;
    const struct permission *permission = &admission->permission;

    ret_ws->topic = topic_find_or_create(shared->topics, permission->topic);
    if (ret_ws->topic == NULL) {
        return false;
    }
    if (!identity_of_client(&ret_ws->identity, permission, conn->fd, request,
                            &shared->config->trusted)) {
        topic_unref(ret_ws->topic);
        return false;
    }
    if (admission->is_v1) {
        ret_ws->exchange = exchange_create(conn, permission->can_read);
    }
    if (admission->is_v1 && ret_ws->exchange == NULL) {
        attendance_give(ret_ws);
        return false;
    }
    return true;
}

void attendance_give(struct phase_websocket *ws)
{
    identity_deinit(&ws->identity);
    topic_unref(ws->topic);
}

static void on_wants_key(struct subscriber *subscriber, enum relay_v1_key_reason reason)
{
    struct conn *conn = container_of(subscriber, struct conn, subscriber);

    audience_ask_key(conn->worker, phase_websocket_of(conn)->topic, reason);
}

/* Where there is nothing to begin with, a publisher may have a picture to give. */
static void watch_topic(struct conn *conn, enum stream_join_mode mode)
{
    struct topic *topic = phase_websocket_of(conn)->topic;

    audience_add_viewer(conn->worker, topic);
    topic_subscribe(topic, conn->worker, &conn->subscriber);
    if (mode == JOIN_LATEST || atomic_load(&topic->cache_home) == 0) {
        on_wants_key(&conn->subscriber, RELAY_V1_KEY_JOINED);
    }
    stream_join_begin(conn->worker, topic, &conn->subscriber, mode);
}

/* All connections of a booking are one, those without a booking each for itself. */
static uint64_t claim_key(const struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);
    uint64_t serial = conn->serial * WORKERS_MAX + conn->worker->index;
    struct bytes id = ws->identity.booking_id[0] == '\0' ? bytes_of(&serial, sizeof serial)
                                                         : bytes_of_text(ws->identity.booking_id);
    uint64_t key = bytes_hash(ws->topic->registry->hash_key, id);

    return key == 0 ? 1 : key;
}

/* Counts it, as what it may be. */
static void enter(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    placement_enter(conn->table->shared->placement, ws->topic, conn->worker->index, ws->can_read);
    conn->subscriber.on_wants_key = on_wants_key;
    conn->subscriber.counts = topic_counts_at(ws->topic, conn->worker);
    topic_counts_enter(conn->subscriber.counts, ws->can_read, ws->can_write);
    if (ws->can_write) {
        ws->claim.key = claim_key(conn);
    }
}

void attendance_return(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    enter(conn);
    if (ws->can_read) {
        audience_add_viewer(conn->worker, ws->topic);
        topic_subscribe(ws->topic, conn->worker, &conn->subscriber);
        stream_join_begin(conn->worker, ws->topic, &conn->subscriber, JOIN_LATEST);
    }
    if (ws->has_published) {
        audience_add_publisher(conn->worker, ws->topic);
    }
}

void attendance_join(struct conn *conn, const struct wishes *wishes)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    enter(conn);
    conn->subscriber.lag.recovery = wishes->recovery;
    conn->subscriber.lag.age_ms_max = wishes->age_ms_max;
    if (ws->can_write) {
        ws->source = topic_next_source(ws->topic);
    }
    if (ws->can_read) {
        watch_topic(conn, wishes->join);
    }
    if (ws->exchange != NULL) {
        exchange_join(conn);
    }
}

void attendance_leave(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    placement_leave(conn->table->shared->placement, ws->topic, conn->worker->index, ws->can_read);
    conn->subscriber.on_wants_key = NULL;
    if (ws->exchange != NULL) {
        exchange_leave(conn);
        exchange_destroy(ws->exchange);
    }
    if (ws->topic->lease != NULL && ws->can_write &&
        lease_leave(ws->topic->lease, &ws->claim, conn->worker->now_ms)) {
        audience_note(conn->worker, ws->topic);
    }
    if (ws->can_read) {
        audience_remove_viewer(conn->worker, ws->topic);
    }
    if (ws->has_published) {
        audience_remove_publisher(conn->worker, ws->topic);
    }
}

/* Another booking has control of the topic. */
static bool may_control(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    bool changed;
    bool may = lease_use(ws->topic->lease, &ws->claim, conn->worker->now_ms, &changed);

    if (changed) {
        audience_note(conn->worker, ws->topic);
    }
    if (!may) {
        counters_increment(&conn->worker->counters, messages_refused_lease);
        if (ws->exchange != NULL) {
            exchange_say_refused(conn);
        }
    }
    return may;
}

bool attendance_may_publish(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    if (ws->topic->lease != NULL && !may_control(conn)) {
        return false;
    }
    if (!ws->has_published) {
        ws->has_published = true;
        audience_add_publisher(conn->worker, ws->topic);
    }
    return true;
}

/* The wall clock is looked at for viewers that asked for it only. */
void attendance_stamp(struct conn *conn, struct message *message, uint32_t sequence)
{
    const struct phase_websocket *ws = phase_websocket_of(conn);

    message->received_ms = conn->worker->now_ms;
    message->source = ws->source;
    message->sequence = sequence;
    if (audience_listens(&ws->topic->audience)) {
        message->received_us = clock_wall_ns() / 1000;
    }
    if (ws->exchange != NULL) {
        exchange_stamp(ws->exchange, message);
    }
}
