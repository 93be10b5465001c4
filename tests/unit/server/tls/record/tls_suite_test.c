/* Goal: a suite has the sizes of its cipher and hash in OpenSSL. */
#include "server/tls/record/tls_suite.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>

Test(tls_suite, has_the_sizes_of_its_cipher_and_hash)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(ctx);

    for (uint16_t id = 0x1301; id <= 0x1303; id++) {
        uint8_t wire[] = {(uint8_t)(id >> 8), (uint8_t)id};
        const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, wire);
        enum tls_suite suite = tls_suite_of(id);
        const EVP_MD *hash = SSL_CIPHER_get_handshake_digest(cipher);

        cr_assert_lt(suite, TLS_SUITE_COUNT);
        cr_assert_eq(EVP_MD_get_type(hash), EVP_MD_get_type(tls_suite_hash(suite)));
        cr_assert_eq(tls_suite_secret_bytes(suite), (size_t)EVP_MD_get_size(hash));
        cr_assert_eq(EVP_CIPHER_get_nid(tls_suite_cipher(suite)),
                     SSL_CIPHER_get_cipher_nid(cipher));
        cr_assert_eq(tls_suite_key_bytes(suite),
                     (size_t)EVP_CIPHER_get_key_length(tls_suite_cipher(suite)));
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

Test(tls_suite, is_none_of_another_number)
{
    cr_assert_eq(tls_suite_of(0x1304), TLS_SUITE_COUNT); /* CCM */
    cr_assert_eq(tls_suite_of(0xc02b), TLS_SUITE_COUNT); /* TLS 1.2 */
}
