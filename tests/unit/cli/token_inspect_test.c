/* Goal: relay token inspect takes its keys from the options of the server and its token from where
 * it is given, and its exit status is the verdict. Method: the command in this process with its
 * input and output redirected. What it prints is tested at token/inspect. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/option_tables.h"
#include "token/token.h"

#define SECRET "a secret that must not be shown"

static char *token;

static void start(void)
{
    struct token_keys *keys = token_keys_create(SECRET);
    struct token_claims claims = {.exp_s = clock_wall_s() + 1000};

    for (size_t i = 0; i < token_inspect_option_table.specs_count; i++) {
        unsetenv(token_inspect_option_table.specs[i].env);
    }
    cr_assert(token_claims_add_audience(&claims, "https://a"));
    cr_assert_eq(token_sign(keys, &claims, &token), TOKEN_OK);
    token_keys_destroy(keys);
    cr_redirect_stdout();
    cr_redirect_stderr();
}

static void stop(void)
{
    free(token);
}

TestSuite(cli_token_inspect, .init = start, .fini = stop);

/* NULL ends the words early. */
static int run(const char *input, const char *word_1, const char *word_2, const char *word_3)
{
    const char *words[] = {"token", "inspect", word_1, word_2, word_3};
    char *argv[ARRAY_LENGTH(words) + 1] = {NULL};
    int argc = 0;
    FILE *in = cr_get_redirected_stdin();

    cr_assert_geq(fputs(input, in), 0);
    fclose(in);
    while (argc < (int)ARRAY_LENGTH(words) && words[argc] != NULL) {
        argv[argc] = strdup(words[argc]);
        argc++;
    }
    int status = command_token(argc, argv);

    while (argc > 0) {
        free(argv[--argc]);
    }
    fflush(stdout);
    fflush(stderr);
    return status;
}

static void expect_verdict(const char *verdict)
{
    char text[65536] = "";
    size_t len = fread(text, 1, sizeof text - 1, cr_get_redirected_stdout());

    text[len] = '\0';
    cr_expect_not_null(strstr(text, verdict), "%s", text);
    cr_expect_null(strstr(text, SECRET));
}

Test(cli_token_inspect, reads_standard_input)
{
    cr_redirect_stdin();
    setenv("RELAY_SECRET", SECRET, 1);
    cr_expect_eq(run(token, NULL, NULL, NULL), 0);
    expect_verdict("Verdict\n  valid\n");
}

Test(cli_token_inspect, takes_the_header_of_a_request)
{
    char header[TOKEN_BYTES_MAX];

    cr_redirect_stdin();
    setenv("RELAY_SECRET", SECRET, 1);
    snprintf(header, sizeof header, " \n Bearer \t%s \r\n", token);
    cr_expect_eq(run(header, "-", NULL, NULL), 0);
    expect_verdict("Verdict\n  valid\n");
}

Test(cli_token_inspect, takes_the_first_argument)
{
    cr_redirect_stdin();
    cr_expect_eq(run("", token, "--secret", SECRET), 0);
    expect_verdict("Verdict\n  valid\n");
}

Test(cli_token_inspect, refuses_another_audience)
{
    cr_redirect_stdin();
    setenv("RELAY_SECRET", SECRET, 1);
    cr_expect_eq(run(token, "--audience", "https://b", "-"), 1);
    expect_verdict("  refused: aud does not name https://b\n");
}

Test(cli_token_inspect, refuses_without_keys)
{
    cr_redirect_stdin();
    cr_expect_eq(run(token, NULL, NULL, NULL), 1);
    expect_verdict("  refused: no key is configured to check it with\n");
}

Test(cli_token_inspect, a_bad_key_file_is_one_line)
{
    cr_redirect_stdin();
    setenv("RELAY_SECRETS_FILE", "/nonexistent/secrets", 1);
    cr_expect_eq(run(token, NULL, NULL, NULL), 1);
    cr_expect_stdout_eq_str("");
    cr_expect_stderr_eq_str(
        "relay token inspect: /nonexistent/secrets: No such file or directory\n");
}

Test(cli_token_inspect, two_tokens_are_one_too_many)
{
    cr_redirect_stdin();
    cr_expect_eq(run("", token, "second", NULL), 1);
    cr_expect_stderr_eq_str(
        "relay token inspect: unexpected argument second; see relay token inspect --help\n");
}

Test(cli_token_inspect, help_names_every_option)
{
    char text[16384] = "";

    cr_redirect_stdin();
    cr_expect_eq(run("", "--help", NULL, NULL), 0);
    cr_assert_gt(fread(text, 1, sizeof text - 1, cr_get_redirected_stdout()), 0);
    for (size_t i = 0; i < token_inspect_option_table.specs_count; i++) {
        cr_expect_not_null(strstr(text, token_inspect_option_table.specs[i].env));
    }
}
