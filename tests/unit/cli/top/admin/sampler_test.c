/* Goal: a look takes state, topics and, if wanted, connections; a failed one keeps the last.
 * Method: the test's listener. */
#include "cli/top/admin/sampler.h"

#include "base/clock.h"
#include "tests/unit/cli/top/fake_admin.h"

static struct sampler sampler;
static struct fault fault;

static void start(void)
{
    fake_admin_open();
    sampler_init(&sampler, &fake_admin.address);
}

static void stop(void)
{
    sampler_deinit(&sampler);
    fake_admin_close();
}

TestSuite(sampler, .init = start, .fini = stop);

static enum progress look(void)
{
    enum progress progress;

    sampler_begin(&sampler);
    cr_assert(sampler_is_busy(&sampler));
    while ((progress = sampler_advance(&sampler, clock_monotonic_ms(), &fault)) == PROGRESS_WAIT) {
        struct pollfd fd = sampler_pollfd(&sampler);

        cr_assert_eq(poll(&fd, 1, 10000), 1);
    }
    cr_assert_not(sampler_is_busy(&sampler));
    cr_assert_eq(sampler_pollfd(&sampler).fd, -1);
    return progress;
}

Test(sampler, has_rates_after_two_looks)
{
    cr_assert_eq(look(), PROGRESS_DONE, "%s", fault.text);
    cr_assert_str_eq(sampler.state, "ready");
    cr_assert_eq(sampler.rates.count, 1);
    cr_assert_not(sampler.rates.known);
    cr_assert_eq(sampler.connections.count, 0);
    sampler.wants_connections = true;
    cr_assert_eq(look(), PROGRESS_DONE, "%s", fault.text);
    cr_assert_eq(sampler.rates.rows[0].bytes_in, 1000);
    cr_assert_eq(sampler.rates.rows[0].bytes_out, 2000);
    cr_assert_eq(sampler.rates.rows[0].lost, 1);
    cr_assert_eq(sampler.connections.count, 1);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(look(), PROGRESS_DONE);
    }
    cr_assert_eq(sampler.rates.rows[0].bytes_in, 1000);
}

Test(sampler, keeps_what_it_saw_when_a_look_fails)
{
    cr_assert_eq(look(), PROGRESS_DONE);
    atomic_store(&fake_admin.topics, "<html>");
    cr_assert_eq(look(), PROGRESS_FAILED);
    cr_assert_str_eq(fault.text, "/topics is no answer of a relay's admin listener");
    atomic_store(&fake_admin.topics, "");
    cr_assert_eq(look(), PROGRESS_FAILED);
    cr_assert_str_eq(fault.text, "/topics was answered with HTTP 404");
    atomic_store(&fake_admin.topics, NULL);
    atomic_store(&fake_admin.status, "{}");
    sampler.wants_connections = true;
    cr_assert_eq(look(), PROGRESS_FAILED);
    atomic_store(&fake_admin.ready, "[]");
    cr_assert_eq(look(), PROGRESS_FAILED);
    cr_assert_str_eq(fault.text, "/readyz is no answer of a relay's admin listener");
    fake_admin_close();
    cr_assert_eq(look(), PROGRESS_FAILED);
    cr_assert_str_eq(fault.text, "Connection refused");
    cr_assert_eq(sampler.now.count, 1);
}
