/* Goal: the table of the documentation says the same as the table of the options.
 * Method: that of one table with every type, byte for byte. */
#include <criterion/criterion.h>

#include "base/options/options_markdown.h"
#include "tests/unit/base/options/options_fixture.h"

Test(options_markdown, has_a_row_for_each_option)
{
    static const char expected[] =
        "| environment | flag | default | values | meaning |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| `T_NAME` | `--name` | required | text | What it is called. |\n"
        "| `T_SECRET` | `--secret` | required | text | Never shown. |\n"
        "| `T_LOUD` | `--loud` | `false` | true, false | Be loud. |\n"
        "| `T_PORT` | `--port` | `3000` | 1…65535 | Where to listen. |\n"
        "| `T_EVERY` | `--every` | `5s` | 1000…3600000 ms | How often. |\n"
        "| `T_COLOUR` | `--colour` | `blue` | red, green, blue | Its colour. |\n";
    char *text = printed_by(options_markdown_print);

    cr_assert_str_eq(text, expected);
    free(text);
}
