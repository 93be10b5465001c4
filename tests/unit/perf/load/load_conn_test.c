/* Goal: what a viewer receives is counted for what it is, and a publisher never mixes two frames.
 * Method: bytes as a server sends them, and a socket pair in place of a network. */
#include "perf/load/load_conn.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECORD = 32, RUN = 9, TOPIC = 3 };

static struct load_result result;
static struct load_view view;
static struct load_conn conn;
static int far_fd;

static void start(void)
{
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    far_fd = fds[1];
    result = (struct load_result){0};
    histogram_init(&result.latency_ns);
    view = (struct load_view){.result = &result,
                              .run = RUN,
                              .in_window = true,
                              .window_end_ns = UINT64_MAX,
                              .receive_buf = malloc(LOAD_RECEIVE_BYTES)};
    conn = (struct load_conn){.topic = TOPIC};
    load_transport_adopt(&conn.transport, fds[0]);
    cr_assert_eq(load_transport_set_nonblocking(&conn.transport), 0);
    frame_reader_init(&conn.reader, RECORD);
}

static void stop(void)
{
    load_transport_close(&conn.transport);
    free(view.receive_buf);
}

TestSuite(load_conn, .init = start, .fini = stop);

static void give(const void *data, size_t len)
{
    load_conn_on_bytes(&view, &conn, bytes_of(data, len));
}

/* A binary message of one record. */
static void give_record(struct stamp stamp)
{
    uint8_t frame[2 + RECORD] = {0x82, RECORD};

    memcpy(frame + 2, &stamp, sizeof stamp);
    give(frame, sizeof frame);
}

static struct stamp stamp_of(uint64_t sequence)
{
    return (struct stamp){.sent_ns = 1, .sequence = sequence, .run = RUN, .topic = TOPIC};
}

Test(load_conn, counts_what_arrives)
{
    give_record(stamp_of(0));
    give_record(stamp_of(1));
    give_record(stamp_of(5)); /* gaps are counted at the end of the run */
    cr_expect_eq(conn.received, 3);
    cr_expect_eq(result.whole_run.received, 3);
    cr_expect_eq(result.delivered, 3);
    cr_expect_eq(result.delivered_bytes, 3 * RECORD);
    cr_expect_eq(result.latency_ns.count, 3);
    cr_expect_eq(result.whole_run.out_of_order, 0);
}

Test(load_conn, counts_nothing_for_the_window_outside_it)
{
    view.in_window = false;
    view.window_start_ns = 2; /* the stamp is of before */
    give_record(stamp_of(0));
    cr_expect_eq(result.whole_run.received, 1);
    cr_expect_eq(result.delivered, 0);
    cr_expect_eq(result.latency_ns.count, 0);
    view.window_start_ns = 0;
    view.window_end_ns = 1; /* sent after it */
    give_record(stamp_of(1));
    cr_expect_eq(result.latency_ns.count, 0);
}

Test(load_conn, notices_repetitions_and_steps_back)
{
    give_record(stamp_of(4));
    give_record(stamp_of(4));
    give_record(stamp_of(3));
    give_record(stamp_of(5));
    cr_expect_eq(result.whole_run.out_of_order, 2);
    cr_expect_eq(conn.received, 4);
}

Test(load_conn, notices_messages_of_other_topics_and_runs)
{
    struct stamp stamp = stamp_of(0);

    stamp.run++;
    give_record(stamp);
    stamp = stamp_of(0);
    stamp.topic++;
    give_record(stamp);
    cr_expect_eq(result.whole_run.foreign, 2);
    cr_expect_eq(conn.received, 0);
}

Test(load_conn, notices_messages_to_a_publisher)
{
    struct load_publisher publisher;

    cr_assert_eq(load_publisher_init(&publisher, RECORD, true, RUN, TOPIC), 0);
    conn.publisher = &publisher;
    give_record(stamp_of(0));
    cr_expect_eq(result.whole_run.foreign, 1);
    load_publisher_deinit(&publisher);
}

Test(load_conn, notices_damage)
{
    static const uint8_t text[2 + RECORD] = {0x81, RECORD};
    static const uint8_t cut[] = {0x82, 1, 0};

    give(text, sizeof text);
    cr_expect_eq(result.whole_run.damaged, 1, "not binary");
    give(cut, sizeof cut);
    cr_expect_eq(result.whole_run.damaged, 2, "not a whole record");
    cr_expect(load_conn_is_open(&conn));
}

Test(load_conn, ends_at_what_no_server_sends)
{
    static const uint8_t masked[] = {0x82, 0x81, 0, 0, 0, 0, 0};

    give(masked, sizeof masked);
    cr_expect_not(load_conn_is_open(&conn));
    cr_expect_eq(result.whole_run.damaged, 1);
    cr_expect_eq(result.whole_run.closed, 1);
}

Test(load_conn, tells_merged_and_fragmented_messages)
{
    uint8_t merged[2 + 2 * RECORD] = {0x82, 2 * RECORD};
    uint8_t parts[4 + RECORD] = {0x02, RECORD / 2};
    struct stamp first = stamp_of(0), second = stamp_of(1), third = stamp_of(2);

    memcpy(merged + 2, &first, sizeof first);
    memcpy(merged + 2 + RECORD, &second, sizeof second);
    give(merged, sizeof merged);
    cr_expect_eq(result.whole_run.merged, 2);
    uint8_t record[RECORD] = {0};

    memcpy(record, &third, sizeof third);
    memcpy(parts + 2, record, RECORD / 2);
    parts[2 + RECORD / 2] = 0x80;
    parts[3 + RECORD / 2] = RECORD / 2;
    memcpy(parts + 4 + RECORD / 2, record + RECORD / 2, RECORD / 2);
    give(parts, sizeof parts);
    cr_expect_eq(result.whole_run.fragmented, 1);
    cr_expect_eq(result.whole_run.received, 3);
    cr_expect_eq(result.whole_run.damaged, 0);
}

Test(load_conn, answers_pings)
{
    static const uint8_t ping[] = {0x89, 2, 'h', 'i'};
    uint8_t pong[8];

    give(ping, sizeof ping);
    cr_assert_eq(recv(far_fd, pong, sizeof pong, MSG_WAITALL), 8);
    cr_expect_eq(pong[0], 0x8a);
    cr_expect_eq(pong[1], 0x80 | 2, "masked, as clients do");
    cr_expect_eq(pong[6] ^ pong[2], 'h');
    cr_expect_eq(pong[7] ^ pong[3], 'i');
    cr_expect_eq(result.whole_run.pings, 1);
}

Test(load_conn, times_the_pong_to_a_probe)
{
    static const uint8_t pong[] = {0x8a, 0};
    uint8_t ping[6];

    load_conn_probe(&view, &conn);
    cr_assert_eq(recv(far_fd, ping, sizeof ping, MSG_WAITALL), 6);
    cr_expect_eq(ping[0], 0x89);
    cr_expect_eq(ping[1], 0x80, "masked, and empty");
    load_conn_probe(&view, &conn);
    cr_expect_eq(result.held, 1, "one at a time");
    give(pong, sizeof pong);
    give(pong, sizeof pong); /* unasked for */
    cr_expect_eq(result.whole_run.probes, 1);
    cr_expect_eq(result.whole_run.probes_answered, 1);
    cr_expect_eq(result.latency_ns.count, 1);
}

Test(load_conn, counts_a_probe_that_cannot_be_sent_as_a_cut)
{
    close(far_fd);
    load_conn_probe(&view, &conn);
    cr_expect_eq(result.whole_run.closed, 1);
    load_conn_probe(&view, &conn);
    cr_expect_eq(result.whole_run.probes, 1, "not on a closed connection");
}

Test(load_conn, keeps_the_reason_of_the_first_cut_harmless)
{
    static const uint8_t close_frame[] = {0x88, 6, 0x03, 0xf0, 'b', 033, 'y', 'e'};

    give(close_frame, sizeof close_frame);
    cr_expect_not(load_conn_is_open(&conn));
    cr_expect_eq(result.whole_run.closed, 1);
    cr_expect_str_eq(result.first_cut, "a viewer of topic 3: close frame 1008 \"b?ye\"");
}

Test(load_conn, takes_a_close_without_a_code)
{
    static const uint8_t close_frame[] = {0x88, 0};

    give(close_frame, sizeof close_frame);
    cr_expect_str_eq(result.first_cut, "a viewer of topic 3: close frame 1005 \"\"");
}

Test(load_conn, notices_the_end_of_the_stream)
{
    close(far_fd);
    load_conn_on_event(&view, &conn);
    cr_expect_not(load_conn_is_open(&conn));
    cr_expect_str_eq(result.first_cut, "a viewer of topic 3: end of stream");
}

Test(load_conn, reads_what_the_socket_has)
{
    uint8_t frame[2 + RECORD] = {0x82, RECORD};
    struct stamp stamp = stamp_of(0);

    memcpy(frame + 2, &stamp, sizeof stamp);
    cr_assert_eq(send(far_fd, frame, sizeof frame, 0), sizeof frame);
    load_conn_on_event(&view, &conn);
    cr_expect_eq(conn.received, 1);
    load_conn_on_event(&view, &conn);
    cr_expect(load_conn_is_open(&conn), "nothing to read is no end");
}

/* A message that is larger than the socket's buffer waits for the reader. */
Test(load_conn, holds_a_message_back_while_the_one_before_is_unsent)
{
    enum { LARGE = 4 * 1024 * 1024 };
    struct load_publisher publisher;
    uint8_t *received = malloc(LARGE + LOAD_PUBLISHER_HEADER_BYTES_MAX);
    size_t frame_len = LARGE + LOAD_PUBLISHER_HEADER_BYTES_MAX, got = 0;

    cr_assert_eq(load_publisher_init(&publisher, LARGE, true, RUN, TOPIC), 0);
    conn.publisher = &publisher;
    load_conn_publish(&view, &conn);
    cr_expect(load_publisher_is_waiting(&publisher));
    load_conn_publish(&view, &conn);
    cr_expect_eq(result.published, 1);
    cr_expect_eq(result.held, 1);
    static const uint8_t ping[] = {0x89, 0};

    give(ping, sizeof ping); /* its answer must not go into the frame */
    while (got < frame_len + 6) {
        ssize_t len = recv(far_fd, received, LARGE, MSG_DONTWAIT);

        got += len > 0 ? (size_t)len : 0;
        load_conn_on_event(&view, &conn);
    }
    cr_expect_eq(got, frame_len + 6);
    cr_expect_eq(publisher.completed, 1);
    load_conn_publish(&view, &conn);
    cr_expect_eq(result.published, 2);
    load_publisher_deinit(&publisher);
    free(received);
}

Test(load_conn, says_goodbye_to_a_relay_and_not_to_the_floor)
{
    uint8_t frame[16];

    load_conn_end(&conn, true);
    cr_assert_eq(recv(far_fd, frame, sizeof frame, 0), 8);
    cr_expect_eq(frame[0], 0x88);
    cr_expect_eq(frame[6] ^ frame[2], 0x03);
    cr_expect_eq(frame[7] ^ frame[3], 0xe8);
    cr_expect_not(load_conn_is_open(&conn));
    load_conn_end(&conn, true);
    stop();
    start();
    load_conn_end(&conn, false);
    cr_expect_eq(recv(far_fd, frame, sizeof frame, 0), 0);
}
