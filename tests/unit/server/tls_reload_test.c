/* Goal: certificates are read at start, read again when their files change, and stay in use when
 * the new ones are bad; the kernel's part follows RELAY_KTLS. Method: pairs made on the spot are
 * exchanged between reloads; the log goes to a file; a kernel that a test chooses. */
#include "server/tls_reload.h"

#include <errno.h>

#include "base/log.h"
#include "tests/unit/log_file.h"
#include "tests/unit/server/tls/tls_fixture.h"

static struct pair_files one, two, ending;
static char log_path[] = "/tmp/relay-tls-reload-test-XXXXXX";
static struct server_config config;
static struct conn_shared shared;
static struct tls_reload reload;
static char error[TLS_ERROR_SIZE];

/* In place of server/tls/ktls.c. */
static struct ktls_support kernel;
static unsigned probes;

void ktls_probe(struct ktls_support *ret_support)
{
    probes++;
    *ret_support = kernel;
}

static void start(void)
{
    int fd = mkstemp(log_path);

    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(log_open(log_path, LOG_LEVEL_WARN, LOG_FORMAT_JSON), 0);
    pair_make(&one, "one.example", 30);
    pair_make(&two, "two.example", 60);
    pair_make(&ending, "ending.example", 13);
    config = (struct server_config){.tls_cert = one.cert,
                                    .tls_key = one.key,
                                    .tls_min = CONFIG_TLS_1_2,
                                    .tls_tickets = 2,
                                    .ktls = CONFIG_KTLS_AUTO};
}

static void stop(void)
{
    tls_reload_deinit(&reload);
    pair_remove(&one);
    pair_remove(&two);
    pair_remove(&ending);
    unlink(log_path);
}

TestSuite(tls_reload, .init = start, .fini = stop);

static bool is_logged(const char *message)
{
    return log_file_has(log_path, message);
}

static int64_t days_left(void)
{
    struct tls_context *context = tls_slot_get(&reload.slot);
    int64_t left_s = tls_context_expires_s(context) - time(NULL);

    tls_context_unref(context);
    return (left_s + FIXTURE_DAY_S - 1) / FIXTURE_DAY_S;
}

static void init(void)
{
    cr_assert_eq(tls_reload_init(&reload, &config, &shared, error), 0, "%s", error);
}

/* The new pair takes the place of the first; its time differs, whatever the clock's grain. */
static void exchange_for(const struct pair_files *pair)
{
    cr_assert_eq(rename(pair->cert, one.cert), 0);
    cr_assert_eq(rename(pair->key, one.key), 0);
}

Test(tls_reload, without_a_certificate_does_nothing)
{
    config.tls_cert = (char[]){""};
    init();
    cr_expect_not(reload.enabled);
    cr_expect_null(shared.tls);
    cr_expect_eq(probes, 0);
    tls_reload_now(&reload);
    tls_reload_if_changed(&reload);
}

Test(tls_reload, fills_what_connections_share)
{
    kernel = (struct ktls_support){.any = true, .text = "yes"};
    config.tls_min = CONFIG_TLS_1_3;
    init();
    cr_expect(reload.enabled);
    cr_expect(reload.settings.tls13_only);
    cr_expect_eq(reload.settings.tickets, 2);
    cr_expect_eq(shared.tls, &reload.slot);
    cr_expect(shared.ktls.any);
    cr_expect_not(shared.ktls_required);
    cr_expect_eq(days_left(), 30);
}

Test(tls_reload, refuses_a_bad_pair_at_start)
{
    config.tls_key = two.key;
    cr_expect_eq(tls_reload_init(&reload, &config, &shared, error), -EINVAL);
    cr_expect_not_null(strstr(error, "does not belong"), "%s", error);
    cr_expect_not(reload.enabled);
    cr_expect_null(shared.tls);
}

Test(tls_reload, does_not_ask_the_kernel_when_it_is_off)
{
    kernel.any = true;
    config.ktls = CONFIG_KTLS_OFF;
    init();
    cr_expect_eq(probes, 0);
    cr_expect_not(shared.ktls.any);
    cr_expect_str_eq(shared.ktls.text, "off (RELAY_KTLS=off)");
}

Test(tls_reload, insists_on_the_kernel_when_required)
{
    kernel = (struct ktls_support){.text = "no: modprobe tls"};
    config.ktls = CONFIG_KTLS_REQUIRE;
    cr_expect_eq(tls_reload_init(&reload, &config, &shared, error), -ENOTSUP);
    cr_expect_str_eq(error, "RELAY_KTLS=require, but kernel TLS: no: modprobe tls");
}

Test(tls_reload, follows_files_that_change_and_no_others)
{
    init();
    struct tls_context *before = tls_slot_get(&reload.slot);

    tls_reload_if_changed(&reload);
    cr_expect_eq(reload.slot.context, before, "nothing has changed");
    exchange_for(&two);
    tls_reload_if_changed(&reload);
    cr_expect_neq(reload.slot.context, before);
    cr_expect_eq(days_left(), 60);
    cr_expect(is_logged("certificates reloaded"));
    tls_context_unref(before);
}

Test(tls_reload, keeps_the_old_pair_when_the_new_one_is_bad_and_says_so_once)
{
    init();
    struct tls_context *before = tls_slot_get(&reload.slot);

    cr_assert_eq(rename(two.cert, one.cert), 0); /* the key does not follow */
    tls_reload_if_changed(&reload);
    cr_expect_eq(reload.slot.context, before);
    cr_expect(is_logged("certificates not reloaded, the old ones stay in use"));
    cr_expect_eq(reload.stamp, tls_context_stamp(&reload.settings), "not tried again");
    cr_assert_eq(rename(two.key, one.key), 0);
    tls_reload_if_changed(&reload);
    cr_expect_eq(days_left(), 60);
    tls_context_unref(before);
}

Test(tls_reload, reads_again_when_told_although_nothing_changed)
{
    init();
    struct tls_context *before = tls_slot_get(&reload.slot);

    tls_reload_now(&reload);
    cr_expect_neq(reload.slot.context, before);
    tls_context_unref(before);
}

Test(tls_reload, warns_two_weeks_before_the_end)
{
    init();
    cr_expect_not(is_logged("a certificate expires soon"));
    exchange_for(&ending);
    tls_reload_now(&reload);
    cr_expect(is_logged("a certificate expires soon"));
    /* Less than 13 whole days, unless it all was in one second. */
    cr_expect(is_logged("\"days_left\":12") || is_logged("\"days_left\":13"));
}
