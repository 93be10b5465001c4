/* Goal: viewers join at random moments and are timed until the first picture; what begins in the
 * middle, and what fails, is counted. Method: a relay in this process. */
#include "perf/join/join.h"

#include "tests/unit/perf/footage/tiny_relay.h"

TestSuite(join, .init = tiny_start, .fini = tiny_stop);

static struct join_result result;
static char error[LOAD_TRANSPORT_ERROR_SIZE];

static int run(unsigned joins)
{
    struct join_config config = {
        .connector = tiny_connector(),
        .footage = &tiny.footage,
        .joins = joins,
        .window_ns = 500000000,
        .seed = 1,
    };

    return join_run(&config, &result, error);
}

Test(join, times_each_until_its_first_picture)
{
    cr_assert_eq(run(50), 0, "%s", error);
    cr_assert_eq(result.joined, 50);
    cr_assert_eq(result.failed + result.wrong, 0);
    cr_assert_eq(result.first_ns.count, 50);
    cr_assert_eq(result.open_ns.count, 50);
}

Test(join, counts_those_that_begin_with_another_picture)
{
    tiny.footage.pictures[0].is_key = false;
    for (unsigned i = 0; i < tiny.footage.pictures_count; i++) {
        tiny.footage.pictures[i].is_key = false;
    }
    cr_assert_eq(run(5), 0, "%s", error);
    cr_assert_eq(result.wrong, 5);
}

static int refuse_viewers(void *ctx, unsigned topic, enum connector_role role,
                          struct connection *ret_connection,
                          char text[static LOAD_TRANSPORT_ERROR_SIZE])
{
    static unsigned viewers;

    return role == CONNECTOR_VIEWER && viewers++ > 0
               ? load_transport_fail(text, -EACCES, "HTTP 503")
               : tiny_open(ctx, topic, role, ret_connection, text);
}

Test(join, counts_failures_with_the_first_reason)
{
    struct join_config config = {
        .connector = {.open = refuse_viewers}, .footage = &tiny.footage, .joins = 3};

    cr_assert_eq(join_run(&config, &result, error), 0, "%s", error);
    cr_assert_eq(result.failed, 3);
    cr_assert_str_eq(result.failure, "HTTP 503");
}
