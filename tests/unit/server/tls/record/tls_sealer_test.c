/* Goal: records that we make are the ones that RFC 8446 describes.
 * Method: the trace of RFC 8448 §3, byte by byte; and OpenSSL's client, which reads with its own
 * record layer what was sealed in every shape. */
#include "server/tls/record/tls_sealer.h"

#include "tests/unit/server/tls/record/record_fixture.h"

enum { LONG_BYTES = 100000, RECORDS_SIZE = 1 << 20 };

static uint8_t records[RECORDS_SIZE];
static uint8_t text[LONG_BYTES];

static void fill_text(void)
{
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)(i * 7 + i / 251);
    }
}

TestSuite(tls_sealer, .init = fill_text);

static size_t seal_all(struct tls_sealer *sealer, struct tls_plain plain)
{
    size_t len = 0;

    do {
        size_t sealed = tls_sealer_seal(sealer, TLS_CONTENT_DATA, &plain, records + len);

        cr_assert_gt(sealed, 0);
        len += sealed;
    } while (plain.len > 0);
    return len;
}

static void expect_hex(const uint8_t *got, size_t len, const char *hex)
{
    uint8_t wanted[256];
    size_t wanted_len;

    cr_assert_eq(OPENSSL_hexstr2buf_ex(wanted, sizeof wanted, &wanted_len, hex, '\0'), 1);
    cr_assert_eq(len, wanted_len);
    cr_assert_arr_eq(got, wanted, len);
}

Test(tls_sealer, makes_the_records_of_rfc_8448)
{
    uint8_t secret[32], payload[50];
    size_t len;
    struct tls_sealer sealer;
    struct iovec slice = {.iov_base = payload, .iov_len = sizeof payload};
    struct tls_plain plain = {.slices = &slice, .len = sizeof payload};

    for (size_t i = 0; i < sizeof payload; i++) {
        payload[i] = (uint8_t)i;
    }
    cr_assert_eq(OPENSSL_hexstr2buf_ex(
                     secret, sizeof secret, &len,
                     "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643", '\0'),
                 1);
    cr_assert(tls_cipher_init(&sealer.cipher, true, TLS_AES_128_GCM, secret, 1));
    expect_hex(
        records, tls_sealer_seal(&sealer, TLS_CONTENT_DATA, &plain, records),
        "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602d"
        "cb501a59a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d");
    slice = (struct iovec){.iov_base = (uint8_t[]){1, 0}, .iov_len = 2};
    plain = (struct tls_plain){.slices = &slice, .len = 2};
    expect_hex(records, tls_sealer_seal(&sealer, TLS_CONTENT_ALERT, &plain, records),
               "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9");
    tls_cipher_deinit(&sealer.cipher);
}

/* In slices of so many bytes each, and from an offset in the first. */
static void seal_in_slices(struct record_peers *peers, size_t slice_len, size_t len, size_t offset)
{
    static struct iovec slices[LONG_BYTES];
    size_t count = 0;

    for (size_t at = 0; at < len + offset; at += slice_len) {
        size_t left = len + offset - at;

        slices[count++] =
            (struct iovec){.iov_base = text + at, .iov_len = left < slice_len ? left : slice_len};
    }
    struct tls_plain plain = {.slices = slices, .offset = offset, .len = len};
    size_t sealed = seal_all(&peers->sealer, plain);
    struct bytes got = peers_hear(peers, records, sealed);

    cr_assert_eq(sealed, len == 0 ? TLS_SEAL_OVERHEAD : tls_sealer_size(len));
    cr_assert_eq(got.len, len);
    cr_assert(bytes_equal(got, bytes_of(text + offset, len)));
}

Test(tls_sealer, openssl_reads_what_was_sealed)
{
    static const size_t lens[] = {0, 1, 15, 16, 17, 300, 4096, 16383, 16384, 16385, 90000};
    static const size_t slice_lens[] = {1, 5, 16, 1000, 16384, LONG_BYTES};

    for (unsigned suite = 0; suite < ARRAY_LENGTH(record_suites); suite++) {
        struct record_peers peers;

        peers_open(&peers, suite);
        for (size_t i = 0; i < ARRAY_LENGTH(lens); i++) {
            for (size_t j = 0; j < ARRAY_LENGTH(slice_lens); j++) {
                seal_in_slices(&peers, slice_lens[j], lens[i], 0);
            }
            seal_in_slices(&peers, 1000, lens[i], 999);
        }
        peers_close(&peers);
    }
}

Test(tls_sealer, openssl_follows_our_key_update)
{
    for (unsigned suite = 0; suite < ARRAY_LENGTH(record_suites); suite++) {
        struct record_peers peers;

        peers_open(&peers, suite);
        for (unsigned i = 0; i < 5; i++) {
            uint8_t before[TLS_SECRET_BYTES_MAX];

            memcpy(before, peers.sealer.cipher.secret, sizeof before);
            size_t len = tls_sealer_update(&peers.sealer, records);

            cr_assert_eq(len, TLS_SEAL_OVERHEAD + TLS_KEY_UPDATE_BYTES);
            cr_assert_eq(peers_hear(&peers, records, len).len, 0);
            cr_assert_neq(memcmp(before, peers.sealer.cipher.secret, sizeof before), 0);
            cr_assert_eq(peers.sealer.cipher.sequence, 0);
            seal_in_slices(&peers, 1000, 20000, 0);
        }
        peers_close(&peers);
    }
}

Test(tls_sealer, close_notify_ends_openssl_properly)
{
    struct record_peers peers;
    struct iovec slice = {.iov_base = (uint8_t[]){1, 0}, .iov_len = 2};
    struct tls_plain plain = {.slices = &slice, .len = 2};

    peers_open(&peers, 0);
    peers_hear(&peers, records, tls_sealer_seal(&peers.sealer, TLS_CONTENT_ALERT, &plain, records));
    cr_assert_eq(SSL_get_shutdown(peers.client.ssl), SSL_RECEIVED_SHUTDOWN);
    peers_close(&peers);
}

Test(tls_sealer, is_spent_after_so_many_records_until_the_key_is_a_new_one)
{
    struct record_peers peers;

    peers_open(&peers, 0);
    peers.sealer.cipher.sequence = TLS_SEAL_RECORDS_MAX - 1;
    cr_assert_not(tls_sealer_is_spent(&peers.sealer));
    cr_assert_eq(seal_all(&peers.sealer, (struct tls_plain){0}), TLS_SEAL_OVERHEAD);
    cr_assert(tls_sealer_is_spent(&peers.sealer));
    cr_assert_gt(tls_sealer_update(&peers.sealer, records), 0);
    cr_assert_not(tls_sealer_is_spent(&peers.sealer));
    peers_close(&peers);
}

/* RFC 8446 §5.5: its numbers end before its key is used too much. */
Test(tls_sealer, with_chacha20_is_never_spent)
{
    struct record_peers peers;

    peers_open(&peers, 2);
    cr_assert_eq(peers.sealer.cipher.suite, TLS_CHACHA20_POLY1305);
    peers.sealer.cipher.sequence = TLS_SEAL_RECORDS_MAX;
    cr_assert_not(tls_sealer_is_spent(&peers.sealer));
    peers_close(&peers);
}

Test(tls_sealer, never_uses_a_number_twice)
{
    struct record_peers peers;
    struct tls_plain none = {0};

    peers_open(&peers, 0);
    peers.sealer.cipher.sequence = UINT64_MAX;
    cr_assert_eq(tls_sealer_seal(&peers.sealer, TLS_CONTENT_DATA, &none, records), 0);
    cr_assert_eq(tls_sealer_update(&peers.sealer, records), 0);
    cr_assert_eq(peers.sealer.cipher.sequence, UINT64_MAX);
    peers_close(&peers);
}
