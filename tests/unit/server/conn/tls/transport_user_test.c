/* Goal: records made and opened in user space carry all bytes in order, however the kernel cuts
 * them, within the memory that is left.
 * Method: a client of OpenSSL behind a fake kernel (tls_stage.h). */
#include "server/conn/tls/transport_user.h"

#include "tests/unit/server/conn/tls/user_stage.h"

static void open_connection(void)
{
    tls_stage_open_with(TLS1_2_VERSION);
    conn = tls_connect();
    cr_assert_eq(conn->transport, &transport_user);
    expect_heard("enter ");
}

TestSuite(transport_user, .init = open_connection, .fini = tls_stage_close);

Test(transport_user, record_in_two_pieces_arrives_whole)
{
    struct bytes records = client_records("hello");

    receive(bytes_of(records.data, 3));
    receive(bytes_of(records.data + 3, records.len - 10));
    expect_heard("");
    receive(bytes_skip(records, records.len - 7));
    expect_heard("hello ");
}

Test(transport_user, all_records_of_one_receive_arrive)
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

Test(transport_user, record_that_was_changed_breaks_the_connection)
{
    struct bytes records = client_records("hello");
    uint8_t changed[256];

    memcpy(changed, records.data, records.len);
    changed[records.len - 1] ^= 1;
    receive(bytes_of(changed, records.len));
    expect_heard("failed: TLS failed leave ");
    cr_assert_eq(stage_counted(tls_broken), 1);
}

Test(transport_user, close_notify_is_the_end_of_the_peer)
{
    SSL_shutdown(backstage.client.ssl);
    receive(client_records(NULL));
    expect_heard("eof ");
    cr_assert(conn->peer_ended);
}

Test(transport_user, short_send_of_records_goes_on_at_the_byte)
{
    stage_send(conn, "hello");
    stage_turn();
    struct held *send = held_checked(kernel_send());
    size_t len = send->len;

    client_hear(send, 9);
    kernel_complete(send, 9, 0);
    cr_assert_eq(stage_counted(sends_short), 1);
    cr_assert_eq(conn->subscriber.queue.count, 1); /* until all of its records are sent */
    stage_turn();
    cr_assert_eq(held_checked(kernel_send())->len, len - 9);
    send_all();
    expect_heard("sent ");
    expect_bytes(client_read(), "hello");
    cr_assert_eq(conn->subscriber.queue.count, 0);
    cr_assert_eq(stage.worker.blocks.blocks_used, 0);
}

Test(transport_user, batch_in_pieces_of_odd_length_arrives_whole_and_in_order)
{
    stage_send(conn, "one,");
    stage_send(conn, "two,");
    cr_assert(conn_send(conn, stage_message(long_text(), LONG_BYTES)));
    size_t largest = send_in_pieces(9973);
    struct bytes got = client_read();

    cr_assert_eq(got.len, 8 + LONG_BYTES);
    cr_assert(bytes_start_with(got, "one,two,"));
    cr_assert_arr_eq(got.data + 8, long_text(), LONG_BYTES);
    /* So much at most is held as ciphertext for a slow peer. */
    cr_assert_leq(largest, BATCH_BYTES_MAX + BATCH_BYTES_MAX / 64);
    cr_assert_gt(largest, BATCH_BYTES_MAX);
}

Test(transport_user, for_a_peer_that_is_behind_it_makes_few_records)
{
    fill_socket();
    cr_assert(conn_send(conn, stage_message(long_text(), LONG_BYTES)));
    size_t largest = send_in_pieces(SIZE_MAX);

    cr_assert_leq(largest, TLS_RECORD_PAYLOAD_MAX + 1024);
    cr_assert_eq(client_read().len, LONG_BYTES);
}

Test(transport_user, answer_to_one_that_was_not_admitted_takes_no_memory_of_messages)
{
    struct message *answer = message_create_unframed(&stage.worker, LONG_BYTES / 4);

    cr_assert_not_null(answer);
    answer->payload_len = LONG_BYTES / 4;
    memcpy(answer->payload, long_text(), LONG_BYTES / 4);
    cr_assert(conn_send(conn, answer));
    stage_turn();
    cr_assert_eq(stage.worker.blocks.blocks_used, 0);
    cr_assert_eq(stage.worker.requests.blocks_used, 2);
    cr_assert_leq(send_in_pieces(SIZE_MAX), TLS_RECORD_PAYLOAD_MAX + 1024);
    cr_assert_eq(client_read().len, LONG_BYTES / 4);
    cr_assert_eq(stage.worker.requests.blocks_used, 0);
}

Test(transport_user, without_memory_for_messages_it_goes_on_in_small_batches)
{
    struct block_pool *blocks = &stage.worker.blocks;

    cr_assert(conn_send(conn, stage_message(long_text(), LONG_BYTES)));
    block_pool_trim(blocks, 0);
    blocks->bytes_max = blocks->bytes_held + 64 * 1024;
    blocks->bytes_reserved = 64 * 1024;
    size_t largest = send_in_pieces(SIZE_MAX);

    cr_assert_leq(largest, TLS_RECORD_PAYLOAD_MAX + 1024);
    cr_assert_eq(client_read().len, LONG_BYTES);
}

Test(transport_user, without_any_memory_the_connection_ends)
{
    stage_send(conn, "hello");
    stage_use_up_memory();
    stage_turn();
    expect_heard("failed: TLS failed leave ");
    cr_assert_eq(stage_counted(messages_dropped_memory), 1);
}

Test(transport_user, close_in_the_middle_of_a_batch_frees_it_when_its_send_is_back)
{
    cr_assert(conn_send(conn, stage_message(long_text(), LONG_BYTES)));
    stage_turn();
    client_hear(held_checked(kernel_send()), 1000);
    kernel_complete(kernel_send(), 1000, 0);
    stage_turn();
    conn_close_now(conn, CLOSE_DENIED);
    kernel_take();
    cr_assert_not_null(conn->tls.output.records); /* the kernel may still read them */
    kernel_finish_close();
    cr_assert_null(conn->tls.output.records);
    cr_assert_null(conn->tls.session);
    cr_assert_eq(stage.worker.blocks.blocks_used, 0);
}

Test(transport_user, end_is_told_by_close_notify)
{
    cr_assert(transport_user.notify(conn));
    kernel_take();
    cr_assert_eq(held_checked(kernel_send())->op, &conn->notify_op);
    client_hear(held_checked(kernel_send()), held_checked(kernel_send())->len);
    char byte;

    cr_assert_leq(SSL_read(backstage.client.ssl, &byte, 1), 0);
    cr_assert_eq(SSL_get_error(backstage.client.ssl, 0), SSL_ERROR_ZERO_RETURN);
    conn->notify_submitted = true;
    conn_close_now(conn, CLOSE_DRAIN);
}

Test(transport_user, without_memory_close_notify_is_left_out)
{
    stage_use_up_memory();
    cr_assert(transport_user.notify(conn));
    cr_assert_not(conn->notify_op.in_flight);
}

Test(transport_user, session_moves_with_the_beginning_of_a_record)
{
    struct bytes records = client_records("hello");
    struct conn other = {.worker = &stage.worker};
    struct conn_tls *tls = &conn->tls;

    receive(bytes_of(records.data, 3));
    cr_assert(transport_user.take_over(&other, tls));
    cr_assert_eq(other.tls.session, tls->session);
    transport_user.let_go(conn);
    cr_assert_null(tls->session);
    tls->session = other.tls.session; /* and back */
    receive(bytes_skip(records, 3));
    expect_heard("hello ");
}
