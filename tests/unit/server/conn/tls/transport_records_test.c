/* Goal: records made and opened by ourselves carry all bytes in order, however the kernel cuts
 * them, within the memory that is left; what breaks the protocol ends the connection. Method: a
 * client of OpenSSL behind a fake kernel (tls_stage.h). */
#include "server/conn/tls/transport_records.h"

#include "server/tls/record/tls_records.h"
#include "tests/unit/server/conn/tls/user_cases.h"
#include "tests/unit/server/tls/record/record_fixture.h"

static void open_connection(void)
{
    tls_stage_open();
    conn = tls_connect();
    cr_assert_eq(conn->transport, &transport_records);
    expect_heard("enter ");
}

TestSuite(transport_records, .init = open_connection, .fini = tls_stage_close);

USER_CASES(transport_records)

Test(transport_records, key_update_is_answered_with_what_is_sent_next)
{
    cr_assert_eq(SSL_key_update(backstage.client.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    cr_assert_eq(SSL_do_handshake(backstage.client.ssl), 1);
    receive(client_records("under a new key"));
    expect_heard("under a new key ");
    stage_send(conn, "answer");
    stage_turn();
    send_all();
    expect_bytes(client_read(), "answer");
    receive(client_records("still understood"));
    expect_heard("sent still understood ");
}

/* Whether both directions keep their keys at hand after a message each way, so long after the last
 * ones. */
static bool keeps_keys_after(uint64_t pause_ms)
{
    const struct tls_records *records = conn->tls.records;

    stage.worker.now_ms += pause_ms;
    receive(client_records("question"));
    stage_send(conn, "answer");
    stage_turn();
    send_all();
    expect_bytes(client_read(), "answer");
    expect_heard("question sent ");
    cr_assert_eq(records->opener.cipher.context == NULL, records->sealer.cipher.context == NULL);
    return records->opener.cipher.context != NULL;
}

Test(transport_records, keys_are_at_hand_while_there_is_much_to_say)
{
    keeps_keys_after(0);
    cr_assert_not(keeps_keys_after(1000));
    cr_assert(keeps_keys_after(999));
    cr_assert(keeps_keys_after(0));
    cr_assert_not(keeps_keys_after(25000));
}

/* The bytes of one receive lie in memory that the server may write to, as in its own buffers. */
static struct bytes join(const char *const *texts, size_t count)
{
    static uint8_t all[FIXTURE_FLIGHT_SIZE];
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        struct bytes records = client_records(texts[i]);

        memcpy(all + len, records.data, records.len);
        len += records.len;
    }
    return bytes_of(all, len);
}

Test(transport_records, flight_split_at_every_byte_arrives_whole)
{
    static const char *const texts[] = {"one", "two"};
    static uint8_t first[FIXTURE_FLIGHT_SIZE];

    for (size_t cut = 1, len = 2; cut < len; cut++) {
        struct bytes all = join(texts, 2);

        len = all.len;
        memcpy(first, all.data, cut);
        receive(bytes_of(first, cut));
        receive(bytes_skip(all, cut));
        expect_heard("one two ");
        cr_assert_null(conn->tls.partial);
    }
    cr_assert_eq(stage.worker.requests.blocks_used, 0);
}

Test(transport_records, largest_record_byte_by_byte_takes_no_more_than_it_has)
{
    struct bytes text = bytes_of(long_text(), TLS_RECORD_PAYLOAD_MAX);
    static uint8_t record[FIXTURE_FLIGHT_SIZE];

    cr_assert_eq(SSL_write(backstage.client.ssl, text.data, (int)text.len), (int)text.len);
    size_t len = client_take(&backstage.client, record);

    for (size_t i = 0; i < len - 1; i++) {
        receive(bytes_of(record + i, 1));
        cr_assert_leq(stage.worker.requests.bytes_held - stage.worker.requests.bytes_free,
                      3 * (i + 1) + 2048);
    }
    cr_assert_not_null(conn->tls.partial);
    conn_close_now(conn, CLOSE_DENIED);
    kernel_take();
    kernel_finish_close();
    cr_assert_eq(stage.worker.requests.blocks_used, 0);
}

/* Those that may not even ask, as far as the server knows, could use it up. */
Test(transport_records, record_of_a_member_needs_no_memory_of_requests)
{
    struct bytes records = client_records("hello");

    conn_enter_phase(conn, PHASE_WEBSOCKET);
    expect_heard("leave enter ");
    block_pool_trim(&stage.worker.requests, 0);
    stage.worker.requests.bytes_max = stage.worker.requests.bytes_held;
    receive(bytes_of(records.data, 9));
    cr_assert_eq(stage.worker.blocks.blocks_used, 1);
    receive(bytes_skip(records, 9));
    expect_heard("hello ");
    cr_assert_eq(stage.worker.blocks.blocks_used, 0);
}

Test(transport_records, record_of_a_member_may_take_memory_of_requests)
{
    struct bytes records = client_records("hello");
    size_t bytes_max = stage.worker.requests.bytes_max;

    conn_enter_phase(conn, PHASE_WEBSOCKET);
    stage_use_up_memory();
    stage.worker.requests.bytes_max = bytes_max;
    receive(bytes_of(records.data, 9));
    receive(bytes_skip(records, 9));
    expect_heard("leave enter hello ");
    cr_assert_eq(stage.worker.requests.blocks_used, 0);
}

Test(transport_records, empty_record_is_no_end_and_no_data)
{
    struct tls_cipher client;
    static const uint8_t inner[] = {TLS_CONTENT_DATA};
    uint8_t record[64];

    cr_assert(tls_cipher_init(&client, true, conn->tls.records->opener.cipher.suite,
                              conn->tls.records->opener.cipher.secret,
                              conn->tls.records->opener.cipher.sequence));
    receive(bytes_of(record, record_make(&client, inner, sizeof inner, record)));
    expect_heard("");
    tls_cipher_deinit(&client);
}

Test(transport_records, refused_record_is_told_by_an_alert)
{
    static const uint8_t too_long[] = {23, 3, 3, 0x40, 0x12};
    uint8_t alert[64];

    receive(bytes_of(too_long, sizeof too_long));
    expect_heard("failed: TLS failed leave ");
    cr_assert_eq(stage_counted(tls_broken), 1);
    ssize_t len = recv(stage_peer(conn), alert, sizeof alert, MSG_DONTWAIT);

    cr_assert_gt(len, 0);
    cr_assert_eq(BIO_write(backstage.client.input, alert, (int)len), (int)len);
    cr_assert_leq(SSL_read(backstage.client.ssl, alert, 1), 0);
    cr_assert_eq(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_RECORD_OVERFLOW);
}

Test(transport_records, key_is_renewed_before_it_has_made_too_many_records)
{
    conn->tls.records->sealer.cipher.sequence = TLS_SEAL_RECORDS_MAX;
    stage_send(conn, "hello");
    stage_turn();
    struct held *send = held_checked(kernel_send());

    cr_assert_eq(send->len, 5 + 2 * TLS_SEAL_OVERHEAD + TLS_KEY_UPDATE_BYTES);
    cr_assert_eq(conn->tls.records->sealer.cipher.sequence, 1);
    kernel_complete(send, (int)send->len, 0);
}

Test(transport_records, messages_of_a_batch_share_a_record)
{
    stage_send(conn, "one,");
    stage_send(conn, "two,");
    stage_turn();
    cr_assert_eq(held_checked(kernel_send())->len, 8 + TLS_SEAL_OVERHEAD);
    send_all();
    expect_bytes(client_read(), "one,two,");
}

Test(transport_records, keys_move_with_the_beginning_of_a_record)
{
    struct bytes records = client_records("hello");
    struct conn other = {.worker = &stage.worker};
    struct conn_tls *tls = &conn->tls;

    receive(bytes_of(records.data, 9));
    cr_assert(transport_records.take_over(&other, tls));
    cr_assert_eq(other.tls.records, tls->records);
    cr_assert_neq(other.tls.partial, tls->partial);
    transport_records.let_go(conn);
    transport_records.release(conn);
    cr_assert_null(tls->records);
    cr_assert_null(tls->partial);
    tls->records = other.tls.records; /* and back */
    tls->partial = other.tls.partial;
    receive(bytes_skip(records, 9));
    expect_heard("hello ");
}

Test(transport_records, without_memory_for_the_beginning_of_a_record_it_does_not_move)
{
    struct conn other = {.worker = &stage.worker};

    receive(bytes_of(client_records("hello").data, 9));
    stage_use_up_memory();
    cr_assert_not(transport_records.take_over(&other, &conn->tls));
    cr_assert_null(other.tls.partial);
    cr_assert_null(other.tls.records);
}
