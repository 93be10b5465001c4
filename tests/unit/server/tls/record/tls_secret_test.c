/* Goal: keys are the ones that RFC 8446 derives.
 * Method: the trace of RFC 8448 §3. The other suites, and KeyUpdate, are compared with OpenSSL's
 * own derivation in ktls_test.c, and by whole connections in tls_sealer_test.c and
 * tls_opener_test.c. */
#include "server/tls/record/tls_secret.h"

#include <criterion/criterion.h>
#include <openssl/crypto.h>
#include <string.h>

static void parse_hex(const char *text, uint8_t *bytes, size_t len)
{
    size_t parsed;

    cr_assert_eq(OPENSSL_hexstr2buf_ex(bytes, len, &parsed, text, '\0'), 1);
    cr_assert_eq(parsed, len);
}

static void expect_keys(const char *secret_text, const char *key_text, const char *iv_text)
{
    uint8_t secret[32], key[16], iv[TLS_IV_BYTES];
    struct tls_keys keys;

    parse_hex(secret_text, secret, sizeof secret);
    parse_hex(key_text, key, sizeof key);
    parse_hex(iv_text, iv, sizeof iv);
    cr_assert_eq(tls_secret_keys(TLS_AES_128_GCM, secret, &keys), 0);
    cr_assert_arr_eq(keys.key, key, sizeof key);
    cr_assert_arr_eq(keys.iv, iv, sizeof iv);
}

Test(tls_secret, keys_are_those_of_rfc_8448)
{
    expect_keys("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
                "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9");
    expect_keys("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
                "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984");
}

Test(tls_secret, next_one_has_the_length_of_its_hash)
{
    static const uint8_t secret[TLS_SECRET_BYTES_MAX] = {1};

    for (unsigned suite = 0; suite < TLS_SUITE_COUNT; suite++) {
        uint8_t next[TLS_SECRET_BYTES_MAX] = {0};
        uint8_t rest[TLS_SECRET_BYTES_MAX] = {0};
        size_t len = tls_suite_secret_bytes((enum tls_suite)suite);

        cr_assert_eq(tls_secret_next((enum tls_suite)suite, secret, next), 0);
        cr_assert_neq(memcmp(next, secret, len), 0);
        cr_assert_eq(memcmp(next + len, rest, sizeof next - len), 0);
    }
}
