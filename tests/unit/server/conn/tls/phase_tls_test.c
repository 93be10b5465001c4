/* Goal: the handshake reads one record at a time, costs nothing before its first byte and leaves
 * nothing behind, and hands over to the right transport when all of it is sent.
 * Method: a client of OpenSSL behind a fake kernel (tls_stage.h); installing keys into the socket
 * is replaced at link time. */
#include "server/conn/tls/phase_tls.h"

#include "server/conn/tls/transport_kernel.h"
#include "server/conn/tls/transport_records.h"
#include "server/conn/tls/transport_user.h"
#include "tests/unit/server/conn/tls/tls_stage.h"

enum { HELLO_BYTES_MAX = 4096 };

static struct {
    enum ktls_result result;
    unsigned calls;
    uint64_t tx_records;
} install;

enum ktls_result __wrap_ktls_install(int fd, enum tls_suite suite,
                                     const struct tls_secrets *secrets, uint64_t tx_records);

enum ktls_result __wrap_ktls_install(int fd, enum tls_suite suite,
                                     const struct tls_secrets *secrets, uint64_t tx_records)
{
    install.calls++;
    install.tx_records = tx_records;
    return install.result;
}

static unsigned sessions_destroyed;

void __wrap_tls_session_destroy(struct tls_session *session);
void __real_tls_session_destroy(struct tls_session *session);

void __wrap_tls_session_destroy(struct tls_session *session)
{
    sessions_destroyed += session != NULL;
    __real_tls_session_destroy(session);
}

static struct conn *conn;

static void open_connection(void)
{
    tls_stage_open();
    memset(&install, 0, sizeof install);
    sessions_destroyed = 0;
    conn = stage_connect(LISTENER_BOTH);
}

TestSuite(phase_tls, .init = open_connection, .fini = tls_stage_close);

static void kernel_can(enum ktls_result result)
{
    stage.shared.ktls.any = true;
    for (unsigned i = 0; i < TLS_SUITE_COUNT; i++) {
        stage.shared.ktls.suites[i] = true;
    }
    install.result = result;
}

/* The rest of what the handshake sends. */
static void send_rest(void)
{
    while (kernel_send() != NULL) {
        send_all();
        stage_turn();
    }
}

static void wait_for_readable(void)
{
    kernel_complete(kernel_find(IORING_OP_POLL_ADD), POLLIN, 0);
    kernel_take();
}

static void receive(const void *data, size_t len)
{
    struct held *held = held_checked(kernel_find(IORING_OP_RECV));

    cr_assert_leq(len, held->len);
    memcpy(held->memory, data, len);
    kernel_complete(held, (int)len, 0);
    kernel_take();
}

static bool costs_nothing(void)
{
    return stage.worker.requests.blocks_used == 0 && stage.worker.blocks.blocks_used == 0;
}

Test(phase_tls, silent_connection_costs_nothing)
{
    cr_assert_not_null(kernel_find(IORING_OP_POLL_ADD));
    cr_assert(costs_nothing());
    wait_for_readable();
    cr_assert_eq(stage.worker.requests.blocks_used, 1);
}

Test(phase_tls, record_is_read_to_its_end_and_not_beyond)
{
    wait_for_readable();
    cr_assert_eq(kernel_recv()->len, TLS_RECORD_HEADER);
    receive("\x16\x03", 2);
    cr_assert_eq(kernel_recv()->len, TLS_RECORD_HEADER - 2);
    receive("\x01\x01\x00", 3); /* 256 bytes follow */
    cr_assert_eq(kernel_recv()->len, 256);
    receive("\x01", 1);
    cr_assert_eq(kernel_recv()->len, 255);
    cr_assert_eq(conn->phase, PHASE_TLS);
}

Test(phase_tls, handshake_in_single_bytes_ends_in_user_space)
{
    handshake(conn, 1);
    send_rest();
    cr_assert_eq(conn->phase, PHASE_HTTP);
    cr_assert_eq(conn->transport, &transport_records);
    cr_assert_eq(stage_counted(tls_user), 1);
    expect_heard("enter ");
    cr_assert(kernel_recv()->buffered);
    cr_assert_not_null(conn->tls.records);
    cr_assert_null(conn->tls.session);
    cr_assert_eq(sessions_destroyed, 1);
    cr_assert_null(conn->tls.handshake);
    cr_assert_eq(stage.worker.requests.blocks_used, 0);
}

Test(phase_tls, kernel_takes_over_when_all_of_the_handshake_is_sent)
{
    kernel_can(KTLS_INSTALLED);
    handshake(conn, SIZE_MAX);
    struct held *last = held_checked(kernel_send());

    cr_assert_not_null(last);
    cr_assert_eq(install.calls, 0); /* its bytes would be encrypted once more */
    client_hear(last, last->len);
    kernel_complete(last, (int)last->len - 1, 0);
    cr_assert_eq(install.calls, 0);
    stage_turn();
    kernel_complete(kernel_send(), 1, 0);
    cr_assert_eq(install.calls, 1);
    cr_assert_eq(install.tx_records, 2); /* the two tickets used up record numbers */
    cr_assert_eq(conn->transport, &transport_kernel);
    cr_assert_eq(conn->phase, PHASE_HTTP);
    cr_assert_eq(stage_counted(tls_kernel), 1);
    cr_assert_null(conn->tls.rekey);
    cr_assert(costs_nothing());
}

Test(phase_tls, secrets_are_kept_where_the_kernel_can_change_keys)
{
    kernel_can(KTLS_INSTALLED);
    stage.shared.ktls.rekey = true;
    handshake(conn, SIZE_MAX);
    send_rest();
    cr_assert_not_null(conn->tls.rekey);
    cr_assert_eq(conn->tls.rekey->secrets.client_len, backstage.client.secrets.client_len);
    cr_assert_arr_eq(conn->tls.rekey->secrets.client, backstage.client.secrets.client,
                     backstage.client.secrets.client_len);
}

Test(phase_tls, kernel_that_refuses_leaves_the_records_in_user_space)
{
    kernel_can(KTLS_REFUSED);
    handshake(conn, SIZE_MAX);
    send_rest();
    cr_assert_eq(install.calls, 1);
    cr_assert_eq(conn->transport, &transport_records);
}

Test(phase_tls, suite_the_kernel_does_not_have_is_not_tried)
{
    kernel_can(KTLS_INSTALLED);
    memset(stage.shared.ktls.suites, 0, sizeof stage.shared.ktls.suites);
    handshake(conn, SIZE_MAX);
    send_rest();
    cr_assert_eq(install.calls, 0);
    cr_assert_eq(conn->transport, &transport_records);
}

Test(phase_tls, tls_1_2_stays_with_openssl)
{
    client_deinit(&backstage.client);
    client_init(&backstage.client, TLS1_2_VERSION, NULL);
    kernel_can(KTLS_INSTALLED);
    handshake(conn, SIZE_MAX);
    send_rest();
    cr_assert_eq(install.calls, 0);
    cr_assert_eq(conn->transport, &transport_user);
    cr_assert_eq(conn->phase, PHASE_HTTP);
    cr_assert_not_null(conn->tls.session);
    cr_assert_eq(sessions_destroyed, 0);
}

Test(phase_tls, client_the_kernel_cannot_serve_is_refused_where_kernel_tls_is_required)
{
    kernel_can(KTLS_REFUSED);
    stage.shared.ktls_required = true;
    handshake(conn, SIZE_MAX);
    send_rest();
    cr_assert_eq(conn->phase, PHASE_CLOSING);
    cr_assert_eq(conn->close_reason, CLOSE_TLS_FAILED);
    cr_assert_eq(stage_counted(tls_failed), 1);
    kernel_finish_close();
    cr_assert(costs_nothing());
}

Test(phase_tls, socket_encrypted_in_one_direction_only_is_closed)
{
    kernel_can(KTLS_BROKEN);
    handshake(conn, SIZE_MAX);
    send_rest();
    cr_assert_eq(conn->close_reason, CLOSE_TLS_FAILED);
    cr_assert(conn->close_submitted);
}

Test(phase_tls, peer_that_is_gone_at_the_end_is_no_failure)
{
    kernel_can(KTLS_PEER_GONE);
    handshake(conn, SIZE_MAX);
    send_rest();
    cr_assert_eq(conn->close_reason, CLOSE_BY_PEER);
    cr_assert_eq(stage_counted(tls_failed), 0);
}

static void end_peer(void)
{
    cr_assert_eq(shutdown(stage_peer(conn), SHUT_WR), 0);
    cr_assert_eq(poll(&(struct pollfd){.fd = conn->fd, .events = POLLRDHUP}, 1, STAGE_DEADLINE_MS),
                 1);
}

/* A ClientHello that waits for its turn costs no handshake once its client has left. */
Test(phase_tls, peer_that_left_before_its_turn_has_none)
{
    uint8_t hello[HELLO_BYTES_MAX];

    SSL_do_handshake(backstage.client.ssl);
    int len = BIO_read(backstage.client.output, hello, sizeof hello);

    cr_assert_gt(len, TLS_RECORD_HEADER);
    wait_for_readable();
    receive(hello, TLS_RECORD_HEADER);
    receive(hello + TLS_RECORD_HEADER, (size_t)len - TLS_RECORD_HEADER);
    end_peer();
    engine_on_work(&stage.table);
    cr_assert_eq(conn->close_reason, CLOSE_BY_PEER);
    cr_assert_eq(stage_counted(tls_failed), 0);
    cr_assert_eq(sessions_destroyed, 0, "none was made");
}

Test(phase_tls, peer_that_only_ended_its_direction_still_gets_its_answer)
{
    kernel_can(KTLS_PEER_GONE);
    handshake(conn, SIZE_MAX);
    end_peer();
    send_rest();
    cr_assert_eq(conn->phase, PHASE_HTTP);
    cr_assert_eq(conn->transport, &transport_records);
}

Test(phase_tls, plain_http_is_told_to_use_tls)
{
    wait_for_readable();
    receive("GET /", 5);
    cr_assert_eq(conn->close_reason, CLOSE_HTTP_REFUSED);
    cr_assert_eq(stage_counted(tls_plain_refused), 1);
    stage_turn();
    cr_assert(bytes_start_with(held_bytes(kernel_send()), "HTTP/1.1 400 Bad Request\r\n"));
    cr_assert(kernel_recv()->buffered); /* the rest of the request is discarded */
}

Test(phase_tls, bytes_that_are_no_record_end_the_connection)
{
    wait_for_readable();
    receive("\0\0\0\0\0", 5);
    cr_assert_eq(conn->close_reason, CLOSE_TLS_FAILED);
    cr_assert(conn->close_submitted);
    cr_assert_eq(stage_counted(tls_failed), 1);
}

Test(phase_tls, record_that_is_no_handshake_is_answered_by_an_alert)
{
    wait_for_readable();
    receive("\x16\x03\x01\x00\x04", 5);
    receive("\x63\0\0\0", 4);
    engine_on_work(&stage.table);
    cr_assert_eq(conn->close_reason, CLOSE_TLS_FAILED);
    stage_turn();
    cr_assert_eq(held_bytes(kernel_send()).data[0], 21);
    cr_assert_eq(stage_counted(tls_failed), 1);
}

Test(phase_tls, peer_that_leaves_in_the_middle_costs_nothing_afterwards)
{
    wait_for_readable();
    receive("\x16\x03\x01", 3);
    kernel_complete(kernel_find(IORING_OP_RECV), 0, 0);
    cr_assert_eq(conn->close_reason, CLOSE_BY_PEER);
    kernel_finish_close();
    cr_assert_eq(stage.table.open_count, 0);
    cr_assert(costs_nothing());
}

Test(phase_tls, close_in_the_middle_waits_for_the_receive_that_writes_into_its_memory)
{
    wait_for_readable();
    receive("\x16\x03\x01", 3);
    conn_close_now(conn, CLOSE_DRAIN);
    kernel_take();
    cr_assert_eq(stage.worker.requests.blocks_used, 1);
    kernel_complete(kernel_find(IORING_OP_RECV), 2, 0); /* the cancel came too late */
    kernel_finish_close();
    cr_assert_eq(stage.table.open_count, 0);
    cr_assert(costs_nothing());
}

Test(phase_tls, close_with_the_last_flight_on_its_way_frees_the_session)
{
    handshake(conn, SIZE_MAX);
    cr_assert_not_null(kernel_send());
    conn_close_now(conn, CLOSE_DRAIN);
    cr_assert_eq(sessions_destroyed, 1);
    kernel_finish_close();
    cr_assert_eq(stage.table.open_count, 0);
    cr_assert(costs_nothing());
}

Test(phase_tls, handshake_that_does_not_come_is_ended_in_time)
{
    stage_pass_ms(9900);
    cr_assert_eq(conn->phase, PHASE_TLS);
    stage_pass_ms(200);
    cr_assert_eq(conn->close_reason, CLOSE_HANDSHAKE_TIMEOUT);
    cr_assert_eq(stage_counted(handshake_timeouts), 1);
}

Test(phase_tls, without_memory_for_requests_the_connection_is_closed_and_counted)
{
    stage.worker.requests.bytes_max = 0;
    wait_for_readable();
    cr_assert_eq(conn->close_reason, CLOSE_IO_ERROR);
    cr_assert_eq(stage_counted(http_refused_memory), 1);
}

Test(phase_tls, without_memory_for_an_answer_the_handshake_fails)
{
    SSL_do_handshake(backstage.client.ssl);
    wait_for_readable();
    stage_use_up_memory();
    while (handshake_receive(SIZE_MAX)) {
    }
    cr_assert_eq(conn->close_reason, CLOSE_TLS_FAILED);
}

Test(phase_tls, stop_ends_a_handshake_at_once)
{
    conn_end(conn, CLOSE_DRAIN);
    cr_assert(conn->close_submitted);
}
