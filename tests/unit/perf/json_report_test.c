/* Goal: a report is printed whole with a line's end, or not at all, and a full disk is told of. */
#include "perf/json_report.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char *text;
static size_t len;

static int print(json_t *report, bool is_whole)
{
    FILE *out = open_memstream(&text, &len);

    cr_assert_not_null(out);
    int failed = json_report_print(report, is_whole, out);

    fclose(out);
    return failed;
}

Test(json_report, is_printed_whole)
{
    cr_assert_eq(print(json_pack("{s:i}", "a", 1), true), 0);
    cr_assert_str_eq(text, "{\n  \"a\": 1\n}\n");
    free(text);
}

Test(json_report, is_not_printed_in_part)
{
    cr_assert_eq(print(NULL, true), -ENOMEM);
    cr_assert_eq(len, 0);
    free(text);
    cr_assert_eq(print(json_object(), false), -ENOMEM);
    cr_assert_eq(len, 0);
    free(text);
}

Test(json_report, that_cannot_be_written_is_an_error)
{
    FILE *full = fopen("/dev/full", "w");

    cr_assert_not_null(full);
    cr_assert_eq(json_report_print(json_object(), true, full), -EIO);
    fclose(full);
}
