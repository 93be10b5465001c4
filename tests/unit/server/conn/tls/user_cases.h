/* Cases that hold for records made in user space, by OpenSSL or by ourselves: USER_CASES(suite)
 * makes a test of each, with the connection that the suite opens. */
#pragma once

#include "tests/unit/server/conn/tls/user_stage.h"

static void record_in_two_pieces_arrives_whole(void)
{
    struct bytes records = client_records("hello");

    receive(bytes_of(records.data, 3));
    receive(bytes_of(records.data + 3, records.len - 10));
    expect_heard("");
    receive(bytes_skip(records, records.len - 7));
    expect_heard("hello ");
}

static void all_records_of_one_receive_arrive(void)
{
    static uint8_t all[FIXTURE_FLIGHT_SIZE];
    size_t len = 0;

    for (unsigned i = 0; i < 3; i++) {
        struct bytes records = client_records(i == 0 ? "one" : i == 1 ? "two" : "three");

        memcpy(all + len, records.data, records.len);
        len += records.len;
    }
    receive(bytes_of(all, len));
    expect_heard("one two three ");
}

static void record_that_was_changed_breaks_the_connection(void)
{
    struct bytes records = client_records("hello");
    uint8_t changed[256];

    memcpy(changed, records.data, records.len);
    changed[records.len - 1] ^= 1;
    receive(bytes_of(changed, records.len));
    expect_heard("failed: TLS failed leave ");
    cr_assert_eq(stage_counted(tls_broken), 1);
}

static void close_notify_is_the_end_of_the_peer(void)
{
    SSL_shutdown(backstage.client.ssl);
    receive(client_records(NULL));
    expect_heard("eof ");
    cr_assert(conn->peer_ended);
}

static void end_is_told_by_close_notify(void)
{
    cr_assert(conn->transport->notify(conn));
    kernel_take();
    cr_assert_eq(held_checked(kernel_send())->op, &conn->notify_op);
    client_hear(held_checked(kernel_send()), held_checked(kernel_send())->len);
    char byte;

    cr_assert_leq(SSL_read(backstage.client.ssl, &byte, 1), 0);
    cr_assert_eq(SSL_get_error(backstage.client.ssl, 0), SSL_ERROR_ZERO_RETURN);
    conn->notify_submitted = true;
    conn_close_now(conn, CLOSE_DRAIN);
}

static void without_memory_close_notify_is_left_out(void)
{
    stage_use_up_memory();
    cr_assert(conn->transport->notify(conn));
    cr_assert_not(conn->notify_op.in_flight);
}

#define USER_CASE(suite, name)                                                                     \
    Test(suite, name)                                                                              \
    {                                                                                              \
        name();                                                                                    \
    }

#define USER_CASES(suite)                                                                          \
    USER_CASE(suite, record_in_two_pieces_arrives_whole)                                           \
    USER_CASE(suite, all_records_of_one_receive_arrive)                                            \
    USER_CASE(suite, record_that_was_changed_breaks_the_connection)                                \
    USER_CASE(suite, close_notify_is_the_end_of_the_peer)                                          \
    USER_CASE(suite, end_is_told_by_close_notify)                                                  \
    USER_CASE(suite, without_memory_close_notify_is_left_out)
