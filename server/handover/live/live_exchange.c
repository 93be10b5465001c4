#include "server/handover/live/live_exchange.h"

#include <endian.h>
#include <string.h>

#include "base/check.h"
#include "server/handover/live/live_format.h"
#include "server/handover/live/live_scalars.h"
#include "server/hub/v1/envelopes.h"
#include "server/websocket/phase_websocket.h"

enum {
    HEAD_BYTES = 1 + ENVELOPE_HEAD_MAX,
    LATENCY_BYTES = 4 + 2 * LATENCY_BUCKETS,
};

#define PAST(member, id)     LIVE_SCALAR_PAST(struct exchange, member, LIVE_WEBSOCKET_##id)
#define BOOL(member, id)     LIVE_SCALAR_BOOL(struct exchange, member, LIVE_WEBSOCKET_##id)
#define COUNT(member, id)    LIVE_SCALAR_COUNT(struct exchange, member, LIVE_WEBSOCKET_##id)
#define UP_TO(member, id, m) LIVE_SCALAR_NUMBER(struct exchange, member, LIVE_WEBSOCKET_##id, m)

static const struct live_scalar of_exchange[] = {
    PAST(reported_ms, REPORTED_MS),
    PAST(token_ms, TOKEN_MS),
    PAST(refused_ms, REFUSED_MS),
    BOOL(member.was_told, WAS_TOLD),
    COUNT(member.told_viewers, TOLD_VIEWERS),
    COUNT(member.told_publishers, TOLD_PUBLISHERS),
    UP_TO(member.told_lease, TOLD_LEASE, RELAY_V1_LEASE_WANTED),
    BOOL(member.keeps, KEEPS),
    UP_TO(member.kept.expiry.result, KEPT_RESULT, RELAY_V1_EXPIRY_TOO_OFTEN),
    COUNT(member.kept.expiry.expires_s, KEPT_EXPIRES_S),
};

static const struct live_scalar of_standing[] = {
    LIVE_SCALAR_BOOL(struct lease_standing, holds, LIVE_WEBSOCKET_LEASE_HOLDS),
    LIVE_SCALAR_BOOL(struct lease_standing, has_sent, LIVE_WEBSOCKET_LEASE_HAS_SENT),
    LIVE_SCALAR_BOOL(struct lease_standing, wants, LIVE_WEBSOCKET_LEASE_WANTS),
    LIVE_SCALAR_PAST(struct lease_standing, used_ms, LIVE_WEBSOCKET_LEASE_USED_MS),
};

/* Writing */

static void write_latency(struct handover_writer *writer, uint16_t id,
                          const struct latency *latency)
{
    uint8_t bytes[LATENCY_BYTES];
    uint32_t count = htole32(latency->count);

    memcpy(bytes, &count, sizeof count);
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        uint16_t bucket = htole16(latency->counts[i]);

        memcpy(bytes + 4 + (size_t)i * 2, &bucket, sizeof bucket);
    }
    handover_writer_bytes(writer, id, bytes_of(bytes, sizeof bytes));
}

/* Heads that are used again: those of what is in flight, or of the frame that is partly sent. */
static unsigned heads_count(const struct send_queue *queue)
{
    return queue->envelopes == NULL ? 0 : send_queue_pinned(queue);
}

static void write_heads(struct handover_writer *writer, const struct send_queue *queue)
{
    uint8_t bytes[ENVELOPES_MAX * HEAD_BYTES];
    unsigned count = heads_count(queue);

    CHECK(count <= ENVELOPES_MAX);
    for (unsigned i = 0; i < count; i++) {
        bytes[(size_t)i * HEAD_BYTES] = queue->envelopes->head_lens[i];
        memcpy(bytes + (size_t)i * HEAD_BYTES + 1, queue->envelopes->heads[i], ENVELOPE_HEAD_MAX);
    }
    handover_writer_bytes(writer, LIVE_WEBSOCKET_HEADS,
                          bytes_of(bytes, (size_t)count * HEAD_BYTES));
}

static void write_standing(struct handover_writer *writer, const struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);
    struct lease_standing standing = lease_standing(ws->topic->lease, &ws->claim);

    live_scalars_write(writer, of_standing, ARRAY_LENGTH(of_standing), &standing, conn->worker);
    handover_writer_number(writer, LIVE_WEBSOCKET_LEASE_REFUSED, ws->claim.refused);
}

static void write_latencies(struct handover_writer *writer, const struct conn *conn)
{
    for (enum latency_hop hop = 0; hop < LATENCY_HOPS; hop++) {
        const struct latency *latency = exchange_latency(conn, hop);

        if (latency != NULL) {
            write_latency(writer, (uint16_t)(LIVE_WEBSOCKET_LATENCY_PUBLISH + hop), latency);
        }
    }
}

void live_exchange_write(struct handover_writer *writer, const struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);

    if (ws->topic->lease != NULL && ws->can_write) {
        write_standing(writer, conn);
    }
    if (ws->exchange == NULL) {
        return;
    }
    handover_writer_bytes(writer, LIVE_WEBSOCKET_ENVELOPE,
                          bytes_of(ws->exchange->head, ws->exchange->head_len));
    write_heads(writer, &conn->subscriber.queue);
    live_scalars_write(writer, of_exchange, ARRAY_LENGTH(of_exchange), ws->exchange, conn->worker);
    write_latencies(writer, conn);
}

/* Reading */

struct bytes live_exchange_envelope(const struct handover_record *record)
{
    struct bytes bytes;

    return handover_reader_bytes(record, LIVE_WEBSOCKET_ENVELOPE, &bytes) ? bytes
                                                                          : bytes_of(NULL, 0);
}

static void read_latency(const struct handover_record *record, uint16_t id, struct latency *latency)
{
    struct bytes bytes;
    uint32_t count;

    if (!handover_reader_bytes(record, id, &bytes) || bytes.len != LATENCY_BYTES) {
        return; /* it begins anew */
    }
    memcpy(&count, bytes.data, sizeof count);
    latency->count = le32toh(count);
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        uint16_t bucket;

        memcpy(&bucket, bytes.data + 4 + (size_t)i * 2, sizeof bucket);
        latency->counts[i] = le16toh(bucket);
    }
}

static void read_latencies(const struct handover_record *record, struct conn *conn)
{
    struct exchange *exchange = phase_websocket_of(conn)->exchange;

    read_latency(record, LIVE_WEBSOCKET_LATENCY_PUBLISH, &exchange->publish);
    read_latency(record, LIVE_WEBSOCKET_LATENCY_DELIVER, &exchange->deliver);
    read_latency(record, LIVE_WEBSOCKET_LATENCY_DECODE, &exchange->decode);
    if (conn->subscriber.queue.envelopes != NULL) {
        read_latency(record, LIVE_WEBSOCKET_LATENCY_RELAY,
                     &conn->subscriber.queue.envelopes->latency);
    }
}

static bool read_exchange(const struct handover_record *record, struct conn *conn,
                          struct bytes envelope)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    if (envelope.len > RELAY_V1_ENVELOPE_SIZE) {
        return false;
    }
    ws->exchange = exchange_create(conn, ws->can_read);
    if (ws->exchange == NULL) {
        return false;
    }
    bool is_read = live_scalars_read(record, of_exchange, ARRAY_LENGTH(of_exchange), ws->exchange,
                                     conn->worker);

    ws->exchange->member.kept.kind = RELAY_V1_EXPIRY;
    memcpy(ws->exchange->head, envelope.data, envelope.len);
    ws->exchange->head_len = (uint8_t)envelope.len;
    read_latencies(record, conn);
    exchange_return(conn);
    return is_read;
}

static bool read_standing(const struct handover_record *record, struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    struct lease_standing standing = {0};
    uint64_t refused = 0;

    if (ws->topic->lease == NULL || !ws->can_write) {
        return true;
    }
    (void)!handover_reader_number(record, LIVE_WEBSOCKET_LEASE_REFUSED, &refused);
    if (!live_scalars_read(record, of_standing, ARRAY_LENGTH(of_standing), &standing,
                           conn->worker)) {
        return false;
    }
    ws->claim.refused = (uint32_t)refused;
    lease_return(ws->topic->lease, &ws->claim, &standing);
    return true;
}

bool live_exchange_read(const struct handover_record *record, struct conn *conn)
{
    struct bytes envelope = live_exchange_envelope(record);

    return read_standing(record, conn) &&
           (envelope.data == NULL || read_exchange(record, conn, envelope));
}

/* A published message has an envelope, no other has. */
static bool fits(const struct message *message, uint8_t head_len)
{
    return message_is_published(message)
               ? head_len > RELAY_V1_ENVELOPE_SIZE && head_len <= ENVELOPE_HEAD_MAX
               : head_len == 0;
}

bool live_exchange_read_heads(const struct handover_record *record, struct conn *conn)
{
    struct send_queue *queue = &conn->subscriber.queue;
    unsigned count = heads_count(queue);
    struct bytes bytes;

    if (count == 0) {
        return true;
    }
    if (!handover_reader_bytes(record, LIVE_WEBSOCKET_HEADS, &bytes) || count > ENVELOPES_MAX ||
        bytes.len != (size_t)count * HEAD_BYTES) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *head = bytes.data + (size_t)i * HEAD_BYTES;

        if (!fits(send_queue_at(queue, i), head[0])) {
            return false;
        }
        queue->envelopes->head_lens[i] = head[0];
        memcpy(queue->envelopes->heads[i], head + 1, ENVELOPE_HEAD_MAX);
    }
    return true;
}
