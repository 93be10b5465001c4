/* Goal: the command looks at the machine whatever the options are, and its status says whether
 * there is a fault. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "server/config_table.h"

static void start(void)
{
    for (size_t i = 0; i < serve_option_table.specs_count; i++) {
        unsetenv(serve_option_table.specs[i].env);
    }
    cr_redirect_stdout();
}

TestSuite(doctor, .init = start);

static void run(int expected)
{
    char name[] = "doctor", json[] = "--json";
    char *argv[] = {name, json, NULL};

    cr_assert_eq(command_doctor(2, argv), expected);
    fflush(stdout);
}

static void expect_output(const char *part)
{
    char text[16384];
    FILE *out = cr_get_redirected_stdout();

    text[fread(text, 1, sizeof text - 1, out)] = '\0';
    cr_assert_not_null(strstr(text, part), "%s", text);
}

Test(doctor, options_that_are_missing_are_a_fault_and_the_machine_is_looked_at)
{
    run(1);
    expect_output("RELAY_AUDIENCE or RELAY_URL is not set");
}

Test(doctor, options_that_are_wrong_are_a_fault)
{
    setenv("RELAY_WORKERS", "many", 1);
    run(1);
    expect_output("RELAY_WORKERS must be a whole number but is many");
}
