#include "host/device/line_cutter.h"

#include <string.h>

void line_cutter_init(struct line_cutter *cutter)
{
    cutter->len = 0;
    cutter->is_lent = false;
}

static void lend(struct line_cutter *cutter, struct bytes *ret_line)
{
    size_t len = cutter->len;

    if (len > 0 && cutter->content[len - 1] == '\r') {
        len--;
    }
    *ret_line = bytes_of(cutter->content, len);
    cutter->is_lent = true;
}

bool line_cutter_take(struct line_cutter *cutter, struct bytes *input, struct bytes *ret_line)
{
    if (cutter->is_lent) {
        line_cutter_init(cutter);
    }
    size_t room = sizeof cutter->content - cutter->len;
    size_t line_len = bytes_find(*input, '\n');
    size_t len = line_len < room ? line_len : room;

    if (len > 0) {
        memcpy(cutter->content + cutter->len, input->data, len);
        cutter->len += len;
    }
    bool is_whole = len == line_len && len < input->len;

    *input = bytes_skip(*input, len + is_whole);
    if (is_whole || cutter->len == sizeof cutter->content) {
        lend(cutter, ret_line);
        return true;
    }
    return false;
}
