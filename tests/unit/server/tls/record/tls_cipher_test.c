/* Goal: a direction knows its next number and key, and nothing of them stays behind.
 * Method: records of one direction, opened by the other with the same secret. */
#include "server/tls/record/tls_cipher.h"

#include "tests/unit/server/tls/record/record_fixture.h"

static const uint8_t secret[TLS_SECRET_BYTES_MAX] = {1, 2, 3};
static const uint8_t inner[] = {'x', TLS_CONTENT_DATA};

/* Whether the next record of one is the next record of the other. */
static bool agree(struct tls_cipher *client, struct tls_opener *opener)
{
    uint8_t record[64];
    uint8_t type;
    struct bytes payload;
    size_t len = record_make(client, inner, sizeof inner, record);

    return tls_opener_open(opener, record, len, &type, &payload) == TLS_OPENED;
}

Test(tls_cipher, each_record_has_the_next_number)
{
    struct tls_cipher client;
    struct tls_opener opener = {0};

    for (unsigned suite = 0; suite < TLS_SUITE_COUNT; suite++) {
        cr_assert(tls_cipher_init(&client, true, (enum tls_suite)suite, secret, 0x01020304050607));
        cr_assert(tls_cipher_init(&opener.cipher, false, (enum tls_suite)suite, secret,
                                  0x01020304050607));
        cr_assert(agree(&client, &opener));
        cr_assert_eq(client.sequence, 0x01020304050608);
        cr_assert(agree(&client, &opener));
        client.sequence ^= UINT64_C(1) << 63; /* all of the number counts */
        cr_assert_not(agree(&client, &opener));
        tls_cipher_deinit(&client);
        tls_cipher_deinit(&opener.cipher);
    }
}

Test(tls_cipher, key_update_needs_both_ends)
{
    struct tls_cipher client;
    struct tls_opener opener = {0};

    cr_assert(tls_cipher_init(&client, true, TLS_AES_256_GCM, secret, 7));
    cr_assert(tls_cipher_init(&opener.cipher, false, TLS_AES_256_GCM, secret, 7));
    cr_assert(tls_cipher_update(&client));
    cr_assert_eq(client.sequence, 0);
    cr_assert(tls_cipher_update(&opener.cipher));
    cr_assert_arr_eq(client.secret, opener.cipher.secret, sizeof client.secret);
    cr_assert(agree(&client, &opener));
    cr_assert(tls_cipher_update(&client));
    cr_assert_not(agree(&client, &opener));
    tls_cipher_deinit(&client);
    tls_cipher_deinit(&opener.cipher);
}

Test(tls_cipher, goes_on_after_a_rest)
{
    struct tls_cipher client;
    struct tls_opener opener = {0};

    for (unsigned suite = 0; suite < TLS_SUITE_COUNT; suite++) {
        cr_assert(tls_cipher_init(&client, true, (enum tls_suite)suite, secret, 7));
        cr_assert(tls_cipher_init(&opener.cipher, false, (enum tls_suite)suite, secret, 7));
        for (unsigned i = 0; i < 3; i++) {
            tls_cipher_rest(&opener.cipher);
            tls_cipher_rest(&opener.cipher);
            cr_assert_null(opener.cipher.context);
            cr_assert(agree(&client, &opener));
        }
        tls_cipher_rest(&client);
        tls_cipher_rest(&opener.cipher);
        cr_assert(tls_cipher_update(&client)); /* a key that is set while none has a context */
        cr_assert(tls_cipher_update(&opener.cipher));
        cr_assert(agree(&client, &opener));
        cr_assert_eq(client.sequence, 1);
        tls_cipher_rest(&client);
        tls_cipher_deinit(&client);
        tls_cipher_deinit(&opener.cipher);
    }
}

Test(tls_cipher, one_that_rests_from_the_start_has_the_key_when_it_is_wanted)
{
    struct tls_cipher client;
    struct tls_opener opener = {0};

    for (unsigned suite = 0; suite < TLS_SUITE_COUNT; suite++) {
        for (unsigned updates = 0; updates < 2; updates++) {
            cr_assert(tls_cipher_init(&client, true, (enum tls_suite)suite, secret, 7));
            tls_cipher_init_resting(&opener.cipher, false, (enum tls_suite)suite, secret, 7);
            cr_assert_not(opener.cipher.has_key);
            for (unsigned i = 0; i < updates; i++) {
                cr_assert(tls_cipher_update(&client));
                cr_assert(tls_cipher_update(&opener.cipher));
            }
            cr_assert(agree(&client, &opener));
            cr_assert(opener.cipher.has_key);
            tls_cipher_deinit(&client);
            tls_cipher_deinit(&opener.cipher);
        }
    }
}

Test(tls_cipher, leaves_nothing_and_may_end_twice)
{
    static const struct tls_cipher zero;
    struct tls_cipher cipher;

    cr_assert(tls_cipher_init(&cipher, true, TLS_CHACHA20_POLY1305, secret, 0));
    for (unsigned i = 0; i < 2; i++) {
        tls_cipher_deinit(&cipher);
        cr_assert_eq(memcmp(&cipher, &zero, sizeof zero), 0);
    }
}
