/* Goal: a batch carries what is queued, however the kernel cuts it, within the memory that is left.
 * Method: each test with our own records and with OpenSSL's; a client behind a fake kernel
 * (tls_stage.h). */
#include "server/conn/tls/tls_batch.h"

#include "server/conn/close.h"
#include "server/conn/tls/transport_records.h"
#include "server/conn/tls/transport_user.h"
#include "tests/unit/server/conn/tls/user_stage.h"

static void open_connection(int version, const struct transport_ops *transport)
{
    tls_stage_open_with(version);
    conn = tls_connect();
    cr_assert_eq(conn->transport, transport);
    expect_heard("enter ");
}

static void open_records(void)
{
    open_connection(TLS1_3_VERSION, &transport_records);
}

static void open_openssl(void)
{
    open_connection(TLS1_2_VERSION, &transport_user);
}

TestSuite(tls_batch_of_records, .init = open_records, .fini = tls_stage_close);
TestSuite(tls_batch_of_openssl, .init = open_openssl, .fini = tls_stage_close);

#define BATCH_TEST(name)                                                                           \
    static void name(void);                                                                        \
    Test(tls_batch_of_records, name)                                                               \
    {                                                                                              \
        name();                                                                                    \
    }                                                                                              \
    Test(tls_batch_of_openssl, name)                                                               \
    {                                                                                              \
        name();                                                                                    \
    }                                                                                              \
    static void name(void)

BATCH_TEST(short_send_of_records_goes_on_at_the_byte)
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

BATCH_TEST(batch_in_pieces_of_odd_length_arrives_whole_and_in_order)
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

BATCH_TEST(for_a_peer_that_is_behind_it_makes_few_records)
{
    fill_socket();
    cr_assert(conn_send(conn, stage_message(long_text(), LONG_BYTES)));
    size_t largest = send_in_pieces(SIZE_MAX);

    cr_assert_leq(largest, TLS_RECORD_PAYLOAD_MAX + 1024);
    cr_assert_eq(client_read().len, LONG_BYTES);
}

BATCH_TEST(answer_to_one_that_was_not_admitted_takes_no_memory_of_messages)
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

BATCH_TEST(without_memory_for_messages_it_goes_on_in_small_batches)
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

BATCH_TEST(without_any_memory_the_connection_ends)
{
    stage_send(conn, "hello");
    stage_use_up_memory();
    stage_turn();
    expect_heard("failed: TLS failed leave ");
    cr_assert_eq(stage_counted(messages_dropped_memory), 1);
}

BATCH_TEST(close_in_the_middle_of_a_batch_frees_it_when_its_send_is_back)
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
    cr_assert_null(conn->tls.records);
    cr_assert_null(conn->tls.session);
    cr_assert_eq(stage.worker.blocks.blocks_used, 0);
}
