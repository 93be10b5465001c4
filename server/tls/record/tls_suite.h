/* The cipher suites of TLS 1.3 (RFC 8446 §B.4) whose records are made without OpenSSL's SSL: by the
 * kernel, or here. Any thread. */
#pragma once

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

enum tls_suite {
    TLS_AES_128_GCM,
    TLS_AES_256_GCM,
    TLS_CHACHA20_POLY1305,
    TLS_SUITE_COUNT,
};

/* The suite of an IANA number (0x1301 …), or TLS_SUITE_COUNT. */
enum tls_suite tls_suite_of(uint16_t cipher_id);
uint16_t tls_suite_id(enum tls_suite suite);

const char *tls_suite_text(enum tls_suite suite); /* of its cipher */
size_t tls_suite_key_bytes(enum tls_suite suite);
size_t tls_suite_secret_bytes(enum tls_suite suite); /* of its hash */
const EVP_MD *tls_suite_hash(enum tls_suite suite);
const EVP_CIPHER *tls_suite_cipher(enum tls_suite suite);
