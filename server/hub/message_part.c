#include "server/hub/message_part.h"

#include <string.h>

#include "base/check.h"
#include "server/hub/topic.h"

/* The first byte of its frame says text or binary. */
static enum ws_opcode opcode_of(const struct message *message)
{
    return (enum ws_opcode)(message_bytes(message).data[0] & 0x0f);
}

static struct message_parts *take(struct worker *worker, struct message *message, size_t front_size)
{
    CHECK(message->home == worker->index);
    CHECK(message->parts == NULL);
    CHECK(message_is_published(message) && message->topic != NULL);
    struct message_parts *parts =
        block_pool_take(message->pool, sizeof(struct message_parts) + front_size);

    if (parts == NULL) {
        return NULL;
    }
    *parts = (struct message_parts){0};
    message->parts = parts;
    topic_charge(message->topic, worker, message_parts_memory(message));
    return parts;
}

static void set_stop(struct message *message, uint32_t stop_offset)
{
    CHECK(stop_offset <= message->payload_len);
    if (stop_offset == message->payload_len) {
        message->may_stop = stop_offset > 0;
    } else if (stop_offset > 0) {
        struct message_parts *parts = message->parts;

        parts->stop_offset = stop_offset;
        parts->stop_header_len =
            (uint8_t)ws_frame_header_write(opcode_of(message), stop_offset, parts->stop_header);
    }
}

bool message_part_start_at(struct worker *worker, struct message *message, uint32_t start_offset,
                           struct bytes splice, uint32_t stop_offset)
{
    CHECK(start_offset < message->payload_len && splice.len <= MESSAGE_SPLICE_BYTES_MAX);
    struct message_parts *parts = take(worker, message, WS_SERVER_HEADER_BYTES_MAX + splice.len);

    if (parts == NULL) {
        return false;
    }
    size_t payload_len = splice.len + message->payload_len - start_offset;
    size_t header_len = ws_frame_header_write(opcode_of(message), payload_len, parts->front);

    if (splice.len > 0) {
        memcpy(parts->front + header_len, splice.data, splice.len);
    }
    parts->start_offset = start_offset;
    parts->front_header_len = (uint8_t)header_len;
    parts->front_len = (uint16_t)(header_len + splice.len);
    set_stop(message, stop_offset);
    return true;
}

bool message_part_stop_at(struct worker *worker, struct message *message, uint32_t stop_offset)
{
    if (stop_offset > 0 && stop_offset < message->payload_len && take(worker, message, 0) == NULL) {
        return false;
    }
    set_stop(message, stop_offset);
    return true;
}

bool message_part_exists(const struct message *message, enum message_part part)
{
    const struct message_parts *parts = message->parts;

    switch (part) {
    case MESSAGE_WHOLE:
        return true;
    case MESSAGE_START:
        return parts != NULL && parts->front_len > 0;
    case MESSAGE_STOP:
        return message->may_stop || (parts != NULL && parts->stop_header_len > 0);
    }
    UNREACHABLE();
}

/* All of the frame is in one piece: the part is the whole, or as long as it. */
static bool is_whole(const struct message *message, enum message_part part)
{
    CHECK(message_part_exists(message, part));
    return part == MESSAGE_WHOLE || (part == MESSAGE_STOP && message->may_stop);
}

/* The frame in two pieces. */
static void pieces_of(const struct message *message, enum message_part part,
                      struct bytes ret_pieces[MESSAGE_PART_SLICES])
{
    const struct message_parts *parts = message->parts;

    if (part == MESSAGE_START) {
        ret_pieces[0] = bytes_of(parts->front, parts->front_len);
        ret_pieces[1] = bytes_of(message->payload + parts->start_offset,
                                 message->payload_len - parts->start_offset);
    } else {
        ret_pieces[0] = bytes_of(parts->stop_header, parts->stop_header_len);
        ret_pieces[1] = bytes_of(message->payload, parts->stop_offset);
    }
}

size_t message_part_len(const struct message *message, enum message_part part)
{
    struct bytes pieces[MESSAGE_PART_SLICES];

    if (is_whole(message, part)) {
        return message_len(message);
    }
    pieces_of(message, part, pieces);
    return pieces[0].len + pieces[1].len;
}

size_t message_part_payload_len(const struct message *message, enum message_part part)
{
    if (is_whole(message, part)) {
        return message->payload_len;
    }
    return message_part_len(message, part) - (part == MESSAGE_START
                                                  ? message->parts->front_header_len
                                                  : message->parts->stop_header_len);
}

void message_part_payload(const struct message *message, enum message_part part,
                          struct bytes ret_pieces[MESSAGE_PART_SLICES])
{
    if (is_whole(message, part)) {
        ret_pieces[0] = bytes_of(message->payload, message->payload_len);
        ret_pieces[1] = bytes_of(message->payload, 0);
        return;
    }
    pieces_of(message, part, ret_pieces);
    ret_pieces[0] =
        bytes_skip(ret_pieces[0], part == MESSAGE_START ? message->parts->front_header_len
                                                        : message->parts->stop_header_len);
}

static struct iovec slice_of(struct bytes bytes)
{
    return (struct iovec){.iov_base = (void *)(uintptr_t)bytes.data, .iov_len = bytes.len};
}

unsigned message_part_slices(const struct message *message, enum message_part part, size_t skip,
                             struct iovec slices[MESSAGE_PART_SLICES])
{
    struct bytes pieces[MESSAGE_PART_SLICES];

    if (is_whole(message, part)) {
        slices[0] = slice_of(bytes_skip(message_bytes(message), skip));
        return 1;
    }
    pieces_of(message, part, pieces);
    if (skip >= pieces[0].len) {
        slices[0] = slice_of(bytes_skip(pieces[1], skip - pieces[0].len));
        return 1;
    }
    slices[0] = slice_of(bytes_skip(pieces[0], skip));
    slices[1] = slice_of(pieces[1]);
    return 2;
}
