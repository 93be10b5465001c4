/* Goal: while connections are held nothing of theirs is in the kernel or becomes due, and no byte
 * is lost, doubled or moved to another place by the pause, whichever operation it met. Method: a
 * publisher and a viewer of a running service, over a kernel that the test plays. */
#include "server/conn/hold.h"

#include "server/hub/fanout.h"
#include "tests/unit/server/websocket/speech.h"

static unsigned done_count;

static void on_done(struct conn_table *table)
{
    CHECK(table == &stage.table);
    done_count++;
}

static void open_hold(void)
{
    done_count = 0;
    open_connections();
}

static void close_hold(void)
{
    hold_end(&stage.table);
    service_close();
}

TestSuite(hold, .init = open_hold, .fini = close_hold);

static void begin(void)
{
    hold_begin(&stage.table, on_done);
    kernel_take();
}

/* The kernel finds those that are to be cancelled. */
static void cancel_all(void)
{
    struct held *cancel;

    while ((cancel = kernel_find(IORING_OP_ASYNC_CANCEL)) != NULL) {
        struct held *target = kernel_find_target(cancel->target);

        if (target != NULL) {
            kernel_complete(target, -ECANCELED, 0);
            cancel = kernel_find(IORING_OP_ASYNC_CANCEL);
        }
        kernel_complete(cancel, target == NULL ? -ENOENT : 0, 0);
    }
}

static void begin_and_cancel(void)
{
    begin();
    cancel_all();
}

static void turn_until_done(void)
{
    stage_turn();
    cr_assert_eq(done_count, 0, "what was published has not left yet");
    cr_assert(stage.worker.work_waits, "the next turn comes at once");
    stage_turn();
    cr_assert_eq(done_count, 1);
}

static void end(void)
{
    hold_end(&stage.table);
    stage_turn();
}

static void publish_to_viewer(const char *text)
{
    say_frame(FIN | WS_OPCODE_TEXT, text);
    stage_turn();
    cr_assert_not_null(held_of(&viewer->send_op));
}

Test(hold, nothing_of_theirs_is_in_the_kernel_when_it_is_done)
{
    begin_and_cancel();
    turn_until_done();
    cr_assert_eq(kernel.held_count, 0);
    stage_turn();
    cr_assert_eq(done_count, 1, "it is told once");
    cr_assert_not(stage.worker.work_waits);
}

Test(hold, it_is_not_done_before_the_kernel_has_given_back_all)
{
    begin();
    stage_turn();
    stage_turn();
    cr_assert_eq(done_count, 0);
    cancel_all();
    turn_until_done();
}

/* Neither is the viewer slow for that time, nor is a message too old. */
Test(hold, messages_are_no_older_for_it)
{
    stage.shared.bounds.age_ms_max = 1000;
    publish_to_viewer("hello");
    begin_and_cancel();
    stage.worker.now_ms += 5000;
    end();
    cr_assert(bytes_equal_text(sent_by(viewer), "\x81\x05hello"));
    cr_assert_eq(stage_counted(messages_dropped_age), 0);
}

/* Its send is cancelled, and what it has begun still goes out before its Close. */
Test(hold, one_that_ends_before_its_send_is_cancelled_sends_the_rest)
{
    publish_to_viewer("hello");
    begin();
    conn_close_begin(viewer, CLOSE_BY_PEER);
    cancel_all();
    cr_assert_eq(viewer->phase, PHASE_CLOSING);
    cr_assert_not(viewer->close_submitted);
    cr_assert(bytes_equal_text(sent_by(viewer), "\x81\x05hello"));
}

/* The cancel that is in flight is of the receive before. */
Test(hold, second_one_cancels_what_began_after_the_first)
{
    struct held *receive;

    begin();
    receive = held_checked(held_of(&conn->recv_op));
    kernel_complete(receive, -ECANCELED, 0);
    hold_end(&stage.table);
    kernel_take();
    cr_assert_not_null(held_of(&conn->recv_op), "it receives again");
    begin();
    cancel_all();
    kernel_take();
    cancel_all();
    turn_until_done();
    cr_assert_null(held_of(&conn->recv_op));
}

Test(hold, close_cancels_what_began_after_it)
{
    begin();
    kernel_complete(held_checked(held_of(&conn->recv_op)), -ECANCELED, 0);
    hold_end(&stage.table);
    kernel_take();
    conn_close_now(conn, CLOSE_DENIED);
    kernel_take();
    kernel_complete(held_checked(held_of(&conn->cancel_receive_op)), 0, 0);
    kernel_take();
    cr_assert_not_null(held_of(&conn->cancel_receive_op));
    kernel_finish_close();
    cr_assert_eq(conn->phase, PHASE_FREE);
    cancel_all();
}

/* The operation was between two steps, and is not complete. */
Test(hold, cancel_that_found_nothing_is_tried_again)
{
    begin();
    for (unsigned i = 0; i < 3; i++) {
        kernel_complete(held_checked(held_of(&conn->cancel_receive_op)), -ENOENT, 0);
        kernel_complete(held_checked(held_of(&viewer->cancel_receive_op)), -EALREADY, 0);
        kernel_take();
        stage_turn();
        cr_assert_eq(done_count, 0);
    }
    cancel_all();
    turn_until_done();
}

Test(hold, it_is_not_done_while_an_answer_is_on_its_way)
{
    viewer->subscriber.state = SUBSCRIBER_JOINING;
    begin_and_cancel();
    stage_turn();
    stage_turn();
    cr_assert_eq(done_count, 0);
    viewer->subscriber.state = SUBSCRIBER_LIVE;
    turn_until_done();
}

Test(hold, receives_begin_again_at_its_end)
{
    begin_and_cancel();
    cr_assert_null(held_of(&conn->recv_op));
    end();
    say_frame(FIN | WS_OPCODE_TEXT, "after");
    cr_assert(bytes_equal_text(sent_by(viewer), "\x81\x05"
                                                "after"));
    cr_assert_eq(done_count, 0);
}

/* They came before the cancel. */
Test(hold, bytes_on_their_way_wait_for_its_end)
{
    begin();
    add_text(FIN | WS_OPCODE_TEXT, "late");
    kernel_receive(held_checked(held_of(&conn->recv_op)), bytes_of(speech.bytes, speech.len));
    cancel_all();
    turn_until_done();
    cr_assert(send_queue_empty(&viewer->subscriber.queue));
    cr_assert_eq(inbox_bytes(&phase_websocket_of(conn)->inbox).len, speech.len);
    end();
    cr_assert(bytes_equal_text(sent_by(viewer), "\x81\x04late"));
    cr_assert_not_null(held_of(&conn->recv_op));
}

Test(hold, send_that_took_nothing_is_sent_again)
{
    publish_to_viewer("hello");
    begin_and_cancel();
    turn_until_done();
    cr_assert_eq(viewer->subscriber.queue.in_flight, 0);
    cr_assert_eq(viewer->subscriber.queue.count, 1);
    end();
    cr_assert(bytes_equal_text(sent_by(viewer), "\x81\x05hello"));
}

/* The cancel comes too late. */
Test(hold, send_that_took_some_goes_on_at_the_byte)
{
    publish_to_viewer("hello");
    begin();
    kernel_complete(held_of(&viewer->send_op), 4, 0);
    cancel_all();
    turn_until_done();
    cr_assert_null(held_of(&viewer->send_op));
    end();
    cr_assert(bytes_equal_text(sent_by(viewer), "llo"));
}

Test(hold, messages_are_queued_meanwhile)
{
    begin_and_cancel();
    struct message *message = message_create(&stage.worker, 2);

    memcpy(message->payload, "hi", 2);
    message->payload_len = 2;
    message_frame(message, WS_OPCODE_TEXT);
    fanout_publish(&stage.worker, phase_websocket_of(viewer)->topic, message, NULL,
                   &stage.shared.bounds);
    stage_turn();
    cr_assert_null(held_of(&viewer->send_op));
    end();
    cr_assert(bytes_equal_text(sent_by(viewer), "\x81\x02hi"));
}

Test(hold, it_may_end_before_the_kernel_has_given_back_all)
{
    publish_to_viewer("hello");
    begin();
    end();
    cancel_all();
    stage_turn();
    cr_assert(bytes_equal_text(sent_by(viewer), "\x81\x05hello"));
    say_frame(FIN | WS_OPCODE_TEXT, "more");
    cr_assert(bytes_equal_text(sent_by(viewer), "\x81\x04more"));
    cr_assert_eq(done_count, 0);
}

Test(hold, pings_and_ends_of_tokens_wait)
{
    begin_and_cancel();
    phase_websocket_of(viewer)->exp_s = clock_wall_s() - 1;
    stage_pass_ms(26000);
    cr_assert(send_queue_empty(&viewer->subscriber.queue));
    cr_assert(send_queue_empty(&conn->subscriber.queue));
    end();
    stage_pass_ms(100);
    cr_assert(bytes_equal(sent_by(conn), bytes_of("\x89", 2)), "a ping");
    cr_assert_eq(conn->phase, PHASE_WEBSOCKET);
    cr_assert_eq(viewer->phase, PHASE_CLOSING);
    cr_assert_eq(viewer->close_reason, CLOSE_EXPIRED);
}

Test(hold, one_that_is_asked_to_end_does_so_afterwards)
{
    begin_and_cancel();
    conn_end(viewer, CLOSE_DENIED);
    stage_turn();
    cr_assert_eq(viewer->phase, PHASE_WEBSOCKET);
    end();
    expect_close(viewer, WS_CLOSE_DENIED, "booking cancelled");
    cr_assert_eq(viewer->close_reason, CLOSE_DENIED);
}

Test(hold, one_that_breaks_meanwhile_is_closed)
{
    publish_to_viewer("hello");
    begin();
    kernel_complete(held_of(&viewer->recv_op), -ECONNRESET, 0);
    cr_assert_eq(viewer->phase, PHASE_CLOSING);
    kernel_finish_close();
    cr_assert_eq(viewer->phase, PHASE_FREE);
    turn_until_done();
}

Test(hold, stop_ends_it)
{
    begin_and_cancel();
    stage.worker.stopping = true;
    engine_stop(&stage.table);
    stage_turn();
    expect_close(viewer, WS_CLOSE_GOING_AWAY, "server is stopping");
    cr_assert_eq(done_count, 0);
}
