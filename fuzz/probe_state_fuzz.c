/* probe_state_read, stream_probe_take, _splice, _gap: the input changes bytes of a probe that has
 * seen a stream, by two bytes for the place and one for the value each, up to the first place
 * beyond its end; the rest is the next messages. Bytes that are read are the probe's, and messages
 * to it have places within them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wire/media/probe_state.h"

enum { CHANGE_BYTES = 3, MESSAGE_BYTES = 300, PID_VIDEO = 0x100 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A PAT, a PMT and a picture of H.264 in one packet each, as ffmpeg makes them. */
static size_t make_stream(uint8_t *stream)
{
    static const uint8_t pat[] = {0x47, 0x40, 0, 0x10, 0,    0,    0xb0, 0x0d, 0,    1,   0xc1,
                                  0,    0,    0, 1,    0xf0, 0x00, 0x2a, 0xb1, 0x04, 0xb2};
    static const uint8_t picture[] = {0x47, 0x41, 0,    0x30, 1, 0x40, 0, 0, 1,    0xe0,
                                      0,    0,    0x80, 0,    0, 0,    0, 1, 0x67, 1,
                                      0,    0,    1,    0x68, 1, 0,    0, 1, 0x65, 0x88};

    memset(stream, 0xff, 3 * (size_t)MPEGTS_PACKET_SIZE);
    memcpy(stream, pat, sizeof pat);
    memcpy(stream + MPEGTS_PACKET_SIZE, picture, sizeof picture);
    memcpy(stream + 2 * MPEGTS_PACKET_SIZE, picture, sizeof picture);
    stream[2 * MPEGTS_PACKET_SIZE + 3] |= 1;
    return 3 * (size_t)MPEGTS_PACKET_SIZE;
}

/* Returns the bytes of the input that it used. */
static size_t change(struct stream_probe *probe, const uint8_t *data, size_t size)
{
    uint8_t *bytes = (uint8_t *)probe;
    size_t at = 0;

    for (; size - at >= CHANGE_BYTES; at += CHANGE_BYTES) {
        size_t place = (size_t)data[at] << 8 | data[at + 1];

        if (place >= sizeof *probe) {
            return at + CHANGE_BYTES;
        }
        bytes[place] = data[at + 2];
    }
    return at;
}

static void show(struct stream_probe *probe, struct bytes message)
{
    uint8_t *copy = malloc(message.len + 1); /* its end is the block's */
    uint8_t *out = malloc(STREAM_SPLICE_SIZE_MAX);

    CHECK(copy != NULL && out != NULL);
    memcpy(copy, message.data, message.len);
    struct stream_mark mark = stream_probe_take(probe, bytes_of(copy, message.len));

    CHECK(mark.end_offset <= message.len && mark.key_carry_len <= MPEGTS_PACKET_SIZE);
    if (mark.kind == MEDIA_KEY) {
        CHECK(stream_probe_splice(probe, out) <= STREAM_SPLICE_SIZE_MAX);
    } else if (mark.starts_at_boundary) {
        CHECK(stream_probe_gap(probe, out) <= SPLICE_GAP_SIZE_MAX);
    }
    free(out);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t stream[3 * MPEGTS_PACKET_SIZE];
    struct stream_probe *probe = malloc(sizeof *probe), read;

    CHECK(probe != NULL);
    stream_probe_init(probe);
    stream_probe_take(probe, bytes_of(stream, make_stream(stream)));
    size_t at = change(probe, data, size);

    if (probe_state_read(bytes_of(probe, sizeof *probe), &read)) {
        CHECK(memcmp(probe, &read, sizeof read) == 0);
        show(&read, bytes_of(stream, sizeof stream));
        while (at < size) {
            size_t len = size - at < MESSAGE_BYTES ? size - at : MESSAGE_BYTES;

            show(&read, bytes_of(data + at, len));
            at += len;
        }
    }
    free(probe);
    return 0;
}
