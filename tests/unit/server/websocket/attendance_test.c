/* Goal: a connection counts among viewers and publishers exactly while it is there; only the
 * booking in control publishes on an exclusive topic; messages get stamps where they are wanted.
 * Method: peers through a fake kernel (speech.h); the counts of their topic. */
#include "server/websocket/attendance.h"

#include "tests/unit/server/websocket/speech.h"

TestSuite(attendance, .init = service_open, .fini = service_close);

static struct audience *audience_of(struct conn *of)
{
    return &phase_websocket_of(of)->topic->audience;
}

Test(attendance, counts_viewers_and_publishers_while_they_are_there)
{
    viewer = join("t0", true, false);
    conn = join("t0", true, true);
    cr_assert_eq(audience_of(viewer)->viewers, 2);
    cr_assert_eq(audience_of(viewer)->publishers, 0);
    cr_assert_neq(phase_websocket_of(conn)->source, 0);
    cr_assert_eq(phase_websocket_of(viewer)->source, 0);
    say_frame(FIN | WS_OPCODE_TEXT, "one");
    say_frame(FIN | WS_OPCODE_TEXT, "two");
    cr_assert_eq(audience_of(viewer)->publishers, 1);
    conn_close_now(conn, CLOSE_BY_PEER);
    kernel_finish_close();
    cr_assert_eq(audience_of(viewer)->viewers, 1);
    cr_assert_eq(audience_of(viewer)->publishers, 0);
}

Test(attendance, the_wall_clock_is_looked_at_where_a_connection_speaks_relay_v1)
{
    struct message message = {0};

    conn = join("t0", false, true);
    stage.worker.now_ms += 7;
    attendance_stamp(conn, &message, 5);
    cr_assert_eq(message.received_ms, stage.worker.now_ms);
    cr_assert_eq(message.sequence, 5);
    cr_assert_eq(message.source, phase_websocket_of(conn)->source);
    cr_assert_eq(message.received_us, 0);
    viewer = join_v1("t0", true, false);
    attendance_stamp(conn, &message, 6);
    cr_assert_gt(message.received_us, 1000000);
}

Test(attendance, one_booking_controls_an_exclusive_topic)
{
    static struct topic_policies policies;

    CHECK(topic_policy_parse("arm=exclusive", &policies) == 0);
    stage.topics.policies = &policies;
    viewer = join("arm", true, false);
    conn = join("arm", false, true);
    struct conn *other = join("arm", false, true);

    phase_websocket_of(other)->identity.booking_id = "b0";
    phase_websocket_of(other)->claim.key++; /* as of another booking */
    cr_assert(attendance_may_publish(conn));
    cr_assert_not(attendance_may_publish(other));
    cr_assert_eq(stage_counted(messages_refused_lease), 1);
    cr_assert_eq(audience_of(viewer)->publishers, 1);
    conn_close_now(conn, CLOSE_BY_PEER);
    kernel_finish_close();
    cr_assert(attendance_may_publish(other));
}
