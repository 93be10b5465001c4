#include "host/local/frame_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wire/ws_mask.h"

enum { FIRST_SIZE = 4096 };

void frame_reader_init(struct frame_reader *reader, size_t *budget)
{
    *reader = (struct frame_reader){.budget = budget};
    ws_frame_parser_init(&reader->parser, WS_ROLE_CLIENT);
}

static void release(struct frame_reader *reader)
{
    *reader->budget += reader->message_size;
    free(reader->message);
    reader->message = NULL;
    reader->message_size = 0;
}

void frame_reader_deinit(struct frame_reader *reader)
{
    release(reader);
}

static bool is_control(const struct frame_reader *reader)
{
    return reader->frame.opcode >= WS_OPCODE_CLOSE;
}

static enum frame_reader_event fault(struct frame_reader *reader, uint16_t code, const char *reason)
{
    reader->close_code = code;
    snprintf(reader->reason, sizeof reader->reason, "%s", reason);
    return FRAME_READER_FAULT;
}

static enum frame_reader_event frame_fault(struct frame_reader *reader, enum ws_frame_result result)
{
    char text[WS_CLOSE_REASON_MAX + 1];

    ws_frame_error_text(result, reader->parser.header, text, sizeof text);
    return fault(reader, WS_CLOSE_PROTOCOL_ERROR, text);
}

/* The delivered message goes; a large one leaves no room behind. */
static void forget_delivered(struct frame_reader *reader)
{
    if (!reader->is_delivered) {
        return;
    }
    reader->is_delivered = false;
    reader->message_len = 0;
    if (reader->message_size > FRAME_READER_KEEP_BYTES) {
        release(reader);
    }
}

/* A whole header was read. */
static enum frame_reader_event begin_frame(struct frame_reader *reader)
{
    reader->in_frame = true;
    reader->payload_done = 0;
    if (is_control(reader)) {
        return FRAME_READER_MORE;
    }
    if (reader->frame.payload_len > PARCEL_BYTES_MAX - reader->message_len) {
        return fault(reader, WS_CLOSE_TOO_BIG, "");
    }
    if (reader->frame.opcode != WS_OPCODE_CONTINUATION) {
        reader->type = (enum parcel_type)reader->frame.opcode;
    }
    return FRAME_READER_MORE;
}

/* Room grows with the bytes that came, not with what a frame announces. */
static bool make_room(struct frame_reader *reader, size_t len)
{
    size_t wanted = reader->message_len + len;
    size_t size = reader->message_size == 0 ? FIRST_SIZE : reader->message_size;

    while (size < wanted) {
        size *= 2;
    }
    size = size < PARCEL_BYTES_MAX ? size : PARCEL_BYTES_MAX;
    if (size == reader->message_size) {
        return true;
    }
    size_t more = size - reader->message_size;
    uint8_t *message = more > *reader->budget ? NULL : realloc(reader->message, size);

    if (message == NULL) {
        return false;
    }
    *reader->budget -= more;
    reader->message = message;
    reader->message_size = size;
    return true;
}

/* False: no memory. */
static bool take_payload(struct frame_reader *reader, struct bytes *input)
{
    uint64_t left = reader->frame.payload_len - reader->payload_done;
    size_t len = input->len < left ? input->len : (size_t)left;
    uint8_t *target;

    if (len == 0) {
        return true;
    }
    if (is_control(reader)) {
        target = reader->control + reader->payload_done;
    } else if (make_room(reader, len)) {
        target = reader->message + reader->message_len;
        reader->message_len += len;
    } else {
        return false;
    }
    ws_mask_copy(target, input->data, len, reader->frame.mask, reader->payload_done);
    reader->payload_done += len;
    *input = bytes_skip(*input, len);
    return true;
}

static enum frame_reader_event end_close(struct frame_reader *reader)
{
    enum ws_close_result result = ws_frame_close_parse(reader->content, &reader->close_code);
    char text[WS_CLOSE_REASON_MAX + 1];

    if (result == WS_CLOSE_OK) {
        return FRAME_READER_CLOSE;
    }
    ws_frame_close_error_text(result, reader->content, text, sizeof text);
    return fault(reader, WS_CLOSE_PROTOCOL_ERROR, text);
}

static enum frame_reader_event end_frame(struct frame_reader *reader)
{
    reader->in_frame = false;
    if (!is_control(reader)) {
        if (!reader->frame.fin) {
            return FRAME_READER_MORE;
        }
        reader->content = bytes_of(reader->message, reader->message_len);
        reader->is_delivered = true;
        return FRAME_READER_MESSAGE;
    }
    reader->content = bytes_of(reader->control, (size_t)reader->payload_done);
    if (reader->frame.opcode == WS_OPCODE_CLOSE) {
        return end_close(reader);
    }
    return reader->frame.opcode == WS_OPCODE_PING ? FRAME_READER_PING : FRAME_READER_PONG;
}

static enum frame_reader_event read_header(struct frame_reader *reader, struct bytes *input)
{
    enum ws_frame_result result = ws_frame_parse(&reader->parser, input, &reader->frame);

    if (result == WS_FRAME_MORE) {
        return FRAME_READER_MORE;
    }
    return result == WS_FRAME_OK ? begin_frame(reader) : frame_fault(reader, result);
}

enum frame_reader_event frame_reader_next(struct frame_reader *reader, struct bytes *input)
{
    enum frame_reader_event event = FRAME_READER_MORE;

    forget_delivered(reader);
    while (event == FRAME_READER_MORE && (input->len > 0 || reader->in_frame)) {
        if (!reader->in_frame) {
            event = read_header(reader, input);
            continue;
        }
        if (!take_payload(reader, input)) {
            return fault(reader, WS_CLOSE_TRY_AGAIN_LATER, "no memory for a message");
        }
        if (reader->payload_done < reader->frame.payload_len) {
            return FRAME_READER_MORE;
        }
        event = end_frame(reader);
    }
    return event;
}
