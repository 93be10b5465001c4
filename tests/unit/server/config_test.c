/* Goal: every option of relay serve has its documented default and bounds, and what cannot work is
 * refused in one line before the server starts.
 * Method: command lines through the real option table; secret files in a temporary folder. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/config.h"
#include "server/limits.h"

static struct server_config config;
static char error[OPTIONS_ERROR_SIZE];

/* Options come from the environment too: only ours may count. */
static void clear_environment(void)
{
    for (size_t i = 0; i < serve_option_table.specs_count; i++) {
        unsetenv(serve_option_table.specs[i].env);
    }
    config = (struct server_config){0};
    error[0] = '\0';
}

static void release_config(void)
{
    options_release(&serve_option_table, &config);
}

TestSuite(config, .init = clear_environment, .fini = release_config);

/* Flags after the required ones; a list that ends with NULL. */
static enum options_result parse(const char *const *flags)
{
    char *argv[32] = {(char *)(uintptr_t) "relay serve",
                      (char *)(uintptr_t) "--audience=https://a.example",
                      (char *)(uintptr_t) "--url=wss://r.example"};
    int argc = 3;

    for (; flags != NULL && *flags != NULL; flags++) {
        argv[argc++] = (char *)(uintptr_t)*flags;
    }
    options_release(&serve_option_table, &config);
    config = (struct server_config){0};
    return options_parse(&serve_option_table, argc, argv, &config, error);
}

static enum options_result parse_one(const char *flag)
{
    const char *const flags[] = {flag, NULL};

    return parse(flags);
}

Test(config, has_the_documented_defaults)
{
    cr_assert_eq(parse(NULL), OPTIONS_OK, "%s", error);
    cr_assert_str_eq(config.audience, "https://a.example");
    cr_assert_str_eq(config.url, "wss://r.example");
    cr_assert_null(config.secret);
    cr_assert(!config.allow_no_booking_id);
    cr_assert_str_eq(config.bind_address, "");
    cr_assert_eq(config.port_access, 3000);
    cr_assert_eq(config.port_relay, 3001);
    cr_assert_eq(config.buffer_size, 128);
    cr_assert_eq(config.queue_age_ms, 5000);
    cr_assert_eq(config.code_ttl_ms, 30000);
    cr_assert_eq(config.ping_interval_ms, 25000);
    cr_assert_eq(config.write_timeout_ms, 10000);
    cr_assert_eq(config.stats_every_ms, 5000);
    cr_assert_eq(config.tidy_every_ms, 300000);
    cr_assert_str_eq(config.log_file, "/var/log/relay/relay.log");
    cr_assert_str_eq(config.log_format, "json");
    cr_assert_str_eq(config.log_level, "warn");
    cr_assert_eq(config_complete(&config, error), 0, "%s", error);
    cr_assert(config.text_is_checked);
}

Test(config, checks_text_or_passes_it)
{
    cr_assert_eq(parse_one("--text-utf8=pass"), OPTIONS_OK, "%s", error);
    cr_assert_eq(config_complete(&config, error), 0, "%s", error);
    cr_assert(!config.text_is_checked);
    cr_assert_eq(parse_one("--text-utf8=Check"), OPTIONS_OK, "%s", error);
    cr_assert_eq(config_complete(&config, error), -EINVAL);
    cr_assert_str_eq(error, "RELAY_TEXT_UTF8 must be check or pass, not Check");
}

Test(config, accepts_one_kind_of_subprotocol)
{
    static const char *const flags[] = {"--subprotocols=null", "--subprotocols=first",
                                        "--subprotocols=none"};

    for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
        cr_assert_eq(parse_one(flags[i]), OPTIONS_OK, "%s", error);
        cr_assert_eq(config_complete(&config, error), 0, "%s", error);
    }
    cr_assert_eq(parse_one("--subprotocols=mqtt"), OPTIONS_OK, "%s", error);
    cr_assert_eq(config_complete(&config, error), -EINVAL);
    cr_assert_str_eq(error, "RELAY_SUBPROTOCOLS must be null, first or none, not mqtt");
}

Test(config, reads_the_environment_that_operators_have)
{
    setenv("RELAY_BUFFER_SIZE", "256", 1);
    setenv("RELAY_STATS_EVERY", "1m", 1);
    setenv("RELAY_TIDY_EVERY", "5m", 1);
    setenv("RELAY_LOG_LEVEL", "info", 1);
    setenv("RELAY_LOG_FILE", "stdout", 1);
    setenv("RELAY_PORT_ACCESS", "10000", 1);
    setenv("RELAY_PORT_RELAY", "10001", 1);
    setenv("RELAY_SECRET", "somesecret", 1);
    setenv("RELAY_ALLOW_NO_BOOKING_ID", "true", 1);
    cr_assert_eq(parse(NULL), OPTIONS_OK, "%s", error);
    cr_assert_eq(config_complete(&config, error), 0, "%s", error);
    cr_assert_eq(config.buffer_size, 256);
    cr_assert_eq(config.stats_every_ms, 60000);
    cr_assert_str_eq(config.log_level, "info");
    cr_assert_str_eq(config.log_file, "stdout");
    cr_assert_eq(config.port_access, 10000);
    cr_assert_eq(config.port_relay, 10001);
    cr_assert_str_eq(config.secret, "somesecret");
    cr_assert(config.allow_no_booking_id);
    cr_assert_eq(parse_one("--buffer-size=7"), OPTIONS_OK);
    cr_assert_eq(config.buffer_size, 7, "a flag wins");
}

/* Whatever the table says: its bounds are accepted, one beyond is not. */
Test(config, accepts_every_number_within_its_bounds_and_none_beyond)
{
    unsigned tested = 0;

    for (size_t i = 0; i < serve_option_table.specs_count; i++) {
        const struct option_spec *spec = &serve_option_table.specs[i];
        const char *unit = spec->type == OPTION_DURATION ? "ms" : "";

        if (spec->type != OPTION_INTEGER && spec->type != OPTION_DURATION) {
            continue;
        }
        const struct {
            int64_t value;
            enum options_result result;
        } cases[] = {{spec->min, OPTIONS_OK},
                     {spec->max, OPTIONS_OK},
                     {spec->min - 1, OPTIONS_ERROR},
                     {spec->max + 1, OPTIONS_ERROR}};

        for (size_t j = 0; j < ARRAY_LENGTH(cases); j++) {
            char flag[128];

            snprintf(flag, sizeof flag, "--%s=%ld%s", spec->flag, (long)cases[j].value, unit);
            error[0] = '\0';
            cr_assert_eq(parse_one(flag), cases[j].result, "%s: %s", flag, error);
            if (cases[j].result == OPTIONS_OK) {
                int64_t value;

                memcpy(&value, (const char *)&config + spec->offset, sizeof value);
                cr_assert_eq(value, cases[j].value, "%s", flag);
            } else {
                cr_assert_not_null(strstr(error, spec->flag), "%s: %s", flag, error);
            }
        }
        tested++;
    }
    cr_assert_gt(tested, 10);
}

Test(config, has_bounds_that_the_server_can_keep)
{
    for (size_t i = 0; i < serve_option_table.specs_count; i++) {
        const struct option_spec *spec = &serve_option_table.specs[i];

        if (strcmp(spec->env, "RELAY_WORKERS") == 0) {
            cr_assert_leq(spec->max, WORKERS_MAX);
        } else if (strcmp(spec->env, "RELAY_CODES_MAX") == 0) {
            cr_assert_geq(spec->min, 1);
        }
    }
}

/* As users of practable/relay know it. */
Test(config, replaces_a_buffer_size_that_cannot_be)
{
    static const struct {
        const char *flag;
        int64_t size;
        bool replaced;
    } cases[] = {
        {"--buffer-size=1", 1, false},     {"--buffer-size=128", 128, false},
        {"--buffer-size=512", 512, false}, {"--buffer-size=513", 256, true},
        {"--buffer-size=0", 256, true},    {"--buffer-size=-1", 256, true},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_assert_eq(parse_one(cases[i].flag), OPTIONS_OK, "%s", error);
        cr_assert_eq(config_complete(&config, error), 0, "%s", error);
        cr_assert_eq(config.buffer_size, cases[i].size, "%s", cases[i].flag);
        cr_assert_eq(config.buffer_size_replaced, cases[i].replaced);
    }
    cr_assert_eq(config.buffer_size_asked, -1, "for the warning");
}

Test(config, uses_the_processors_of_the_machine_unless_told_otherwise)
{
    cr_assert_eq(parse(NULL), OPTIONS_OK);
    cr_assert_eq(config.workers, 0);
    cr_assert_eq(config_complete(&config, error), 0, "%s", error);
    cr_assert(config.workers >= 1 && config.workers <= WORKERS_MAX);
    cr_assert_eq(parse_one("--workers=3"), OPTIONS_OK);
    cr_assert_eq(config_complete(&config, error), 0);
    cr_assert_eq(config.workers, 3);
}

Test(config, says_which_required_option_is_missing)
{
    char *argv[] = {(char *)(uintptr_t) "relay serve", (char *)(uintptr_t) "--url=wss://r.example"};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    cr_assert_eq(options_parse(&serve_option_table, 2, argv, &config, error), OPTIONS_OK);
    cr_assert_eq(options_report_missing(&serve_option_table, &config, "You must set ", "", out), 1);
    fclose(out);
    cr_assert_str_eq(text, "You must set RELAY_AUDIENCE\n");
    free(text);
}

static void expect_incomplete(const char *flag, const char *said)
{
    cr_assert_eq(parse_one(flag), OPTIONS_OK, "%s", error);
    error[0] = '\0';
    cr_assert_eq(config_complete(&config, error), -EINVAL, "%s was accepted", flag);
    cr_assert_str_eq(error, said);
}

Test(config, refuses_names_that_it_does_not_know)
{
    static const char *const levels[] = {"trace", "debug", "info", "warn",
                                         "error", "fatal", "panic"};

    for (size_t i = 0; i < ARRAY_LENGTH(levels); i++) {
        char flag[64];

        snprintf(flag, sizeof flag, "--log-level=%s", levels[i]);
        cr_assert_eq(parse_one(flag), OPTIONS_OK);
        cr_assert_eq(config_complete(&config, error), 0, "%s: %s", flag, error);
    }
    expect_incomplete("--log-level=loud",
                      "RELAY_LOG_LEVEL can be trace, debug, info, warn, error, fatal or panic but "
                      "not loud");
    expect_incomplete("--log-format=xml", "RELAY_LOG_FORMAT can be json or text but not xml");
    cr_assert_eq(parse_one("--log-format=text"), OPTIONS_OK);
    cr_assert_eq(config_complete(&config, error), 0);
}

Test(config, wants_certificate_and_key_together)
{
    static const struct {
        const char *flags[4];
        int result;
    } cases[] = {
        {{"--tls-cert=c.pem", "--tls-key=k.pem", NULL}, 0},
        {{"--tls-cert=c.pem", NULL}, -EINVAL},
        {{"--tls-key=k.pem", NULL}, -EINVAL},
        {{"--tls-cert=c.pem", "--tls-key=k.pem", "--tls-min=1.2", NULL}, 0},
        {{"--tls-cert=c.pem", "--tls-key=k.pem", "--tls-min=1.1", NULL}, -EINVAL},
        {{"--tls-cert=c.pem", "--tls-key=k.pem", "--ktls=require", NULL}, 0},
        {{"--ktls=require", NULL}, -EINVAL},
        {{"--ktls=off", NULL}, 0},
        {{"--ktls=maybe", NULL}, -EINVAL},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_assert_eq(parse(cases[i].flags), OPTIONS_OK, "%s", error);
        error[0] = '\0';
        cr_assert_eq(config_complete(&config, error), cases[i].result, "case %zu: %s", i, error);
        cr_assert_eq(error[0] != '\0', cases[i].result != 0);
        cr_assert_null(strchr(error, '\n'));
    }
}

/* A file with these bytes; the name goes into path. */
static void write_file(char *path, const void *data, size_t len)
{
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, data, len), (ssize_t)len);
    close(fd);
}

static int complete_with_secret_file(const char *path)
{
    char flag[128];

    snprintf(flag, sizeof flag, "--secret-file=%s", path);
    cr_assert_eq(parse_one(flag), OPTIONS_OK, "%s", error);
    error[0] = '\0';
    return config_complete(&config, error);
}

Test(config, takes_the_secret_from_a_file)
{
    char path[] = "/tmp/relay-secret-XXXXXX";

    write_file(path, "from the file\n", 14);
    setenv("RELAY_SECRET", "from the environment", 1);
    cr_assert_eq(complete_with_secret_file(path), 0, "%s", error);
    cr_assert_str_eq(config.secret, "from the file", "and it wins");
    unsetenv("RELAY_SECRET");
    cr_assert_eq(complete_with_secret_file(path), 0);
    cr_assert_str_eq(config.secret, "from the file");
    unlink(path);
    cr_assert_eq(complete_with_secret_file(""), 0, "empty means none");
    cr_assert_null(config.secret);
}

Test(config, says_why_it_cannot_read_a_secret_file)
{
    char with_nul[] = "/tmp/relay-secret-XXXXXX", too_long[] = "/tmp/relay-secret-XXXXXX";
    static char much[70000];

    memset(much, 'x', sizeof much);
    write_file(with_nul, "sec\0ret", 7);
    write_file(too_long, much, sizeof much);
    cr_assert_eq(complete_with_secret_file("/nonexistent/secret"), -ENOENT);
    cr_assert_not_null(strstr(error, "RELAY_SECRET_FILE=/nonexistent/secret"), "%s", error);
    cr_assert_not_null(strstr(error, "No such file"), "%s", error);
    cr_assert_eq(complete_with_secret_file("/tmp"), -EISDIR, "%s", error);
    cr_assert_eq(complete_with_secret_file(with_nul), -EINVAL);
    cr_assert_null(strstr(error, "sec"
                                 "ret\""));
    cr_assert_eq(complete_with_secret_file(too_long), -EFBIG);
    unlink(with_nul);
    unlink(too_long);
}
