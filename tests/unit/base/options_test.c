/* Goal: one table gives values, help and documentation; the environment counts, flags win, bounds
 * hold, and every fault is one understandable line.
 * Method: one table with every type, parsed with given environments and arguments. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/options.h"

struct values {
    char *name;
    char *secret;
    bool loud;
    int64_t port;
    int64_t every_ms;
};

static const struct option_spec specs[] = {
    {.env = "T_NAME",
     .flag = "name",
     .type = OPTION_TEXT,
     .offset = offsetof(struct values, name),
     .required = true,
     .help = "What it is called."},
    {.env = "T_SECRET",
     .flag = "secret",
     .type = OPTION_SECRET,
     .offset = offsetof(struct values, secret),
     .required = true,
     .help = "Never shown."},
    {.env = "T_LOUD",
     .flag = "loud",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct values, loud),
     .default_text = "false",
     .help = "Be loud."},
    {.env = "T_PORT",
     .flag = "port",
     .type = OPTION_INTEGER,
     .offset = offsetof(struct values, port),
     .default_text = "3000",
     .min = 1,
     .max = 65535,
     .help = "Where to listen."},
    {.env = "T_EVERY",
     .flag = "every",
     .type = OPTION_DURATION,
     .offset = offsetof(struct values, every_ms),
     .default_text = "5s",
     .min = 1000,
     .max = 3600000,
     .help = "How often."},
};

/* A variable that practable/relay has. */
static const struct option_spec go_specs[] = {{.env = "T_GO",
                                               .flag = "go",
                                               .type = OPTION_GO_BOOLEAN,
                                               .offset = offsetof(struct values, loud),
                                               .default_text = "true",
                                               .help = "Go."}};
static const struct option_table go_table = {
    .command = "relay test", .synopsis = "Tests.", .specs = go_specs, .specs_count = 1};

static const struct option_table table = {
    .command = "relay test", .synopsis = "Tests.", .specs = specs, .specs_count = 5};

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

static size_t print_to_text(char *text, size_t size,
                            void (*print)(const struct option_table *, FILE *))
{
    FILE *out = fmemopen(text, size, "w");

    print(&table, out);
    long len = ftell(out);

    fclose(out);
    return (size_t)len;
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

Test(options, are_all_in_the_help_and_no_secret_is)
{
    char text[4096];
    size_t len = print_to_text(text, sizeof text, options_print_help);

    cr_assert_gt(len, 0);
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
}

Test(options, print_help_when_asked_even_among_faults)
{
    char error[OPTIONS_ERROR_SIZE];
    struct values values;

    cr_assert_eq(parse(&values, error, ARGUMENTS("--port=x", "--help")), OPTIONS_HELP);
    cr_assert_eq(parse(&values, error, ARGUMENTS("-h")), OPTIONS_HELP);
}

Test(options, make_the_table_of_the_documentation)
{
    static const char expected[] =
        "| environment | flag | default | values | meaning |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| `T_NAME` | `--name` | required | text | What it is called. |\n"
        "| `T_SECRET` | `--secret` | required | text | Never shown. |\n"
        "| `T_LOUD` | `--loud` | `false` | true, false | Be loud. |\n"
        "| `T_PORT` | `--port` | `3000` | 1…65535 | Where to listen. |\n"
        "| `T_EVERY` | `--every` | `5s` | 1000…3600000 ms | How often. |\n";
    char text[4096];

    cr_assert_eq(print_to_text(text, sizeof text, options_print_markdown), sizeof expected - 1);
    cr_assert_str_eq(text, expected);
}

static void print_small_manual(const struct option_table *ignored, FILE *out)
{
    static const struct option_spec two[] = {
        {.env = "X_NAME",
         .flag = "a-name",
         .type = OPTION_TEXT,
         .required = true,
         .help = ".dot first, a \\ and a-dash."},
        {.env = "X_PORT",
         .flag = "port",
         .type = OPTION_INTEGER,
         .default_text = "3000",
         .help = "Port."},
    };
    const struct option_table small = {
        .command = "x run", .synopsis = "Runs x.", .specs = two, .specs_count = 2};

    options_print_manual(&small, "1.2", out);
}

Test(options, print_a_manual_page_that_roff_cannot_mistake)
{
    static const char expected[] =
        ".TH RELAY 1 \"\" \"relay 1.2\" \"User Commands\"\n.SH NAME\nx run\n"
        ".SH SYNOPSIS\n.B x run\n[options]\n.SH DESCRIPTION\nRuns x.\n"
        ".SH OPTIONS\nBy environment variable or flag; flags win.\n"
        ".TP\n\\fB\\-\\-a-name\\fR \\fITEXT\\fR, \\fBX_NAME\\fR\n"
        "\\&.dot first, a \\e and a\\-dash.\nRequired.\n"
        ".TP\n\\fB\\-\\-port\\fR \\fIN\\fR, \\fBX_PORT\\fR\nPort.\nDefault: 3000\n"
        ".SH EXIT STATUS\n"
        "0 after success, another number after an error, which is said in one line.\n";
    char text[4096];

    cr_assert_eq(print_to_text(text, sizeof text, print_small_manual), sizeof expected - 1);
    cr_assert_str_eq(text, expected);
}

static const struct {
    const char *text;
    int64_t ms; /* -1: refused */
} durations[] = {
    {"0", 0},
    {"0s", 0},
    {"1ms", 1},
    {"500ms", 500},
    {"1s", 1000},
    {"1.5s", 1500},
    {"1.001s", 1001},
    {".5s", 500},
    {"1.s", 1000},
    {"1m", 60000},
    {"1h30m", 5400000},
    {"1h1m1s1ms", 3661001},
    {"1s1h", 3601000},
    {"999us", 0},
    {"1000us", 1},
    {"1500\xc2\xb5s", 1},
    {"2000\xce\xbcs", 2},
    {"1000000ns", 1},
    {"999999ns", 0},
    {"0.000000001h", 0},
    {"0.1234567890123456789s", 123},
    {"0000000000000000000000001s", 1000},
    {"2562047h47m16.854775807s", INT64_C(9223372036854)},
    {"2562047h47m16.854775808s", -1},
    {"9223372036854775807ns", INT64_C(9223372036854)},
    {"9223372036854775808ns", -1},
    {"99999999999999999999s", -1},
    {"", -1},
    {"5", -1},
    {"s", -1},
    {".s", -1},
    {"1..5s", -1},
    {"1.5.5s", -1},
    {"-1s", -1},
    {"+1s", -1},
    {" 1s", -1},
    {"1s ", -1},
    {"1 s", -1},
    {"1S", -1},
    {"1d", -1},
    {"1s2", -1},
    {"1e3s", -1},
    {"0x10s", -1},
    {"1,5s", -1},
    {"infs", -1},
    {"nans", -1},
    {"1\xc2s", -1},
    {"00", -1},
};

Test(duration, is_parsed_as_go_does)
{
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        int64_t ms = -1;
        int result = duration_parse(durations[i].text, &ms);

        cr_assert_eq(ms, durations[i].ms, "%s gave %lld", durations[i].text, (long long)ms);
        cr_assert_eq(result, durations[i].ms >= 0 ? 0 : -EINVAL, "%s", durations[i].text);
    }
}

enum { SECRET_BYTES_MAX = 64 * 1024 };

static void write_file(char *path, const void *data, size_t len)
{
    static const char template[] = "/tmp/relay-secret-test-XXXXXX";

    memcpy(path, template, sizeof template);
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, data, len), (ssize_t)len);
    close(fd);
}

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

Test(secret_file, is_read_without_its_line_end)
{
    static const struct {
        const char *data;
        size_t len;
        int result;
        const char *text;
    } cases[] = {
        {"secret", 6, 0, "secret"},
        {"secret\n", 7, 0, "secret"},
        {"secret\r\n\n", 9, 0, "secret"},
        {" a\nb \n", 6, 0, " a\nb "},
        {"", 0, 0, ""},
        {"\n", 1, 0, ""},
        {"a\0b", 3, -EINVAL, NULL},
        {"a\0", 2, -EINVAL, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[64];
        char *text = NULL;

        write_file(path, cases[i].data, cases[i].len);
        cr_assert_eq(secret_file_read(path, &text), cases[i].result, "case %zu", i);
        cr_assert(cases[i].result == 0 ? strcmp(text, cases[i].text) == 0 : text == NULL,
                  "case %zu", i);
        free(text);
        unlink(path);
    }
}

/* An editor or a shell may add unseen what no token is signed with. */
Test(secret_file, of_one_secret_holds_nothing_that_is_not_seen)
{
    static const struct {
        const char *data;
        size_t len;
        int result;
        const char *text;
    } cases[] = {
        {"secret\r\n", 8, 0, "secret"},
        {"two words\n", 10, 0, "two words"},
        {"", 0, 0, ""},
        {"\xef\xbb\xbfsecret\n", 10, -EILSEQ, NULL},
        {"\xff\xfesecret", 8, -EILSEQ, NULL},
        {"\xfe\xffsecret", 8, -EILSEQ, NULL},
        {"\xff\xfes\0", 4, -EINVAL, NULL},
        {"secret \n", 8, -EBADMSG, NULL},
        {"secret\t", 7, -EBADMSG, NULL},
        {"secret\n \n", 9, -EBADMSG, NULL},
        {" secret", 7, -EBADMSG, NULL},
        {"\nsecret", 7, -EBADMSG, NULL},
        {" ", 1, -EBADMSG, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[64];
        char *text = NULL;

        write_file(path, cases[i].data, cases[i].len);
        cr_assert_eq(secret_file_read_one(path, &text), cases[i].result, "case %zu", i);
        cr_assert(cases[i].result == 0 ? strcmp(text, cases[i].text) == 0 : text == NULL,
                  "case %zu", i);
        free(text);
        unlink(path);
    }
    cr_assert_str_eq(secret_file_reason(-ENOENT), "No such file or directory");
    cr_assert_str_eq(secret_file_reason(-EBADMSG), "begins or ends with a blank: remove it");
}

Test(secret_file, is_read_up_to_its_limit)
{
    char *data = malloc(SECRET_BYTES_MAX + 1);
    char path[64];
    char *text = NULL;

    memset(data, 's', SECRET_BYTES_MAX + 1);
    write_file(path, data, SECRET_BYTES_MAX);
    cr_assert_eq(secret_file_read(path, &text), 0);
    cr_assert_eq(strlen(text), SECRET_BYTES_MAX);
    free(text);
    unlink(path);
    text = NULL;
    write_file(path, data, SECRET_BYTES_MAX + 1);
    cr_assert_eq(secret_file_read(path, &text), -EFBIG);
    cr_assert_null(text);
    unlink(path);
    free(data);
}

Test(secret_file, must_be_a_readable_file)
{
    char *text = NULL;

    cr_assert_eq(secret_file_read("/nonexistent", &text), -ENOENT);
    cr_assert_lt(secret_file_read("/tmp", &text), 0);
    cr_assert_null(text);
}
