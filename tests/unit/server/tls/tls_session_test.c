/* Goal: a session agrees with OpenSSL's own client on keys and bytes, in every order of input and
 * output that a connection can bring, and refuses what is not TLS without losing memory.
 * Method: both ends in memory; the client's key log is the reference for the secrets. */
#include "tests/unit/server/tls/tls_fixture.h"

enum { PLAIN_SIZE = 100000 };

static struct pair_files files;
static struct tls_context *context;

static void start(void)
{
    pair_make(&files, "one.example", 30);
    context = context_make(&files, 2);
}

static void stop(void)
{
    tls_context_unref(context);
    pair_remove(&files);
}

TestSuite(tls_session, .init = start, .fini = stop);

static void connect_both(struct tls_session **session, struct client *client, int version,
                         const char *suite)
{
    *session = tls_session_create(context);
    cr_assert_not_null(*session);
    client_init(client, version, suite);
    cr_assert_eq(shake_hands(*session, client), TLS_STATUS_OK);
    cr_assert_eq(SSL_do_handshake(client->ssl), 1);
}

static void disconnect_both(struct tls_session *session, struct client *client)
{
    tls_session_destroy(session);
    client_deinit(client);
}

Test(tls_session, has_the_secrets_that_the_client_has)
{
    static const struct {
        const char *suite;
        uint16_t id;
        size_t secret_len;
    } cases[] = {{"TLS_AES_128_GCM_SHA256", 0x1301, 32},
                 {"TLS_AES_256_GCM_SHA384", 0x1302, 48},
                 {"TLS_CHACHA20_POLY1305_SHA256", 0x1303, 32}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct tls_session *session;
        struct client client;

        connect_both(&session, &client, TLS1_3_VERSION, cases[i].suite);
        const struct tls_secrets *secrets = tls_session_secrets(session);

        cr_assert(tls_session_is_tls13(session));
        cr_assert_str_eq(tls_session_version_text(session), "TLSv1.3");
        cr_assert_eq(tls_session_cipher_id(session), cases[i].id);
        cr_assert_eq(secrets->client_len, cases[i].secret_len);
        cr_assert_eq(secrets->server_len, cases[i].secret_len);
        cr_assert_eq(memcmp(secrets, &client.secrets, sizeof *secrets), 0, "%s", cases[i].suite);
        tls_session_forget_secrets(session);
        tls_session_forget_secrets(session);
        disconnect_both(session, &client);
    }
}

Test(tls_session, of_tls_1_2_has_no_secrets_and_says_so)
{
    struct tls_session *session;
    struct client client;

    connect_both(&session, &client, TLS1_2_VERSION, NULL);
    cr_assert_not(tls_session_is_tls13(session));
    cr_assert_eq(tls_session_secrets(session)->client_len, 0);
    cr_assert_eq(tls_session_fragment_max(session), TLS_RECORD_PAYLOAD_MAX);
    disconnect_both(session, &client);
}

Test(tls_session, sends_as_many_tickets_as_told_with_its_last_step)
{
    static uint8_t flight[FIXTURE_FLIGHT_SIZE], output[FIXTURE_FLIGHT_SIZE];

    for (unsigned tickets = 0; tickets <= 3; tickets++) {
        struct tls_context *other = context_make(&files, tickets);
        struct tls_session *session = tls_session_create(other);
        enum tls_status status = TLS_STATUS_WANT_INPUT;
        struct client client;
        size_t last_len = 0;

        client_init(&client, TLS1_3_VERSION, NULL);
        while (status == TLS_STATUS_WANT_INPUT) {
            SSL_do_handshake(client.ssl);
            struct bytes input = bytes_of(flight, client_take(&client, flight));

            tls_session_set_output(session, output, sizeof output);
            status = tls_session_accept(session, &input);
            last_len = server_flush(session, &client, output);
        }
        unsigned records = 0;

        for (size_t at = 0; at < last_len; records++) {
            cr_assert_eq(output[at], 23, "encrypted under the traffic key");
            at += TLS_RECORD_HEADER + ((size_t)output[at + 3] << 8 | output[at + 4]);
        }
        cr_assert_eq(status, TLS_STATUS_OK);
        cr_assert_eq(records, tickets);
        disconnect_both(session, &client);
        tls_context_unref(other);
    }
}

Test(tls_session, shakes_hands_byte_by_byte_and_into_a_small_output)
{
    static uint8_t flight[FIXTURE_FLIGHT_SIZE];
    struct tls_session *session = tls_session_create(context);
    enum tls_status status = TLS_STATUS_WANT_INPUT;
    struct client client;

    client_init(&client, TLS1_3_VERSION, NULL);
    while (status != TLS_STATUS_OK) {
        SSL_do_handshake(client.ssl);
        size_t len = client_take(&client, flight);

        cr_assert_gt(len, 0, "the client has something to say");
        for (size_t at = 0; at < len;) {
            struct bytes input = bytes_of(flight + at, 1);
            uint8_t output[100];

            do {
                tls_session_set_output(session, output, sizeof output);
                status = tls_session_accept(session, &input);
                server_flush(session, &client, output);
            } while (status == TLS_STATUS_WANT_OUTPUT);
            cr_assert(status == TLS_STATUS_OK || status == TLS_STATUS_WANT_INPUT);
            cr_assert_eq(input.len, 0);
            at++;
        }
    }
    cr_assert_eq(SSL_do_handshake(client.ssl), 1);
    disconnect_both(session, &client);
}

Test(tls_session, carries_every_size_both_ways)
{
    static const size_t sizes[] = {1, 100, 16383, 16384, 16385, PLAIN_SIZE};
    static uint8_t plain[PLAIN_SIZE], records[PLAIN_SIZE + 8192], back[PLAIN_SIZE];
    struct tls_session *session;
    struct client client;

    for (size_t i = 0; i < sizeof plain; i++) {
        plain[i] = (uint8_t)(i * 31 >> 3);
    }
    connect_both(&session, &client, TLS1_3_VERSION, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        size_t size = sizes[i];

        tls_session_set_output(session, records, sizeof records);
        cr_assert_eq(tls_session_encrypt(session, bytes_of(plain, size)), TLS_STATUS_OK);
        size_t len = server_flush(session, &client, records);

        cr_assert_leq(len, size + (size / TLS_RECORD_PAYLOAD_MAX + 1) * TLS_RECORD_OVERHEAD);
        for (size_t got = 0; got < size;) {
            int now = SSL_read(client.ssl, back + got, (int)(size - got));

            cr_assert_gt(now, 0);
            got += (size_t)now;
        }
        cr_assert_eq(memcmp(back, plain, size), 0);

        cr_assert_eq(SSL_write(client.ssl, plain, (int)size), (int)size);
        int wire = BIO_read(client.output, records, sizeof records);
        struct bytes input = bytes_of(records, (size_t)wire);
        size_t got = 0, now;

        while (tls_session_decrypt(session, &input, back + got, sizeof back - got, &now) ==
               TLS_STATUS_OK) {
            got += now;
        }
        cr_assert_eq(got, size);
        cr_assert_eq(memcmp(back, plain, size), 0);
    }
    disconnect_both(session, &client);
}

Test(tls_session, answers_a_key_update_late_and_goes_on)
{
    static uint8_t flight[FIXTURE_FLIGHT_SIZE];
    struct tls_session *session;
    struct client client;
    uint8_t plain[64], records[1024];
    size_t len;

    connect_both(&session, &client, TLS1_3_VERSION, NULL);
    for (unsigned round = 0; round < 3; round++) {
        cr_assert_eq(SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        cr_assert_eq(SSL_write(client.ssl, "new key", 7), 7);
        struct bytes input = bytes_of(flight, client_take(&client, flight));

        tls_session_set_output(session, NULL, 0);
        cr_assert_eq(tls_session_decrypt(session, &input, plain, sizeof plain, &len),
                     TLS_STATUS_OK);
        cr_assert_eq(len, 7);
        struct bytes late = tls_session_late(session);

        /* OpenSSL answers at once or with the next write: the client must follow either. */
        BIO_write(client.input, late.data, (int)late.len);
        tls_session_take_late(session);
        cr_assert_eq(tls_session_late(session).len, 0);
        tls_session_set_output(session, records, sizeof records);
        cr_assert_eq(tls_session_encrypt(session, bytes_of_text("answer")), TLS_STATUS_OK);
        server_flush(session, &client, records);
        cr_assert_eq(SSL_read(client.ssl, plain, sizeof plain), 6);
        cr_assert_eq(memcmp(plain, "answer", 6), 0);
    }
    disconnect_both(session, &client);
}

Test(tls_session, fails_in_a_flood_of_key_updates_that_nobody_sends)
{
    static uint8_t flight[FIXTURE_FLIGHT_SIZE];
    struct tls_session *session;
    struct client client;
    enum tls_status status = TLS_STATUS_WANT_INPUT;

    connect_both(&session, &client, TLS1_3_VERSION, NULL);
    for (unsigned i = 0; i < 200 && status == TLS_STATUS_WANT_INPUT; i++) {
        uint8_t plain[16];
        size_t len;

        SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(client.ssl);
        struct bytes input = bytes_of(flight, client_take(&client, flight));

        status = tls_session_decrypt(session, &input, plain, sizeof plain, &len);
        cr_assert_leq(tls_session_late(session).len, TLS_LATE_BYTES);
    }
    disconnect_both(session, &client);
}

Test(tls_session, close_notify_is_heard_both_ways)
{
    static uint8_t flight[FIXTURE_FLIGHT_SIZE];
    struct tls_session *session;
    struct client client;
    uint8_t plain[16], records[256];
    size_t len;

    connect_both(&session, &client, TLS1_3_VERSION, NULL);
    tls_session_set_output(session, records, sizeof records);
    tls_session_close_notify(session);
    server_flush(session, &client, records);
    cr_assert_eq(SSL_read(client.ssl, plain, sizeof plain), 0);
    cr_assert_eq(SSL_get_error(client.ssl, 0), SSL_ERROR_ZERO_RETURN);

    SSL_shutdown(client.ssl);
    struct bytes input = bytes_of(flight, client_take(&client, flight));

    cr_assert_eq(tls_session_decrypt(session, &input, plain, sizeof plain, &len),
                 TLS_STATUS_CLOSED);
    disconnect_both(session, &client);
}

Test(tls_session, close_notify_before_or_after_a_failure_is_harmless)
{
    uint8_t records[256];
    struct tls_session *session = tls_session_create(context);
    struct bytes garbage = bytes_of("\x16\x03\x01\x00\x05garbage", 12);

    tls_session_set_output(session, records, sizeof records);
    tls_session_close_notify(session);
    enum tls_status status = tls_session_accept(session, &garbage);

    cr_assert_eq(status, TLS_STATUS_FAILED, "%d", status);
    cr_assert_gt(strlen(tls_session_failure(session)), 0);
    tls_session_close_notify(session);
    tls_session_destroy(session);
    tls_session_destroy(NULL);
}

Test(tls_session, a_damaged_record_fails_and_says_why)
{
    static uint8_t flight[FIXTURE_FLIGHT_SIZE];

    for (size_t at = 0; at < 30; at++) {
        struct tls_session *session;
        struct client client;
        uint8_t plain[64], records[256];
        size_t len;

        connect_both(&session, &client, TLS1_3_VERSION, NULL);
        tls_session_set_output(session, records, sizeof records);
        cr_assert_eq(SSL_write(client.ssl, "some text", 9), 9);
        size_t wire = client_take(&client, flight);

        cr_assert_lt(at, wire);
        flight[at] ^= 0x40;
        struct bytes input = bytes_of(flight, wire);
        enum tls_status status = tls_session_decrypt(session, &input, plain, sizeof plain, &len);

        /* A longer length waits for more; everything else is found out at once. */
        cr_assert(status == TLS_STATUS_FAILED || (at == 3 || at == 4), "byte %zu: %d", at, status);
        cr_assert_neq(status, TLS_STATUS_OK);
        disconnect_both(session, &client);
    }
}

Test(tls_session, agrees_on_small_fragments)
{
    struct tls_session *session = tls_session_create(context);
    struct client client;

    client_init(&client, TLS1_3_VERSION, NULL);
    SSL_set_tlsext_max_fragment_length(client.ssl, TLSEXT_max_fragment_length_1024);
    cr_assert_eq(shake_hands(session, &client), TLS_STATUS_OK);
    cr_assert_eq(tls_session_fragment_max(session), 1024);
    disconnect_both(session, &client);
}
