/* Goal: /metrics has every counter of the table, the format that was asked for, and as many series
 * with many connections and topics as with few. promtool reads it in tests/e2e/test_admin.py. */
#include "tests/unit/server/admin/admin_fixture.h"

TestSuite(admin_metrics, .init = admin_open, .fini = admin_close);

static unsigned lines_of(const char *text)
{
    unsigned count = 0;

    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

Test(admin_metrics, have_each_counter)
{
    counters_add(&stage.worker.counters, messages_dropped_age, 41);
    const char *body = admin_body(admin_get("/metrics"));

    for (unsigned i = 0; i < COUNTERS_COUNT; i++) {
        char sample[256];

        snprintf(sample, sizeof sample, "\nrelay_%s_total%s%s%s ", counters_metrics[i].family,
                 counters_metrics[i].labels[0] == '\0' ? "" : "{", counters_metrics[i].labels,
                 counters_metrics[i].labels[0] == '\0' ? "" : "}");
        expect_in(body, sample);
    }
    expect_in(body, "\nrelay_messages_dropped_total{policy=\"age\"} 41\n");
    expect_in(body, "\nrelay_turn_seconds_bucket{le=\"0.00005\"} ");
    expect_in(body, "\nprocess_cpu_seconds_total ");
}

Test(admin_metrics, come_in_the_format_that_is_asked_for)
{
    expect_in(admin_get("/metrics"), "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    const char *answer = admin_ask("GET", "/metrics",
                                   ADMIN_HOST "Accept: application/openmetrics-text;version=1.0.0;"
                                              "q=0.5,text/plain;version=0.0.4;q=0.3\r\n");

    expect_in(answer,
              "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n");
    cr_assert_str_eq(answer + strlen(answer) - 6, "# EOF\n");
    expect_in(answer, "\n# TYPE relay_turns counter\n");
}

Test(admin_metrics, topics_beyond_the_bound_add_nothing)
{
    static const char *const names[] = {"a", "b", "c"};
    unsigned lines[3];

    for (unsigned i = 0; i < 3; i++) {
        conn_close_now(join(names[i], true, true), CLOSE_BY_PEER);
        kernel_finish_close();
        lines[i] = lines_of(admin_body(admin_get("/metrics")));
    }
    cr_assert_gt(lines[1], lines[0]);
    cr_assert_eq(lines[2], lines[1]);
    expect_in(admin_get("/metrics"), "relay_topic_viewers{topic=\"other\"} 0\n");
}
