/* Goal: options of relay serve that cannot work together are refused in one line before the server
 * starts, and what depends on the machine is filled in.
 * Method: command lines through the real option table; secret files in a temporary folder. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/config.h"
#include "server/loop/worker.h"
#include "tests/unit/server/config_fixture.h"

TestSuite(config, .init = clear_environment, .fini = release_config);

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
    cr_assert_eq(config.max_age_ms, 1000);
    cr_assert_eq(config.code_ttl_ms, 30000);
    cr_assert_eq(config.ping_interval_ms, 25000);
    cr_assert_eq(config.write_timeout_ms, 10000);
    cr_assert_eq(config.stats_every_ms, 5000);
    cr_assert_eq(config.tidy_every_ms, 300000);
    cr_assert_str_eq(config.log_file, "/var/log/relay/relay.log");
    cr_assert_eq(config.log_format, LOG_FORMAT_JSON);
    cr_assert_eq(config.log_level, LOG_LEVEL_WARN);
    cr_assert_eq(config_complete(&config, error), 0, "%s", error);
    cr_assert_eq(config.text_utf8, CONFIG_TEXT_UTF8_CHECK);
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
    cr_assert_eq(config.log_level, LOG_LEVEL_INFO);
    cr_assert_str_eq(config.log_file, "stdout");
    cr_assert_eq(config.port_access, 10000);
    cr_assert_eq(config.port_relay, 10001);
    cr_assert_str_eq(config.secret, "somesecret");
    cr_assert(config.allow_no_booking_id);
    cr_assert_eq(parse_one("--buffer-size=7"), OPTIONS_OK);
    cr_assert_eq(config.buffer_size, 7, "a flag wins");
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
        {{"--tls-cert=c.pem", "--tls-key=k.pem", "--ktls=require", NULL}, 0},
        {{"--ktls=require", NULL}, -EINVAL},
        {{"--ktls=off", NULL}, 0},
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
