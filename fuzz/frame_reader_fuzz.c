/* Reaches frame_reader_next. One stream of frames is read whole, byte by byte and in random pieces:
 * the events and their contents must agree. Input: a byte that cuts, then the stream. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fuzz/split.h"
#include "host/local/frame_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
    return bytes_hash(hash, bytes_of(data, len));
}

static uint64_t mix_event(uint64_t hash, const struct frame_reader *reader,
                          enum frame_reader_event event)
{
    hash = mix(hash, &event, sizeof event);
    switch (event) {
    case FRAME_READER_MORE:
        break;
    case FRAME_READER_MESSAGE:
        CHECK(reader->type == PARCEL_TEXT || reader->type == PARCEL_BINARY);
        CHECK(reader->content.len <= PARCEL_BYTES_MAX);
        hash = mix(hash, reader->content.data, reader->content.len);
        break;
    case FRAME_READER_PING:
    case FRAME_READER_PONG:
        CHECK(reader->content.len <= WS_CONTROL_PAYLOAD_MAX);
        hash = mix(hash, reader->content.data, reader->content.len);
        break;
    case FRAME_READER_CLOSE:
    case FRAME_READER_FAULT:
        hash = mix(hash, &reader->close_code, sizeof reader->close_code);
        break;
    }
    return hash;
}

/* Each piece is a heap block of its own, freed at once: what points into it is found. */
static uint64_t read_all(struct bytes all, struct split split)
{
    enum frame_reader_event event = FRAME_READER_MORE;
    struct frame_reader reader;
    size_t budget = PARCEL_BYTES_MAX;
    uint64_t hash = 0;

    frame_reader_init(&reader, &budget);
    while (all.len > 0 && event < FRAME_READER_CLOSE) {
        size_t len = split_next(&split, all.len);
        uint8_t *piece = malloc(len);

        CHECK(piece != NULL);
        memcpy(piece, all.data, len);
        all = bytes_skip(all, len);
        struct bytes left = bytes_of(piece, len);

        do {
            event = frame_reader_next(&reader, &left);
            hash = event == FRAME_READER_MORE ? hash : mix_event(hash, &reader, event);
        } while (event != FRAME_READER_MORE && event < FRAME_READER_CLOSE);
        free(piece);
    }
    frame_reader_deinit(&reader);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct bytes all = bytes_of(data + 1, size - 1);
    uint64_t hash = read_all(all, (struct split){.state = SPLIT_WHOLE});

    CHECK(hash == read_all(all, (struct split){.state = SPLIT_SINGLE_BYTES}));
    CHECK(hash == read_all(all, (struct split){.state = data[0]}));
    return 0;
}
