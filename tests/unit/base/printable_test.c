/* Goal: of what a stranger says nothing reaches a terminal that the terminal would obey, and
 * nothing that turns a line round. Method: every code point; texts compared. Sources: ECMA-48 §5.3
 * (C1 and its UTF-8 form), Unicode 15 §23.1 (line separators) and UAX #9 §2 (directional
 * characters). */
#include "base/printable.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

static size_t encode(uint32_t code, uint8_t data[4])
{
    if (code < 0x80) {
        data[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        data[0] = (uint8_t)(0xc0 | code >> 6);
        data[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        data[0] = (uint8_t)(0xe0 | code >> 12);
        data[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        data[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    data[0] = (uint8_t)(0xf0 | code >> 18);
    data[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    data[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    data[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

static bool is_meant(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0, 0x1f},        {0x7f, 0x9f},     {0x61c, 0x61c},  {0x200e, 0x200f},
                  {0x2028, 0x2029}, {0x202a, 0x202e}, {0x2066, 0x2069}};

    for (size_t i = 0; i < ARRAY_LENGTH(ranges); i++) {
        if (code >= ranges[i].first && code <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

Test(printable, knows_every_code_point)
{
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        uint8_t data[4];
        size_t len = encode(code, data);
        uint16_t found = 0;

        if (code >= 0xd800 && code <= 0xdfff) {
            continue;
        }
        cr_assert_eq(printable_control_len(bytes_of(data, len), &found), is_meant(code) ? len : 0,
                     "U+%04X", code);
        cr_assert(!is_meant(code) || found == code, "U+%04X", code);
    }
}

Test(printable, a_cut_sequence_is_none)
{
    uint16_t code;

    cr_assert_eq(printable_control_len(bytes_of("\xc2", 1), &code), 0);
    cr_assert_eq(printable_control_len(bytes_of("\xd8", 1), &code), 0);
    cr_assert_eq(printable_control_len(bytes_of("\xe2\x80", 2), &code), 0);
}

Test(printable, writes_text_that_steers_nothing)
{
    static const struct {
        const char *text, *written;
    } cases[] = {
        {"", ""},
        {"caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80"},
        {"a\x1b[2Jb\x7f", "a\\u001b[2Jb\\u007f"},
        {"a\xc2\x9b"
         "2J\xc2\x9d",
         "a\\u009b2J\\u009d"},
        {"\x9b"
         "2J",
         "\xef\xbf\xbd"
         "2J"},
        {"\xe2\x80\xaetxt\xe2\x80\xa8", "\\u202etxt\\u2028"},
        {"\xe2\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *written = NULL;
        size_t len;
        FILE *out = open_memstream(&written, &len);

        printable_write(out, bytes_of_text(cases[i].text));
        fclose(out);
        cr_expect_str_eq(written, cases[i].written, "case %zu", i);
        free(written);
    }
}
