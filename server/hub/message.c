#include "server/hub/message.h"

#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "server/hub/topic.h"
#include "server/limits.h"

_Static_assert(offsetof(struct message, payload) ==
                   offsetof(struct message, header_room) + WS_SERVER_HEADER_BYTES_MAX,
               "header and payload are contiguous");

static struct message *init(struct worker *worker, struct message *message)
{
    if (message == NULL) {
        return NULL;
    }
    *message = (struct message){
        .home_share = {.message = message, .count = 1},
        .workers = 1,
        .home = (uint16_t)worker->index,
        .payload_capacity = (uint32_t)(block_capacity(message) - sizeof(struct message)),
    };
    return message;
}

struct message *message_create(struct worker *worker, size_t payload_capacity)
{
    return init(worker,
                block_pool_take(&worker->blocks, sizeof(struct message) + payload_capacity));
}

struct message *message_create_reserved(struct worker *worker, size_t payload_capacity)
{
    return init(worker, block_pool_take_reserved(&worker->blocks,
                                                 sizeof(struct message) + payload_capacity));
}

bool message_grow(struct worker *worker, struct message **message, size_t payload_capacity)
{
    struct message *old = *message;

    CHECK(old->home == worker->index);
    CHECK(old->home_share.count == 1);
    if (payload_capacity <= old->payload_capacity) {
        return true;
    }
    struct message *grown = message_create(worker, payload_capacity);

    if (grown == NULL) {
        return false;
    }
    memcpy(grown->payload, old->payload, old->payload_len);
    grown->payload_len = old->payload_len;
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

    return bytes_of(memory - message->header_len,
                    (size_t)message->header_len + message->payload_len);
}

struct message *message_create_control(struct worker *worker, enum ws_opcode opcode,
                                       struct bytes payload)
{
    CHECK(payload.len <= WS_CONTROL_PAYLOAD_MAX);
    struct message *message = message_create_reserved(worker, payload.len);

    if (message == NULL) {
        return NULL;
    }
    if (payload.len > 0) {
        memcpy(message->payload, payload.data, payload.len);
    }
    message->payload_len = (uint32_t)payload.len;
    message->is_control = true;
    message_frame(message, opcode);
    return message;
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
        block_pool_put(&worker->blocks, share);
    }
    message_drop_hold(worker, message);
}

void message_hold(struct message *message)
{
    /* Release: what this worker wrote is seen by the worker whose message_take_share acquires. */
    atomic_fetch_add_explicit(&message->workers, 1, memory_order_release);
}

void message_drop_hold(struct worker *worker, struct message *message)
{
    /* Nothing is read after the hold is released: its home may reuse the memory. */
    unsigned home = message->home;

    if (atomic_fetch_sub_explicit(&message->workers, 1, memory_order_acq_rel) > 1) {
        return;
    }
    if (home == worker->index) {
        message_come_home(worker, message);
    } else {
        worker_post_home(worker, home, message);
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

void message_come_home(struct worker *worker, struct message *message)
{
    CHECK(message->home == worker->index);
    CHECK(atomic_load_explicit(&message->workers, memory_order_acquire) == 0);
    if (message->topic != NULL) {
        topic_unref(message->topic);
    }
    if (message->is_secret) {
        bytes_wipe(message->payload, message->payload_len);
    }
    block_pool_put(&worker->blocks, message);
}
