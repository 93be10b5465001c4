/* Looks for the peer's Close among the frames that it still sends after ours (RFC 6455 §7.1.2):
 * everything else is passed over. Pure: no allocation, no I/O, any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "wire/ws_frame.h"

struct ws_close_watch {
    struct ws_frame_parser parser;
    uint64_t payload_left;    /* of the frame that is being passed over */
    bool is_close, is_broken; /* that frame; the stream: nothing more is looked for */
};

/* Goes on where a reader of frames stopped: its parser, and the frame in whose payload it stands
 * (NULL: between two), of which it has read payload_done bytes. */
void ws_close_watch_init(struct ws_close_watch *watch, const struct ws_frame_parser *parser,
                         const struct ws_frame *frame, uint64_t payload_done);

/* True with the last byte of a Close frame, and for good. What is no frame ends the search. */
bool ws_close_watch_read(struct ws_close_watch *watch, struct bytes bytes);
