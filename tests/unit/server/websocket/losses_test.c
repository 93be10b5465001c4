/* Goal: a viewer that loses more data in a minute than it may is closed with 1008, and no other.
 * Method: losses by hand at times by hand, on a connection over a fake kernel (speech.h). */
#include "server/websocket/losses.h"

#include "tests/unit/server/websocket/speech.h"

TestSuite(losses, .init = open_connections, .fini = service_close);

static void lose(uint64_t messages)
{
    viewer->subscriber.lag.dropped[LAG_POLICY_DATA] += messages;
    losses_on_dropped(&viewer->subscriber);
}

Test(losses, have_no_bound_unless_there_is_one)
{
    lose(1 << 30);
    stage_pass_ms(1000);
    cr_assert_eq(viewer->phase, PHASE_WEBSOCKET);
}

Test(losses, above_the_bound_close)
{
    stage.config.data_losses_max = 100;
    lose(60);
    lose(40);
    stage_pass_ms(1000);
    cr_assert_eq(viewer->phase, PHASE_WEBSOCKET);
    lose(1);
    cr_assert_eq(viewer->phase, PHASE_WEBSOCKET, "not in the middle of a fan-out");
    lose(1);
    stage.worker.now_ms += 200;
    timer_wheel_advance(&stage.worker.timers, stage.worker.now_ms);
    expect_close(viewer, 1008, "too slow: lost more data than this relay allows");
    cr_assert_eq(stage_counted(closed_too_slow), 1);
    cr_assert_eq(conn->phase, PHASE_WEBSOCKET);
}

Test(losses, of_another_minute_do_not_count)
{
    stage.config.data_losses_max = 100;
    for (unsigned i = 0; i < 5; i++) {
        lose(90);
        stage_pass_ms(LOSSES_WINDOW_MS / 3);
        sent_by(viewer); /* a ping, which stays without an answer */
        phase_websocket_of(viewer)->pong_due_ms = NO_PONG_DUE;
        stage.worker.now_ms += 2 * LOSSES_WINDOW_MS / 3;
    }
    viewer->subscriber.lag.dropped[LAG_POLICY_VIDEO] += 1000;
    losses_on_dropped(&viewer->subscriber);
    cr_assert_not(phase_websocket_of(viewer)->losses.are_too_many);
}
