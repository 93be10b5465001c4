/* Fuzzes tls_opener_measure, tls_opener_open (server/tls/record/tls_opener.c) and tls_sealer_seal
 * (tls_sealer.c) against OpenSSL's own record layer: both get the same records, made with a
 * client's keys, and must read the same bytes or both refuse. The first byte chooses the suite;
 * then each record is one of
 *
 * - kind 0: type, content's length (2 bytes), padding's length (2), as a client may make it;
 * - kind 1: the same, and one byte of it changed: where (2), how (1);
 * - kind 2: KeyUpdate;
 * - kind 3: length (1), and so many bytes as they are;
 * - kind 4: content's length (2), and how it is cut into slices (1): sealed by us, read by OpenSSL.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fuzz/split.h"
#include "server/tls/record/tls_opener.h"
#include "server/tls/record/tls_sealer.h"

enum { VALID_S = 3600, RECORDS_MAX = 24, CONTENT_MAX = TLS_RECORD_PAYLOAD_MAX };

static SSL_CTX *server_ctx, *client_ctx;

static const struct {
    const char *text;
    enum tls_suite suite;
} suites[] = {{"TLS_AES_128_GCM_SHA256", TLS_AES_128_GCM},
              {"TLS_AES_256_GCM_SHA384", TLS_AES_256_GCM},
              {"TLS_CHACHA20_POLY1305_SHA256", TLS_CHACHA20_POLY1305}};

struct peers {
    SSL *server, *client;
    BIO *to_server, *to_client;
    struct tls_secrets secrets;
    struct tls_cipher client_cipher; /* makes records in the client's place */
    struct tls_opener opener;        /* of the server, as is server */
    struct tls_sealer sealer;
    bool ended;
};

static size_t parse_secret(const char *line, const char *label, uint8_t *secret)
{
    size_t len = 0;

    if (strncmp(line, label, strlen(label)) == 0) {
        CHECK(OPENSSL_hexstr2buf_ex(secret, TLS_SECRET_BYTES_MAX, &len, strrchr(line, ' ') + 1,
                                    '\0') == 1);
    }
    return len;
}

static void on_keylog(const SSL *ssl, const char *line)
{
    struct tls_secrets *secrets = SSL_get_app_data(ssl);

    if (secrets != NULL) {
        parse_secret(line, "CLIENT_TRAFFIC_SECRET_0 ", secrets->client);
        parse_secret(line, "SERVER_TRAFFIC_SECRET_0 ", secrets->server);
    }
}

static void make_contexts(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();

    CHECK(key != NULL && certificate != NULL);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), VALID_S);
    X509_set_pubkey(certificate, key);
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
    server_ctx = SSL_CTX_new(TLS_server_method());
    client_ctx = SSL_CTX_new(TLS_client_method());
    CHECK(server_ctx != NULL && client_ctx != NULL);
    CHECK(SSL_CTX_use_certificate(server_ctx, certificate) == 1);
    CHECK(SSL_CTX_use_PrivateKey(server_ctx, key) == 1);
    SSL_CTX_set_num_tickets(server_ctx, 0);
    SSL_CTX_set_keylog_callback(client_ctx, on_keylog);
    SSL_CTX_set_min_proto_version(client_ctx, TLS1_3_VERSION);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static BIO *make_bio(void)
{
    BIO *bio = BIO_new(BIO_s_mem());

    CHECK(bio != NULL);
    BIO_set_mem_eof_return(bio, -1);
    return bio;
}

static void open_peers(struct peers *peers, unsigned index)
{
    *peers = (struct peers){.to_server = make_bio(), .to_client = make_bio()};
    peers->server = SSL_new(server_ctx);
    peers->client = SSL_new(client_ctx);
    CHECK(peers->server != NULL && peers->client != NULL);
    BIO_up_ref(peers->to_server);
    BIO_up_ref(peers->to_client);
    SSL_set_bio(peers->server, peers->to_server, peers->to_client);
    SSL_set_bio(peers->client, peers->to_client, peers->to_server);
    SSL_set_app_data(peers->client, &peers->secrets);
    CHECK(SSL_set_ciphersuites(peers->client, suites[index].text) == 1);
    SSL_set_accept_state(peers->server);
    SSL_set_connect_state(peers->client);
    SSL_do_handshake(peers->client);
    SSL_do_handshake(peers->server);
    CHECK(SSL_do_handshake(peers->client) == 1);
    CHECK(SSL_do_handshake(peers->server) == 1);
    enum tls_suite suite = suites[index].suite;
    const struct tls_secrets *secrets = &peers->secrets;

    CHECK(tls_cipher_init(&peers->client_cipher, true, suite, secrets->client, 0));
    CHECK(tls_cipher_init(&peers->opener.cipher, false, suite, secrets->client, 0));
    CHECK(tls_cipher_init(&peers->sealer.cipher, true, suite, secrets->server, 0));
    ERR_clear_error();
}

static void close_peers(struct peers *peers)
{
    SSL_free(peers->server);
    SSL_free(peers->client);
    tls_cipher_deinit(&peers->client_cipher);
    tls_cipher_deinit(&peers->opener.cipher);
    tls_cipher_deinit(&peers->sealer.cipher);
    ERR_clear_error();
}

static size_t take(struct bytes *input, unsigned count)
{
    size_t number = 0;

    for (unsigned i = 0; i < count; i++) {
        number = number << 8 | (input->len > 0 ? input->data[0] : 0);
        *input = bytes_skip(*input, 1);
    }
    return number;
}

static const uint8_t *content(void)
{
    static uint8_t bytes[CONTENT_MAX];

    if (bytes[1] == 0) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = (uint8_t)(i * 7 + i / 251);
        }
    }
    return bytes;
}

/* A record with that inner part; its length. */
static size_t make_record(struct tls_cipher *cipher, const uint8_t *inner, size_t inner_len,
                          uint8_t *record)
{
    size_t sealed = inner_len + TLS_TAG_BYTES;
    const uint8_t header[] = {23, 3, 3, (uint8_t)(sealed >> 8), (uint8_t)sealed};
    uint8_t *payload = record + TLS_RECORD_HEADER;
    int len;

    memcpy(record, header, sizeof header);
    CHECK(tls_cipher_begin(cipher, record));
    CHECK(EVP_EncryptUpdate(cipher->context, payload, &len, inner, (int)inner_len) == 1);
    CHECK(EVP_EncryptFinal_ex(cipher->context, payload + inner_len, &len) == 1);
    CHECK(EVP_CIPHER_CTX_ctrl(cipher->context, EVP_CTRL_AEAD_GET_TAG, TLS_TAG_BYTES,
                              payload + inner_len) == 1);
    return sizeof header + sealed;
}

/* OpenSSL gets the record: it reads these bytes, or none, or fails. */
static void expect_openssl(struct peers *peers, const uint8_t *record, size_t len, bool opened,
                           struct bytes wanted)
{
    static uint8_t plain[TLS_RECORD_PAYLOAD_MAX + 1];
    size_t got = 0;

    ERR_clear_error();
    CHECK(BIO_write(peers->to_server, record, (int)len) == (int)len);
    int result = SSL_read_ex(peers->server, plain, sizeof plain, &got);
    int error = SSL_get_error(peers->server, result);

    if (opened) {
        CHECK(error == SSL_ERROR_NONE || error == SSL_ERROR_WANT_READ);
        CHECK(bytes_equal(bytes_of(plain, got), wanted));
    } else {
        CHECK(error == SSL_ERROR_SSL || error == SSL_ERROR_WANT_READ);
        CHECK(got == 0);
        peers->ended = true;
    }
}

/* Both get the record. OpenSSL's meaning of other contents than data is not of its record layer. */
static void deliver(struct peers *peers, const uint8_t *record, size_t len)
{
    uint8_t *copy = malloc(len);
    size_t measured;
    uint8_t type = TLS_CONTENT_DATA;
    struct bytes payload = {0};

    CHECK(copy != NULL);
    memcpy(copy, record, len);
    enum tls_opened opened = tls_opener_measure(copy, &measured);

    peers->ended = opened == TLS_OPENED && measured != len; /* more or less than it says */
    if (opened == TLS_OPENED && !peers->ended) {
        opened = tls_opener_open(&peers->opener, copy, len, &type, &payload);
    }
    CHECK(opened != TLS_OPENED_FAILED && ERR_peek_error() == 0);
    CHECK(payload.len <= TLS_RECORD_PAYLOAD_MAX);
    /* OpenSSL takes more padding than RFC 8446 §5.4 allows. */
    peers->ended = peers->ended || type != TLS_CONTENT_DATA || opened == TLS_OPENED_OVERFLOW;
    if (!peers->ended) {
        expect_openssl(peers, record, len, opened == TLS_OPENED, payload);
    }
    free(copy);
}

static void run_record(struct peers *peers, struct bytes *input, bool changed)
{
    static uint8_t inner[2 * TLS_RECORD_PAYLOAD_MAX], record[TLS_RECORD_BYTES_MAX + 64];
    uint8_t type = (uint8_t)take(input, 1);
    size_t len = take(input, 2) % (CONTENT_MAX + 1);
    size_t padding = take(input, 2) % (CONTENT_MAX + 3 - len);

    memcpy(inner, content(), len);
    inner[len] = type;
    memset(inner + len + 1, 0, padding);
    size_t record_len = make_record(&peers->client_cipher, inner, len + 1 + padding, record);

    if (changed) {
        size_t at = take(input, 2) % record_len;
        uint8_t how = (uint8_t)take(input, 1);

        record[at] ^= how == 0 ? 1 : how;
    }
    deliver(peers, record, record_len);
}

static void run_update(struct peers *peers)
{
    static const uint8_t inner[] = {24, 0, 0, 1, 0, TLS_CONTENT_HANDSHAKE};
    uint8_t record[64];
    size_t measured;
    uint8_t type;
    struct bytes payload;
    size_t len = make_record(&peers->client_cipher, inner, sizeof inner, record);

    expect_openssl(peers, record, len, true, (struct bytes){0});
    CHECK(tls_opener_measure(record, &measured) == TLS_OPENED && measured == len);
    CHECK(tls_opener_open(&peers->opener, record, len, &type, &payload) == TLS_OPENED);
    CHECK(tls_control_parse(type, payload) == TLS_CONTROL_REKEY);
    CHECK(tls_cipher_update(&peers->opener.cipher));
    CHECK(tls_cipher_update(&peers->client_cipher));
}

static void run_bytes(struct peers *peers, struct bytes *input)
{
    uint8_t record[256 + TLS_RECORD_HEADER] = {0};
    size_t len = take(input, 1);

    len = len < input->len ? len : input->len;
    if (len >= TLS_RECORD_HEADER) {
        memcpy(record, input->data, len);
        deliver(peers, record, len);
    }
    *input = bytes_skip(*input, len);
}

static void run_sealer(struct peers *peers, struct bytes *input)
{
    static uint8_t record[TLS_RECORD_BYTES_MAX], plain[TLS_RECORD_PAYLOAD_MAX + 1];
    static struct iovec slices[CONTENT_MAX];
    size_t len = take(input, 2) % (CONTENT_MAX + 1);
    struct split split = {.state = (uint32_t)take(input, 1)};
    size_t count = 0;
    size_t got = 0;

    for (size_t at = 0; at < len; count++) {
        slices[count] = (struct iovec){.iov_base = (void *)(uintptr_t)(content() + at),
                                       .iov_len = split_next(&split, len - at)};
        at += slices[count].iov_len;
    }
    struct tls_plain all = {.slices = slices, .len = len};
    size_t sealed = tls_sealer_seal(&peers->sealer, TLS_CONTENT_DATA, &all, record);

    CHECK(sealed == len + TLS_SEAL_OVERHEAD && all.len == 0);
    CHECK(BIO_write(peers->to_client, record, (int)sealed) == (int)sealed);
    CHECK(SSL_read_ex(peers->client, plain, sizeof plain, &got) == (len > 0));
    CHECK(bytes_equal(bytes_of(plain, got), bytes_of(content(), len)));
    ERR_clear_error();
}

static void run_step(struct peers *peers, struct bytes *input)
{
    switch (take(input, 1) % 5) {
    case 0:
        run_record(peers, input, false);
        return;
    case 1:
        run_record(peers, input, true);
        return;
    case 2:
        run_update(peers);
        return;
    case 3:
        run_bytes(peers, input);
        return;
    case 4:
        run_sealer(peers, input);
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_of(data, size);
    static struct peers peers;

    if (server_ctx == NULL) {
        make_contexts();
    }
    open_peers(&peers, (unsigned)take(&input, 1) % ARRAY_LENGTH(suites));
    for (unsigned i = 0; i < RECORDS_MAX && input.len > 0 && !peers.ended; i++) {
        run_step(&peers, &input);
    }
    close_peers(&peers);
    return 0;
}
