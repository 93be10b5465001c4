/* Goal: exactly the well-formed sequences of RFC 3629 §4 are accepted.
 * Method: every code point, encoded here; every two-byte string; the borders of the table. */
#include <criterion/criterion.h>
#include <stdint.h>

#include "base/utf8.h"

static size_t encode(uint32_t point, uint8_t *data)
{
    if (point < 0x80) {
        data[0] = (uint8_t)point;
        return 1;
    }
    size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint8_t first[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = len - 1; i > 0; i--) {
        data[i] = (uint8_t)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    data[0] = (uint8_t)(first[len] | point);
    return len;
}

Test(utf8, accepts_every_code_point_but_the_surrogates)
{
    for (uint32_t point = 0; point < 0x120000; point++) {
        uint8_t data[4];
        size_t len = encode(point, data);
        bool is_allowed = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);

        cr_assert_eq(utf8_sequence_len(bytes_of(data, len)), is_allowed ? len : 0, "U+%04X",
                     (unsigned)point);
        cr_assert_eq(utf8_is_valid(bytes_of(data, len)), is_allowed, "U+%04X", (unsigned)point);
        cr_assert(!utf8_is_valid(bytes_of(data, len - 1)) || len == 1, "U+%04X cut short",
                  (unsigned)point);
    }
}

Test(utf8, accepts_two_bytes_only_as_two_characters_or_one_sequence)
{
    for (unsigned pair = 0; pair < 65536; pair++) {
        uint8_t data[2] = {(uint8_t)(pair >> 8), (uint8_t)pair};
        bool is_ascii = data[0] < 0x80 && data[1] < 0x80;
        bool is_sequence = data[0] >= 0xc2 && data[0] <= 0xdf && data[1] >= 0x80 && data[1] <= 0xbf;

        cr_assert_eq(utf8_is_valid(bytes_of(data, 2)), is_ascii || is_sequence, "%04x", pair);
    }
}

Test(utf8, refuses_overlong_forms_stray_bytes_and_what_is_out_of_range)
{
    static const char *const bad[] = {
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\x80",
        "\xbf",
        "\xfe",
        "\xff",
        "ok\xc3",
        "\xe2\x82",
        "\xe2\x28\xa1",
        "\xf0\x9f\x98",
        "\xf8\x88\x80\x80",
        "a\x80z",
        "\xf0\x9f\x28\x80",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert(!utf8_is_valid(bytes_of_text(bad[i])), "case %zu", i);
    }
    cr_assert(utf8_is_valid(bytes_of(NULL, 0)));
    cr_assert(utf8_is_valid(bytes_of_text("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80")));
}
