/* Goal: a viewer that does not read loses pictures and no other one does; both halves of the run
 * are counted by themselves. Method: a relay in this process that drops what does not fit. */
#include "perf/stall/stall.h"

#include "tests/unit/perf/footage/tiny_relay.h"

TestSuite(stall, .init = tiny_start, .fini = tiny_stop);

static struct stall_result result;
static char error[LOAD_TRANSPORT_ERROR_SIZE];

static void run(bool with_first)
{
    struct stall_config config = {
        .connector = tiny_connector(),
        .slow_connector = tiny_connector(),
        .footage = &tiny.footage,
        .viewers = 3,
        .with_first = with_first,
        .period_ns = 1000000000,
        .stall_ns = 500000000,
    };

    cr_assert_eq(stall_run(&config, &result, error), 0, "%s", error);
    cr_assert_eq(result.others_broken, 0);
    cr_assert_gt(result.with.due, 0);
    cr_assert_eq(result.with.seen, result.with.due);
    cr_assert_gt(result.without.due, 0);
    cr_assert_eq(result.without.seen, result.without.due);
    cr_assert_eq(result.with.latency_ns.count, result.with.seen);
    cr_assert_eq(result.slow.broken, 0);
    cr_assert_eq(result.slow_due * 3, result.with.due);
    cr_assert_leq(result.slow.seen, result.slow_due);
    cr_assert_geq(result.slow.age_ns.max, 300000000, "nothing was late");
}

Test(stall, runs_without_the_slow_viewer_first)
{
    run(false);
}

Test(stall, runs_with_the_slow_viewer_first)
{
    run(true);
}

static int refuse(void *ctx, unsigned topic, enum connector_role role,
                  struct connection *ret_connection, char text[static LOAD_TRANSPORT_ERROR_SIZE])
{
    return load_transport_fail(text, -EACCES, "HTTP 503");
}

Test(stall, fails_with_a_reason_when_the_slow_viewer_is_refused)
{
    struct stall_config config = {
        .connector = tiny_connector(),
        .slow_connector = {.open = refuse},
        .footage = &tiny.footage,
        .viewers = 1,
        .with_first = true,
    };

    cr_assert_neq(stall_run(&config, &result, error), 0);
    cr_assert_str_eq(error, "HTTP 503");
}
