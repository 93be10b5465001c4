/* Figures made by hand. */
#include "perf/footage/footage_report.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "perf/footage/footage_make.h"
#include "tests/unit/perf/report_text.h"

Test(footage_report, has_times_or_none)
{
    static struct histogram histogram;

    json_t *none = footage_report_times(&histogram);

    cr_assert(json_is_null(none));
    json_decref(none);
    for (uint64_t ms = 1; ms <= 100; ms++) {
        histogram_record(&histogram, ms * 1000000);
    }
    json_t *times = footage_report_times(&histogram);

    cr_assert_float_eq(json_real_value(json_object_get(times, "p50")), 50, 1);
    cr_assert_float_eq(json_real_value(json_object_get(times, "p99")), 99, 1);
    cr_assert_eq(json_real_value(json_object_get(times, "max")), 100);
    json_decref(times);
}

Test(footage_report, says_what_the_stream_is)
{
    char error[FOOTAGE_ERROR_SIZE], *text = NULL;
    struct footage footage;

    cr_assert_eq(footage_make(10000, &footage, error), 0);
    FILE *out = report_text_open(&text);

    footage_report_print(&footage, 0, out);
    footage_report_print(&footage, 1316, out);
    fclose(out);
    cr_assert(strstr(text, "1500 pictures, 6 of them key, 25.00 a second"), "%s", text);
    cr_assert(strstr(text, "a message for each picture\n"));
    cr_assert(strstr(text, "in messages of 1316 bytes\n"));
    json_t *object = footage_report_json(&footage, 1316);

    cr_assert_eq(json_integer_value(json_object_get(object, "key_pictures")), 6);
    cr_assert_eq(json_integer_value(json_object_get(object, "cut_bytes")), 1316);
    cr_assert_float_eq(json_real_value(json_object_get(object, "kbit_per_s")), 1100, 100);
    json_decref(object);
    footage_release(&footage);
    free(text);
}
