/* Goal: --help tells each option with its values, default and meaning.
 * Method: the help of one table with every type. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/options/options_help.h"
#include "tests/unit/base/options/options_fixture.h"

Test(options_help, are_all_in_the_help_and_no_secret_is)
{
    char *text = printed_by(options_help_print);

    cr_assert_not_null(strstr(text, "Usage: relay test [options]\n\nTests.\n"));
    for (size_t i = 0; i < table.specs_count; i++) {
        char flag[32];

        snprintf(flag, sizeof flag, "\n  --%s ", specs[i].flag);
        cr_assert_not_null(strstr(text, flag), "%s", flag);
        cr_assert_not_null(strstr(text, specs[i].env));
        cr_assert_not_null(strstr(text, specs[i].help));
    }
    cr_assert_not_null(strstr(text, "Default: 3000\n"));
    cr_assert_not_null(strstr(text, "--every DURATION"));
    cr_assert_not_null(strstr(text, "--colour red|green|blue\n"));
    cr_assert_null(strstr(text, "verdant"), "an alias is not told");
    free(text);
}
