/* Goal: every option of relay serve takes what is within its bounds or among its choices, and
 * nothing else. Method: command lines through the real option table. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/log.h"
#include "server/access/access.h"
#include "server/loop/worker.h"
#include "tests/unit/server/config_fixture.h"

TestSuite(config_table, .init = clear_environment, .fini = release_config);

static void expect_refused(const char *flag, const char *said)
{
    cr_assert_eq(parse_one(flag), OPTIONS_REFUSED, "%s was accepted", flag);
    cr_assert_str_eq(error, said);
}

Test(config_table, knows_each_choice_by_its_name)
{
    static const struct {
        const char *flag;
        const int *member;
        int value;
    } cases[] = {
        {"--text-utf8=check", &config.text_utf8, CONFIG_TEXT_UTF8_CHECK},
        {"--text-utf8=pass", &config.text_utf8, CONFIG_TEXT_UTF8_PASS},
        {"--subprotocols=null", &config.subprotocols, ACCESS_SUBPROTOCOLS_NULL},
        {"--subprotocols=first", &config.subprotocols, ACCESS_SUBPROTOCOLS_FIRST},
        {"--subprotocols=none", &config.subprotocols, ACCESS_SUBPROTOCOLS_NONE},
        {"--tls-min=1.2", &config.tls_min, CONFIG_TLS_1_2},
        {"--tls-min=1.3", &config.tls_min, CONFIG_TLS_1_3},
        {"--ktls=auto", &config.ktls, CONFIG_KTLS_AUTO},
        {"--ktls=off", &config.ktls, CONFIG_KTLS_OFF},
        {"--ktls=require", &config.ktls, CONFIG_KTLS_REQUIRE},
        {"--log-format=json", &config.log_format, LOG_FORMAT_JSON},
        {"--log-format=text", &config.log_format, LOG_FORMAT_TEXT},
        {"--log-format=JSON", &config.log_format, LOG_FORMAT_JSON},
        {"--log-level=warning", &config.log_level, LOG_LEVEL_WARN},
        {"--log-level=PANIC", &config.log_level, LOG_LEVEL_PANIC},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_assert_eq(parse_one(cases[i].flag), OPTIONS_OK, "%s", error);
        cr_assert_eq(*cases[i].member, cases[i].value, "%s", cases[i].flag);
    }
}

Test(config_table, refuses_other_choices_and_tells_which_there_are)
{
    expect_refused("--log-level=loud",
                   "RELAY_LOG_LEVEL can be trace, debug, info, warn, error, fatal or panic but "
                   "not loud");
    expect_refused("--log-format=xml", "RELAY_LOG_FORMAT can be json or text but not xml");
    expect_refused("--text-utf8=Check", "RELAY_TEXT_UTF8 must be check or pass, not Check");
    expect_refused("--subprotocols=mqtt",
                   "RELAY_SUBPROTOCOLS must be null, first or none, not mqtt");
    expect_refused("--tls-min=1.1", "RELAY_TLS_MIN must be 1.2 or 1.3, not 1.1");
    expect_refused("--ktls=maybe", "RELAY_KTLS must be auto, off or require, not maybe");
}

/* Whatever the table says: its bounds are accepted, one beyond is not. */
Test(config_table, accepts_every_number_within_its_bounds_and_none_beyond)
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

Test(config_table, has_bounds_that_the_server_can_keep)
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
