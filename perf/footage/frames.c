#include "perf/footage/frames.h"

#include <errno.h>
#include <string.h>

enum {
    FINAL = 0x80,
    MASKED = 0x80,
    OPCODE_BINARY = 2,
    OPCODE_CLOSE = 8,
    OPCODE_PING = 9,
    OPCODE_PONG = 10,
    MASK_BYTES = 4,
    LEN_16 = 126,
    LEN_64 = 127,
};

static unsigned opcode_of(const struct frames *frames)
{
    return frames->header[0] & 0x0f;
}

static size_t header_bytes(const struct frames *frames)
{
    if (frames->header_len < 2 || frames->header[1] < LEN_16) {
        return 2;
    }
    return frames->header[1] == LEN_16 ? 4 : FRAMES_HEADER_BYTES_MAX;
}

static uint64_t payload_bytes(const struct frames *frames)
{
    uint64_t len = 0;

    if (frames->header[1] < LEN_16) {
        return frames->header[1];
    }
    for (size_t i = 2; i < frames->header_len; i++) {
        len = len << 8 | frames->header[i];
    }
    return len;
}

/* Lost when the socket takes nothing: it is not the only ping. */
static void pong(struct frames *frames)
{
    uint8_t frame[2 + MASK_BYTES + FRAMES_CONTROL_BYTES_MAX] = {
        FINAL | OPCODE_PONG, (uint8_t)(MASKED | frames->control_len)};

    memcpy(frame + 2 + MASK_BYTES, frames->control, frames->control_len);
    (void)!frames->transport->ops->write(frames->transport, frame,
                                         2 + MASK_BYTES + frames->control_len);
}

static int header_take(struct frames *frames, uint8_t byte)
{
    frames->header[frames->header_len++] = byte;
    if (frames->header_len == 2 && (byte & MASKED) != 0) {
        return -EPROTO;
    }
    if (frames->header_len < header_bytes(frames)) {
        return 0;
    }
    frames->payload_left = payload_bytes(frames);
    frames->in_payload = true;
    frames->control_len = 0;
    bool is_control = opcode_of(frames) >= OPCODE_CLOSE;

    return is_control && frames->payload_left > FRAMES_CONTROL_BYTES_MAX ? -EPROTO : 0;
}

static void payload_take(struct frames *frames, struct bytes *input)
{
    size_t len = frames->payload_left < input->len ? (size_t)frames->payload_left : input->len;

    if (opcode_of(frames) >= OPCODE_CLOSE) {
        memcpy(frames->control + frames->control_len, input->data, len);
        frames->control_len += len;
    } else if (frames->on_payload != NULL && len > 0) {
        frames->on_payload(frames->ctx, bytes_of(input->data, len));
    }
    frames->payload_left -= len;
    *input = bytes_skip(*input, len);
}

static int frame_end(struct frames *frames)
{
    unsigned opcode = opcode_of(frames);

    frames->in_payload = false;
    frames->header_len = 0;
    if (opcode == OPCODE_PING) {
        pong(frames);
    }
    return opcode == OPCODE_CLOSE ? -ESHUTDOWN : 0;
}

int frames_take(struct frames *frames, struct bytes input)
{
    int failed = 0;

    while (failed == 0 && input.len > 0) {
        if (!frames->in_payload) {
            failed = header_take(frames, input.data[0]);
            input = bytes_skip(input, 1);
        } else {
            payload_take(frames, &input);
        }
        if (failed == 0 && frames->in_payload && frames->payload_left == 0) {
            failed = frame_end(frames);
        }
    }
    return failed;
}

int frames_read(struct frames *frames)
{
    uint8_t buffer[FRAMES_READ_BYTES];
    ssize_t len = frames->transport->ops->read(frames->transport, buffer, sizeof buffer);

    if (len == -EAGAIN) {
        return 0;
    }
    if (len <= 0) {
        return len == 0 ? -ECONNRESET : (int)len;
    }
    return frames_take(frames, bytes_of(buffer, (size_t)len));
}

static int write_all(struct load_transport *transport, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = transport->ops->write(transport, data, len);

        if (sent <= 0) {
            return sent == 0 ? -EIO : (int)sent;
        }
        data += sent;
        len -= (size_t)sent;
    }
    return 0;
}

int frames_send(struct load_transport *transport, struct bytes payload)
{
    uint8_t header[FRAMES_HEADER_BYTES_MAX + MASK_BYTES] = {FINAL | OPCODE_BINARY};
    size_t len_bytes = payload.len < LEN_16 ? 0 : payload.len <= UINT16_MAX ? 2 : 8;

    header[1] = (uint8_t)(MASKED | (len_bytes == 0   ? payload.len
                                    : len_bytes == 2 ? LEN_16
                                                     : LEN_64));
    for (size_t i = 0; i < len_bytes; i++) {
        header[2 + i] = (uint8_t)(payload.len >> 8 * (len_bytes - 1 - i));
    }
    int failed = write_all(transport, header, 2 + len_bytes + MASK_BYTES);

    return failed != 0 ? failed : write_all(transport, payload.data, payload.len);
}
