/* Looks for the peer's Close among the frames that it still sends after ours (RFC 6455 §7.1.2):
 * everything else is skipped. Pure: no allocation, no I/O, any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "wire/ws_frame.h"

struct ws_close_watch {
    struct ws_frame_parser parser;
    uint64_t payload_left;    /* of the frame being skipped */
    bool is_close, is_broken; /* that frame; the stream: the search has ended */
};

/* Continues where a frame reader stopped: its parser, and the frame whose payload it was reading
 * (NULL: between frames), payload_done bytes of it read. */
void ws_close_watch_init(struct ws_close_watch *watch, const struct ws_frame_parser *parser,
                         const struct ws_frame *frame, uint64_t payload_done);

/* True from the last byte of a Close frame on. Bytes that are not a frame end the search. */
bool ws_close_watch_read(struct ws_close_watch *watch, struct bytes bytes);
