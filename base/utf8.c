#include "base/utf8.h"

#include <stdint.h>

size_t utf8_sequence_len(struct bytes in)
{
    uint8_t first = in.data[0];
    size_t len = first < 0x80   ? 1
                 : first < 0xc2 ? 0
                 : first < 0xe0 ? 2
                 : first < 0xf0 ? 3
                 : first < 0xf5 ? 4
                                : 0;

    if (len == 0 || len > in.len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((in.data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((first == 0xe0 && in.data[1] < 0xa0) || (first == 0xed && in.data[1] > 0x9f) ||
        (first == 0xf0 && in.data[1] < 0x90) || (first == 0xf4 && in.data[1] > 0x8f)) {
        return 0;
    }
    return len;
}

bool utf8_is_valid(struct bytes in)
{
    while (in.len > 0) {
        size_t len = utf8_sequence_len(in);

        if (len == 0) {
            return false;
        }
        in = bytes_skip(in, len);
    }
    return true;
}
