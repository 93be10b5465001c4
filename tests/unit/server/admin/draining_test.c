/* Goal: viewers leave evenly over the time, publishers stay, and the end is told once. Method: the
 * service of service.h, whose clock the test sets. */
#include "server/admin/draining.h"

#include "tests/unit/server/http/service.h"

TestSuite(draining, .init = service_open, .fini = service_close);

static bool is_closing(const struct conn *conn)
{
    return conn->phase == PHASE_CLOSING;
}

Test(draining, viewers_leave_one_after_another_and_publishers_stay)
{
    struct conn *publisher = join("t0", false, true);
    struct conn *first = join("t0", true, false);
    struct conn *second = join("t0", true, false);

    atomic_store(&stage.shared.drains, 1);
    draining_start(&stage.table, 1000);
    for (unsigned i = 0; i < 12; i++) {
        stage_pass_ms(50);
    }
    cr_assert(is_closing(first));
    cr_assert(!is_closing(second));
    for (unsigned i = 0; i < 14; i++) {
        stage_pass_ms(50);
    }
    cr_assert(is_closing(second));
    cr_assert(!is_closing(publisher));
    cr_assert_eq(stage.shared.drains, 0);
}

Test(draining, ends_at_once_without_viewers)
{
    join("t0", true, true);
    atomic_store(&stage.shared.drains, 1);
    draining_start(&stage.table, 1000000);
    stage_pass_ms(200);
    cr_assert_eq(stage.shared.drains, 0);
    cr_assert(!stage.table.drain_timer.armed);
}

Test(draining, stops_before_its_time)
{
    join("t0", true, false);
    join("t0", true, false);
    atomic_store(&stage.shared.drains, 1);
    draining_start(&stage.table, 1000000);
    stage_pass_ms(50);
    draining_stop(&stage.table);
    cr_assert(!stage.table.drain_timer.armed);
    draining_stop(&stage.table);
}

Test(draining, after_a_handover_publishers_go_too_and_requests_have_the_whole_time)
{
    struct conn *publisher = join("t0", false, true);
    struct conn *viewer = join("t0", true, false);
    struct conn *request = stage_connect(LISTENER_BOTH);

    atomic_store(&stage.shared.drains, 1);
    draining_start_after_handover(&stage.table, 2000);
    for (unsigned i = 0; i < 6; i++) {
        stage_pass_ms(50);
    }
    cr_assert(is_closing(publisher) && is_closing(viewer));
    cr_assert_eq(request->phase, PHASE_HTTP);
    cr_assert_eq(stage.shared.drains, 1);
    for (unsigned i = 0; i < 40; i++) {
        stage_pass_ms(50);
    }
    cr_assert_eq(stage.shared.drains, 0);
}

Test(draining, after_a_handover_ends_when_nothing_is_left)
{
    atomic_store(&stage.shared.drains, 1);
    draining_start_after_handover(&stage.table, 1000000);
    stage_pass_ms(200);
    cr_assert_eq(stage.shared.drains, 0);
}
