/* Goal: --json says what the relay said, harmless to a terminal. Method: texts compared. */
#include "cli/status/output.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

Test(output, json_is_one_line_with_everything)
{
    static const struct {
        const char *json;
        const char *line;
    } cases[] = {
        {"[]", "[]\n"},
        {" [ {\"z\": 24.1,\n \"a\": [true, null, 15980]} ] ",
         "[{\"z\":24.1,\"a\":[true,null,15980]}]\n"},
        {"[{\"userAgent\":\"\xc2\x9b"
         "2J\u4e2d\"}]",
         "[{\"userAgent\":\"\\u009B2J\\u4E2D\"}]\n"},
        {"[\"\x7f\"]", "[\"\\u007f\"]\n"},
    };
    const struct status_settings settings = {.json = true};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct relay_status_reports reports = {.json = cases[i].json,
                                                     .json_len = strlen(cases[i].json)};
        char *text = output_render(&settings, &reports);

        cr_expect_str_eq(text, cases[i].line);
        free(text);
    }
}

Test(output, is_a_table_otherwise)
{
    const struct status_settings settings = {.json = false};
    const struct relay_status_reports reports = {.json = "[]", .json_len = 2};
    char *text = output_render(&settings, &reports);

    cr_assert_eq(strncmp(text, "TOPIC ", 6), 0);
    free(text);
}
