#include "server/hub/v1/envelopes.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/hub/send_queue.h"

void envelopes_init(struct envelopes *envelopes, const struct worker *worker)
{
    *envelopes = (struct envelopes){.worker = worker};
}

void envelopes_begin(struct envelopes *envelopes)
{
    envelopes->now_us = clock_wall_ns() / 1000;
}

static uint8_t kind_of(const struct message *message)
{
    switch (message->class) {
    case MESSAGE_STREAM:
        return RELAY_V1_STREAM;
    case MESSAGE_KEY:
        return RELAY_V1_KEY;
    case MESSAGE_DEPENDENT:
        return RELAY_V1_DEPENDENT;
    case MESSAGE_DISPOSABLE:
        return RELAY_V1_DISPOSABLE;
    case MESSAGE_JPEG:
        return RELAY_V1_JPEG;
    case MESSAGE_LATEST:
        return RELAY_V1_LATEST;
    case MESSAGE_DATA:
    case MESSAGE_UNFRAMED:
    case MESSAGE_PING:
    case MESSAGE_PONG:
    case MESSAGE_ANSWER:
    case MESSAGE_NOTICE:
    case MESSAGE_CLOSE:
    case MESSAGE_CLASS_COUNT:
        break;
    }
    return RELAY_V1_DATA;
}

static uint8_t flags_of(const struct send_entry *entry)
{
    return (uint8_t)((message_is_text(entry->share->message) ? RELAY_V1_TEXT : 0) |
                     (entry->part == MESSAGE_START ? RELAY_V1_GAP : 0) |
                     (entry->is_catch_up ? RELAY_V1_CATCH_UP : 0));
}

/* One that came before any viewer asked has no stamp of the wall clock. */
static uint64_t received_us(const struct envelopes *envelopes, const struct message *message)
{
    uint64_t now_ms = envelopes->worker->now_ms;
    uint64_t age_ms = now_ms > message->received_ms ? now_ms - message->received_ms : 0;

    return message->received_us > 0 ? message->received_us : envelopes->now_us - age_ms * 1000;
}

static size_t payload_len(const struct send_entry *entry)
{
    return message_part_payload_len(entry->share->message, (enum message_part)entry->part);
}

static void make_head(struct envelopes *envelopes, unsigned place, const struct send_entry *entry)
{
    const struct message *message = entry->share->message;
    uint8_t *head = envelopes->heads[place];
    size_t len =
        ws_frame_header_write(WS_OPCODE_BINARY, RELAY_V1_ENVELOPE_SIZE + payload_len(entry), head);
    const struct relay_v1_envelope envelope = {
        .kind = kind_of(message),
        .flags = flags_of(entry),
        .source = message->source,
        .sequence = message->sequence,
        .sent_us = message->sent_us,
        .received_us = received_us(envelopes, message),
        .forwarded_us = envelopes->now_us,
    };

    if (!entry->is_catch_up) {
        latency_add_between(&envelopes->latency, message->received_us, envelopes->now_us);
    }
    relay_v1_envelope_write(&envelope, head + len);
    envelopes->head_lens[place] = (uint8_t)(len + RELAY_V1_ENVELOPE_SIZE);
}

static unsigned add(struct iovec *slices, unsigned count, struct bytes bytes, size_t *skip)
{
    size_t skipped = *skip < bytes.len ? *skip : bytes.len;
    struct bytes rest = bytes_skip(bytes, skipped);

    *skip -= skipped;
    if (rest.len == 0) {
        return count;
    }
    slices[count] = (struct iovec){.iov_base = (void *)(uintptr_t)rest.data, .iov_len = rest.len};
    return count + 1;
}

unsigned envelopes_slices(struct envelopes *envelopes, unsigned place,
                          const struct send_entry *entry, size_t skip, struct iovec *slices)
{
    const struct message *message = entry->share->message;
    struct bytes pieces[MESSAGE_PART_SLICES];
    unsigned count = 0;

    CHECK(place < ENVELOPES_MAX);
    if (!message_is_published(message)) {
        envelopes->head_lens[place] = 0;
        return message_part_slices(message, (enum message_part)entry->part, skip, slices);
    }
    if (skip == 0) {
        make_head(envelopes, place, entry);
    }
    message_part_payload(message, (enum message_part)entry->part, pieces);
    count =
        add(slices, count, bytes_of(envelopes->heads[place], envelopes->head_lens[place]), &skip);
    count = add(slices, count, pieces[0], &skip);
    return add(slices, count, pieces[1], &skip);
}

size_t envelopes_frame_len(const struct envelopes *envelopes, unsigned place,
                           const struct send_entry *entry)
{
    CHECK(place < ENVELOPES_MAX);
    return envelopes->head_lens[place] == 0 ? send_entry_len(entry)
                                            : envelopes->head_lens[place] + payload_len(entry);
}

void envelopes_keep(struct envelopes *envelopes, unsigned place)
{
    CHECK(place < ENVELOPES_MAX);
    if (place > 0) {
        memcpy(envelopes->heads[0], envelopes->heads[place], ENVELOPE_HEAD_MAX);
        envelopes->head_lens[0] = envelopes->head_lens[place];
    }
}
