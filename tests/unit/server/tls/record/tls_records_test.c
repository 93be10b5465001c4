/* Goal: both directions begin where the handshake left them.
 * Method: OpenSSL's client at the other end. */
#include "server/tls/record/tls_records.h"

#include "tests/unit/server/tls/record/record_fixture.h"

static uint8_t record[TLS_RECORD_BYTES_MAX];

static void talk(struct record_peers *peers, struct tls_records *records)
{
    static char hello[] = "hello";
    const struct iovec slice = {.iov_base = hello, .iov_len = 5};
    struct tls_plain plain = {.slices = &slice, .len = 5};
    uint8_t type;
    struct bytes payload;
    size_t len = tls_sealer_seal(&records->sealer, TLS_CONTENT_DATA, &plain, record);

    cr_assert(bytes_equal_text(peers_hear(peers, record, len), "hello"));
    cr_assert_eq(SSL_write(peers->client.ssl, "answer", 6), 6);
    int heard = BIO_read(peers->client.output, record, sizeof record);

    cr_assert_gt(heard, 0);
    cr_assert_eq(tls_opener_open(&records->opener, record, (size_t)heard, &type, &payload),
                 TLS_OPENED);
    cr_assert(bytes_equal_text(payload, "answer"));
}

Test(tls_records, both_directions_begin_behind_the_handshake)
{
    for (unsigned suite = 0; suite < ARRAY_LENGTH(record_suites); suite++) {
        struct record_peers peers;

        peers_open(&peers, suite);
        BIO_read(peers.client.output, record, sizeof record); /* of the handshake, if any */
        struct tls_records *records =
            tls_records_create(record_suites[suite].suite, &peers.client.secrets, RECORD_TICKETS);

        cr_assert_not_null(records);
        cr_assert_not(records->answer_wanted);
        talk(&peers, records);
        tls_records_destroy(records);
        peers_close(&peers);
    }
    tls_records_destroy(NULL);
}

/* Of another program. */
Test(tls_records, those_that_rest_from_the_start_go_on)
{
    for (unsigned suite = 0; suite < ARRAY_LENGTH(record_suites); suite++) {
        struct record_peers peers;

        peers_open(&peers, suite);
        BIO_read(peers.client.output, record, sizeof record);
        struct tls_records *records =
            tls_records_create_resting(record_suites[suite].suite, &peers.client.secrets);

        cr_assert_not_null(records);
        records->sealer.cipher.sequence = RECORD_TICKETS;
        talk(&peers, records);
        tls_records_destroy(records);
        peers_close(&peers);
    }
}
