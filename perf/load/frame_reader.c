#include "perf/load/frame_reader.h"

#include <string.h>

#include "base/check.h"

enum {
    OPCODE_CONTINUATION = 0,
    OPCODE_TEXT = 1,
    OPCODE_BINARY = 2,
    OPCODE_CLOSE = 8,
    OPCODE_PING = 9,
    OPCODE_PONG = 10,
};

void frame_reader_init(struct frame_reader *reader, size_t record_bytes)
{
    CHECK(record_bytes >= STAMP_SIZE);
    *reader = (struct frame_reader){.record_bytes = record_bytes};
}

static bool is_final(const struct frame_reader *reader)
{
    return (reader->header[0] & 0x80) != 0;
}

static unsigned opcode(const struct frame_reader *reader)
{
    return reader->header[0] & 0x0f;
}

static bool is_control(const struct frame_reader *reader)
{
    return opcode(reader) >= OPCODE_CLOSE;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Length of the header, as far as known. */
static size_t header_size(const struct frame_reader *reader)
{
    if (reader->header_len < 2 || reader->header[1] < 126) {
        return 2;
    }
    return reader->header[1] == 126 ? 4 : 10;
}

static uint64_t payload_length(const struct frame_reader *reader)
{
    size_t size = header_size(reader);
    uint64_t length = 0;

    if (size == 2) {
        return reader->header[1];
    }
    for (size_t i = 2; i < size; i++) {
        length = length << 8 | reader->header[i];
    }
    return length;
}

static bool header_is_valid(const struct frame_reader *reader, uint64_t length)
{
    bool continues = opcode(reader) == OPCODE_CONTINUATION;

    if ((reader->header[0] & 0x70) != 0 || (length >> 63) != 0) {
        return false;
    }
    if (is_control(reader)) {
        return opcode(reader) <= OPCODE_PONG && is_final(reader) &&
               length <= FRAME_CONTROL_BYTES_MAX;
    }
    return opcode(reader) <= OPCODE_BINARY && continues == reader->in_message;
}

static void frame_begin(struct frame_reader *reader, uint64_t length)
{
    reader->payload_left = length;
    reader->in_payload = true;
    if (is_control(reader)) {
        reader->control_len = 0;
        return;
    }
    if (!reader->in_message) {
        reader->message_len = 0;
        reader->message_frames = 0;
        reader->record_len = 0;
        reader->is_binary = opcode(reader) == OPCODE_BINARY;
    }
    reader->message_frames++;
    reader->in_message = true;
}

/* True when a frame begins; on false, either all input was consumed or *ret_bad is set. */
static bool header_read(struct frame_reader *reader, struct bytes *input, bool *ret_bad)
{
    while (reader->header_len < header_size(reader)) {
        if (input->len == 0) {
            return false;
        }
        reader->header[reader->header_len++] = input->data[0];
        *input = bytes_skip(*input, 1);
        /* Servers never mask (§5.1); 0x80 would also confuse the length. */
        if (reader->header_len == 2 && (reader->header[1] & 0x80) != 0) {
            *ret_bad = true;
            return false;
        }
    }
    uint64_t length = payload_length(reader);

    if (!header_is_valid(reader, length)) {
        *ret_bad = true;
        return false;
    }
    frame_begin(reader, length);
    return true;
}

static void control_take(struct frame_reader *reader, struct bytes *input)
{
    size_t len = min_size(input->len, reader->payload_left);

    if (len > 0) {
        memcpy(reader->control + reader->control_len, input->data, len);
    }
    reader->control_len = (uint8_t)(reader->control_len + len);
    reader->payload_left -= len;
    *input = bytes_skip(*input, len);
}

/* True when a record is complete. */
static bool record_take(struct frame_reader *reader, struct bytes *input)
{
    size_t len = min_size(input->len, reader->payload_left);

    len = min_size(len, reader->record_bytes - reader->record_len);
    if (len > 0 && reader->record_len < STAMP_SIZE) {
        size_t stamp_len = min_size(len, STAMP_SIZE - reader->record_len);

        memcpy((uint8_t *)&reader->stamp + reader->record_len, input->data, stamp_len);
    }
    reader->record_len += len;
    reader->message_len += len;
    reader->payload_left -= len;
    *input = bytes_skip(*input, len);
    if (reader->record_len < reader->record_bytes) {
        return false;
    }
    reader->record_len = 0;
    return true;
}

static void frame_end(struct frame_reader *reader)
{
    reader->in_payload = false;
    reader->header_len = 0;
    if (!is_control(reader) && is_final(reader)) {
        reader->in_message = false;
    }
}

/* Event for the end of the frame whose header is still stored; MORE: none. */
static enum frame_reader_result frame_end_result(const struct frame_reader *reader)
{
    switch (opcode(reader)) {
    case OPCODE_CLOSE:
        return FRAME_READER_CLOSE;
    case OPCODE_PING:
        return FRAME_READER_PING;
    case OPCODE_PONG:
        return FRAME_READER_PONG;
    default:
        return is_final(reader) ? FRAME_READER_MESSAGE : FRAME_READER_MORE;
    }
}

enum frame_reader_result frame_reader_next(struct frame_reader *reader, struct bytes *input)
{
    for (;;) {
        bool bad = false;

        if (!reader->in_payload && !header_read(reader, input, &bad)) {
            return bad ? FRAME_READER_BAD : FRAME_READER_MORE;
        }
        if (is_control(reader)) {
            control_take(reader, input);
        } else if (reader->payload_left > 0 && record_take(reader, input)) {
            return FRAME_READER_RECORD; /* the next call reports the end of the frame */
        }
        if (reader->payload_left > 0 && input->len == 0) {
            return FRAME_READER_MORE;
        }
        if (reader->payload_left > 0) {
            continue;
        }
        enum frame_reader_result result = frame_end_result(reader);

        frame_end(reader);
        if (result != FRAME_READER_MORE) {
            return result;
        }
    }
}
