/* Goal: one table gives the values; the environment counts, flags win, bounds hold, and every fault
 * is one understandable line. Method: one table with every type, parsed with given environments and
 * arguments. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdlib.h>
#include <string.h>

#include "base/options/options.h"
#include "tests/unit/base/options/options_fixture.h"

enum { ARGUMENTS_MAX = 8 };

/* arguments: up to the first NULL. */
static enum options_result parse(struct values *values, char *error,
                                 const char *const arguments[ARGUMENTS_MAX])
{
    char copies[ARGUMENTS_MAX][64] = {"relay"};
    char *argv[ARGUMENTS_MAX + 1] = {copies[0]};
    int argc = 1;

    for (size_t i = 0; i + 1 < ARGUMENTS_MAX && arguments[i] != NULL; i++, argc++) {
        snprintf(copies[argc], sizeof copies[argc], "%s", arguments[i]);
        argv[argc] = copies[argc];
    }
    *values = (struct values){0};
    error[0] = '\0';
    return options_parse(&table, argc, argv, values, error);
}

#define ARGUMENTS(...) ((const char *const[ARGUMENTS_MAX]){__VA_ARGS__})
#define NO_ARGUMENTS   ARGUMENTS(NULL)

static void clear_environment(void)
{
    for (size_t i = 0; i < table.specs_count; i++) {
        unsetenv(specs[i].env);
    }
}

TestSuite(options, .init = clear_environment);

Test(options, have_their_defaults)
{
    char error[OPTIONS_ERROR_SIZE];
    struct values values;

    cr_assert_eq(parse(&values, error, NO_ARGUMENTS), OPTIONS_OK, "%s", error);
    cr_assert_null(values.name);
    cr_assert_null(values.secret);
    cr_assert(!values.loud);
    cr_assert_eq(values.port, 3000);
    cr_assert_eq(values.every_ms, 5000);
    options_release(&table, &values);
}

Test(options, come_from_the_environment_and_flags_win)
{
    char error[OPTIONS_ERROR_SIZE];
    struct values values;

    setenv("T_NAME", "from env", 1);
    setenv("T_SECRET", "s3cret", 1);
    setenv("T_LOUD", "TRUE", 1);
    setenv("T_PORT", "80", 1);
    setenv("T_EVERY", "1m30s", 1);
    cr_assert_eq(parse(&values, error, NO_ARGUMENTS), OPTIONS_OK, "%s", error);
    cr_assert_str_eq(values.name, "from env");
    cr_assert_str_eq(values.secret, "s3cret");
    cr_assert(values.loud);
    cr_assert_eq(values.port, 80);
    cr_assert_eq(values.every_ms, 90000);
    options_release(&table, &values);
    cr_assert_eq(parse(&values, error,
                       ARGUMENTS("--name=a=b", "--secret", "--odd", "--loud=no", "--port", "81")),
                 OPTIONS_OK, "%s", error);
    cr_assert_str_eq(values.name, "a=b");
    cr_assert_str_eq(values.secret, "--odd");
    cr_assert(!values.loud);
    cr_assert_eq(values.port, 81);
    cr_assert_eq(values.every_ms, 90000);
    options_release(&table, &values);
}

Test(options, take_the_last_of_a_repeated_flag)
{
    char error[OPTIONS_ERROR_SIZE];
    struct values values;

    cr_assert_eq(parse(&values, error, ARGUMENTS("--name=a", "--name=b", "--loud")), OPTIONS_OK);
    cr_assert_str_eq(values.name, "b");
    cr_assert(values.loud);
    options_release(&table, &values);
}

Test(options, count_an_empty_variable_as_unset)
{
    char error[OPTIONS_ERROR_SIZE];
    struct values values;

    setenv("T_NAME", "", 1);
    setenv("T_PORT", "", 1);
    setenv("T_EVERY", "", 1);
    setenv("T_LOUD", "", 1);
    cr_assert_eq(parse(&values, error, NO_ARGUMENTS), OPTIONS_OK, "%s", error);
    cr_assert_null(values.name);
    cr_assert_eq(values.port, 3000);
    cr_assert_eq(values.every_ms, 5000);
    options_release(&table, &values);
}

static const struct {
    const char *argument;
    const char *error;
} faults[] = {
    {"--port=0", "--port must be between 1 and 65535 but is 0"},
    {"--port=65536", "--port must be between 1 and 65535 but is 65536"},
    {"--port=-1", "--port must be between 1 and 65535 but is -1"},
    {"--port=99999999999999999999", "--port must be a whole number but is 99999999999999999999"},
    {"--port=80x", "--port must be a whole number but is 80x"},
    {"--port= 80", "--port must be a whole number but is  80"},
    {"--port=+80", "--port must be a whole number but is +80"},
    {"--port=-", "--port must be a whole number but is -"},
    {"--port=8.0", "--port must be a whole number but is 8.0"},
    {"--port=", "--port must be a whole number but is "},
    {"--port", "option --port needs a value"},
    {"--every=x", "cannot parse duration in --every=x"},
    {"--every=999ms", "--every must be between 1000 and 3600000 ms but is 999ms"},
    {"--every=1h1ms", "--every must be between 1000 and 3600000 ms but is 1h1ms"},
    {"--loud=maybe", "--loud must be true or false but is maybe"},
    {"--unknown", "unknown option --unknown; see relay test --help"},
    {"--por=1", "unknown option --por; see relay test --help"},
    {"--ports=1", "unknown option --ports; see relay test --help"},
    {"--", "unknown option --; see relay test --help"},
    {"word", "unexpected argument word; see relay test --help"},
    {"-p", "unexpected argument -p; see relay test --help"},
};

Test(options, name_each_fault_in_one_line_and_stay_releasable)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        char error[OPTIONS_ERROR_SIZE];
        struct values values;

        cr_assert_eq(parse(&values, error, ARGUMENTS("--name=x", faults[i].argument)),
                     OPTIONS_ERROR, "%s", faults[i].argument);
        cr_assert_str_eq(error, faults[i].error);
        options_release(&table, &values);
        cr_assert_null(values.name);
    }
}

Test(options, name_the_variable_when_the_environment_is_wrong)
{
    char error[OPTIONS_ERROR_SIZE];
    struct values values;

    setenv("T_EVERY", "5", 1);
    cr_assert_eq(parse(&values, error, NO_ARGUMENTS), OPTIONS_ERROR);
    cr_assert_str_eq(error, "cannot parse duration in T_EVERY=5");
    options_release(&table, &values);
}

Test(options, accept_their_bounds)
{
    static const struct {
        const char *argument;
        int64_t port, every_ms;
    } cases[] = {{"--port=1", 1, 5000},
                 {"--port=65535", 65535, 5000},
                 {"--every=1s", 3000, 1000},
                 {"--every=1h", 3000, 3600000}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[OPTIONS_ERROR_SIZE];
        struct values values;

        cr_assert_eq(parse(&values, error, ARGUMENTS(cases[i].argument)), OPTIONS_OK, "%s", error);
        cr_assert_eq(values.port, cases[i].port);
        cr_assert_eq(values.every_ms, cases[i].every_ms);
        options_release(&table, &values);
    }
}

Test(options, know_the_words_for_true_and_false)
{
    static const char *const truths[] = {"true", "1", "yes", "on", "t", "True"};
    static const char *const lies[] = {"false", "0", "no", "off", "f", "OFF"};

    for (size_t i = 0; i < 6; i++) {
        char error[OPTIONS_ERROR_SIZE];
        struct values values;

        setenv("T_LOUD", truths[i], 1);
        cr_assert_eq(parse(&values, error, NO_ARGUMENTS), OPTIONS_OK, "%s", error);
        cr_assert(values.loud, "%s", truths[i]);
        setenv("T_LOUD", lies[i], 1);
        cr_assert_eq(parse(&values, error, NO_ARGUMENTS), OPTIONS_OK, "%s", error);
        cr_assert(!values.loud, "%s", lies[i]);
    }
}

/* A variable that practable/relay has. */
static const struct option_spec go_specs[] = {{.env = "T_GO",
                                               .flag = "go",
                                               .type = OPTION_GO_BOOLEAN,
                                               .offset = offsetof(struct values, loud),
                                               .default_text = "true",
                                               .help = "Go."}};
static const struct option_table go_table = {
    .command = "relay test", .synopsis = "Tests.", .specs = go_specs, .specs_count = 1};

static bool go_value(const char *text)
{
    char *argv[] = {(char *)(uintptr_t) "relay test"};
    struct values values = {0};
    char error[OPTIONS_ERROR_SIZE];

    setenv("T_GO", text, 1);
    cr_assert_eq(options_parse(&go_table, 1, argv, &values, error), OPTIONS_OK, "%s", error);
    return values.loud;
}

/* strconv.ParseBool; viper's GetBool is false where that fails. An empty variable is not set. */
Test(options, booleans_of_practable_relay_are_those_of_go)
{
    static const char *const truths[] = {"1", "t", "T", "TRUE", "true", "True", ""};
    static const char *const others[] = {"0",    "f",     "F",     "FALSE", "false", "False",
                                         "yes",  "YES",   "on",    "y",     "2",     "tRUE",
                                         "trUe", " true", "true ", "nil",   "01",    "-1"};

    for (size_t i = 0; i < sizeof truths / sizeof truths[0]; i++) {
        cr_assert(go_value(truths[i]), "%s", truths[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        cr_assert(!go_value(others[i]), "%s", others[i]);
    }
}

/* Flags are this program's own: a slip is an error. */
Test(options, flags_of_go_booleans_are_as_others)
{
    static const struct {
        const char *flag;
        enum options_result result;
        bool value;
    } cases[] = {{"--go", OPTIONS_OK, true},
                 {"--go=no", OPTIONS_OK, false},
                 {"--go=on", OPTIONS_OK, true},
                 {"--go=maybe", OPTIONS_ERROR, false}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *argv[] = {(char *)(uintptr_t) "relay test", (char *)(uintptr_t)cases[i].flag};
        struct values values = {0};
        char error[OPTIONS_ERROR_SIZE];

        unsetenv("T_GO");
        cr_assert_eq(options_parse(&go_table, 2, argv, &values, error), cases[i].result, "%s",
                     cases[i].flag);
        cr_assert(cases[i].result != OPTIONS_OK || values.loud == cases[i].value, "%s",
                  cases[i].flag);
    }
}

Test(options, refuse_a_choice_that_there_is_not_unless_a_flag_wins)
{
    static const struct {
        const char *environment, *flag;
        enum options_result result;
        int colour;
        const char *error;
    } cases[] = {
        {"", "--loud", OPTIONS_OK, COLOUR_BLUE, ""},
        {"red", "--loud", OPTIONS_OK, COLOUR_RED, ""},
        {"red", "--colour=green", OPTIONS_OK, COLOUR_GREEN, ""},
        {"grey", "--loud", OPTIONS_REFUSED, -1, "T_COLOUR must be red, green or blue, not grey"},
        {"red", "--colour=x", OPTIONS_REFUSED, -1, "T_COLOUR must be red, green or blue, not x"},
        {"grey", "--colour=red", OPTIONS_OK, COLOUR_RED, NULL},
        {"grey", "--port=0", OPTIONS_ERROR, -1, "--port must be between 1 and 65535 but is 0"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char error[OPTIONS_ERROR_SIZE];
        struct values values;

        setenv("T_COLOUR", cases[i].environment, 1);
        cr_assert_eq(parse(&values, error, ARGUMENTS(cases[i].flag)), cases[i].result, "case %zu",
                     i);
        cr_assert_eq(values.colour, cases[i].colour, "case %zu", i);
        if (cases[i].error != NULL) {
            cr_assert_str_eq(error, cases[i].error, "case %zu", i);
        }
        options_release(&table, &values);
    }
}

Test(options, report_each_required_one_that_is_missing)
{
    struct values values = {.name = NULL, .secret = NULL};
    char text[256] = "";
    FILE *out = fmemopen(text, sizeof text, "w");

    cr_assert_eq(options_report_missing(&table, &values, "You must set ", ".", out), 2);
    values.secret = strdup("");
    cr_assert_eq(options_report_missing(&table, &values, "<", ">", out), 2);
    free(values.secret);
    values.secret = strdup("x");
    values.name = strdup("y");
    cr_assert_eq(options_report_missing(&table, &values, "no ", "", out), 0);
    fclose(out);
    cr_assert_str_eq(text, "You must set T_NAME.\nYou must set T_SECRET.\n<T_NAME>\n<T_SECRET>\n");
    options_release(&table, &values);
}

Test(options, print_help_when_asked_even_among_faults)
{
    char error[OPTIONS_ERROR_SIZE];
    struct values values;

    cr_assert_eq(parse(&values, error, ARGUMENTS("--port=x", "--help")), OPTIONS_HELP);
    cr_assert_eq(parse(&values, error, ARGUMENTS("-h")), OPTIONS_HELP);
}

Test(options, are_read_or_the_reason_is_printed_with_an_exit_status)
{
    char *none[] = {(char[]){"relay"}, NULL};
    char *wrong[] = {(char[]){"relay"}, (char[]){"--port"}, (char[]){"x"}, NULL};
    char *help[] = {(char[]){"relay"}, (char[]){"--help"}, NULL};
    struct values values = {0};
    int status = -1;

    cr_redirect_stdout();
    cr_redirect_stderr();
    cr_assert(options_read(&table, 1, none, &values, &status));
    cr_assert_eq(status, -1);
    options_release(&table, &values);
    cr_assert_not(options_read(&table, 2, help, &values, &status));
    cr_assert_eq(status, 0);
    cr_assert_not(options_read(&table, 3, wrong, &values, &status));
    cr_assert_eq(status, 1);
    options_release(&table, &values);
    fflush(stderr);

    char text[256] = "";
    size_t len = fread(text, 1, sizeof text - 1, cr_get_redirected_stderr());

    cr_assert_gt(len, 0);
    cr_assert_eq(strncmp(text, "relay test: ", 12), 0, "%s", text);
    cr_assert_eq(strchr(text, '\n'), text + len - 1, "one line: %s", text);
}

static enum options_result parse_sources(struct values *values, char *error, const char *file_text,
                                         const char *const arguments[ARGUMENTS_MAX],
                                         enum option_origin *origins)
{
    struct option_file file = {0};
    char copies[ARGUMENTS_MAX][64] = {"relay"};
    char *argv[ARGUMENTS_MAX + 1] = {copies[0]};
    int argc = 1;

    cr_assert_eq(option_file_parse(bytes_of_text(file_text), &file, error), 0, "%s", error);
    for (size_t i = 0; i + 1 < ARGUMENTS_MAX && arguments[i] != NULL; i++, argc++) {
        snprintf(copies[argc], sizeof copies[argc], "%s", arguments[i]);
        argv[argc] = copies[argc];
    }
    *values = (struct values){0};
    const struct option_sources from = {
        .file = &file, .file_path = "relay.conf", .origins = origins};
    enum options_result result = options_parse_sources(&table, argc, argv, &from, values, error);

    option_file_release(&file);
    return result;
}

Test(options, later_source_wins_and_is_told)
{
    enum option_origin origins[ARRAY_LENGTH(specs)];
    char error[OPTIONS_ERROR_SIZE];
    struct values values;

    setenv("T_PORT", "2", true);
    setenv("T_EVERY", "2s", true);
    cr_assert_eq(parse_sources(&values, error, "T_NAME=file\nT_PORT=1\nT_EVERY=1s\nT_LOUD=\n",
                               ARGUMENTS("--every=3s"), origins),
                 OPTIONS_OK, "%s", error);
    cr_assert_str_eq(values.name, "file");
    cr_assert_eq(values.port, 2);
    cr_assert_eq(values.every_ms, 3000);
    cr_assert(!values.loud);
    cr_assert_eq(origins[0], OPTION_ORIGIN_FILE);
    cr_assert_eq(origins[2], OPTION_ORIGIN_DEFAULT, "an empty value is none");
    cr_assert_eq(origins[3], OPTION_ORIGIN_ENVIRONMENT);
    cr_assert_eq(origins[4], OPTION_ORIGIN_FLAG);
    options_release(&table, &values);
}

Test(options, name_that_is_no_option_is_a_fault_of_the_file)
{
    char error[OPTIONS_ERROR_SIZE];
    struct values values;

    cr_assert_eq(parse_sources(&values, error, "T_NAME=x\nT_PROT=1\n", NO_ARGUMENTS, NULL),
                 OPTIONS_ERROR);
    cr_assert_str_eq(error, "relay.conf:2: T_PROT is no option; see relay test --help");
    options_release(&table, &values);
}

Test(options, one_option_is_found_before_all_others)
{
    char flag[] = "--name=flag", other[] = "--name", value[] = "apart", program[] = "relay";

    cr_assert_null(options_text_given(&specs[0], 1, (char *[]){program}));
    setenv("T_NAME", "environment", true);
    cr_assert_str_eq(options_text_given(&specs[0], 1, (char *[]){program}), "environment");
    cr_assert_str_eq(options_text_given(&specs[0], 2, (char *[]){program, flag}), "flag");
    cr_assert_str_eq(options_text_given(&specs[0], 3, (char *[]){program, other, value}), "apart");
}
