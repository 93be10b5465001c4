/* Goal: with records in the kernel, data passes as it is; control records are read one by one and
 * mean what they say; our own (KeyUpdate, close_notify) go out alone.
 * Method: fake kernel (stage.h); the calls that change keys in a socket are replaced at link time.
 */
#include "server/conn/tls/transport_kernel.h"

#include "tests/unit/server/conn/stage.h"

enum { SOL_TLS_LEVEL = 282, TLS_GET_RECORD_TYPE_VALUE = 2, ALERT = 21, HANDSHAKE = 22, DATA = 23 };

static struct conn *conn;
static int rekey_result;

int __wrap_ktls_rekey_receive(int fd, enum tls_suite suite, struct tls_secrets *secrets);
int __wrap_ktls_rekey_send(int fd, enum tls_suite suite, struct tls_secrets *secrets);

int __wrap_ktls_rekey_receive(int fd, enum tls_suite suite, struct tls_secrets *secrets)
{
    hear("key:receive ");
    return rekey_result;
}

int __wrap_ktls_rekey_send(int fd, enum tls_suite suite, struct tls_secrets *secrets)
{
    hear("key:send ");
    return rekey_result;
}

static void become_kernel(bool can_rekey)
{
    conn->transport = &transport_kernel;
    if (can_rekey) {
        conn->tls.rekey = block_pool_take(&stage.worker.blocks, sizeof *conn->tls.rekey);
        *conn->tls.rekey = (struct rekey){0};
    }
}

static void open_connection(void)
{
    stage_open();
    conn = stage_connect(LISTENER_BOTH);
    become_kernel(true);
    rekey_result = 0;
    expect_heard("enter ");
}

TestSuite(transport_kernel, .init = open_connection, .fini = stage_close);

/* The kernel stops in front of a control record. */
static struct held *stop_at_control(void)
{
    kernel_complete(kernel_find(IORING_OP_RECV), -EIO, 0);
    kernel_take();
    return kernel_find(IORING_OP_RECVMSG);
}

static void give_control(struct held *held, uint8_t type, const void *data, size_t len)
{
    struct msghdr *header = held->memory;
    struct cmsghdr *control = CMSG_FIRSTHDR(header);

    cr_assert_not_null(control);
    control->cmsg_level = SOL_TLS_LEVEL;
    control->cmsg_type = TLS_GET_RECORD_TYPE_VALUE;
    control->cmsg_len = CMSG_LEN(1);
    *CMSG_DATA(control) = type;
    memcpy(header->msg_iov->iov_base, data, len);
    kernel_complete(held, (int)len, 0);
    kernel_take();
}

static void receive_control(uint8_t type, const void *data, size_t len)
{
    give_control(stop_at_control(), type, data, len);
}

static bool is_receiving_data(void)
{
    struct held *held = kernel_find(IORING_OP_RECV);

    return held != NULL && held->buffered;
}

Test(transport_kernel, data_passes_both_ways_as_it_is)
{
    kernel_receive(kernel_find(IORING_OP_RECV), bytes_of_text("plain"));
    expect_heard("plain ");
    stage_send(conn, "answer");
    stage_turn();
    expect_bytes(held_bytes(kernel_send()), "answer");
}

Test(transport_kernel, close_notify_is_the_end_of_the_peer)
{
    receive_control(ALERT, "\1\0", 2);
    expect_heard("eof ");
    cr_assert(conn->peer_ended);
    cr_assert_not(is_receiving_data());
}

Test(transport_kernel, other_alert_is_a_peer_that_gave_up)
{
    receive_control(ALERT, "\2\50", 2);
    expect_heard("failed: closed by peer leave ");
    cr_assert_eq(stage_counted(tls_alerts), 1);
}

Test(transport_kernel, control_record_without_meaning_breaks_the_connection)
{
    receive_control(HANDSHAKE, "\x7f\0\0\0", 4);
    expect_heard("failed: TLS failed leave ");
    cr_assert_eq(stage_counted(tls_broken), 1);
}

Test(transport_kernel, key_update_that_asks_for_what_is_not_breaks_the_connection)
{
    receive_control(HANDSHAKE, "\x18\0\0\1\2", 5);
    expect_heard("failed: TLS failed leave ");
    cr_assert_eq(stage_counted(tls_broken), 1);
    cr_assert_eq(stage_counted(tls_rekeys), 0);
}

Test(transport_kernel, data_that_came_instead_of_a_control_record_is_not_lost)
{
    receive_control(DATA, "data", 4);
    expect_heard("data ");
    cr_assert(is_receiving_data());
}

Test(transport_kernel, key_update_is_followed_and_data_received_again)
{
    receive_control(HANDSHAKE, "\x18\0\0\1\0", 5);
    expect_heard("key:receive ");
    cr_assert_eq(stage_counted(tls_rekeys), 1);
    cr_assert(is_receiving_data());
    stage_turn();
    cr_assert_null(kernel_send()); /* no answer was asked for */
}

Test(transport_kernel, key_update_is_answered_where_the_peer_asks_for_it)
{
    receive_control(HANDSHAKE, "\x18\0\0\1\1", 5);
    stage_send(conn, "under the new key");
    stage_turn();
    cr_assert_eq(held_checked(kernel_send())->opcode, IORING_OP_SENDMSG);
    cr_assert_eq(held_bytes(kernel_send()).len, 5);
    cr_assert_arr_eq(held_bytes(kernel_send()).data, "\x18\0\0\1\0", 5);
    expect_heard("key:receive ");
    kernel_complete(kernel_send(), 5, 0);
    expect_heard("key:send "); /* the last record under the old one is sent */
    stage_turn();
    expect_bytes(held_bytes(kernel_send()), "under the new key");
    kernel_complete(kernel_send(), 17, 0);
    expect_heard("sent ");
}

Test(transport_kernel, key_update_waits_for_the_send_in_flight)
{
    stage_send(conn, "under the old key");
    stage_turn();
    receive_control(HANDSHAKE, "\x18\0\0\1\1", 5);
    stage_turn();
    expect_bytes(held_bytes(kernel_send()), "under the old key");
    kernel_complete(kernel_send(), 17, 0);
    stage_send(conn, "under the new key"); /* RFC 8446 §4.6.3: the answer goes in front of it */
    stage_turn();
    cr_assert_eq(held_bytes(kernel_send()).len, 5);
}

Test(transport_kernel, key_that_cannot_be_installed_for_sending_ends_the_connection)
{
    receive_control(HANDSHAKE, "\x18\0\0\1\1", 5);
    stage_turn();
    rekey_result = -EBUSY;
    kernel_complete(kernel_send(), 5, 0);
    expect_heard("key:receive key:send failed: connection broken leave ");
}

Test(transport_kernel, key_update_that_cannot_be_sent_ends_the_connection)
{
    receive_control(HANDSHAKE, "\x18\0\0\1\1", 5);
    stage_turn();
    kernel_complete(kernel_send(), -EPIPE, 0);
    expect_heard("key:receive failed: connection broken leave ");
}

Test(transport_kernel, key_update_that_the_kernel_refuses_ends_politely_and_reads_no_more)
{
    rekey_result = -EBUSY;
    receive_control(HANDSHAKE, "\x18\0\0\1\0", 5);
    expect_heard("key:receive end: TLS key change not supported by this kernel ");
    conn_receive_start(conn);
    stage_turn();
    cr_assert_not(is_receiving_data());
    stage_send(conn, "goodbye"); /* sending goes on under the old key */
    stage_turn();
    expect_bytes(held_bytes(kernel_send()), "goodbye");
}

Test(transport_kernel, without_keys_a_key_update_is_refused)
{
    block_pool_put(&stage.worker.blocks, conn->tls.rekey);
    conn->tls.rekey = NULL;
    receive_control(HANDSHAKE, "\x18\0\0\1\0", 5);
    expect_heard("end: TLS key change not supported by this kernel ");
    cr_assert(conn->receive_blocked);
}

/* RFC 8446 §6.1: a close_notify follows it. */
Test(transport_kernel, user_canceled_is_no_abort)
{
    receive_control(ALERT, "\x01\x5a", 2);
    expect_heard("");
    cr_assert_eq(stage_counted(tls_alerts), 0);
    cr_assert(is_receiving_data());
}

Test(transport_kernel, end_or_error_in_place_of_the_control_record)
{
    kernel_complete(stop_at_control(), 0, 0);
    expect_heard("eof ");
    stage_close_connections();
    conn = stage_connect(LISTENER_BOTH);
    become_kernel(true);
    expect_heard("leave enter ");
    kernel_complete(stop_at_control(), -ECONNRESET, 0);
    expect_heard("failed: connection broken leave ");
}

Test(transport_kernel, record_that_the_kernel_cannot_open_breaks_the_connection)
{
    static const int errors[] = {EBADMSG, EMSGSIZE, EINVAL};

    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        kernel_complete(kernel_find(IORING_OP_RECV), -errors[i], 0);
        expect_heard("failed: TLS failed leave ");
        cr_assert_eq(stage_counted(tls_broken), i + 1);
        stage_close_connections();
        conn = stage_connect(LISTENER_BOTH);
        become_kernel(false);
        expect_heard("enter ");
    }
    kernel_complete(kernel_find(IORING_OP_RECV), -ECONNRESET, 0);
    expect_heard("failed: closed by peer leave ");
}

Test(transport_kernel, without_memory_for_a_control_record_the_connection_ends)
{
    stage_use_up_memory();
    kernel_complete(kernel_find(IORING_OP_RECV), -EIO, 0);
    expect_heard("failed: connection broken leave ");
}

Test(transport_kernel, close_notify_of_ours_is_an_alert_in_an_operation_of_its_own)
{
    cr_assert(transport_kernel.notify(conn));
    kernel_take();
    struct held *held = held_checked(kernel_find(IORING_OP_SENDMSG));

    cr_assert_eq(held->op, &conn->notify_op);
    cr_assert_eq(held_bytes(held).len, 2);
    cr_assert_arr_eq(held_bytes(held).data, "\1\0", 2);
    conn->notify_submitted = true;
    conn_close_now(conn, CLOSE_DRAIN);
}

Test(transport_kernel, close_notify_waits_for_memory)
{
    stage_use_up_memory();
    cr_assert_not(transport_kernel.notify(conn));
    cr_assert_not(conn->notify_op.in_flight);
    stage.worker.blocks.bytes_max = STAGE_MEMORY;
    cr_assert(transport_kernel.notify(conn));
    conn->notify_submitted = true;
    conn_close_now(conn, CLOSE_DRAIN);
}

Test(transport_kernel, close_in_the_middle_of_a_control_record_returns_its_memory_last)
{
    struct held *held = stop_at_control();

    conn_close_now(conn, CLOSE_DRAIN);
    kernel_take();
    give_control(held, ALERT, "\2\50", 2); /* the cancel came too late */
    expect_heard("leave ");
    kernel_finish_close();
    cr_assert_eq(stage.worker.blocks.blocks_used, 0);
    cr_assert_null(conn->tls.rekey);
    cr_assert_null(conn->tls.control_record);
}

Test(transport_kernel, secrets_of_the_next_keys_move_with_a_connection)
{
    struct conn other = {.worker = &stage.worker};

    conn->tls.rekey->answer_wanted = true;
    cr_assert(transport_kernel.take_over(&other, &conn->tls));
    cr_assert_neq(other.tls.rekey, conn->tls.rekey);
    cr_assert(other.tls.rekey->answer_wanted);
    transport_kernel.release(&other);
    cr_assert_null(other.tls.rekey);
}

Test(transport_kernel, connection_without_secrets_has_nothing_to_move)
{
    struct conn other = {.worker = &stage.worker};
    struct conn_tls none = {0};

    stage_use_up_memory();
    cr_assert(transport_kernel.take_over(&other, &none));
    cr_assert_null(other.tls.rekey);
}

Test(transport_kernel, without_memory_it_does_not_move)
{
    struct conn other = {.worker = &stage.worker};

    stage_use_up_memory();
    cr_assert_not(transport_kernel.take_over(&other, &conn->tls));
    cr_assert_null(other.tls.rekey);
}
