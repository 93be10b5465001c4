/* Goal: what is queued reaches the kernel in order and whole, one send at a time, and a peer that
 * takes nothing is found out. Method: fake kernel (stage.h); real sockets where TCP is asked. */
#include "server/conn/send.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "tests/unit/server/conn/stage.h"

static struct conn *conn;

static void open_connection(void)
{
    stage_open();
    conn = stage_connect(LISTENER_BOTH);
    expect_heard("enter ");
}

TestSuite(send, .init = open_connection, .fini = stage_close);

Test(send, burst_of_one_turn_goes_out_in_one_call_and_in_order)
{
    stage_send(conn, "one,");
    stage_send(conn, "two,");
    stage_send(conn, "three");
    cr_assert_null(kernel_send());
    stage_turn();
    cr_assert_eq(held_checked(kernel_send())->slices_count, 3);
    expect_bytes(held_bytes(kernel_send()), "one,two,three");
    cr_assert_eq(stage_counted(sends_submitted), 1);
}

Test(send, short_send_goes_on_at_the_byte)
{
    stage_send(conn, "0123456789");
    stage_turn();
    kernel_complete(kernel_send(), 4, 0);
    expect_heard("");
    cr_assert_eq(stage_counted(sends_short), 1);
    stage_turn();
    expect_bytes(held_bytes(kernel_send()), "456789");
    kernel_complete(kernel_send(), 6, 0);
    expect_heard("sent ");
    cr_assert(conn_send_idle(conn));
    cr_assert_eq(conn->bytes_sent, 10);
    cr_assert_eq(stage_counted(sends_short), 1);
}

Test(send, short_send_of_several_messages_goes_on_in_the_middle_of_one)
{
    stage_send(conn, "one,");
    stage_send(conn, "two,");
    stage_send(conn, "three");
    stage_turn();
    kernel_complete(kernel_send(), 6, 0);
    stage_turn();
    expect_bytes(held_bytes(kernel_send()), "o,three");
}

Test(send, only_one_send_is_in_flight)
{
    stage_send(conn, "first");
    stage_turn();
    stage_send(conn, "second");
    stage_turn();
    expect_bytes(held_bytes(kernel_send()), "first");
    cr_assert_eq(stage_counted(sends_submitted), 1);
    kernel_complete(kernel_send(), 5, 0);
    expect_heard("");
    stage_turn();
    expect_bytes(held_bytes(kernel_send()), "second");
}

Test(send, failed_send_ends_the_connection_with_its_reason)
{
    static const struct {
        int result;
        const char *heard;
    } cases[] = {
        {-EPIPE, "failed: closed by peer leave "},
        {-ECONNRESET, "failed: closed by peer leave "},
        {-EIO, "failed: connection broken leave "},
        {0, "failed: connection broken leave "},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stage_send(conn, "never sent");
        stage_turn();
        kernel_complete(kernel_send(), cases[i].result, 0);
        expect_heard(cases[i].heard);
        cr_assert(conn->close_submitted);
        stage_close_connections();
        cr_assert_eq(stage.worker.blocks.blocks_used, 0);
        conn = stage_connect(LISTENER_BOTH);
        expect_heard("enter ");
    }
}

Test(send, nothing_is_sent_behind_close_notify_or_the_close)
{
    conn->notify_submitted = true;
    stage_send(conn, "too late");
    stage_turn();
    cr_assert_null(kernel_send());
    conn->notify_submitted = false;
    conn_close_now(conn, CLOSE_DRAIN);
    conn_send_wake(conn);
    stage_turn();
    cr_assert_null(kernel_send());
}

Test(send, message_that_finds_no_place_costs_no_memory)
{
    unsigned queued = 0;

    while (conn_send(conn, stage_message("x", 1))) {
        queued++;
        cr_assert_leq(queued, SEND_BURST_MAX + SEND_QUEUE_CONTROL);
    }
    cr_assert_eq(stage.worker.blocks.blocks_used, queued + 1); /* and that of the places */
    cr_assert_eq(stage_counted(messages_dropped_queue), 1);
}

Test(send, deadline_looks_four_times_in_the_time_a_write_may_take)
{
    timer_disarm(&conn->deadline);
    stage_send(conn, "slow");
    stage_turn();
    cr_assert(conn->deadline.armed);
    cr_assert_eq(conn->deadline.due_ms, STAGE_NOW_MS + STAGE_WRITE_TIMEOUT_MS / 4);
    stage_pass_ms(STAGE_WRITE_TIMEOUT_MS / 4);
    expect_heard("deadline ");
}

Test(send, stalls_when_nothing_moved_for_as_long_as_a_write_may_take)
{
    stage.worker.now_ms += 10 * STAGE_WRITE_TIMEOUT_MS;
    cr_assert_not(conn_send_stalled(conn)); /* nothing is to be sent */
    stage_send(conn, "slow");
    stage_turn();
    stage.worker.now_ms += STAGE_WRITE_TIMEOUT_MS - 1;
    cr_assert_not(conn_send_stalled(conn));
    stage.worker.now_ms++;
    cr_assert(conn_send_stalled(conn));
}

Test(send, send_that_took_a_part_begins_its_time_anew)
{
    stage_send(conn, "slow");
    stage_turn();
    stage.worker.now_ms += STAGE_WRITE_TIMEOUT_MS - 1;
    kernel_complete(kernel_send(), 1, 0);
    stage_turn();
    stage.worker.now_ms += STAGE_WRITE_TIMEOUT_MS - 1;
    cr_assert_not(conn_send_stalled(conn));
}

static void fill_socket(void)
{
    static const char data[65536];
    int room = 1 << 20;

    setsockopt(conn->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    while (send(conn->fd, data, sizeof data, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
}

static uint64_t bytes_acked(void)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;

    CHECK(getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0);
    return info.tcpi_bytes_acked;
}

/* Reads at the other end until its TCP has told ours that there is room again. */
static void take_some(void)
{
    static char data[65536];
    uint64_t before = bytes_acked();
    uint64_t deadline_ms = clock_monotonic_ms() + STAGE_DEADLINE_MS;

    while (bytes_acked() == before) {
        cr_assert_lt(clock_monotonic_ms(), deadline_ms);
        if (recv(stage_peer(conn), data, sizeof data, MSG_DONTWAIT) < 0) {
            poll(&(struct pollfd){.fd = stage_peer(conn), .events = POLLIN}, 1, 10);
        }
        fill_socket(); /* something waits still */
    }
}

Test(send, peer_that_takes_bytes_of_an_older_send_has_not_stalled)
{
    fill_socket();
    conn_send_taken_since(conn, 0); /* what was taken until now */
    stage_send(conn, "slow");
    stage_turn();
    stage.worker.now_ms += STAGE_WRITE_TIMEOUT_MS;
    take_some();
    cr_assert_not(conn_send_stalled(conn));
}

Test(send, look_finds_what_was_taken_since_the_last_one)
{
    fill_socket();
    conn_send_taken_since(conn, 0);
    uint64_t looked_ms = stage.worker.now_ms;

    stage.worker.now_ms += 1000;
    cr_assert_not(conn_send_taken_since(conn, looked_ms));
    take_some();
    cr_assert(conn_send_taken_since(conn, looked_ms));
    cr_assert_not(conn_send_taken_since(conn, stage.worker.now_ms));
}

/* Kernel TLS gives TCP one record after another, and a peer may read faster than it encrypts. */
Test(send, peer_that_took_all_that_the_kernel_had_is_taking_while_a_send_is_in_flight)
{
    static const char data[] = "all of it";
    char taken[sizeof data];

    stage_send(conn, "slow");
    stage_turn();
    conn_send_taken_since(conn, 0);
    uint64_t looked_ms = stage.worker.now_ms;
    uint64_t before = bytes_acked();
    uint64_t deadline_ms = clock_monotonic_ms() + STAGE_DEADLINE_MS;

    stage.worker.now_ms += 1000;
    cr_assert_eq(send(conn->fd, data, sizeof data, MSG_NOSIGNAL), sizeof data);
    cr_assert_eq(recv(stage_peer(conn), taken, sizeof taken, MSG_WAITALL), sizeof data);
    while (bytes_acked() < before + sizeof data) {
        cr_assert_lt(clock_monotonic_ms(), deadline_ms);
        sched_yield();
    }
    cr_assert(conn_send_taken_since(conn, looked_ms));
}

Test(send, nothing_is_taken_of_nothing)
{
    cr_assert_not(conn_send_taken_since(conn, 0));
}

Test(send, abandoned_send_leaves_nothing_behind)
{
    stage_send(conn, "begun");
    stage_turn();
    kernel_complete(kernel_send(), 2, 0);
    conn_send_abandon(conn);
    cr_assert_eq(conn->subscriber.queue.in_flight, 0);
    cr_assert_null(conn->tls.output.records);
}
