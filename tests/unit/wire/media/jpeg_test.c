/* Goal: a whole JPEG is told from one that is cut, and what follows it does not matter. Method:
 * pictures written byte by byte, and cut at every place. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/attributes.h"
#include "wire/media/jpeg.h"

/* A thumbnail in APP1, with an EOI of its own; fill bytes; a restart marker and 0xff00 in the scan.
 */
static const uint8_t picture[] = {
    0xff, 0xd8, 0xff, 0xe1, 0, 8, 0xff, 0xd8, 1,    2, 0xff, 0xd9, 0xff, 0xff, 0xff, 0xdb, 0,
    3,    7,    0xff, 0xda, 0, 3, 1,    0x11, 0xff, 0, 0x22, 0xff, 0xd0, 0x33, 0xff, 0xd9,
};

Test(jpeg, is_whole_with_its_end_and_not_before)
{
    for (size_t len = 0; len < sizeof picture; len++) {
        cr_expect_eq(jpeg_len(bytes_of(picture, len)), 0, "%zu", len);
        cr_expect_eq(jpeg_begins(bytes_of(picture, len)), len >= 3, "%zu", len);
    }
    cr_expect_eq(jpeg_len(bytes_of(picture, sizeof picture)), sizeof picture);
}

Test(jpeg, bytes_behind_it_do_not_matter)
{
    uint8_t longer[sizeof picture + 9];

    memcpy(longer, picture, sizeof picture);
    memcpy(longer + sizeof picture, "\r\n--next\r", 9);
    cr_expect_eq(jpeg_len(bytes_of(longer, sizeof longer)), sizeof picture);
}

Test(jpeg, other_bytes_are_none)
{
    static const struct {
        uint8_t bytes[12];
        size_t len;
    } cases[] = {
        {{0}, 0},
        {{0xff, 0xd8}, 2},
        {{'-', '-', 'b', '\r', '\n', 0xff, 0xd8, 0xff, 0xda, 0, 2, 0xff}, 12},
        {{0xff, 0xd8, 0xff, 0xd9}, 4},
        {{0xff, 0xd8, 0xff, 0xdb, 0, 1, 0xff, 0xda, 0, 2, 0xff, 0xd9}, 12},
        {{0xff, 0xd8, 0xff, 0xdb, 0xff, 0xff, 0xff, 0xda, 0, 2, 0xff, 0xd9}, 12},
        {{0xff, 0xd8, 0xff, 0xda, 0, 3, 0xff, 0xd9}, 8},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_expect_eq(jpeg_len(bytes_of(cases[i].bytes, cases[i].len)), 0, "%zu", i);
    }
}

/* Else one message could keep a thread busy. */
Test(jpeg, does_not_look_at_many_bytes)
{
    static uint8_t fill[JPEG_SEGMENTS_MAX + 100], ends[JPEG_ENDS_MAX + 100];

    memset(fill, 0xff, sizeof fill);
    fill[1] = 0xd8;
    memcpy(fill + JPEG_SEGMENTS_MAX + 1, picture + 19, sizeof picture - 19);
    cr_expect_neq(jpeg_len(bytes_of(fill, sizeof fill)), 0);
    fill[JPEG_SEGMENTS_MAX + 1] = 0xff;
    memcpy(fill + JPEG_SEGMENTS_MAX + 2, picture + 19, sizeof picture - 19);
    cr_expect_eq(jpeg_len(bytes_of(fill, sizeof fill)), 0);

    memset(ends, 0xd9, sizeof ends);
    memcpy(ends, picture, sizeof picture);
    cr_expect_eq(jpeg_len(bytes_of(ends, sizeof picture + JPEG_ENDS_MAX - 1)), sizeof picture);
    cr_expect_eq(jpeg_len(bytes_of(ends, sizeof picture + JPEG_ENDS_MAX)), 0);
}
