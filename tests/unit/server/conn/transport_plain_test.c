/* Goal: the bytes of the queue go to the socket and those of the socket to the phase as they are.
 * Method: fake kernel (stage.h). */
#include "server/conn/transport.h"

#include "server/hub/drop_policy.h"
#include "tests/unit/server/conn/stage.h"

static struct conn *conn;

static void open_connection(void)
{
    stage_open();
    conn = stage_connect(LISTENER_BOTH);
    expect_heard("enter ");
}

TestSuite(transport_plain, .init = open_connection, .fini = stage_close);

Test(transport_plain, one_message_is_sent_from_its_own_memory)
{
    struct message *message = stage_message("hello", 5);

    cr_assert(conn_send(conn, message));
    stage_turn();
    cr_assert_eq(held_checked(kernel_send())->opcode, IORING_OP_SEND);
    cr_assert_eq(held_checked(kernel_send())->slices[0].iov_base, message->payload);
    cr_assert_eq(held_checked(kernel_send())->fd, conn->fd);
}

Test(transport_plain, backlog_is_sent_in_slices_of_a_bounded_number)
{
    for (unsigned i = 0; i < SEND_SLICES_MAX + 2; i++) {
        stage_send(conn, (const char[]){(char)('0' + i), '\0'});
    }
    stage_turn();
    cr_assert_eq(held_checked(kernel_send())->opcode, IORING_OP_SENDMSG);
    cr_assert_eq(held_checked(kernel_send())->slices_count, SEND_SLICES_MAX);
    struct bytes sent = held_bytes(kernel_send());

    for (unsigned i = 0; i < SEND_SLICES_MAX; i++) {
        cr_assert_eq(sent.data[i], '0' + i);
    }
    kernel_complete(kernel_send(), SEND_SLICES_MAX, 0);
    stage_turn();
    cr_assert_eq(held_checked(kernel_send())->slices_count, 2);
}

Test(transport_plain, without_anything_queued_nothing_is_submitted)
{
    cr_assert_not(transport_plain.send_next(conn));
    kernel_take();
    cr_assert_null(kernel_send());
    cr_assert_not(conn->send_op.in_flight);
}

Test(transport_plain, what_became_too_old_in_the_queue_is_not_sent)
{
    struct message *message = message_create(&stage.worker, 3);

    cr_assert_not_null(message);
    message->payload_len = 3;
    stage.shared.bounds.age_ms_max = 1000;
    message->received_ms = stage.worker.now_ms;
    message_frame(message, WS_OPCODE_BINARY);
    cr_assert(drop_policy_push(&conn->subscriber, &stage.worker, &stage.shared.bounds,
                               &message->home_share));
    share_unref(&stage.worker, &message->home_share);
    stage.worker.now_ms += 1001;
    conn_send_wake(conn);
    stage_turn();
    cr_assert_null(kernel_send());
    cr_assert_not(conn->send_op.in_flight);
    cr_assert_eq(stage_counted(messages_dropped_age), 1);
}

Test(transport_plain, bytes_that_were_sent_are_those_of_the_queue)
{
    size_t plain_len = 0;

    cr_assert(transport_plain.on_sent(conn, 17, &plain_len));
    cr_assert_eq(plain_len, 17);
    transport_plain.on_received(conn, bytes_of_text("as it is"));
    expect_heard("as it is ");
}

Test(transport_plain, it_has_no_end_of_its_own)
{
    cr_assert_null(transport_plain.notify);
    cr_assert_null(transport_plain.on_receive_failed);
    cr_assert_null(transport_plain.release);
}

Test(transport_plain, record_is_taken_once_even_from_the_reserve)
{
    struct ktls_record *record = NULL;

    void *rest = block_pool_take(&stage.worker.blocks, 8 << 20);

    stage.worker.blocks.bytes_max = stage.worker.blocks.bytes_held + STAGE_RESERVE;
    cr_assert_null(block_pool_take(&stage.worker.blocks, 1));
    cr_assert(transport_take_record(conn, &record));
    struct ktls_record *first = record;

    cr_assert(transport_take_record(conn, &record));
    cr_assert_eq(record, first);
    transport_put_record(conn, &record);
    cr_assert_null(record);
    transport_put_record(conn, &record); /* harmless */
    block_pool_put(&stage.worker.blocks, rest);
}

Test(transport_plain, without_memory_there_is_no_record)
{
    struct ktls_record *record = NULL;

    stage_use_up_memory();
    cr_assert_not(transport_take_record(conn, &record));
    cr_assert_null(record);
}
