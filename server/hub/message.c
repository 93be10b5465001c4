#include "server/hub/message.h"

#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "server/hub/topic.h"

_Static_assert(offsetof(struct message, payload) ==
                   offsetof(struct message, header_room) + WS_SERVER_HEADER_BYTES_MAX,
               "header and payload are contiguous");

static size_t memory_of(const struct message *message)
{
    return sizeof *message + message->payload_capacity;
}

/* Returns it to its pool. */
static void come_home(struct worker *worker, struct outbox_item *item)
{
    struct message *message = container_of(item, struct message, item);

    CHECK(message->home == worker->index);
    CHECK(atomic_load_explicit(&message->workers, memory_order_acquire) == 0);
    if (message->topic != NULL) {
        topic_credit(message->topic, worker, memory_of(message) + message_parts_memory(message));
    }
    block_pool_put(message->pool, message->parts);
    if (message->is_secret) {
        bytes_wipe(message->payload, message->payload_len);
    }
    block_pool_put(message->pool, message);
}

static struct message *init(struct worker *worker, struct block_pool *pool, struct message *message)
{
    if (message == NULL) {
        return NULL;
    }
    *message = (struct message){
        .item.come_home = come_home,
        .home_share = {.message = message, .count = 1},
        .workers = 1,
        .home = (uint16_t)worker->index,
        .pool = pool,
        .payload_capacity = (uint32_t)(block_pool_capacity(message) - sizeof(struct message)),
    };
    return message;
}

struct message *message_create(struct worker *worker, size_t payload_capacity)
{
    return init(worker, &worker->blocks,
                block_pool_take(&worker->blocks, sizeof(struct message) + payload_capacity));
}

struct message *message_create_unframed(struct worker *worker, size_t payload_capacity)
{
    size_t size = sizeof(struct message) + payload_capacity;
    bool is_short = size <= MESSAGE_SHORT_BYTES;
    struct message *message = init(worker, &worker->requests,
                                   is_short ? block_pool_take_reserved(&worker->requests, size)
                                            : block_pool_take(&worker->requests, size));

    if (message != NULL) {
        message->class = MESSAGE_UNFRAMED;
    }
    return message;
}

void message_charge(struct worker *worker, struct message *message, struct topic *topic)
{
    CHECK(message->home == worker->index);
    CHECK(message->topic == NULL);
    message->topic = topic;
    topic_charge(topic, worker, memory_of(message));
}

/* Its bytes stay where they are in memory that is moved: copying megabytes for many publishers at
 * once takes as long as hundreds of turns. */
static bool grow_large(struct worker *worker, struct message **message, size_t payload_capacity)
{
    size_t old_memory = memory_of(*message);
    struct message *grown =
        block_pool_grow((*message)->pool, *message, sizeof(struct message) + payload_capacity);

    if (grown == NULL) {
        return false;
    }
    grown->home_share.message = grown;
    grown->payload_capacity = (uint32_t)(block_pool_capacity(grown) - sizeof *grown);
    if (grown->topic != NULL) {
        topic_charge(grown->topic, worker, memory_of(grown) - old_memory);
    }
    *message = grown;
    return true;
}

bool message_grow(struct worker *worker, struct message **message, size_t payload_capacity)
{
    struct message *old = *message;

    CHECK(old->home == worker->index);
    CHECK(old->home_share.count == 1 && old->parts == NULL);
    if (payload_capacity <= old->payload_capacity) {
        return true;
    }
    if (payload_capacity >= BLOCK_MOVED_BYTES_MIN) {
        return grow_large(worker, message, payload_capacity);
    }
    struct message *grown = message_create(worker, payload_capacity);

    if (grown == NULL) {
        return false;
    }
    memcpy(grown->payload, old->payload, old->payload_len);
    grown->payload_len = old->payload_len;
    if (old->topic != NULL) {
        message_charge(worker, grown, old->topic);
    }
    share_unref(worker, &old->home_share);
    *message = grown;
    return true;
}

void message_frame(struct message *message, enum ws_opcode opcode)
{
    uint8_t header[WS_SERVER_HEADER_BYTES_MAX];
    size_t len = ws_frame_header_write(opcode, message->payload_len, header);

    message->header_len = (uint8_t)len;
    memcpy(message->header_room + WS_SERVER_HEADER_BYTES_MAX - len, header, len);
}

struct bytes message_bytes(const struct message *message)
{
    const uint8_t *memory = (const uint8_t *)message + offsetof(struct message, payload);

    return bytes_of(memory - message->header_len, message_len(message));
}

bool message_is_text(const struct message *message)
{
    return (message_bytes(message).data[0] & 0x0f) == WS_OPCODE_TEXT;
}

static enum message_class class_of(enum ws_opcode opcode)
{
    switch (opcode) {
    case WS_OPCODE_CLOSE:
        return MESSAGE_CLOSE;
    case WS_OPCODE_PING:
        return MESSAGE_PING;
    case WS_OPCODE_PONG:
        return MESSAGE_PONG;
    case WS_OPCODE_CONTINUATION:
    case WS_OPCODE_TEXT:
    case WS_OPCODE_BINARY:
        break;
    }
    UNREACHABLE(); /* not control frames */
}

static struct message *create_small(struct worker *worker, enum message_class class,
                                    enum ws_opcode opcode, struct bytes payload)
{
    CHECK(payload.len <= WS_CONTROL_PAYLOAD_MAX);
    struct message *message =
        init(worker, &worker->blocks,
             block_pool_take_reserved(&worker->blocks, sizeof(struct message) + payload.len));

    if (message == NULL) {
        return NULL;
    }
    if (payload.len > 0) {
        memcpy(message->payload, payload.data, payload.len);
    }
    message->payload_len = (uint32_t)payload.len;
    message->class = class;
    message_frame(message, opcode);
    return message;
}

struct message *message_create_control(struct worker *worker, enum ws_opcode opcode,
                                       struct bytes payload)
{
    return create_small(worker, class_of(opcode), opcode, payload);
}

struct message *message_create_notice(struct worker *worker, enum message_class class,
                                      struct bytes payload)
{
    CHECK(class == MESSAGE_ANSWER || class == MESSAGE_NOTICE);
    return create_small(worker, class, WS_OPCODE_BINARY, payload);
}

void share_ref(struct share *share)
{
    CHECK(share->count > 0);
    share->count++;
}

void share_unref(struct worker *worker, struct share *share)
{
    struct message *message = share->message;

    CHECK(share->count > 0);
    share->count--;
    if (share->count > 0) {
        return;
    }
    if (message->home != worker->index) {
        if (share->is_charged) {
            topic_credit(message->topic, worker, block_pool_capacity(share));
        }
        block_pool_put(&worker->blocks, share);
    }
    message_drop_hold(worker, message);
}

void message_hold(struct message *message, unsigned workers)
{
    /* Release: what this worker wrote is seen by the worker whose message_take_share acquires. */
    atomic_fetch_add_explicit(&message->workers, workers, memory_order_release);
}

void message_drop_hold(struct worker *worker, struct message *message)
{
    /* Nothing is read after the hold is released: its home may reuse the memory. */
    unsigned home = message->home;

    if (atomic_fetch_sub_explicit(&message->workers, 1, memory_order_acq_rel) > 1) {
        return;
    }
    if (home == worker->index) {
        come_home(worker, &message->item);
    } else {
        outbox_add_homeward(&worker->outbox, home, &message->item, false);
    }
}

struct share *message_take_share(struct worker *worker, struct message *message)
{
    uint32_t holders = atomic_load_explicit(&message->workers, memory_order_acquire);

    CHECK(holders > 0);
    CHECK(message->home != worker->index);
    /* Small, and without it the message is lost for all viewers of this worker. */
    struct share *share = block_pool_take_reserved(&worker->blocks, sizeof *share);

    if (share == NULL) {
        message_drop_hold(worker, message);
        return NULL;
    }
    *share = (struct share){.message = message, .count = 1};
    return share;
}

struct share *message_take_share_charged(struct worker *worker, struct message *message)
{
    struct share *share = message_take_share(worker, message);

    if (share != NULL) {
        CHECK(message->topic != NULL);
        share->is_charged = true;
        topic_charge(message->topic, worker, block_pool_capacity(share));
    }
    return share;
}
