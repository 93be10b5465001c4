/* Fuzzes tls_record_measure, tls_record_count (server/tls/tls_record.c), and the parts an
 * unauthenticated peer reaches of tls_session_accept and tls_session_decrypt
 * (server/tls/tls_session.c): the input is a stream of records, which is fed record by record as
 * phase_tls.c does, with a key made at start.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "server/tls/record/tls_record.h"
#include "server/tls/tls_session.h"

enum { OUTPUT_SIZE = 16384, VALID_S = 3600 };

static struct tls_context *context;

static void write_pair(const char *cert_path, const char *key_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    FILE *cert_file = fopen(cert_path, "w");
    FILE *key_file = fopen(key_path, "w");

    CHECK(key != NULL && certificate != NULL && cert_file != NULL && key_file != NULL);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), VALID_S);
    X509_set_pubkey(certificate, key);
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
    CHECK(PEM_write_X509(cert_file, certificate) == 1);
    CHECK(PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL) == 1);
    fclose(cert_file);
    fclose(key_file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void make_context(void)
{
    char folder[] = "/tmp/relay-tls-fuzz-XXXXXX";
    char cert[64], key[64], error[TLS_ERROR_SIZE];

    CHECK(mkdtemp(folder) != NULL);
    snprintf(cert, sizeof cert, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    write_pair(cert, key);
    struct tls_settings settings = {.cert_files = cert, .key_files = key, .tickets = 2};

    context = tls_context_create(&settings, error);
    CHECK(context != NULL);
    unlink(cert);
    unlink(key);
    rmdir(folder);
}

/* One record; false when the stream ends here. */
static bool feed(struct tls_session *session, struct bytes record)
{
    static uint8_t output[OUTPUT_SIZE];
    enum tls_status status;

    do {
        tls_session_set_output(session, output, sizeof output);
        status = tls_session_accept(session, &record);
        size_t len = tls_session_output_len(session);

        CHECK(len <= sizeof output);
        /* Our output is whole records, unless the flight did not fit. */
        CHECK(status == TLS_STATUS_WANT_OUTPUT || len == 0 || tls_record_count(output, len) > 0);
    } while (status == TLS_STATUS_WANT_OUTPUT);
    CHECK(status != TLS_STATUS_OK || tls_session_version_text(session) != NULL);
    return status == TLS_STATUS_WANT_INPUT;
}

static void run_session(struct bytes stream)
{
    struct tls_session *session = tls_session_create(context);
    uint8_t plain[256];
    size_t len;

    CHECK(session != NULL);
    while (stream.len >= TLS_RECORD_HEADER) {
        size_t record_len = tls_record_measure(stream.data);

        CHECK(record_len == 0 ||
              (record_len > TLS_RECORD_HEADER && record_len <= TLS_RECORD_BYTES_MAX));
        if (record_len == 0 || record_len > stream.len) {
            break;
        }
        if (!feed(session, bytes_of(stream.data, record_len))) {
            break;
        }
        stream = bytes_skip(stream, record_len);
    }
    CHECK(tls_session_failure(session) != NULL);
    tls_session_set_output(session, NULL, 0);
    CHECK(tls_session_decrypt(session, &stream, plain, sizeof plain, &len) != TLS_STATUS_OK);
    tls_session_destroy(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (context == NULL) {
        make_context();
    }
    run_session(bytes_of(data, size));
    CHECK(ERR_peek_error() == 0);
    return 0;
}
