/* Goal: lines come without their ends, whatever the cuts, and long ones in pieces. */
#include "host/device/line_cutter.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct line_cutter cutter;

Test(line_cutter, gives_lines_without_their_ends_whatever_the_cuts)
{
    static const char text[] = "one\r\n\ntwo\r\rx\nrest";

    for (size_t step = 1; step < sizeof text; step++) {
        struct bytes left = bytes_of_text(text), line;
        char lines[64] = "";

        line_cutter_init(&cutter);
        while (left.len > 0) {
            struct bytes piece = bytes_of(left.data, left.len < step ? left.len : step);

            left = bytes_skip(left, piece.len);
            while (line_cutter_take(&cutter, &piece, &line)) {
                strncat(lines, (const char *)line.data, line.len);
                strncat(lines, "|", 2);
            }
        }
        cr_assert_str_eq(lines, "one||two\r\rx|", "step %zu", step);
    }
}

Test(line_cutter, passes_long_lines_on_in_pieces)
{
    static char text[LINE_CUTTER_BYTES_MAX + 10];
    struct bytes input = bytes_of(text, sizeof text), line;

    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\n';
    line_cutter_init(&cutter);
    cr_assert(line_cutter_take(&cutter, &input, &line));
    cr_assert_eq(line.len, LINE_CUTTER_BYTES_MAX);
    cr_assert(line_cutter_take(&cutter, &input, &line));
    cr_assert_eq(line.len, 9);
    cr_assert_not(line_cutter_take(&cutter, &input, &line));
}
