#include "server/tls/record/tls_suite.h"

#include <pthread.h>

#include "base/check.h"

static const struct {
    const char *text;
    uint16_t cipher_id;
    size_t key_bytes;
    size_t secret_bytes;
    const EVP_MD *(*hash)(void);
    const EVP_CIPHER *(*cipher)(void);
} suites[TLS_SUITE_COUNT] = {
    [TLS_AES_128_GCM] = {"AES-128-GCM", 0x1301, 16, 32, EVP_sha256, EVP_aes_128_gcm},
    [TLS_AES_256_GCM] = {"AES-256-GCM", 0x1302, 32, 48, EVP_sha384, EVP_aes_256_gcm},
    [TLS_CHACHA20_POLY1305] = {"CHACHA20", 0x1303, 32, 32, EVP_sha256, EVP_chacha20_poly1305},
};

enum tls_suite tls_suite_of(uint16_t cipher_id)
{
    for (unsigned i = 0; i < TLS_SUITE_COUNT; i++) {
        if (suites[i].cipher_id == cipher_id) {
            return (enum tls_suite)i;
        }
    }
    return TLS_SUITE_COUNT;
}

uint16_t tls_suite_id(enum tls_suite suite)
{
    CHECK(suite < TLS_SUITE_COUNT);
    return suites[suite].cipher_id;
}

const char *tls_suite_text(enum tls_suite suite)
{
    CHECK(suite < TLS_SUITE_COUNT);
    return suites[suite].text;
}

size_t tls_suite_key_bytes(enum tls_suite suite)
{
    CHECK(suite < TLS_SUITE_COUNT);
    return suites[suite].key_bytes;
}

size_t tls_suite_secret_bytes(enum tls_suite suite)
{
    CHECK(suite < TLS_SUITE_COUNT);
    return suites[suite].secret_bytes;
}

const EVP_MD *tls_suite_hash(enum tls_suite suite)
{
    CHECK(suite < TLS_SUITE_COUNT);
    return suites[suite].hash();
}

static EVP_CIPHER *fetched[TLS_SUITE_COUNT];

static void fetch_all(void)
{
    for (unsigned i = 0; i < TLS_SUITE_COUNT; i++) {
        fetched[i] = EVP_CIPHER_fetch(NULL, EVP_CIPHER_get0_name(suites[i].cipher()), NULL);
    }
}

/* OpenSSL would look for it each time that a key is set, under a lock of all threads. */
const EVP_CIPHER *tls_suite_cipher(enum tls_suite suite)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    CHECK(suite < TLS_SUITE_COUNT);
    pthread_once(&once, fetch_all);
    return fetched[suite] != NULL ? fetched[suite] : suites[suite].cipher();
}
