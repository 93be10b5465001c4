/* Goal: what a peer sent is opened in place, and everything that RFC 8446 §5 forbids is refused.
 * Method: the trace of RFC 8448 §3; OpenSSL's client with its own record layer; and records that no
 * client makes, made with the client's own keys. */
#include "server/tls/record/tls_opener.h"

#include "tests/unit/server/tls/record/record_fixture.h"

enum { LONG_BYTES = 100000, ROOM = 1 << 17 };

static uint8_t records[ROOM];
static uint8_t text[LONG_BYTES];

static void fill_text(void)
{
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)(i * 7 + i / 251);
    }
}

TestSuite(tls_opener, .init = fill_text);

static enum tls_opened open_one(struct tls_opener *opener, uint8_t *record, size_t *ret_len,
                                uint8_t *ret_type, struct bytes *ret_payload)
{
    enum tls_opened measured = tls_opener_measure(record, ret_len);

    return measured != TLS_OPENED
               ? measured
               : tls_opener_open(opener, record, *ret_len, ret_type, ret_payload);
}

static void expect_record(struct tls_opener *opener, const char *hex, uint8_t wanted_type,
                          struct bytes wanted)
{
    size_t len, measured;
    uint8_t type;
    struct bytes payload;

    cr_assert_eq(OPENSSL_hexstr2buf_ex(records, sizeof records, &len, hex, '\0'), 1);
    cr_assert_eq(open_one(opener, records, &measured, &type, &payload), TLS_OPENED);
    cr_assert_eq(measured, len);
    cr_assert_eq(type, wanted_type);
    cr_assert(bytes_equal(payload, wanted));
}

Test(tls_opener, opens_the_records_of_rfc_8448)
{
    uint8_t secret[32], payload[50];
    size_t len;
    struct tls_opener opener = {0};

    for (size_t i = 0; i < sizeof payload; i++) {
        payload[i] = (uint8_t)i;
    }
    cr_assert_eq(OPENSSL_hexstr2buf_ex(
                     secret, sizeof secret, &len,
                     "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5", '\0'),
                 1);
    cr_assert(tls_cipher_init(&opener.cipher, false, TLS_AES_128_GCM, secret, 0));
    expect_record(
        &opener,
        "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd5"
        "4a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4",
        TLS_CONTENT_DATA, bytes_of(payload, sizeof payload));
    expect_record(&opener, "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3", TLS_CONTENT_ALERT,
                  bytes_of("\x01\x00", 2));
    tls_cipher_deinit(&opener.cipher);
}

/* Opens all records of the client's output; gives their data. */
static struct bytes open_output(struct record_peers *peers)
{
    static uint8_t plain[ROOM];
    size_t used = 0;
    int len = BIO_read(peers->client.output, records, sizeof records);

    for (int at = 0; at < len;) {
        size_t record_len;
        uint8_t type;
        struct bytes payload;

        cr_assert_eq(open_one(&peers->opener, records + at, &record_len, &type, &payload),
                     TLS_OPENED);
        at += (int)record_len;
        if (type == TLS_CONTENT_DATA) {
            memcpy(plain + used, payload.data, payload.len);
            used += payload.len;
        } else {
            cr_assert_eq(tls_control_parse(type, payload), TLS_CONTROL_REKEY_AND_ANSWER);
            cr_assert(tls_cipher_update(&peers->opener.cipher));
        }
    }
    return bytes_of(plain, used);
}

/* OpenSSL pads each record to a multiple of the block. */
static void exchange(struct record_peers *peers, size_t len, size_t padding_block)
{
    SSL_set_block_padding(peers->client.ssl, padding_block);
    cr_assert_eq(SSL_write(peers->client.ssl, text, (int)len), (int)len);
    cr_assert(bytes_equal(open_output(peers), bytes_of(text, len)), "%zu", len);
}

Test(tls_opener, opens_what_openssl_sealed_under_one_key_and_the_next)
{
    static const size_t lens[] = {1, 15, 16, 17, 300, 4096, 16383, 16384, 16385, 90000};

    for (unsigned suite = 0; suite < ARRAY_LENGTH(record_suites); suite++) {
        struct record_peers peers;

        peers_open(&peers, suite);
        open_output(&peers);
        for (size_t i = 0; i < ARRAY_LENGTH(lens); i++) {
            exchange(&peers, lens[i], 0);
            exchange(&peers, lens[i], 512);
            cr_assert_eq(SSL_key_update(peers.client.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        }
        peers_close(&peers);
    }
}

/* The client's next record has this inner part. */
static enum tls_opened open_inner(struct tls_opener *opener, const uint8_t *inner, size_t len)
{
    static uint8_t record[TLS_RECORD_BYTES_MAX];
    struct tls_cipher client;
    size_t record_len;
    uint8_t type;
    struct bytes payload;

    cr_assert(tls_cipher_init(&client, true, opener->cipher.suite, opener->cipher.secret,
                              opener->cipher.sequence));
    size_t made = record_make(&client, inner, len, record);
    enum tls_opened opened = open_one(opener, record, &record_len, &type, &payload);

    cr_assert_eq(made, record_len);
    tls_cipher_deinit(&client);
    return opened;
}

Test(tls_opener, padding_may_fill_a_record_but_not_be_all_of_it)
{
    static uint8_t inner[TLS_RECORD_PAYLOAD_MAX + 2];
    struct record_peers peers;

    for (unsigned suite = 0; suite < ARRAY_LENGTH(record_suites); suite++) {
        peers_open(&peers, suite);
        memset(inner, 0, sizeof inner);
        inner[0] = TLS_CONTENT_DATA;
        cr_assert_eq(open_inner(&peers.opener, inner, 1), TLS_OPENED);
        cr_assert_eq(open_inner(&peers.opener, inner, TLS_RECORD_PAYLOAD_MAX + 1), TLS_OPENED);
        inner[TLS_RECORD_PAYLOAD_MAX] = TLS_CONTENT_DATA;
        cr_assert_eq(open_inner(&peers.opener, inner, TLS_RECORD_PAYLOAD_MAX + 1), TLS_OPENED);
        cr_assert_eq(open_inner(&peers.opener, inner, TLS_RECORD_PAYLOAD_MAX + 2),
                     TLS_OPENED_OVERFLOW);
        memset(inner, 0, sizeof inner);
        cr_assert_eq(open_inner(&peers.opener, inner, 1), TLS_OPENED_UNEXPECTED);
        cr_assert_eq(open_inner(&peers.opener, inner, TLS_RECORD_PAYLOAD_MAX + 1),
                     TLS_OPENED_UNEXPECTED);
        peers_close(&peers);
    }
}

Test(tls_opener, only_so_many_records_in_a_row_may_carry_no_data)
{
    static const uint8_t empty[] = {TLS_CONTENT_DATA};
    static const uint8_t data[] = {'x', TLS_CONTENT_DATA};
    struct record_peers peers;

    peers_open(&peers, 0);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < TLS_IDLE_RECORDS_MAX; i++) {
            cr_assert_eq(open_inner(&peers.opener, empty, sizeof empty), TLS_OPENED);
        }
        cr_assert_eq(open_inner(&peers.opener, round == 0 ? data : empty, round == 0 ? 2 : 1),
                     round == 0 ? TLS_OPENED : TLS_OPENED_UNEXPECTED);
    }
    peers_close(&peers);
}

/* A byte of data behind each block of them does not make up for their cost. */
Test(tls_opener, key_updates_are_few_or_far_between)
{
    static const uint8_t update[] = {24, 0, 0, 1, 0, TLS_CONTENT_HANDSHAKE};
    static const uint8_t data[] = {'x', TLS_CONTENT_DATA};
    struct record_peers peers;

    peers_open(&peers, 0);
    for (unsigned i = 0; i < TLS_KEY_UPDATES_MAX; i++) {
        cr_assert_eq(open_inner(&peers.opener, update, sizeof update), TLS_OPENED);
        cr_assert_eq(open_inner(&peers.opener, data, sizeof data), TLS_OPENED);
    }
    while (peers.opener.key_updates == TLS_KEY_UPDATES_MAX) {
        cr_assert_eq(open_inner(&peers.opener, data, sizeof data), TLS_OPENED);
        cr_assert_lt(peers.opener.data_records, 1000);
    }
    while (peers.opener.key_updates < TLS_KEY_UPDATES_MAX) {
        cr_assert_eq(open_inner(&peers.opener, update, sizeof update), TLS_OPENED);
    }
    cr_assert_eq(open_inner(&peers.opener, update, sizeof update), TLS_OPENED_UNEXPECTED);
    peers_close(&peers);
}

Test(tls_opener, each_changed_byte_is_noticed)
{
    static const char hello[] = "hello";

    for (unsigned suite = 0; suite < ARRAY_LENGTH(record_suites); suite++) {
        struct record_peers peers;
        uint8_t record[64], copy[64];
        uint8_t type;
        struct bytes payload;

        peers_open(&peers, suite);
        open_output(&peers);
        cr_assert_eq(SSL_write(peers.client.ssl, hello, 5), 5);
        int len = BIO_read(peers.client.output, record, sizeof record);

        cr_assert_eq(len, 5 + TLS_RECORD_HEADER + TLS_SEALED_BYTES_MIN);
        for (int i = 0; i < len; i++) {
            memcpy(copy, record, sizeof copy);
            copy[i] ^= 0x40;
            peers.opener.cipher.sequence = 0;
            cr_assert_eq(tls_opener_open(&peers.opener, copy, (size_t)len, &type, &payload),
                         TLS_OPENED_BAD_TAG, "byte %d", i);
        }
        peers.opener.cipher.sequence = 1;
        memcpy(copy, record, sizeof copy);
        cr_assert_eq(tls_opener_open(&peers.opener, copy, (size_t)len, &type, &payload),
                     TLS_OPENED_BAD_TAG, "out of order");
        peers_close(&peers);
    }
}

Test(tls_opener, header_that_may_not_follow_a_handshake_is_refused)
{
    static const struct {
        uint8_t header[TLS_RECORD_HEADER];
        enum tls_opened measured;
    } cases[] = {
        {{23, 3, 3, 0, 17}, TLS_OPENED},
        {{23, 3, 3, 0x40, 0x11}, TLS_OPENED},
        {{23, 3, 3, 0x40, 0x12}, TLS_OPENED_OVERFLOW},
        {{23, 3, 3, 0xff, 0xff}, TLS_OPENED_OVERFLOW},
        {{23, 3, 3, 0, 16}, TLS_OPENED_BAD_TAG},
        {{23, 3, 3, 0, 0}, TLS_OPENED_BAD_TAG},
        {{20, 3, 3, 0, 1}, TLS_OPENED_UNEXPECTED},
        {{21, 3, 3, 0, 2}, TLS_OPENED_UNEXPECTED},
        {{22, 3, 3, 0, 17}, TLS_OPENED_UNEXPECTED},
        {{24, 3, 3, 0, 17}, TLS_OPENED_UNEXPECTED},
        {{'G', 'E', 'T', ' ', '/'}, TLS_OPENED_UNEXPECTED},
        {{23, 3, 1, 0, 17}, TLS_OPENED_BAD_VERSION},
        {{23, 2, 3, 0, 17}, TLS_OPENED_BAD_VERSION},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        size_t len;

        cr_assert_eq(tls_opener_measure(cases[i].header, &len), cases[i].measured, "case %zu", i);
        cr_assert_eq(len,
                     TLS_RECORD_HEADER + ((size_t)cases[i].header[3] << 8) + cases[i].header[4]);
    }
}

Test(tls_opener, no_record_has_the_last_number)
{
    static const uint8_t data[] = {'x', TLS_CONTENT_DATA};
    struct record_peers peers;
    uint8_t record[64] = {23, 3, 3, 0, 18};
    uint8_t type;
    struct bytes payload;

    peers_open(&peers, 0);
    peers.opener.cipher.sequence = UINT64_MAX - 1;
    cr_assert_eq(open_inner(&peers.opener, data, sizeof data), TLS_OPENED);
    cr_assert_eq(tls_opener_open(&peers.opener, record, 23, &type, &payload), TLS_OPENED_FAILED);
    cr_assert_eq(peers.opener.cipher.sequence, UINT64_MAX);
    peers_close(&peers);
}
