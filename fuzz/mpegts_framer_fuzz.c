/* mpegts_framer_init, _push, _flush, _pending, _reset: the first byte chooses the size of the
 * pieces, the second that of the buffer, the rest is the stream. Every byte comes out once, in
 * order, or is counted as discarded; the size of the pieces changes nothing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wire/media/mpegts_framer.h"

enum { BUFFER_PACKETS_MAX = 32, STREAM_LEN_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Messages one behind the other, each with a digest of its boundaries and flags. */
struct transcript {
    uint8_t *data;
    size_t len;
    uint64_t digest;
};

static void record(struct transcript *transcript, const struct mpegts_message *message,
                   size_t buf_size)
{
    CHECK(message->packets.len > 0 && message->packets.len <= buf_size);
    CHECK(mpegts_is_whole_packets(message->packets));
    CHECK(message->end < MPEGTS_END_COUNT);
    memcpy(transcript->data + transcript->len, message->packets.data, message->packets.len);
    transcript->len += message->packets.len;
    transcript->digest = transcript->digest * 1000003 + transcript->len;
    transcript->digest = transcript->digest * 1000003 + message->end;
}

static void run(struct bytes stream, size_t piece, size_t buf_size, struct transcript *transcript)
{
    struct mpegts_framer framer;
    struct mpegts_message message;
    uint8_t *buf = malloc(buf_size);
    size_t stream_len = stream.len;

    CHECK(buf != NULL);
    mpegts_framer_init(&framer, buf, buf_size);
    while (stream.len > 0) {
        struct bytes part = bytes_of(stream.data, stream.len < piece ? stream.len : piece);

        stream = bytes_skip(stream, part.len);
        while (mpegts_framer_push(&framer, &part, &message)) {
            record(transcript, &message, buf_size);
        }
        CHECK(part.len == 0);
    }
    while (mpegts_framer_flush(&framer, &message)) {
        record(transcript, &message, buf_size);
    }
    CHECK(mpegts_framer_pending(&framer) == MPEGTS_PENDING_NOTHING);
    CHECK(transcript->len + framer.discarded_bytes + framer.carry_len == stream_len);
    mpegts_framer_reset(&framer);
    free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct transcript whole = {0}, pieces = {0};
    struct bytes stream;
    size_t piece, buf_size;

    if (size < 2 || size > STREAM_LEN_MAX) {
        return 0;
    }
    piece = 1u + data[0] * 3u;
    buf_size = (1u + data[1] % BUFFER_PACKETS_MAX) * MPEGTS_PACKET_SIZE + data[1] % 7u;
    stream = bytes_of(data + 2, size - 2);
    whole.data = malloc(size);
    pieces.data = malloc(size);
    CHECK(whole.data != NULL && pieces.data != NULL);
    run(stream, size, buf_size, &whole);
    run(stream, piece, buf_size, &pieces);
    CHECK(whole.len == pieces.len && whole.digest == pieces.digest);
    CHECK(memcmp(whole.data, pieces.data, whole.len) == 0);
    free(whole.data);
    free(pieces.data);
    return 0;
}
