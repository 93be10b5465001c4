#include "base/printable.h"

#include "base/utf8.h"

static size_t control_of_three(const uint8_t *data, uint16_t *ret_code)
{
    uint16_t code = (uint16_t)((data[0] & 0x0f) << 12 | (data[1] & 0x3f) << 6 | (data[2] & 0x3f));

    *ret_code = code;
    return code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
                   (code >= 0x2066 && code <= 0x2069)
               ? 3
               : 0;
}

size_t printable_control_len(struct bytes in, uint16_t *ret_code)
{
    uint8_t first = in.data[0];

    if (first < 0x20 || first == 0x7f) {
        *ret_code = first;
        return 1;
    }
    if (first == 0xc2 && in.len >= 2 && in.data[1] >= 0x80 && in.data[1] <= 0x9f) {
        *ret_code = in.data[1];
        return 2;
    }
    if (first == 0xd8 && in.len >= 2 && in.data[1] == 0x9c) {
        *ret_code = 0x061c;
        return 2;
    }
    return first == 0xe2 && utf8_sequence_len(in) == 3 ? control_of_three(in.data, ret_code) : 0;
}

void printable_write(FILE *out, struct bytes text)
{
    while (text.len > 0) {
        uint16_t code;
        size_t control_len = printable_control_len(text, &code);
        size_t len = control_len > 0 ? control_len : utf8_sequence_len(text);

        if (control_len > 0) {
            fprintf(out, "\\u%04x", code);
        } else if (len == 0) {
            fputs("\xef\xbf\xbd", out);
            len = 1;
        } else {
            fwrite(text.data, 1, len, out);
        }
        text = bytes_skip(text, len);
    }
}
