/* Cuts bytes into lines, without their ends (LF or CR LF). A line that is too long is passed on in
 * pieces. Pure; one owner, one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

enum line_cutter_limits { LINE_CUTTER_BYTES_MAX = 64 * 1024 };

struct line_cutter {
    size_t len;
    bool is_lent; /* the content went with the last line */
    uint8_t content[LINE_CUTTER_BYTES_MAX];
};

void line_cutter_init(struct line_cutter *cutter);

/* Reads from the front of *input and advances it. True: *ret_line is borrowed until the next call.
 */
MUST_USE bool line_cutter_take(struct line_cutter *cutter, struct bytes *input,
                               struct bytes *ret_line);
