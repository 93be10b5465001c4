#include "wire/ws_close_watch.h"

void ws_close_watch_init(struct ws_close_watch *watch, const struct ws_frame_parser *parser,
                         const struct ws_frame *frame, uint64_t payload_done)
{
    *watch = (struct ws_close_watch){.parser = *parser};
    if (frame != NULL) {
        watch->is_close = frame->opcode == WS_OPCODE_CLOSE;
        watch->payload_left = frame->payload_len - payload_done;
    }
}

static bool is_whole_close(const struct ws_close_watch *watch)
{
    return watch->is_close && watch->payload_left == 0;
}

static void pass_over(struct ws_close_watch *watch, struct bytes *bytes)
{
    size_t len = bytes->len < watch->payload_left ? bytes->len : (size_t)watch->payload_left;

    watch->payload_left -= len;
    *bytes = bytes_skip(*bytes, len);
}

bool ws_close_watch_read(struct ws_close_watch *watch, struct bytes bytes)
{
    pass_over(watch, &bytes);
    while (bytes.len > 0 && !watch->is_broken && !is_whole_close(watch)) {
        struct ws_frame frame;
        enum ws_frame_result result = ws_frame_parse(&watch->parser, &bytes, &frame);

        if (result == WS_FRAME_MORE) {
            break;
        }
        watch->is_broken = result != WS_FRAME_OK;
        if (!watch->is_broken) {
            watch->is_close = frame.opcode == WS_OPCODE_CLOSE;
            watch->payload_left = frame.payload_len;
            pass_over(watch, &bytes);
        }
    }
    return is_whole_close(watch);
}
