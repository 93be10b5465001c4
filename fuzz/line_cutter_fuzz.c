/* Reaches line_cutter_take. One text is cut whole, byte by byte and in random pieces: the lines
 * must agree, and no line holds a line end. Input: a byte that cuts, then the text. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "fuzz/split.h"
#include "host/device/line_cutter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t cut(struct bytes all, struct split split)
{
    static struct line_cutter cutter;
    struct bytes line;
    uint64_t hash = 0;

    line_cutter_init(&cutter);
    while (all.len > 0) {
        struct bytes piece = bytes_of(all.data, split_next(&split, all.len));

        all = bytes_skip(all, piece.len);
        while (line_cutter_take(&cutter, &piece, &line)) {
            CHECK(bytes_find(line, '\n') == line.len);
            hash = bytes_hash(bytes_hash(hash, line), bytes_of("|", 1));
        }
        CHECK(piece.len == 0);
    }
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct bytes all = bytes_of(data + 1, size - 1);
    uint64_t hash = cut(all, (struct split){.state = SPLIT_WHOLE});

    CHECK(hash == cut(all, (struct split){.state = SPLIT_SINGLE_BYTES}));
    CHECK(hash == cut(all, (struct split){.state = data[0]}));
    return 0;
}
