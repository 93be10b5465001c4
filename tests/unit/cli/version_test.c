/* Goal: relay version prints one line of version and build time, as practable's does. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <regex.h>
#include <stdio.h>

#include "cli/command.h"

Test(cli_version, prints_version_and_build_time)
{
    char *argv[] = {(char[]){"version"}, NULL}, text[128];
    regex_t form;

    cr_redirect_stdout();
    cr_expect_eq(command_version(1, argv), 0);
    fflush(stdout);
    size_t len = fread(text, 1, sizeof text - 1, cr_get_redirected_stdout());

    text[len] = '\0';
    cr_assert_eq(regcomp(&form,
                         "^[0-9]+\\.[0-9]+\\.[0-9]+ "
                         "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\n$",
                         REG_EXTENDED | REG_NOSUB),
                 0);
    cr_expect_eq(regexec(&form, text, 0, NULL, 0), 0, "%s", text);
    regfree(&form);
}
