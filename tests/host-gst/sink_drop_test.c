/* Goal: the limits of the queue follow the user's policy and what the stream carries: a video
 * resumes with a keyframe, pictures and data drop the oldest, and where the user wants everything,
 * nothing is dropped. Method: every policy, with and without waiting; no element, no network. */
#include "host-gst/sink/sink_drop.h"

#include <gst/check/gstcheck.h>

static struct sink_drop_limits limits_of(const struct sink_settings *settings, bool independent)
{
    struct sink_drop drop;
    struct sink_drop_limits limits;

    sink_drop_init(&drop);
    sink_drop_see(&drop, independent);
    sink_drop_limits(&drop, settings, &limits);
    return limits;
}

GST_START_TEST(chooses_by_policy_and_stream)
{
    static const struct {
        enum sink_drop_policy policy;
        bool wait, independent;
        enum relay_client_drop drop;
        bool waits;
    } cases[] = {
        {SINK_DROP_KEYFRAME, false, false, RELAY_CLIENT_DROP_KEYFRAME, false},
        {SINK_DROP_KEYFRAME, false, true, RELAY_CLIENT_DROP_OLDEST, false},
        {SINK_DROP_OLDEST, false, false, RELAY_CLIENT_DROP_OLDEST, false},
        {SINK_DROP_OLDEST, false, true, RELAY_CLIENT_DROP_OLDEST, false},
        {SINK_DROP_NEWEST, false, false, RELAY_CLIENT_DROP_NEWEST, false},
        {SINK_DROP_NEWEST, false, true, RELAY_CLIENT_DROP_NEWEST, false},
        {SINK_DROP_NONE, false, false, RELAY_CLIENT_DROP_NONE, true},
        {SINK_DROP_NONE, false, true, RELAY_CLIENT_DROP_NONE, true},
        {SINK_DROP_KEYFRAME, true, false, RELAY_CLIENT_DROP_NONE, true},
        {SINK_DROP_KEYFRAME, true, true, RELAY_CLIENT_DROP_NONE, true},
        {SINK_DROP_OLDEST, true, true, RELAY_CLIENT_DROP_NONE, true},
        {SINK_DROP_NEWEST, true, false, RELAY_CLIENT_DROP_NONE, true},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const struct sink_settings settings = {.drop_policy = (gint)cases[i].policy,
                                               .wait_for_connection = cases[i].wait};
        struct sink_drop_limits limits = limits_of(&settings, cases[i].independent);

        fail_unless(limits.drop == cases[i].drop, "case %zu: %d", i, limits.drop);
        fail_unless(limits.waits == cases[i].waits, "case %zu", i);
        fail_unless(limits.waits_for_connection == cases[i].wait, "case %zu", i);
    }
}
GST_END_TEST;

GST_START_TEST(sends_on_demand_only_when_asked)
{
    struct sink_settings settings = {.publish = SINK_PUBLISH_ALWAYS};

    fail_if(limits_of(&settings, false).on_demand);
    settings.publish = SINK_PUBLISH_ON_DEMAND;
    fail_unless(limits_of(&settings, false).on_demand);
}
GST_END_TEST;

GST_START_TEST(bounds_age_and_bytes_only_while_something_may_be_dropped)
{
    static const struct {
        guint64 age_ns, age_ms;
    } cases[] = {{0, 0},       {1, 1},       {999999, 1},         {1000000, 1},
                 {1000001, 2}, {5000000, 5}, {3000000000u, 3000}, {G_MAXUINT64, 18446744073710}};

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct sink_settings settings = {.max_queue_time_ns = cases[i].age_ns,
                                         .max_queue_bytes = 12345};

        fail_unless_equals_uint64(limits_of(&settings, false).age_max_ms, cases[i].age_ms);
        fail_unless_equals_uint64(limits_of(&settings, false).bytes_max, 12345);
        settings.drop_policy = SINK_DROP_NONE;
        fail_unless_equals_uint64(limits_of(&settings, false).age_max_ms, 0);
        fail_unless_equals_uint64(limits_of(&settings, false).bytes_max, 12345);
    }
}
GST_END_TEST;

GST_START_TEST(tells_when_the_stream_turns_out_to_be_another)
{
    struct sink_drop drop;

    sink_drop_init(&drop);
    fail_if(sink_drop_see(&drop, false), "a video is what it expects");
    fail_unless(sink_drop_see(&drop, true));
    fail_if(sink_drop_see(&drop, true));
    fail_unless(sink_drop_see(&drop, false));
    sink_drop_see(&drop, true);
    sink_drop_init(&drop);
    fail_if(sink_drop_see(&drop, false), "a new stream begins anew");
}
GST_END_TEST;

static Suite *sink_drop_suite(void)
{
    Suite *suite = suite_create("sink_drop");
    TCase *tcase = tcase_create("general");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, chooses_by_policy_and_stream);
    tcase_add_test(tcase, sends_on_demand_only_when_asked);
    tcase_add_test(tcase, bounds_age_and_bytes_only_while_something_may_be_dropped);
    tcase_add_test(tcase, tells_when_the_stream_turns_out_to_be_another);
    return suite;
}

GST_CHECK_MAIN(sink_drop);
