/* Goal: relay client hands over to its interfaces. Method: the interfaces are the test's. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>

#include "base/attributes.h"
#include "cli/client_tool.h"
#include "cli/command.h"

static int seen_argc;
static char **seen_argv;

int command_client_file(int argc, char **argv)
{
    seen_argc = argc;
    seen_argv = argv;
    return 10;
}

int command_client_pipe(int argc, char **argv)
{
    seen_argc = argc;
    seen_argv = argv;
    return 11;
}

int command_client_record(int argc, char **argv)
{
    seen_argc = argc;
    seen_argv = argv;
    return 12;
}

static void start(void)
{
    cr_redirect_stdout();
    cr_redirect_stderr();
}

TestSuite(cli_client, .init = start);

static int run(char *interface)
{
    char *argv[] = {(char[]){"client"}, interface, (char[]){"--binary"}, NULL};
    int status = command_client(interface == NULL ? 1 : 3, argv);

    fflush(stdout);
    fflush(stderr);
    return status;
}

Test(cli_client, hands_over_with_the_interface_as_the_name)
{
    cr_expect_eq(run((char[]){"file"}), 10);
    cr_expect_eq(run((char[]){"pipe"}), 11);
    cr_expect_eq(run((char[]){"record"}), 12);
    cr_expect_eq(seen_argc, 2);
    cr_expect_not_null(seen_argv);
}

Test(cli_client, without_an_interface_says_what_practables_says)
{
    cr_expect_eq(run(NULL), 0);
    cr_expect_stdout_eq_str("error: you must specify an interface e.g. file, or -h (help)\n");
}

Test(cli_client, refuses_others)
{
    cr_expect_eq(run((char[]){"fil"}), CLIENT_TOOL_CONFIG);
    cr_expect_stderr_eq_str(
        "relay client: unknown interface \"fil\"; relay client --help lists them\n");
    cr_expect_eq(seen_argc, 0);
}

Test(cli_client, lists_them)
{
    char text[1024];

    cr_expect_eq(run((char[]){"--help"}), 0);
    size_t len = fread(text, 1, sizeof text - 1, cr_get_redirected_stdout());

    text[len] = '\0';
    cr_expect_not_null(strstr(text, "\n  file   write the messages"), "%s", text);
    cr_expect_not_null(strstr(text, "\n  pipe   lines of standard input"), "%s", text);
    cr_expect_not_null(strstr(text, "\n  record write the video"), "%s", text);
}
