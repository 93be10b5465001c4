/* Both ends of a TLS 1.3 connection after its handshake: OpenSSL's client with its own records, and
 * a sealer and an opener of ours in place of the server. */
#pragma once

#include "server/tls/record/tls_opener.h"
#include "server/tls/record/tls_sealer.h"
#include "tests/unit/server/tls/tls_fixture.h"

static const struct {
    const char *text;
    enum tls_suite suite;
} record_suites[] = {{"TLS_AES_128_GCM_SHA256", TLS_AES_128_GCM},
                     {"TLS_AES_256_GCM_SHA384", TLS_AES_256_GCM},
                     {"TLS_CHACHA20_POLY1305_SHA256", TLS_CHACHA20_POLY1305}};

enum { RECORD_TICKETS = 2 };

struct record_peers {
    struct pair_files files;
    struct tls_context *context;
    struct client client;
    struct tls_sealer sealer;
    struct tls_opener opener;
};

UNUSED static void peers_open(struct record_peers *peers, unsigned index)
{
    struct tls_secrets *secrets = &peers->client.secrets;

    *peers = (struct record_peers){0};
    pair_make(&peers->files, "one.example", 30);
    peers->context = context_make(&peers->files, RECORD_TICKETS);
    struct tls_session *session = tls_session_create(peers->context);

    client_init(&peers->client, TLS1_3_VERSION, record_suites[index].text);
    cr_assert_eq(shake_hands(session, &peers->client), TLS_STATUS_OK);
    cr_assert_eq(tls_suite_of(tls_session_cipher_id(session)), record_suites[index].suite);
    tls_session_destroy(session);
    cr_assert(tls_cipher_init(&peers->sealer.cipher, true, record_suites[index].suite,
                              secrets->server, RECORD_TICKETS));
    cr_assert(tls_cipher_init(&peers->opener.cipher, false, record_suites[index].suite,
                              secrets->client, 0));
    char byte;

    cr_assert_leq(SSL_read(peers->client.ssl, &byte, 1), 0); /* session tickets */
}

UNUSED static void peers_close(struct record_peers *peers)
{
    tls_cipher_deinit(&peers->sealer.cipher);
    tls_cipher_deinit(&peers->opener.cipher);
    client_deinit(&peers->client);
    tls_context_unref(peers->context);
    pair_remove(&peers->files);
}

/* What the client reads after len bytes of records reached it. */
UNUSED static struct bytes peers_hear(struct record_peers *peers, const uint8_t *records,
                                      size_t len)
{
    static uint8_t plain[1 << 20];
    size_t used = 0;
    int got;

    cr_assert_eq(BIO_write(peers->client.input, records, (int)len), (int)len);
    while ((got = SSL_read(peers->client.ssl, plain + used, (int)(sizeof plain - used))) > 0) {
        used += (size_t)got;
    }
    return bytes_of(plain, used);
}

/* A record with an inner part (RFC 8446 §5.2) of any kind, and its length. */
UNUSED static size_t record_make(struct tls_cipher *cipher, const uint8_t *inner, size_t inner_len,
                                 uint8_t *record)
{
    size_t sealed = inner_len + TLS_TAG_BYTES;
    uint8_t *payload = record + TLS_RECORD_HEADER;
    int len;

    memcpy(record, (uint8_t[]){23, 3, 3, (uint8_t)(sealed >> 8), (uint8_t)sealed},
           TLS_RECORD_HEADER);
    cr_assert(tls_cipher_begin(cipher, record));
    cr_assert_eq(EVP_EncryptUpdate(cipher->context, payload, &len, inner, (int)inner_len), 1);
    cr_assert_eq(EVP_EncryptFinal_ex(cipher->context, payload + inner_len, &len), 1);
    cr_assert_eq(EVP_CIPHER_CTX_ctrl(cipher->context, EVP_CTRL_AEAD_GET_TAG, TLS_TAG_BYTES,
                                     payload + inner_len),
                 1);
    return TLS_RECORD_HEADER + sealed;
}
