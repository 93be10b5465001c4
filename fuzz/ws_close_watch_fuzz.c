/* Reaches ws_close_watch_read. In pieces it must find a Close exactly where a plain reading of the
 * frames ends one. Input: one byte that cuts, one that is the payload left at the start, then the
 * stream. */
#include <stdint.h>

#include "base/check.h"
#include "fuzz/split.h"
#include "wire/ws_close_watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes up to the end of the first Close; SIZE_MAX: there is none. */
static size_t end_of_close(struct bytes stream, size_t payload_left)
{
    struct ws_frame_parser parser;
    struct bytes rest = stream;
    bool is_close = false;

    ws_frame_parser_init(&parser, WS_ROLE_CLIENT);
    for (;;) {
        if (rest.len < payload_left) {
            return SIZE_MAX;
        }
        rest = bytes_skip(rest, payload_left);
        if (is_close) {
            return stream.len - rest.len;
        }
        struct ws_frame frame;

        if (rest.len == 0 || ws_frame_parse(&parser, &rest, &frame) != WS_FRAME_OK) {
            return SIZE_MAX;
        }
        is_close = frame.opcode == WS_OPCODE_CLOSE;
        payload_left = (size_t)frame.payload_len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct split split = {.state = data[0]};
    struct bytes stream = bytes_of(data + 2, size - 2);
    struct ws_frame_parser parser;
    struct ws_close_watch watch;
    size_t end = end_of_close(stream, data[1]);
    size_t given = 0;

    ws_frame_parser_init(&parser, WS_ROLE_CLIENT);
    struct ws_frame rest = {.opcode = WS_OPCODE_TEXT, .payload_len = data[1]};

    ws_close_watch_init(&watch, &parser, data[1] > 0 ? &rest : NULL, 0);
    while (given < stream.len) {
        size_t len = split_next(&split, stream.len - given);
        bool found = ws_close_watch_read(&watch, bytes_of(stream.data + given, len));

        given += len;
        CHECK(found == (given >= end));
    }
    return 0;
}
