/* Options: defaults, bounds, and what cannot work. */
#include "client/settings.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(settings, fills_in_the_defaults)
{
    struct relay_client_options options = {.location = "https://h/session/t", .token = "eyJ.a.b"};
    struct settings settings;
    char error[RELAY_CLIENT_ERROR_SIZE];

    cr_assert_eq(settings_init(&settings, &options, error), 0);
    cr_assert_eq(settings.timing.reconnect_delay_ms, 500);
    cr_assert_eq(settings.timing.reconnect_delay_max_ms, 30000);
    cr_assert_eq(settings.timing.connect_timeout_ms, 10000);
    cr_assert_eq(settings.timing.stall_timeout_ms, 10000);
    cr_assert_eq(settings.timing.ping_interval_ms, 5000);
    cr_assert_eq(settings.ring.bytes_max, 8 * 1024 * 1024);
    cr_assert_eq(settings.ring.messages_max, 1024);
    cr_assert_eq(settings.ring.age_max_ns, 0);
    cr_assert_eq(settings.ring.drop, RELAY_CLIENT_DROP_NONE);
    cr_assert_null(settings.ca_file);
    cr_assert_null(settings.proxy);
    cr_assert_eq(strncmp(settings.user_agent, "relay-client/", 13), 0);
    settings_deinit(&settings);
}

Test(settings, takes_what_is_given_within_reason)
{
    struct relay_client_options options = {
        .location = "wss://h/x",
        .ca_file = "/etc/ca.pem",
        .proxy = "http://u:p@proxy:3128",
        .user_agent = "mine/2",
        .retries_max = -5,
        .reconnect_delay_ms = 60000,
        .reconnect_delay_max_ms = 1000,
        .no_pings = true,
        .ping_interval_ms = 77,
        .queue_messages_max = UINT32_MAX,
        .queue_age_max_ms = 250,
    };
    struct settings settings;
    char error[RELAY_CLIENT_ERROR_SIZE];

    cr_assert_eq(settings_init(&settings, &options, error), 0);
    cr_assert_eq(settings.timing.reconnect_delay_ms, 1000);
    cr_assert_eq(settings.timing.ping_interval_ms, 0);
    cr_assert_eq(settings.timing.retries_max, 0);
    cr_assert_eq(settings.ring.messages_max, 1024 * 1024);
    cr_assert_eq(settings.ring.age_max_ns, 250000000);
    cr_assert_str_eq(settings.ca_file, "/etc/ca.pem");
    cr_assert_str_eq(settings.proxy, "http://u:p@proxy:3128");
    cr_assert_str_eq(settings.user_agent, "mine/2");
    settings_deinit(&settings);
    settings_deinit(&settings);
}

Test(settings, says_in_one_line_what_cannot_work)
{
    static char long_agent[300];
    const struct {
        struct relay_client_options options;
        const char *cause;
    } cases[] = {
        {{.location = NULL}, "no location"},
        {{.location = ""}, "no location"},
        {{.location = "mailto:x"}, "must start with https://"},
        {{.location = "https://u@h/", .token = "t"}, "user:password@"},
        {{.location = "http://h/", .token = "t"}, "not encrypted"},
        {{.location = "ws://h/"}, "not encrypted"},
        {{.location = "https://h/"}, "no token"},
        {{.location = "https://h/", .token = "", .token_file = ""}, "no token"},
        {{.location = "https://h/", .token = "a\r\nb: c"}, "the token contains"},
        {{.location = "wss://h/", .proxy = "socks5://h"}, "the proxy is not usable"},
        {{.location = "wss://h/", .user_agent = "a\r\nb: c"}, "user agent"},
        {{.location = "wss://h/", .user_agent = long_agent}, "user agent"},
    };

    memset(long_agent, 'a', sizeof long_agent - 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct settings settings;
        char error[RELAY_CLIENT_ERROR_SIZE] = "";

        cr_assert_eq(settings_init(&settings, &cases[i].options, error), -EINVAL, "case %zu", i);
        cr_assert_not_null(strstr(error, cases[i].cause), "case %zu: %s", i, error);
        cr_assert_null(strchr(error, '\n'));
    }
}

Test(settings, plain_text_stays_on_this_machine_unless_insisted_on)
{
    static const struct {
        const char *location;
        bool insecure, usable;
    } cases[] = {
        {"http://127.0.0.1:3000/x", false, true}, {"ws://[::1]/x", false, true},
        {"http://localhost/x", false, true},      {"http://10.0.0.1/x", false, false},
        {"http://10.0.0.1/x", true, true},        {"https://10.0.0.1/x", false, true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct relay_client_options options = {
            .location = cases[i].location,
            .token = "eyJ.a.b",
            .insecure = cases[i].insecure,
            .insecure_name = "--unsafe",
        };
        struct settings settings;
        char error[RELAY_CLIENT_ERROR_SIZE];
        int failed = settings_init(&settings, &options, error);

        cr_assert_eq(failed == 0, cases[i].usable, "case %zu", i);
        cr_expect(failed == 0 || strstr(error, "with --unsafe") != NULL, "%s", error);
        if (failed == 0) {
            settings_deinit(&settings);
        }
    }
}
