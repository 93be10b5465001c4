/* Goal: a slow viewer reads everything until it is to be slow, little while it is, and what is left
 * afterwards. Method: a relay in this process. */
#include "perf/stall/slow_viewer.h"

#include "base/clock.h"
#include "tests/unit/perf/footage/tiny_relay.h"

TestSuite(slow_viewer, .init = tiny_start, .fini = tiny_stop);

Test(slow_viewer, sees_pictures_late_after_it_was_slow)
{
    static struct slow_viewer_result result;
    char error[LOAD_TRANSPORT_ERROR_SIZE];
    struct connector connector = tiny_connector();
    struct connection publisher = {.early_len = 0};
    struct footage_sender_counts counts;

    cr_assert_eq(tiny_open(NULL, 0, CONNECTOR_PUBLISHER, &publisher, error), 0);
    struct footage_sender *sender = footage_sender_start(&tiny.footage, 0, &publisher);
    struct slow_viewer_config config = {
        .connector = &connector,
        .footage = &tiny.footage,
        .sender = sender,
        .mark = 1,
        .stall_ns = 400000000,
    };
    struct slow_viewer *viewer = slow_viewer_start(&config, error);

    cr_assert_not_null(viewer, "%s", error);
    slow_viewer_slow_down(viewer);
    footage_sender_mark(sender, 1);
    footage_sender_wait_until(clock_monotonic_ns() + 1000000000);
    slow_viewer_end(viewer, &result);
    cr_assert_eq(footage_sender_end(sender, &counts), 0);
    cr_assert_gt(result.seen, 0);
    cr_assert_leq(result.seen, counts.pictures[1]);
    cr_assert_geq(result.age_ns.max, 200000000);
    cr_assert_not(result.is_cut);
}
